import { Tooltip } from 'antd';
import { Link } from 'react-router';

import { useTranslation } from '../../i18n';
import { figure as write } from '../../ui/format';
import { Sparkline } from '../../ui/Sparkline';
import { behind, change, type Figure, groups, headline } from './figures';

export interface Days {
  day: string;
  yesterday: string;
  lastWeek: string;
}

export type Open = (figure: string, day: string) => void;

// Value is a figure that leads to what it is made of, where there is something and the role may see it.
export function Value({ f, value, day, open }: { f: Figure; value: number | null; day: string; open: Open }) {
  const { t } = useTranslation('overview');
  const text = write(value, f.unit);
  const place = value === null || (value === 0 && f.unit === 'count') ? null : behind(f.link, day);
  if (!place) return <>{text}</>;
  const label = `${t(`figure.${f.name}`)} ${day} ${text}`;
  if ('to' in place)
    return (
      <Link to={place.to} aria-label={label}>
        {text}
      </Link>
    );
  return (
    <button type="button" className="linkish" aria-label={label} onClick={() => open(place.figure, day)}>
      {text}
    </button>
  );
}

export function Changed({ f, then }: { f: Figure; then: number | null }) {
  const { text, good } = change(f, f.day, then);
  return <b className={good === null ? undefined : good ? 'change-good' : 'change-bad'}>{text}</b>;
}

// Headline is the strip of the figures that matter most, with their course where it is known.
export function Headline({ figures, days, courses, open }: { figures: Figure[]; days: Days; courses: Record<string, (number | null)[]>; open: Open }) {
  const { t } = useTranslation('overview');
  return (
    <div className="strip">
      {headline.map((name) => {
        const f = figures.find((x) => x.name === name);
        if (!f) return null;
        return (
          <div key={name} data-figure={name}>
            <div className="name">
              <Tooltip title={t(`about.${name}`)}>
                <span>{t(`figure.${name}`)}</span>
              </Tooltip>
              {courses[name] && <Sparkline values={courses[name]} width={72} height={22} color={name === 'flagged' ? '#d4380d' : undefined} />}
            </div>
            <div className="value">
              <Value f={f} value={f.day} day={days.day} open={open} />
            </div>
            <div className="changes">
              <span>{t('vs_yesterday')}</span>
              <Changed f={f} then={f.yesterday} />
              <span>{t('vs_last_week')}</span>
              <Changed f={f} then={f.last_week} />
            </div>
          </div>
        );
      })}
    </div>
  );
}

// FigureTable shows every figure of the three days.
export function FigureTable({ figures, days, open }: { figures: Figure[]; days: Days; open: Open }) {
  const { t } = useTranslation('overview');
  return (
    <table className="facts grouped" aria-label={t('figures')}>
      <thead>
        <tr>
          <th className="of-group" />
          <th>{t('figure')}</th>
          <th className="n">{t('that_day')}</th>
          <th className="n">{t('yesterday')}</th>
          <th className="n">{t('last_week')}</th>
          <th className="n">{t('vs_yesterday')}</th>
          <th className="n">{t('vs_last_week')}</th>
        </tr>
      </thead>
      <tbody>
        {groups.flatMap(([group, names]) => {
          const own = names.map((n) => figures.find((x) => x.name === n)).filter((x) => x !== undefined);
          return own.map((f, i) => (
            <tr key={f.name} className={i === 0 ? 'group' : undefined} data-figure={f.name}>
              {i === 0 && (
                <td className="of-group" rowSpan={own.length}>
                  {t(`group.${group}`)}
                </td>
              )}
              <td>
                <Tooltip title={t(`about.${f.name}`)}>
                  <span>{t(`figure.${f.name}`)}</span>
                </Tooltip>
              </td>
              <td className="n">
                <b>
                  <Value f={f} value={f.day} day={days.day} open={open} />
                </b>
              </td>
              <td className="n">
                <Value f={f} value={f.yesterday} day={days.yesterday} open={open} />
              </td>
              <td className="n">
                <Value f={f} value={f.last_week} day={days.lastWeek} open={open} />
              </td>
              <td className="n">
                <Changed f={f} then={f.yesterday} />
              </td>
              <td className="n">
                <Changed f={f} then={f.last_week} />
              </td>
            </tr>
          ));
        })}
      </tbody>
    </table>
  );
}
