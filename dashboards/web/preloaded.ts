// The app itself is named in index.html, so that the browser fetches it with the first script rather than after it.
import type { Plugin } from 'vite';

// preloaded adds what the chunk of this name and all that it imports are.
export function preloaded(name: string): Plugin {
  return {
    name: 'preloaded',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_, { bundle = {} }) {
        const files = new Set<string>();
        const known = new Set(Object.values(bundle).flatMap((c) => (c.type === 'chunk' && c.isEntry ? [c.fileName, ...c.imports] : []))); // which Vite names
        const add = (file: string) => {
          const chunk = bundle[file];
          if (chunk?.type !== 'chunk' || known.has(file) || files.has(file)) return;
          files.add(file);
          for (const f of chunk.imports) add(f);
        };
        for (const chunk of Object.values(bundle)) if (chunk.type === 'chunk' && chunk.name === name) add(chunk.fileName);
        if (files.size === 0) throw new Error(`preloaded: there is no chunk named ${name}`);
        return [...files].map((file) => ({ tag: 'link', attrs: { rel: 'modulepreload', crossorigin: true, href: `/${file}` }, injectTo: 'head' as const }));
      },
    },
  };
}
