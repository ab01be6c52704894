import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Rules() {
  const { t } = useTranslation('rules');
  return <Page title={t('title')}>{null}</Page>;
}
