// The first of the app to run. What a page needs is asked for at once: the app, the page, who looks at it, and what may be
// chosen on nearly all of them. Otherwise each would wait for the one before.
import 'virtual:antd.css'; // before the styles of the pages
import { ask } from './api/early';
import { pageAt } from './pages';

if (location.pathname !== '/login') {
  ask('/api/v1/me');
  void pageAt(location.pathname)?.();
}
void import('./main');
