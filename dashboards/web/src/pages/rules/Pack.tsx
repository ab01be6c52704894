import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Pack() {
  const { t } = useTranslation('rules');
  return <Page title={t('title')}>{null}</Page>;
}
