// Values of a result as text.

// cell is a value as it stands in a table: NULL is said, what has parts is JSON.
export function cell(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

// field is a value as it stands in a file: NULL is empty; decimals come as texts and are numbers all the same.
export function field(value: unknown): string | number {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return value;
  const text = cell(value);
  return /^-\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : text;
}
