import {
  ApiOutlined, AuditOutlined, BellOutlined, BulbOutlined, CustomerServiceOutlined, DashboardOutlined, FileProtectOutlined, GlobalOutlined, LogoutOutlined, MenuOutlined, SearchOutlined, SolutionOutlined, UploadOutlined, UserOutlined,
} from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Layout as AntLayout, Avatar, Badge, Button, Drawer, Dropdown, Flex, Grid, Menu, Spin, Tooltip } from 'antd';
import { Suspense, useCallback, useEffect, useState } from 'react';
import { Link, Navigate, Outlet, useLocation, useNavigation } from 'react-router';

import { ApiError, post, queryClient, useGet } from '../api/client';
import { MeContext, meQuery, useMe } from '../api/me';
import { is, type Me } from '../api/roles';
import { language, setLanguage, useTranslation } from '../i18n';
import { menu } from '../routes';
import { listen } from './alerts';
import { setZone } from './format';
import { useHeralding } from './heralds';
import { Failed, Guard } from './states';

const icons: Record<string, React.ReactNode> = {
  overview: <DashboardOutlined />, queue: <AuditOutlined />, appeals: <SolutionOutlined />, alerts: <BellOutlined />, opinions: <BulbOutlined />, agents: <CustomerServiceOutlined />,
  me: <UserOutlined />, search: <SearchOutlined />, rules: <FileProtectOutlined />, imports: <UploadOutlined />, data: <ApiOutlined />,
};

// Layout is everything around a page, and the door: who is not logged in goes to the log-in page and comes back after it.
export function Layout() {
  const me = useQuery(meQuery);
  const place = useLocation();
  if (me.error instanceof ApiError && me.error.status === 401) {
    return <Navigate to={`/login?next=${encodeURIComponent(place.pathname + place.search)}`} replace />;
  }
  if (me.error) return <Failed error={me.error} retry={() => void me.refetch()} />;
  if (!me.data) return <Spin fullscreen />;
  setZone(me.data.timezone);
  return (
    <MeContext value={me.data as Me}>
      <Frame me={me.data as Me} />
    </MeContext>
  );
}

function Frame({ me }: { me: Me }) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().lg;
  const place = useLocation();
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [place.pathname]);
  useExpired();
  const pages = menu.filter((p) => is(me, ...p.roles));
  const selected = pages.filter((p) => place.pathname === p.path || (p.path !== '/' && place.pathname.startsWith(`${p.path}/`))).map((p) => p.path);
  const nav = (
    <nav aria-label={t('menu')}>
      <Link to="/" className="brand">
        <img src="/icon.svg" alt="" />
        {t('brand')}
      </Link>
      <Menu
        mode="inline"
        selectedKeys={selected}
        style={{ borderInlineEnd: 'none' }}
        items={pages.map((p) => ({ key: p.path, icon: icons[p.word], label: <Link to={p.path}>{t(p.word)}</Link> }))}
      />
    </nav>
  );
  return (
    <AntLayout style={{ minHeight: '100dvh' }}>
      {wide ? (
        <AntLayout.Sider width={184} theme="light" style={{ position: 'sticky', top: 0, height: '100vh', overflow: 'auto', borderInlineEnd: '1px solid #eef0f4' }}>
          {nav}
        </AntLayout.Sider>
      ) : (
        <Drawer placement="left" open={open} onClose={() => setOpen(false)} size={220} closable={false} styles={{ body: { padding: 0 } }}>
          {nav}
        </Drawer>
      )}
      <AntLayout>
        <AntLayout.Header style={{ position: 'sticky', top: 0, zIndex: 20, borderBottom: '1px solid #eef0f4' }}>
          <Flex align="center" gap={8} style={{ height: 56 }}>
            {!wide && <Button type="text" icon={<MenuOutlined />} aria-label={t('menu')} onClick={() => setOpen(true)} />}
            {!wide && <b>{t('brand')}</b>}
            <Flex align="center" gap={4} style={{ marginInlineStart: 'auto' }}>
              {is(me, 'admin', 'supervisor', 'analyst') && <Bell />}
              <LanguageButton />
              <Account me={me} />
            </Flex>
          </Flex>
        </AntLayout.Header>
        <div>
          <Guard key={place.pathname}>
            <Suspense fallback={<Spin style={{ margin: 48 }} />}>
              <Progress />
              <Outlet />
            </Suspense>
          </Guard>
        </div>
      </AntLayout>
    </AntLayout>
  );
}

// useExpired sends somebody whose session has ended to the log-in page, whatever request noticed it.
function useExpired() {
  useEffect(
    () =>
      queryClient.getQueryCache().subscribe((event) => {
        if (event.type === 'updated' && event.query.state.error instanceof ApiError && event.query.state.error.status === 401 && event.query.queryKey[0] !== '/api/v1/me') {
          void queryClient.invalidateQueries({ queryKey: ['/api/v1/me'] });
        }
      }),
    [],
  );
}

// Progress says that a page is being loaded.
function Progress() {
  const loading = useNavigation().state !== 'idle';
  return loading ? <Spin style={{ position: 'fixed', insetInlineEnd: 24, top: 72, zIndex: 30 }} /> : null;
}

// Bell counts the alerts that nobody has taken, as they come.
function Bell() {
  const { t } = useTranslation();
  const { user } = useMe();
  useEffect(() => listen(user), [user]);
  useHeralding(useCallback((alert) => `${t(`severity.${alert.severity}`)} · ${alert.title}`, [t]));
  const counts = useGet('/api/v1/alerts/counts', {}, { refetchInterval: 30_000 });
  return (
    <Tooltip title={t('alerts')}>
      <Link to="/alerts?open=1" aria-label={`${t('alerts')} ${counts.data?.open ?? 0}`}>
        <Badge count={counts.data?.open ?? 0} size="small" offset={[-4, 4]}>
          <Button type="text" icon={<BellOutlined />} tabIndex={-1} />
        </Badge>
      </Link>
    </Tooltip>
  );
}

export function LanguageButton() {
  const { t } = useTranslation();
  return (
    <Button type="text" icon={<GlobalOutlined />} onClick={() => setLanguage(language() === 'zh' ? 'en' : 'zh')}>
      {t('other_language')}
    </Button>
  );
}

function Account({ me }: { me: Me }) {
  const { t } = useTranslation();
  const leave = async () => {
    try {
      await post('/api/v1/logout');
    } finally {
      queryClient.clear();
      location.assign('/login');
    }
  };
  return (
    <Dropdown
      trigger={['click']}
      menu={{
        items: [
          { key: 'who', disabled: true, label: `${me.name || me.user} · ${t(`role.${me.role}`)}${me.teams.length > 0 ? ` · ${me.teams.join('、')}` : ''}` },
          { type: 'divider' },
          { key: 'logout', icon: <LogoutOutlined />, label: t('logout'), onClick: () => void leave() },
        ],
      }}
    >
      <Button type="text" aria-label={me.name || me.user} style={{ paddingInline: 6 }}>
        <Avatar size={26} style={{ background: '#0f766e' }}>
          {(me.name || me.user).slice(0, 1).toUpperCase()}
        </Avatar>
      </Button>
    </Dropdown>
  );
}
