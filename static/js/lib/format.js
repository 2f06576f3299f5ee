/** Times and texts as people read them. It knows nothing of codepiper. */

const STEPS = [[60, "s"], [60, "min"], [24, "h"], [Infinity, "d"]];

const BYTES = ["B", "KiB", "MiB", "GiB"];

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

/** Bytes with two digits or three: "512 B", "1.4 MiB". */
export function bytes(count) {
  let left = count;
  let unit = 0;
  while (left >= 1000 && unit < BYTES.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${unit > 0 && left < 10 ? left.toFixed(1) : Math.round(left)} ${BYTES[unit]}`;
}

/** A time of day and a date as this browser's language writes them. */
export function moment(at) {
  return new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** The last two parts of a path, for where the whole has no room. */
export function shortPath(path) {
  const parts = path.split("/").filter(Boolean);
  return parts.length > 2 ? `…/${parts.slice(-2).join("/")}` : path;
}

/** The last part of a path. */
export function lastPart(path) {
  return path.split("/").filter(Boolean).at(-1) ?? path;
}

/** Controls, and what changes the order of a text or takes no room in it. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

/** A text for one line of a list, in which what cannot be seen is named: "ab‹U+202E›txt". */
export function oneLine(text) {
  const name = (one) => one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return text.replace(HIDDEN, (one) => (one === "\t" ? " " : `‹U+${name(one)}›`));
}

/** A text of a few words with a capital letter in front. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const SYSTEMS = [[/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Mac OS X/, "macOS"],
  [/Windows/, "Windows"], [/Linux/, "Linux"]];
const BROWSERS = [[/Edg\//, "Edge"], [/Firefox\//, "Firefox"], [/Chrome\//, "Chrome"],
  [/Safari\//, "Safari"]];

/** What a browser calls itself, as a person would: "Firefox on Linux". */
export function device(agent) {
  const found = (table) => table.find(([sign]) => sign.test(agent))?.[1];
  const [browser, system] = [found(BROWSERS), found(SYSTEMS)];
  if (!browser) return agent.slice(0, 40) || "unknown";
  return system ? `${browser} on ${system}` : browser;
}

/** "1 line", "2 lines". */
export function many(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
