import { useTranslation } from 'react-i18next';

import { Page } from '../../ui/Page';

export default function Agents() {
  const { t } = useTranslation('agents');
  return <Page title={t('title')}>{null}</Page>;
}
