import { QueryClientProvider } from '@tanstack/react-query';
import { App as AntApp, ConfigProvider } from 'antd';
import enUS from 'antd/locale/en_US';
import zhCN from 'antd/locale/zh_CN';
import dayjs from 'dayjs';
import 'dayjs/locale/zh-cn';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router';

import { prefetch, queryClient } from './api/client';
import type { Ask } from './api/early';
import { meQuery } from './api/me';
import { startWords, useTranslation } from './i18n';
import { pageAt, pages } from './pages';
import { router } from './routes';
import { theme } from './ui/theme';
import './ui/app.css';

function Root() {
  const { i18n } = useTranslation();
  const english = i18n.language === 'en';
  dayjs.locale(english ? 'en' : 'zh-cn');
  return (
    <ConfigProvider locale={english ? enUS : zhCN} theme={theme} button={{ autoInsertSpace: false }}>
      <AntApp>
        <RouterProvider router={router} />
      </AntApp>
    </ConfigProvider>
  );
}

// patience is how long the first drawing waits for what the page reads, in ms: one drawing is faster than two.
const patience = 300;

// start draws the app. Who looks at it is known, or refused, before anything is drawn; `asked` is what was asked for already.
export async function start(asked: Promise<Ask[]>) {
  const here = pageAt(location.pathname);
  const answers = asked.then((asks) => Promise.all(asks.map(prefetch)));
  await Promise.all([startWords(), location.pathname === '/login' ? undefined : queryClient.prefetchQuery(meQuery), here && pages[here.page]().catch(() => undefined)]);
  await Promise.race([answers, new Promise((done) => setTimeout(done, patience))]);
  createRoot(document.getElementById('root') as HTMLElement).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <Root />
      </QueryClientProvider>
    </StrictMode>,
  );
}
