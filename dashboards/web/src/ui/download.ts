// Files that come out of the app: those the server makes, and lists that the page has already.
import { ApiError } from '../api/client';

export interface Downloaded {
  name: string;
  body: Blob;
}

// fileName is the name that the server gives a file (RFC 6266: filename* wins over filename), or `otherwise`.
export function fileName(disposition: string | null, otherwise: string): string {
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? '')?.[1];
  if (extended) {
    try {
      return decodeURIComponent(extended);
    } catch {
      // a name that is not encoded as it says; the plain one follows
    }
  }
  return /filename="([^"]+)"/i.exec(disposition ?? '')?.[1] ?? otherwise;
}

// fetchFile reads a file from the server. It is read by a request rather than by a link, so that a refusal is told on the
// page instead of being saved as the file.
export async function fetchFile(path: string, otherwise: string): Promise<Downloaded> {
  let response: Response;
  try {
    response = await fetch(path);
  } catch (error) {
    throw new ApiError(0, 'no_answer', String(error));
  }
  if (!response.ok) {
    let body: { error?: { code: string; message: string; field?: string } } = {};
    try {
      body = (await response.json()) as typeof body;
    } catch {
      // not from the API, such as a proxy's page
    }
    throw new ApiError(response.status, body.error?.code ?? 'unknown', body.error?.message ?? response.statusText, body.error?.field);
  }
  return { name: fileName(response.headers.get('Content-Disposition'), otherwise), body: await response.blob() };
}

// save hands a file to the browser.
export function save(file: Downloaded) {
  const url = URL.createObjectURL(file.body);
  const link = document.createElement('a');
  link.href = url;
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// copyText puts a text on the clipboard. Browsers keep navigator.clipboard from pages without TLS, as they are common
// inside of companies; there the text is selected and copied.
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('the browser does not let pages copy');
}
