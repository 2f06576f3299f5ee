/**
 * The binary frames of a terminal: version, type, topic number, the offset in the session's log
 * where the stream goes on, bytes. Integers are little-endian.
 */

const VERSION = 1;
const HEAD = 12;

/** What a frame carries. */
export const OUTPUT = 1;
export const SNAPSHOT = 2;
export const GAP = 3;
export const RESIZE = 4;

/** `{ type, topic, offset, bytes }`, or null for a frame of another version. */
export function decode(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEAD || view.getUint8(0) !== VERSION) return null;
  return {
    type: view.getUint8(1),
    topic: view.getUint16(2, true),
    // A log never gets near 2^53 bytes, where a number stops being exact.
    offset: Number(view.getBigUint64(4, true)),
    bytes: new Uint8Array(buffer, HEAD),
  };
}

/** The offset in the body of a GAP, behind what is gone. */
export function gapEnd(bytes) {
  return Number(body(bytes).getBigUint64(0, true));
}

/** The columns and rows in the body of a RESIZE. */
export function size(bytes) {
  const view = body(bytes);
  return { cols: view.getUint16(0, true), rows: view.getUint16(2, true) };
}

const body = (bytes) => new DataView(bytes.buffer, bytes.byteOffset);
