// The pages by their addresses. Each is loaded when it is first opened.
import type { ComponentType } from 'react';

export const pages: Record<string, () => Promise<{ default: ComponentType }>> = {
  '/': () => import('./pages/overview'),
  '/sessions': () => import('./pages/queue'),
  '/sessions/:id': () => import('./pages/session'),
  '/appeals': () => import('./pages/appeals'),
  '/alerts': () => import('./pages/alerts'),
  '/opinions': () => import('./pages/opinions'),
  '/opinions/:id': () => import('./pages/opinions/Opinion'),
  '/agents': () => import('./pages/agents'),
  '/agents/:id': () => import('./pages/agents/Agent'),
  '/me': () => import('./pages/agents/Agent'),
  '/search': () => import('./pages/search'),
  '/rules': () => import('./pages/rules'),
  '/rules/packs/:pack': () => import('./pages/rules/Pack'),
  '/imports': () => import('./pages/imports'),
  '/data': () => import('./pages/data'),
};

// pageAt is the page of an address with the values that stand in it, if there is one.
export function pageAt(address: string): { page: string; values: Record<string, string> } | undefined {
  const at = address.split('/').filter(Boolean);
  for (const page of Object.keys(pages)) {
    const parts = page.split('/').filter(Boolean);
    if (parts.length !== at.length || !parts.every((part, i) => part.startsWith(':') || part === at[i])) continue;
    return { page, values: Object.fromEntries(parts.flatMap((part, i) => (part.startsWith(':') ? [[part.slice(1), decoded(at[i])]] : []))) };
  }
  return undefined;
}

// decoded leaves alone what is no encoding: the page then says that there is no such thing.
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
