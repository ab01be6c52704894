import { type InfiniteData, useInfiniteQuery } from '@tanstack/react-query';

import { type ApiError, get, keyOf, type Schemas } from '../../api/client';
import type { Filters } from '../../ui/filters';

export type Row = Schemas['QueueRow'];
type Page = Schemas['QueueRowPage'];

const path = '/api/v1/sessions';
const limit = 50;

// useSessions reads the list page by page; live ones are read again every few seconds.
export function useSessions(query: Filters, live: boolean) {
  return useInfiniteQuery<Page, ApiError, InfiniteData<Page>, unknown[], string>({
    queryKey: keyOf({ path, params: { query }, list: limit }),
    queryFn: ({ pageParam, signal }) => get(path, { query: { ...query, limit, ...(pageParam ? { cursor: pageParam } : {}) } }, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: live ? 10_000 : false,
    placeholderData: (before) => before,
  });
}
