import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Queue() {
  const { t } = useTranslation('queue');
  return <Page title={t('title')}>{null}</Page>;
}
