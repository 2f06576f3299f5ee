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

/** The last two parts of a path, for where the whole has no room. */
export function shortPath(path) {
  const parts = path.split("/").filter(Boolean);
  return parts.length > 2 ? `…/${parts.slice(-2).join("/")}` : path;
}

/** The last part of a path. */
export function lastPart(path) {
  return path.split("/").filter(Boolean).at(-1) ?? path;
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
