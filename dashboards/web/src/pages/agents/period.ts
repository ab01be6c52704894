import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { type Filters } from '../../ui/filters';
import { addDays } from '../../ui/format';

// usePeriod is the month that ends with the last day there is, for pages that begin with one; undefined until it is known.
export function usePeriod(): Filters | undefined {
  const { today } = useMe();
  const offered = useGet('/api/v1/filters', {}, { staleTime: 300_000 });
  if (offered.isPending) return undefined;
  const last = offered.data?.last_day;
  const to = last && last < today ? last : today;
  return { from: addDays(to, -29), to };
}
