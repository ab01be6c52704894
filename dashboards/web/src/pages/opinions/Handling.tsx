import { App, AutoComplete, Button, Form, Input, Select, Typography } from 'antd';
import { useState } from 'react';

import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { useWhy } from '../../ui/states';
import { answers, type Change, type Detail, keeps, type Status as State, statuses, useChange } from './keep';
import { FixedOn, Status } from './Status';

// Handling is what people decided about an opinion: status, owner, department, note. Each is saved by itself.
export function Handling({ opinion: o }: { opinion: Detail }) {
  const { t } = useTranslation('opinions');
  const me = useMe();
  const { message } = App.useApp();
  const why = useWhy();
  const change = useChange(o.opinion_id);
  const [fixing, setFixing] = useState(false);
  const counts = useGet('/api/v1/opinions/counts', {}, { staleTime: 300_000 }).data?.by;
  const save = (c: Change) =>
    change.mutate(c, {
      onSuccess: () => {
        setFixing(false);
        void message.success(t('saved'));
      },
      onError: (error) => void message.error(why(error)),
    });
  if (!keeps(me))
    return (
      <section aria-label={t('handling')}>
        <header>
          <h2>{t('handling')}</h2>
          <Status of={o} />
        </header>
        {(['owner', 'department', 'note'] as const).map((name) => (
          <p key={name} style={{ margin: '4px 0' }}>
            <span className="muted">{t(name === 'note' ? 'comment' : name)}</span> {o[name] || '–'}
          </p>
        ))}
        <Typography.Text type="secondary" className="small">
          {t(answers(me) ? 'answer_only' : 'read_only')}
        </Typography.Text>
      </section>
    );
  const known = (name: string) => (counts?.[name] ?? []).map((x) => x.value).filter((v) => v !== '');
  return (
    <section aria-label={t('handling')}>
      <header>
        <h2>{t('handling')}</h2>
        {o.status === 'fixed' && <Status of={o} />}
      </header>
      <Form layout="vertical" component="div" style={{ marginBottom: -12 }}>
        <Form.Item label={t('status')} style={{ marginBottom: 12 }}>
          <Select<State>
            aria-label={t('status')}
            value={o.status}
            loading={change.isPending}
            options={statuses.map((s) => ({ value: s, label: t(`common:opinion_status.${s}`) }))}
            onChange={(status) => (status === 'fixed' ? setFixing(true) : save({ status }))}
          />
          {o.status === 'fixed' && (
            <Button type="link" size="small" style={{ padding: 0 }} onClick={() => setFixing(true)}>
              {t('fixed_when')}: {o.fixed_on ?? '–'}
            </Button>
          )}
        </Form.Item>
        <Kept clears label={t('owner')} value={o.owner} options={[...new Set([me.name || me.user, ...known('owner')])]} max={100} save={(owner) => save({ owner })} />
        <Kept label={t('department')} value={o.department} options={known('department')} max={100} save={(department) => save({ department })} />
        <Note label={t('comment')} value={o.note} placeholder={t('comment_about')} save={(note) => save({ note })} busy={change.isPending && change.variables.note !== undefined} />
      </Form>
      {fixing && <FixedOn busy={change.isPending} initial={o.fixed_on} close={() => setFixing(false)} fixed={(fixed_on) => save({ status: 'fixed', fixed_on })} />}
    </section>
  );
}

// Kept is a value that is saved when it is chosen or left; one that clears is taken away by leaving it empty.
function Kept({ label, value, options, max, clears, save }: { label: string; value: string; options: string[]; max: number; clears?: boolean; save: (v: string) => void }) {
  const [text, setText] = useState(value);
  const [was, setWas] = useState(value);
  if (was !== value) {
    setWas(value);
    setText(value);
  }
  const done = (v: string) => {
    const s = v.trim();
    if (s === '' && !clears) setText(value);
    else if (s !== value) save(s);
  };
  return (
    <Form.Item label={label} style={{ marginBottom: 12 }}>
      <AutoComplete<string> aria-label={label} value={text} allowClear={clears} onChange={(v: string | undefined) => setText(v ?? '')} onSelect={(v: string) => done(v)} onBlur={() => done(text)} options={options.map((v) => ({ value: v }))} placeholder="–">
        <Input maxLength={max} onPressEnter={(e) => e.currentTarget.blur()} />
      </AutoComplete>
    </Form.Item>
  );
}

// Note is a text that is saved by its button, which is there once something was written.
export function Note({ label, value, placeholder, save, busy, disabled }: { label?: string; value: string; placeholder: string; save: (v: string) => void; busy: boolean; disabled?: boolean }) {
  const { t } = useTranslation('opinions');
  const [text, setText] = useState<string | null>(null);
  const changed = text !== null && text.trim() !== value;
  return (
    <Form.Item label={label} style={{ marginBottom: 12 }}>
      <Input.TextArea aria-label={label ?? placeholder} value={text ?? value} onChange={(e) => setText(e.target.value)} placeholder={placeholder} autoSize={{ minRows: 2, maxRows: 8 }} maxLength={1300} disabled={disabled} />
      {changed && (
        <Button type="primary" size="small" style={{ marginTop: 8 }} loading={busy} onClick={() => save(text.trim())}>
          {t('common:save')}
        </Button>
      )}
    </Form.Item>
  );
}
