// csv writes rows for spreadsheets (RFC 4180, with the mark that Excel knows UTF-8 by). A value that a spreadsheet would
// take for a formula is kept a text by an apostrophe before it.
export function csv(rows: string[][]): string {
  const cell = (v: string) => {
    const text = /^[=+\-@\t\r]/.test(v) ? `'${v}` : v;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\uFEFF${rows.map((r) => r.map(cell).join(',')).join('\r\n')}\r\n`;
}
