import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Session() {
  const { t } = useTranslation('session');
  return <Page title={t('title')}>{null}</Page>;
}
