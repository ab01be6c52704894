// Filters live in the address, so that what somebody looks at can be sent to somebody else.

// many are the filters that take several values.
const many = new Set(['severity', 'channel', 'shop', 'business', 'team', 'agent', 'rule', 'decision', 'assignee', 'emotion', 'opinion', 'kind', 'aspect', 'product', 'department', 'status', 'trend', 'owner', 'role', 'alert_state', 'alert_kind']);

export type Filters = Record<string, string | string[]>;

// read gives the filters of an address; those of `own` belong to the page itself (open tab, language), not to the API.
export function read(params: URLSearchParams, own: string[] = []): Filters {
  const filters: Filters = {};
  for (const key of new Set(params.keys())) {
    if (key === 'lang' || own.includes(key)) continue;
    const values = params.getAll(key).filter((v) => v !== '');
    if (values.length > 0) filters[key] = many.has(key) ? values : (values[0] as string);
  }
  return filters;
}

// chosen are the filters of an address beside `defaults`; `key=*` in the address takes a default away.
export function chosen(params: URLSearchParams, defaults: Filters = {}, own: string[] = []): Filters {
  const all: Filters = { ...defaults, ...read(params, own) };
  for (const [name, value] of Object.entries(all)) if (value === '*' || (Array.isArray(value) && value[0] === '*')) delete all[name];
  return all;
}
