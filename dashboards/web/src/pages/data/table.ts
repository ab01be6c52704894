// Values of a result as text.

// cell is a value as it stands in a table: NULL is said, what has parts is JSON.
export function cell(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

// field is a value as it stands in a file: NULL is empty.
export function field(value: unknown): string | number {
  if (value === null || value === undefined) return '';
  return typeof value === 'number' ? value : cell(value);
}
