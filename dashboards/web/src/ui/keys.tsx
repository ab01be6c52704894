// Keys of a page, and the help that lists them.
import { Modal } from 'antd';
import { useEffect, useRef } from 'react';

import { useTranslation } from '../i18n';

export interface Key {
  // keys as KeyboardEvent.key gives them; the first one is shown.
  keys: string[];
  word: string;
  act?: () => void;
}

const names: Record<string, string> = { Enter: '↵', Escape: 'Esc', ArrowDown: '↓', ArrowUp: '↑', ArrowLeft: '←', ArrowRight: '→', ' ': '␣' };

// useKeys listens to keys while nobody writes, and while no dialogue is open.
export function useKeys(keys: Key[]) {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    const listen = (e: KeyboardEvent) => {
      const on = e.target as HTMLElement;
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || on.isContentEditable) return;
      if (/^(input|textarea|select)$/i.test(on.tagName) && !(on as HTMLInputElement).matches('[type=checkbox],[type=radio]')) return;
      if (e.key === 'Enter' && on.closest('a,button,[role=button],[role=tab]')) return;
      if (document.querySelector('.ant-modal-wrap:not([style*="display: none"]), .ant-drawer-open .ant-drawer-mask')) return;
      const key = now.current.find((k) => k.act && k.keys.includes(e.key));
      if (!key) return;
      e.preventDefault();
      key.act?.();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);
}

// KeyHelp lists the keys of a page; words are in the namespace of the page.
export function KeyHelp({ keys, open, close, title, t }: { keys: Key[]; open: boolean; close: () => void; title: string; t: (word: string) => string }) {
  const { t: common } = useTranslation();
  return (
    <Modal title={title} open={open} onCancel={close} footer={null} width={420} closable={{ 'aria-label': common('close') }}>
      <table className="keys">
        <tbody>
          {keys.map((k) => (
            <tr key={k.word}>
              <td>
                {k.keys.map((x) => (
                  <kbd key={x}>{names[x] ?? x}</kbd>
                ))}
              </td>
              <td>{t(k.word)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Modal>
  );
}
