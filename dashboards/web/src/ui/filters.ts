// Filters live in the address, so that what somebody looks at can be sent to somebody else.
import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';

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

// address is the query string of filters, with its question mark, or nothing.
export function address(filters: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(filters)) {
    for (const v of Array.isArray(value) ? value : [value]) if (v !== undefined && v !== null && v !== '') params.append(key, String(v));
  }
  const s = params.toString();
  return s ? `?${s}` : '';
}

// useFilters are the filters of the address beside `defaults`, and a way to change them. undefined or '' takes one away;
// where a default is to be taken away, the address says it with `key=*`.
export function useFilters(defaults: Filters = {}, own: string[] = []) {
  const [params, setParams] = useSearchParams();
  const key = params.toString();
  const fixed = JSON.stringify(defaults);
  const ownKey = own.join();
  const filters = useMemo(() => {
    const all: Filters = { ...(JSON.parse(fixed) as Filters), ...read(new URLSearchParams(key), ownKey.split(',')) };
    for (const [name, value] of Object.entries(all)) if (value === '*' || (Array.isArray(value) && value[0] === '*')) delete all[name];
    return all;
  }, [key, fixed, ownKey]);

  const set = useCallback(
    (changes: Record<string, string | string[] | number | undefined | null>) => {
      setParams(
        (now) => {
          const next = new URLSearchParams(now);
          for (const [name, value] of Object.entries(changes)) {
            next.delete(name);
            const values = Array.isArray(value) ? value : value === undefined || value === null || value === '' ? [] : [String(value)];
            for (const v of values) next.append(name, v);
            if (values.length === 0 && name in (JSON.parse(fixed) as Filters)) next.append(name, '*');
          }
          return next;
        },
        { replace: true },
      );
    },
    [setParams, fixed],
  );
  const reset = useCallback(() => setParams({}, { replace: true }), [setParams]);
  return { filters, set, reset, params };
}
