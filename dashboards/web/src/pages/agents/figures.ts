// What the figures of agents are: their unit, which way is better, and what each is made of. The definitions in words stand
// in words.ts under `help.`; they are those of the views agent_kpi and others.
import { type Schemas } from '../../api/client';
import { type Unit } from '../../ui/format';

export type Row = Schemas['KPIRow'];
export type Line = Schemas['KPILine'];

export interface Figure {
  unit: Unit;
  // better is 1 where more is better, -1 where less is, 0 where it says nothing about how well somebody works.
  better: -1 | 0 | 1;
  // adds: a sum, which is told beside the mean over agents.
  adds?: boolean;
  group: 'volume' | 'reply' | 'sales' | 'quality';
}

export const figures = {
  received: { unit: 'count', better: 0, adds: true, group: 'volume' },
  rounds: { unit: 'count', better: 0, adds: true, group: 'volume' },
  answer_ratio: { unit: 'mean', better: 0, group: 'volume' },
  avg_reply_ms: { unit: 'ms', better: -1, group: 'reply' },
  first_reply_ms: { unit: 'ms', better: -1, group: 'reply' },
  within_30s: { unit: 'ratio', better: 1, group: 'reply' },
  within_180s: { unit: 'ratio', better: 1, group: 'reply' },
  within_300s: { unit: 'ratio', better: 1, group: 'reply' },
  pre_order: { unit: 'count', better: 0, adds: true, group: 'sales' },
  conversion: { unit: 'ratio', better: 1, group: 'sales' },
  order_rate: { unit: 'ratio', better: 1, group: 'sales' },
  sales: { unit: 'money', better: 1, adds: true, group: 'sales' },
  net_sales: { unit: 'money', better: 1, adds: true, group: 'sales' },
  basket: { unit: 'money', better: 1, group: 'sales' },
  item_price: { unit: 'money', better: 0, group: 'sales' },
  items_per_customer: { unit: 'mean', better: 1, group: 'sales' },
  score: { unit: 'points', better: 1, group: 'quality' },
  hit_rate: { unit: 'ratio', better: -1, group: 'quality' },
  csat: { unit: 'ratio', better: 1, group: 'quality' },
  invite_rate: { unit: 'ratio', better: 1, group: 'quality' },
  appeal_rate: { unit: 'ratio', better: 0, group: 'quality' },
  appeal_won_rate: { unit: 'ratio', better: 0, group: 'quality' },
} satisfies Record<string, Figure>;

export type Name = keyof typeof figures;

export const names = Object.keys(figures) as Name[];

export const groups = ['volume', 'reply', 'sales', 'quality'] as const;

// shown are the columns of a table before anybody chooses.
export const shown: Name[] = ['received', 'avg_reply_ms', 'first_reply_ms', 'within_180s', 'conversion', 'sales', 'basket', 'csat', 'score', 'hit_rate'];

export function about(name: Name): Figure {
  return figures[name];
}

// isName says whether somebody's text is the name of a figure.
export function isName(name: string | null | undefined): name is Name {
  return !!name && name in figures;
}

// value is a figure of a row as a number; undefined figures are null. Money comes as text.
export function value(row: Row | undefined | null, name: Name): number | null {
  const v = row?.[name] as number | string | null | undefined;
  return v === null || v === undefined || v === '' ? null : Number(v);
}

// Beside is what a figure of an agent is compared with: the team where it has agents enough, else everybody.
export interface Beside {
  of: 'team' | 'all';
  value: number | null;
  agents: number;
}

// leastTeam is the number of agents below which a mean says too much about single people.
export const leastTeam = 5;

type Table = Pick<Schemas['KPITable'], 'teams' | 'all' | 'agents' | 'rows'>;

// meanOf is a figure of a team, or of everybody for undefined, told for one agent: the pooled one, but of what only adds up
// the mean over its agents. Rows that are whole hold all an agent did, which may be more than what was done for the team.
export function meanOf(table: Table, team: string | undefined, name: Name): Omit<Beside, 'of'> | undefined {
  const pooled = team === undefined ? table.all : table.teams.find((x) => x.team === team);
  const whole = table.all !== null && table.all !== undefined;
  const members = table.rows.filter((r) => team === undefined || r.main_team === team);
  const agents = team === undefined ? table.agents : (table.rows.find((r) => (whole ? r.main_team : r.team) === team)?.team_size ?? 0);
  if (!pooled || agents < leastTeam) return undefined;
  if (!about(name).adds) return { value: value(pooled, name), agents };
  if (!whole) return { value: (value(pooled, name) ?? 0) / agents, agents };
  // Where only some agents were asked for, the others' sums are not known.
  if (team === undefined ? members.length < agents : members.length < leastTeam) return undefined;
  return { value: members.reduce((n, r) => n + (value(r, name) ?? 0), 0) / members.length, agents };
}

// beside finds what a line stands beside.
export function beside(table: Table, line: Line, name: Name): Beside | undefined {
  const team = line.main_team || line.team;
  const of = team === '' ? undefined : meanOf(table, team, name);
  if (of) return { of: 'team', ...of };
  const all = meanOf(table, undefined, name);
  return all && { of: 'all', ...all };
}

// gap says how a value stands beside another: better, worse, or no difference worth a colour (less than a tenth).
export function gap(name: Name, own: number | null, other: number | null): 'better' | 'worse' | 'same' {
  const { better } = about(name);
  if (own === null || other === null || better === 0) return 'same';
  const difference = own - other;
  const scale = Math.abs(other);
  if (Math.abs(difference) <= scale * 0.1 || (scale === 0 && difference === 0)) return 'same';
  return Math.sign(difference) === better ? 'better' : 'worse';
}

// compare orders rows by a figure; undefined figures come last either way.
export function compare(name: Name, descending: boolean) {
  return (a: Row, b: Row) => {
    const [x, y] = [value(a, name), value(b, name)];
    if (x === null || y === null) return x === y ? 0 : (x === null ? 1 : -1) * (descending ? -1 : 1);
    return x - y;
  };
}
