import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { type Filters } from '../../ui/filters';
import { monthTo } from '../../ui/days';

// usePeriod is the month that ends with the last day there is, for pages that begin with one; undefined until it is known.
export function usePeriod(): Filters | undefined {
  const { today } = useMe();
  const offered = useGet('/api/v1/filters', {}, { staleTime: 300_000 });
  if (offered.isPending) return undefined;
  return monthTo(today, offered.data?.last_day);
}
