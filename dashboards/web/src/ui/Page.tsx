import { type ReactNode, useEffect } from 'react';

import { useTranslation } from '../i18n';

// Page is the frame of a page: its heading, what stands at the right of it, and the content.
export function Page({ title, extra, note, children }: { title: ReactNode; extra?: ReactNode; note?: ReactNode; children: ReactNode }) {
  const { t } = useTranslation();
  const text = typeof title === 'string' ? title : '';
  useEffect(() => {
    document.title = text ? `${text} · ${t('brand')}` : t('brand');
  }, [text, t]);
  return (
    <main className="page">
      <div className="page-head">
        <h1>{title}</h1>
        {note && <span className="muted">{note}</span>}
        {extra && <div className="page-extra">{extra}</div>}
      </div>
      {children}
    </main>
  );
}
