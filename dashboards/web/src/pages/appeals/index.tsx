import { Tabs } from 'antd';
import { useSearchParams } from 'react-router';

import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { Page } from '../../ui/Page';
import { Appealable } from './Appealable';
import { AppealList } from './AppealList';
import './appeals.css';

// Appeals: those that wait and those that were judged; agents see their own, and what they may still appeal against.
export default function Appeals() {
  const { t } = useTranslation('appeals');
  const me = useMe();
  const agent = is(me, 'agent');
  const [params, setParams] = useSearchParams();
  const tabs = agent ? ['mine', 'open', 'judged'] : ['open', 'judged'];
  const asked = params.get('tab') ?? '';
  const tab = tabs.includes(asked) ? asked : tabs[0];
  return (
    <Page title={t('title')} note={agent ? t('note_agent') : undefined}>
      <div className="appeals">
        <Tabs activeKey={tab} onChange={(key) => setParams({ tab: key }, { replace: true })} items={tabs.map((key) => ({ key, label: t(`tab.${key}`) }))} />
        {tab === 'mine' ? <Appealable /> : <AppealList key={tab} judged={tab as 'open' | 'judged'} />}
      </div>
    </Page>
  );
}
