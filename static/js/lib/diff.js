/** What changed between two texts, line by line. It knows nothing of files. */

/** Steps of comparing before it is said as "all this went, all that came". */
const MOST_EDITS = 600;

/**
 * `{ kind: "same" | "removed" | "added", text }` for each line: the shortest way from the lines
 * `old` to the lines `now` (Myers 1986), or the plain one where that is too far.
 */
export function diff(old, now) {
  let from = 0;
  while (from < old.length && from < now.length && old[from] === now[from]) from += 1;
  let [oldEnd, nowEnd] = [old.length, now.length];
  while (oldEnd > from && nowEnd > from && old[oldEnd - 1] === now[nowEnd - 1]) {
    oldEnd -= 1;
    nowEnd -= 1;
  }
  const same = (lines) => lines.map((text) => ({ kind: "same", text }));
  const middle = between(old.slice(from, oldEnd), now.slice(from, nowEnd));
  return [...same(old.slice(0, from)), ...middle, ...same(old.slice(oldEnd))];
}

function between(old, now) {
  const trace = walk(old, now);
  const plain = [
    ...old.map((text) => ({ kind: "removed", text })),
    ...now.map((text) => ({ kind: "added", text })),
  ];
  if (!trace) return plain;
  const lines = [];
  let [x, y] = [old.length, now.length];
  for (let depth = trace.length - 1; depth >= 0; depth -= 1) {
    const best = trace[depth];
    const k = x - y;
    const down = k === -depth || (k !== depth && at(best, k - 1) < at(best, k + 1));
    const before = down ? k + 1 : k - 1;
    const [fromX, fromY] = [at(best, before), at(best, before) - before];
    while (x > Math.max(fromX, 0) && y > Math.max(fromY, 0)) {
      lines.push({ kind: "same", text: old[x - 1] });
      x -= 1;
      y -= 1;
    }
    if (depth > 0) {
      lines.push(down
        ? { kind: "added", text: now[y - 1] } : { kind: "removed", text: old[x - 1] });
    }
    [x, y] = [fromX, fromY];
  }
  return lines.reverse();
}

const at = (best, k) => best.get(k) ?? 0;

/** The furthest that each number of edits gets, on each diagonal; null where it is too far. */
function walk(old, now) {
  const trace = [];
  let best = new Map([[1, 0]]);
  for (let depth = 0; depth <= Math.min(old.length + now.length, MOST_EDITS); depth += 1) {
    trace.push(best);
    const next = new Map(best);
    for (let k = -depth; k <= depth; k += 2) {
      const down = k === -depth || (k !== depth && at(best, k - 1) < at(best, k + 1));
      let x = down ? at(best, k + 1) : at(best, k - 1) + 1;
      while (x < old.length && x - k < now.length && old[x] === now[x - k]) x += 1;
      next.set(k, x);
      if (x >= old.length && x - k >= now.length) return trace;
    }
    best = next;
  }
  return null;
}

/**
 * The lines with their numbers before and after, and what stands far from any change taken out:
 * `{ kind, text, old?, now? }`, or `{ kind: "fold", lines }` with what was taken out.
 */
export function hunks(lines, context = 3) {
  let [old, now] = [0, 0];
  const numbered = lines.map(({ kind, text }) => ({
    kind, text,
    ...(kind !== "added" && { old: old += 1 }), ...(kind !== "removed" && { now: now += 1 }),
  }));
  const near = new Set();
  numbered.forEach(({ kind }, place) => {
    if (kind === "same") return;
    for (let n = place - context; n <= place + context; n += 1) near.add(n);
  });
  const shown = [];
  numbered.forEach((line, place) => {
    if (near.has(place) || line.kind !== "same") return shown.push(line);
    if (shown.at(-1)?.kind === "fold") return shown.at(-1).lines.push(line);
    return shown.push({ kind: "fold", lines: [line] });
  });
  // One line costs as much room as the word that it was left out.
  return shown.flatMap((line) =>
    (line.kind === "fold" && line.lines.length < 2 ? line.lines : [line]));
}

/** How many lines came and how many went. */
export function counts(lines) {
  const count = (wanted) => lines.filter(({ kind }) => kind === wanted).length;
  return { added: count("added"), removed: count("removed") };
}

/**
 * A change as the daemon writes it, lines with `-`, `+` or a blank in front: where it is a text
 * that is replaced by another one (all that goes, then all that comes), the two are compared.
 */
export function changes(marked) {
  const lines = marked === "" ? [] : marked.split("\n");
  const first = lines.findIndex((line) => !line.startsWith("-"));
  const cut = first < 0 ? lines.length : first;
  const bare = (some) => some.map((line) => line.slice(1));
  if (cut > 0 && lines.slice(cut).every((line) => line.startsWith("+"))) {
    return diff(bare(lines.slice(0, cut)), bare(lines.slice(cut)));
  }
  const KINDS = { "+": "added", "-": "removed", " ": "same" };
  return lines.map((line) => (KINDS[line[0]]
    ? { kind: KINDS[line[0]], text: line.slice(1) } : { kind: "head", text: line }));
}
