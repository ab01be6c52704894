import { Button, Typography } from 'antd';
import { Link } from 'react-router';

import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';

// Start is the overview of a store without a session: what to do first.
export function Start() {
  const { t } = useTranslation('overview');
  const me = useMe();
  const command = (text: string) => (
    <Typography.Paragraph copyable={{ text, tooltips: [t('copy'), t('common:copied')] }} style={{ margin: '12px 0 0' }}>
      <code>{text}</code>
    </Typography.Paragraph>
  );
  return (
    <div className="board">
      <section style={{ padding: '32px 32px 36px' }}>
        <Typography.Title level={3} style={{ marginTop: 0 }}>
          {t('start_title')}
        </Typography.Title>
        <Typography.Paragraph type="secondary" style={{ maxWidth: 720 }}>
          {t('start_text')}
        </Typography.Paragraph>
        <div className="steps">
          <div>
            <h3>{t('start_send')}</h3>
            <span className="muted">{t('start_send_text')}</span>
            {command('tingke send FILE...')}
          </div>
          <div>
            <h3>{t('start_upload')}</h3>
            <span className="muted">{t('start_upload_text')}</span>
            <div style={{ marginTop: 12 }}>
              {is(me, 'admin', 'supervisor') ? (
                <Link to="/imports">
                  <Button type="primary" tabIndex={-1}>
                    {t('start_upload_go')}
                  </Button>
                </Link>
              ) : (
                t('start_upload_ask')
              )}
            </div>
          </div>
          <div>
            <h3>{t('start_demo')}</h3>
            <span className="muted">{t('start_demo_text')}</span>
            {command('tingke demo')}
          </div>
        </div>
      </section>
    </div>
  );
}
