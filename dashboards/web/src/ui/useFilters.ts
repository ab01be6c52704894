import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';

import { chosen, type Filters } from './filters';

// useFilters are the filters of the address beside `defaults`, and a way to change them. undefined or '' takes one away.
export function useFilters(defaults: Filters = {}, own: string[] = []) {
  const [params, setParams] = useSearchParams();
  const key = params.toString();
  const fixed = JSON.stringify(defaults);
  const ownKey = own.join();
  const filters = useMemo(() => chosen(new URLSearchParams(key), JSON.parse(fixed) as Filters, ownKey.split(',')), [key, fixed, ownKey]);

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
