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

// pageAt is the page of an address, if there is one.
export function pageAt(address: string) {
  const at = address.split('/').filter(Boolean);
  const path = Object.keys(pages).find((p) => {
    const parts = p.split('/').filter(Boolean);
    return parts.length === at.length && parts.every((part, i) => part.startsWith(':') || part === at[i]);
  });
  return path === undefined ? undefined : pages[path];
}
