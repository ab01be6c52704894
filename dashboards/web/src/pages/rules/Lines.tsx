
import { useTranslation } from '../../i18n';
import { around, type Line } from './diff';

const sign = { added: '+', removed: '−', same: ' ' };

// Lines shows what differs between two texts.
export function Lines({ lines }: { lines: Line[] }) {
  const { t } = useTranslation('rules');
  const shown = around(lines);
  if (!lines.some((l) => l.change !== 'same')) return <p className="muted">{t('no_difference')}</p>;
  return (
    <pre className="diff">
      {shown.map((l, i) => (
        <div key={i} className={l?.change ?? 'gap'}>
          {l ? `${sign[l.change]} ${l.text}` : '⋯'}
        </div>
      ))}
    </pre>
  );
}
