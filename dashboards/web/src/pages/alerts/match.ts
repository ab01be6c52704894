// Which alerts of the live connection belong into the list that the page shows.
import { type AlertRow, isOpen } from '../../ui/alerts';
import { type Filters } from '../../ui/filters';
import { time } from '../../ui/format';

const columns: Record<string, (a: AlertRow) => string> = {
  alert_state: (a) => a.state, alert_kind: (a) => a.kind, severity: (a) => a.severity, rule: (a) => a.rule_id, shop: (a) => a.shop, team: (a) => a.team, agent: (a) => a.agent_id, session: (a) => a.session_id,
};

// matches says whether an alert is one that the filters of the API would let through.
export function matches(alert: AlertRow, filters: Filters): boolean {
  return Object.entries(filters).every(([name, value]) => {
    if (name === 'open') return value !== '1' || isOpen(alert);
    const day = time(alert.at, 'YYYY-MM-DD');
    if (name === 'from') return day >= (value as string);
    if (name === 'to') return day <= (value as string);
    const column = columns[name];
    return !column || (Array.isArray(value) ? value : [value]).includes(column(alert));
  });
}

// merge puts what came live into the list as it was read: changes in place, new ones by their time, newest first. `kept`
// are shown although they match no longer, so that an alert does not vanish under the hand that takes it.
export function merge(read: AlertRow[], live: Iterable<AlertRow>, filters: Filters, kept: ReadonlySet<string>, complete: boolean): AlertRow[] {
  const now = new Map(read.map((a) => [a.alert_id, a]));
  const last = read.at(-1);
  for (const a of live) {
    // Beyond the last page that was read stand others that are not known yet.
    if (now.has(a.alert_id) || complete || !last || a.at >= last.at) now.set(a.alert_id, a);
  }
  return [...now.values()].filter((a) => kept.has(a.alert_id) || matches(a, filters)).sort((a, b) => (a.at === b.at ? (a.alert_id < b.alert_id ? 1 : -1) : a.at < b.at ? 1 : -1));
}
