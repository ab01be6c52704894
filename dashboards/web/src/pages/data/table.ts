// Values of a result as text.

// cell is a value as it stands in a table: NULL is said, what has parts is JSON.
export function cell(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

// formulas begin so; a spreadsheet would compute them.
const formula = /^[=+\-@\t\r]/;

// csv is a file that spreadsheets open: UTF-8 with a mark, and no cell that is run as a formula. Numbers stay numbers.
export function csv(columns: string[], rows: unknown[][]): string {
  const field = (value: unknown) => {
    if (value === null || value === undefined) return '';
    if (typeof value === 'number') return String(value);
    let text = cell(value);
    if (formula.test(text) && !/^-?\d+(\.\d+)?$/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\ufeff${[columns, ...rows].map((r) => r.map(field).join(',')).join('\r\n')}\r\n`;
}
