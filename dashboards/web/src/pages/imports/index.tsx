import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Imports() {
  const { t } = useTranslation('imports');
  return <Page title={t('title')}>{null}</Page>;
}
