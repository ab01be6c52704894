// What a page shows while it waits, where there is nothing, and where something went wrong.
import { Alert, Button, Empty, Flex, Result, Skeleton } from 'antd';
import { Component, type ReactNode } from 'react';
import { Link } from 'react-router';

import { ApiError } from '../api/client';
import { useTranslation } from '../i18n';

// why says in the reader's language what an error means; what the server says about a value stays in its own words.
export function useWhy() {
  const { t } = useTranslation();
  return (error: unknown): string => {
    if (!(error instanceof ApiError)) return String(error);
    if (error.status === 0) return t('error_no_answer');
    if (error.status === 403) return t('error_forbidden');
    if (error.status === 404) return t('error_not_found');
    return error.field ? `${error.field}: ${error.message}` : error.message;
  };
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation();
  const why = useWhy();
  return (
    <Alert
      type={error instanceof ApiError && error.status === 403 ? 'warning' : 'error'}
      showIcon
      title={t('error_title')}
      description={why(error)}
      action={retry && <Button onClick={retry}>{t('retry')}</Button>}
      style={{ margin: '16px 0' }}
    />
  );
}

interface Query<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

// Loaded shows what a query gives: a skeleton while it runs, the error with a way to try again, or its data.
export function Loaded<T>({ query, rows = 6, children }: { query: Query<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return <Skeleton active paragraph={{ rows }} style={{ padding: 16 }} />;
}

// More reads a list on, where there is more of it.
export function More({ list, size }: { list: { hasMore: boolean; loadingMore: boolean; more: () => void }; size?: 'small' }) {
  const { t } = useTranslation();
  if (!list.hasMore) return null;
  return (
    <Flex justify="center" style={{ marginTop: 12 }}>
      <Button size={size} onClick={list.more} loading={list.loadingMore}>
        {t('load_more')}
      </Button>
    </Flex>
  );
}

// Nothing is an empty state: what is missing and what to do about it.
export function Nothing({ text, children }: { text?: ReactNode; children?: ReactNode }) {
  const { t } = useTranslation();
  return (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={text ?? t('no_match')} style={{ padding: 24 }}>
      {children}
    </Empty>
  );
}

export function NoPage() {
  const { t } = useTranslation();
  return (
    <Result
      status="404"
      title={t('no_page')}
      extra={
        <Link to="/">
          <Button type="primary">{t('home')}</Button>
        </Link>
      }
    />
  );
}

function Broken({ error }: { error: Error }) {
  const { t } = useTranslation();
  return <Result status="error" title={t('page_broken')} subTitle={error.message} extra={<Button onClick={() => location.reload()}>{t('refresh')}</Button>} />;
}

// Guard keeps a failing page from taking the layout with it.
export class Guard extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    return this.state.error ? <Broken error={this.state.error} /> : this.props.children;
  }
}
