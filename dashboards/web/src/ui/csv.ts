// Rows for spreadsheets (RFC 4180, with the mark that Excel knows UTF-8 by).

// formulas begin so; a spreadsheet would compute them.
const formula = /^[=+\-@\t\r]/;
const decimal = /^-?\d+(\.\d+)?$/;

// csv writes rows of texts. A text that a spreadsheet would take for a formula is kept one by an apostrophe before it;
// numbers, negative ones too, stay numbers, and so do texts that are decimals where `decimals` says that they are amounts.
export function csv(rows: (string | number)[][], decimals = false): string {
  const field = (value: string | number) => {
    if (typeof value === 'number') return String(value);
    const text = formula.test(value) && !(decimals && decimal.test(value)) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\uFEFF${rows.map((r) => r.map(field).join(',')).join('\r\n')}\r\n`;
}
