/** Times and texts as people read them. It knows nothing of codepiper. */

const STEPS = [[60, "s"], [60, "min"], [24, "h"], [Infinity, "d"]];

/** How long ago, or how long until: "12 min". */
export function span(from, to = Date.now()) {
  let left = Math.abs(to - new Date(from).getTime()) / 1000;
  for (const [size, unit] of STEPS) {
    if (left < size) return `${Math.floor(left)} ${unit}`;
    left /= size;
  }
  return "";
}

/** "45 seconds", "2 minutes": rounded up, so that nobody tries too early. */
export function duration(seconds) {
  if (seconds < 90) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}

/** The last two parts of a path, for where the whole has no room. */
export function shortPath(path) {
  const parts = path.split("/").filter(Boolean);
  return parts.length > 2 ? `…/${parts.slice(-2).join("/")}` : path;
}

/** A text of a few words with a capital letter in front. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "1 line", "2 lines". */
export function many(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
