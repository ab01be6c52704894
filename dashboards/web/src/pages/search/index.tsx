import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Search() {
  const { t } = useTranslation('search');
  return <Page title={t('title')}>{null}</Page>;
}
