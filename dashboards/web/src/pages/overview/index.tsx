import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Overview() {
  const { t } = useTranslation('overview');
  return <Page title={t('title')}>{null}</Page>;
}
