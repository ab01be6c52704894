import type { ThemeConfig } from 'antd';

// still is whether the person has asked the system for less motion: nothing slides or fades then.
export const still = globalThis.matchMedia?.('(prefers-reduced-motion: reduce)').matches ?? false;

export const theme: ThemeConfig = {
  cssVar: {},
  zeroRuntime: true,
  token: {
    colorPrimary: '#0f766e', // that of the icon
    // The shades that are derived of so dark a green are grey.
    colorPrimaryBg: '#e6f4f1',
    colorPrimaryBgHover: '#d5ece7',
    colorPrimaryBorder: '#93d1c8',
    colorPrimaryHover: '#14907f',
    colorInfo: '#1d6fd8',
    colorLink: '#0b6bcb',
    borderRadius: 6,
    fontFamily: '-apple-system, BlinkMacSystemFont, "Segoe UI", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif',
    colorBgLayout: '#f4f6fa',
    motion: !still,
  },
  components: {
    Layout: { headerBg: '#ffffff', siderBg: '#ffffff', headerHeight: 56, headerPadding: '0 20px' },
    Table: { cellPaddingBlockSM: 8 },
    Card: { bodyPaddingSM: 12 },
  },
};
