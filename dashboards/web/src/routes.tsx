// Which address shows which page, and who sees it in the menu. Pages are loaded when they are first opened.
import { createBrowserRouter, Navigate } from 'react-router';

import { useMe } from './api/me';
import { is, type Role } from './api/roles';
import { pages } from './pages';
import { Layout } from './ui/Layout';
import { Login } from './ui/Login';
import { NoPage } from './ui/states';

const staff: Role[] = ['admin', 'supervisor', 'product', 'analyst'];
const quality: Role[] = ['admin', 'supervisor', 'analyst'];

// menu is the order of the menu; the roles are those that the API lets in.
export const menu: { path: string; word: string; roles: Role[] }[] = [
  { path: '/', word: 'overview', roles: staff },
  { path: '/sessions', word: 'queue', roles: [...staff, 'agent'] },
  { path: '/appeals', word: 'appeals', roles: ['admin', 'supervisor', 'agent'] },
  { path: '/alerts', word: 'alerts', roles: quality },
  { path: '/opinions', word: 'opinions', roles: staff },
  { path: '/agents', word: 'agents', roles: quality },
  { path: '/me', word: 'me', roles: ['agent'] },
  { path: '/search', word: 'search', roles: staff },
  { path: '/rules', word: 'rules', roles: staff },
  { path: '/imports', word: 'imports', roles: ['admin', 'supervisor'] },
  { path: '/data', word: 'data', roles: staff },
];

// Home is where somebody without an overview begins.
function Home({ overview }: { overview: React.ReactNode }) {
  return is(useMe(), ...staff) ? overview : <Navigate to="/me" replace />;
}

export const router = createBrowserRouter([
  { path: '/login', element: <Login /> },
  {
    path: '/',
    element: <Layout />,
    HydrateFallback: () => null, // the first page is still being loaded
    children: [
      {
        index: true,
        lazy: async () => {
          const { default: Overview } = await pages['/']();
          return { element: <Home overview={<Overview />} /> };
        },
      },
      ...Object.entries(pages).filter(([path]) => path !== '/').map(([path, page]) => ({ path, lazy: async () => ({ Component: (await page()).default }) })),
      { path: '*', element: <NoPage /> },
    ],
  },
]);
