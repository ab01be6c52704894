import { Card, Flex, Typography } from 'antd';

import { useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Loaded } from '../../ui/states';

// Connect says how other tools reach the data.
export function Connect() {
  const { t } = useTranslation('data');
  const query = useGet('/api/v1/data/views', {}, { staleTime: 300_000 });
  return (
    <Loaded query={query}>
      {(data) => (
        <Flex vertical gap={12} style={{ maxWidth: 960 }}>
          {data.connect.map((c) => (
            <Card key={c.id} size="small" title={t(`connect.${c.id}`, { defaultValue: c.id })}>
              <Typography.Paragraph type="secondary">{t(`connect_how.${c.id}`, { defaultValue: '' })}</Typography.Paragraph>
              <Typography.Paragraph copyable={{ text: c.text.replace('HOST', location.host) }} code style={{ whiteSpace: 'pre-wrap', marginBottom: 0 }}>
                {c.text.replace('HOST', location.host)}
              </Typography.Paragraph>
            </Card>
          ))}
          <Card size="small" title={t('connect.openapi')}>
            <Typography.Paragraph type="secondary">{t('connect_how.openapi')}</Typography.Paragraph>
            <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>
          </Card>
        </Flex>
      )}
    </Loaded>
  );
}
