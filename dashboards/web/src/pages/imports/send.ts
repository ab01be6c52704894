import { ApiError, type Schemas } from '../../api/client';

// send uploads files in one request; progress is told as a share of its bytes (0..1), which fetch cannot say.
export function send(files: File[], progress: (share: number) => void): Promise<Schemas['Upload']> {
  const body = new FormData();
  for (const f of files) body.append('file', f, f.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/v1/imports');
    request.upload.onprogress = (e) => e.lengthComputable && progress(e.loaded / e.total);
    request.onerror = () => reject(new ApiError(0, 'no_answer', 'no answer'));
    request.onload = () => {
      try {
        const answer = JSON.parse(request.responseText) as Schemas['Upload'] & Schemas['ErrorBody'];
        if (request.status < 300) resolve(answer);
        else reject(new ApiError(request.status, answer.error.code, answer.error.message, answer.error.field));
      } catch {
        reject(new ApiError(request.status, 'unknown', request.statusText));
      }
    };
    request.send(body);
  });
}
