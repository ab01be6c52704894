import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Data() {
  const { t } = useTranslation('data');
  return <Page title={t('title')}>{null}</Page>;
}
