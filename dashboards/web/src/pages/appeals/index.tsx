import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Appeals() {
  const { t } = useTranslation('appeals');
  return <Page title={t('title')}>{null}</Page>;
}
