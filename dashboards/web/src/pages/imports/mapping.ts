// What the columns of a table mean: the state of the form, and the column map that the server takes
// (testdata/maps/chat-rows.yaml describes its keys).
import type { Schemas } from '../../api/client';

export type Role = 'customer' | 'agent' | 'bot' | 'system';

export const sessionFields = ['session_id', 'customer_id', 'agent_id', 'agent_name', 'shop', 'team', 'channel', 'business', 'skill_group', 'product', 'source', 'started_at', 'ended_at', 'updated_at', 'session_revision', 'media_url'];
export const turnFields = ['role', 'sender', 'text', 'at', 'date', 'seq', 'start', 'end', 'start_ms', 'end_ms', 'confidence', 'auto', 'revision'];

// Two more things that a column can be: kept as an attribute, or left out.
export const attribute = 'attribute';
export const ignored = '';

export interface Mapping {
  layout: 'turns' | 'sessions';
  headerRow: number;
  // fields by column; attribute and ignored are no fields.
  fields: Record<string, string>;
  // values of the role column, and patterns of senders (* is any text), with the role each means.
  values: { from: string; role: Role }[];
  senders: { match: string; role: Role }[];
  otherwise: Role | '';
  // gapMinutes and by cut sessions where no column names them.
  gapMinutes: number;
  by: string[];
}

// proposed is the form as the server proposes it for a file.
export function proposed(file: Schemas['File']): Mapping {
  const map = (file.map ?? {}) as { layout?: string; header_row?: number; columns?: Record<string, string> };
  const fields: Record<string, string> = Object.fromEntries((file.header ?? []).map((column) => [column, ignored]));
  for (const [field, column] of Object.entries(map.columns ?? {})) if (column in fields) fields[column] = field;
  const m: Mapping = { layout: map.layout === 'sessions' ? 'sessions' : 'turns', headerRow: map.header_row ?? file.header_row ?? 1, fields, values: [], senders: [], otherwise: '', gapMinutes: 30, by: [] };
  m.senders = guessSenders(file, m);
  return m;
}

// columnOf is the column that a field is read from.
export function columnOf(m: Mapping, field: string): string | undefined {
  return Object.keys(m.fields).find((column) => m.fields[column] === field);
}

// seen are the values of a column in the first rows.
export function seen(file: Schemas['File'], column: string | undefined): string[] {
  const i = (file.header ?? []).indexOf(column ?? '');
  return i < 0 ? [] : [...new Set((file.rows ?? []).map((row) => row[i] ?? '').filter((v) => v !== ''))];
}

// guessSenders proposes patterns for senders named "shop:agent", as shop consoles write sub-accounts.
export function guessSenders(file: Schemas['File'], m: Mapping): Mapping['senders'] {
  const patterns = new Map<string, Role>();
  for (const sender of seen(file, columnOf(m, 'sender'))) {
    const cut = sender.indexOf(':');
    if (cut <= 0) continue;
    const name = sender.slice(cut + 1);
    if (/机器人|robot|bot$/i.test(name)) patterns.set(`${sender.slice(0, cut)}:${name}`, 'bot');
  }
  for (const sender of seen(file, columnOf(m, 'sender'))) {
    const cut = sender.indexOf(':');
    if (cut > 0) patterns.set(`${sender.slice(0, cut)}:*`, 'agent');
  }
  return [...patterns].map(([match, role]) => ({ match, role }));
}

// columnMap is what the server takes.
export function columnMap(m: Mapping): Record<string, unknown> {
  const columns: Record<string, string> = {};
  const attributes: Record<string, string> = {};
  for (const [column, field] of Object.entries(m.fields)) {
    if (field === attribute) attributes[column] = column;
    else if (field !== ignored) columns[field] = column;
  }
  const roles: Record<string, unknown> = {};
  const values = m.values.filter((v) => v.from !== '');
  const senders = m.senders.filter((s) => s.match !== '');
  if (values.length > 0) roles.values = Object.fromEntries(values.map((v) => [v.from, v.role]));
  if (senders.length > 0) roles.senders = Object.fromEntries(senders.map((s) => [s.match, s.role]));
  if (m.otherwise) roles.default = m.otherwise;
  return {
    layout: m.layout,
    header_row: m.headerRow,
    columns,
    ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
    ...(Object.keys(roles).length > 0 ? { roles } : {}),
    ...(!columns.session_id && m.by.length > 0 ? { session: { by: m.by, gap: `${m.gapMinutes}m` } } : {}),
  };
}

// lacks says what a map still needs before it can work.
export function lacks(m: Mapping): string[] {
  const has = (field: string) => columnOf(m, field) !== undefined;
  const missing: string[] = [];
  if (!has('text')) missing.push('text');
  if (!has('session_id') && m.by.length === 0) missing.push('session_id');
  if (m.layout === 'turns' && !has('role') && !has('sender') && !has('agent_id') && !m.otherwise) missing.push('role');
  return missing;
}
