/** Cuts a paste into messages that the daemon takes. It knows nothing of terminals. */

/** Characters of one part: as JSON each may take six bytes, and a message may have 64 KiB. */
const PART_CHARS = 8192;
/** Bytes that the daemon puts together. */
const WHOLE_BYTES = 2 << 20;

/** The parts in order, or null for more than the daemon takes. No part ends inside a character. */
export function pasteParts(text) {
  if (new TextEncoder().encode(text).length > WHOLE_BYTES) return null;
  const parts = [];
  for (let from = 0; from < text.length;) {
    let end = Math.min(from + PART_CHARS, text.length);
    if (end < text.length && isLead(text.charCodeAt(end - 1))) end -= 1;
    parts.push(text.slice(from, end));
    from = end;
  }
  return parts;
}

/** The first half of a character that takes two units. */
const isLead = (unit) => unit >= 0xd800 && unit <= 0xdbff;
