import { useDeferredValue } from 'react';

// useSoon gives the first `few` of a long list at once and all of it right after: what fits a screen is there sooner.
export function useSoon<T>(list: T[], few = 14): T[] {
  return useDeferredValue(list, list.slice(0, few));
}
