import { Tabs } from 'antd';
import { useSearchParams } from 'react-router';

import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { Page } from '../../ui/Page';
import { Connect } from './Connect';
import { Health } from './Health';
import { Runs } from './Runs';
import { SQLBox } from './SQLBox';
import { Views } from './Views';

// Data is for those who count themselves: the views with what their columns mean, a box to ask them, and how the
// pipeline that fills them stands.
export default function Data() {
  const { t } = useTranslation('data');
  const me = useMe();
  const [params, setParams] = useSearchParams();
  const asks = is(me, 'admin', 'analyst');
  // ask opens the box with a statement, which lies in the address so that it can be sent to somebody.
  const ask = (sql: string) => setParams({ tab: 'sql', sql });
  const items = [
    { key: 'views', label: t('views'), children: <Views ask={asks ? ask : undefined} /> },
    ...(asks ? [{ key: 'sql', label: t('sql'), children: <SQLBox key={params.get('sql')} initial={params.get('sql') ?? ''} keep={ask} /> }] : []),
    { key: 'connect', label: t('connect'), children: <Connect /> },
    ...(asks
      ? [
          { key: 'health', label: t('health'), children: <Health /> },
          { key: 'runs', label: t('runs'), children: <Runs /> },
        ]
      : []),
  ];
  const open = params.get('tab');
  return (
    <Page title={t('title')} note={t('note')}>
      <Tabs activeKey={items.some((i) => i.key === open) ? (open as string) : 'views'} onChange={(tab) => setParams({ tab })} destroyOnHidden items={items} />
    </Page>
  );
}
