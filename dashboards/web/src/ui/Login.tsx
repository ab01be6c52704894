import { LockOutlined, UserOutlined } from '@ant-design/icons';
import { Alert, Button, Card, Form, Input, Typography } from 'antd';
import { useEffect, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import { ApiError, post, queryClient } from '../api/client';
import { useTranslation } from '../i18n';
import { LanguageButton } from './Layout';

// safe is an address of this app to go to after the log-in; anything else is the start.
export function safe(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/';
}

export function Login() {
  const { t } = useTranslation();
  const go = useNavigate();
  const [params] = useSearchParams();
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = `${t('login')} · ${t('brand')}`;
  }, [t]);
  const enter = async (values: { user: string; password: string }) => {
    setBusy(true);
    setProblem(null);
    try {
      await post('/api/v1/login', values);
      queryClient.clear();
      void go(safe(params.get('next')), { replace: true });
    } catch (error) {
      setProblem(error instanceof ApiError ? error : new ApiError(0, 'no_answer', String(error)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="login">
      <Card style={{ width: 380, maxWidth: '100%', boxShadow: '0 12px 40px rgba(15, 118, 110, .10)' }}>
        <div style={{ textAlign: 'center', marginBottom: 24 }}>
          <img src="/icon.svg" alt="" width={48} height={48} />
          <Typography.Title level={3} style={{ margin: '8px 0 4px' }}>
            {t('brand')}
          </Typography.Title>
          <Typography.Text type="secondary">{t('tagline')}</Typography.Text>
        </div>
        {problem && <Alert type="error" showIcon style={{ marginBottom: 16 }} title={t(`login_${problem.code}`, { defaultValue: problem.message })} description={problem.retryAfter ? t('login_wait', { n: problem.retryAfter }) : undefined} />}
        <Form layout="vertical" onFinish={(v) => void enter(v)} requiredMark={false}>
          <Form.Item name="user" label={t('login_user')} rules={[{ required: true, message: t('login_user_needed') }]}>
            <Input prefix={<UserOutlined />} autoComplete="username" autoCapitalize="none" autoFocus size="large" />
          </Form.Item>
          <Form.Item name="password" label={t('login_password')} rules={[{ required: true, message: t('login_password_needed') }]}>
            <Input.Password prefix={<LockOutlined />} autoComplete="current-password" size="large" />
          </Form.Item>
          <Button type="primary" htmlType="submit" block size="large" loading={busy}>
            {t('login')}
          </Button>
        </Form>
        <div style={{ textAlign: 'center', marginTop: 12 }}>
          <LanguageButton />
        </div>
      </Card>
    </div>
  );
}
