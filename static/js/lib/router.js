/**
 * Shows the view that the address names, one at a time. It knows nothing of codepiper.
 *
 * Addresses are `#/sessions/abc`: behind the number sign, so that the server sees one page and
 * never a session's name.
 */

/**
 * Rows are `{ path: "/sessions/:id", view }`; `view(params)` is a promise of `{ node, title,
 * destroy() }`, where the last may be missing: views are fetched when they are first shown. What no
 * row matches goes to the first row. `entered(path, view)` is told of each change, and `failed()`
 * of a view that cannot be had.
 */
export function router(rows, outlet, entered, failed) {
  let live = null;
  let turns = 0;

  async function enter() {
    const address = location.hash.slice(1);
    const found = rows.map((row) => ({ row, params: match(row.path, address) }))
      .find((candidate) => candidate.params);
    if (!found) return location.replace(`#${rows[0].path}`);
    turns += 1;
    const turn = turns;
    const next = await found.row.view(found.params).catch(failed);
    // Whoever was quicker has gone somewhere else.
    if (!next || turn !== turns) return next?.destroy?.();
    live?.destroy?.();
    live = next;
    outlet.replaceChildren(live.node);
    entered(found.row.path, live);
    // Whoever reads by ear or keyboard goes on at the new view, not at the link behind it.
    const target = outlet.querySelector("[autofocus], h1") ?? outlet;
    if (target.tabIndex < 0) target.tabIndex = -1;
    target.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  window.addEventListener("hashchange", enter);
  enter();
}

/** The parameters, or null where the address is another one. */
export function match(pattern, address) {
  const [want, got] = [pattern.split("/"), address.split("/")];
  if (want.length !== got.length) return null;
  const params = {};
  for (const [at, part] of want.entries()) {
    if (part.startsWith(":") && got[at]) params[part.slice(1)] = decode(got[at]);
    else if (part !== got[at]) return null;
  }
  return params;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
