/** Files of the daemon, read into the page's memory. */

import { raw } from "./api.js";

/** Why a file is not kept by a page: it is put together in memory first. */
export class TooLargeError extends Error {}

/**
 * A file of the daemon's as a Blob, at most `most` bytes; `got(bytes)` is told how far it is. A
 * download of the browser's own would lack the proof of the login.
 */
export async function file(path, most, got = () => {}) {
  const reply = await raw(path);
  const reader = reply.body.getReader();
  const chunks = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks, { type: reply.headers.get("Content-Type") ?? "" });
    bytes += value.length;
    if (bytes > most) {
      await reader.cancel();
      throw new TooLargeError(`more than ${most} bytes`);
    }
    chunks.push(value);
    got(bytes);
  }
}
