/**
 * Builds DOM nodes, and knows nothing of codepiper. Text is always text: neither here nor anywhere
 * else in the dashboard is markup parsed, so what an agent prints can never become an element.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: `h("button", { class: "primary", onclick: save }, "Save")`. Props that begin with
 * `on` are listeners, `true` and `false` switch attributes, `null` and `undefined` are left out.
 * Children are nodes, texts or lists of both; `null` and `false` are left out.
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An icon: one path on a grid of 24 that is drawn as a line in the colour of the text. */
export function icon(path) {
  const line = fill(document.createElementNS(SVG, "path"), { d: path }, []);
  return fill(document.createElementNS(SVG, "svg"), {
    class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true",
  }, [line]);
}

/** Makes a node say `text`; one that does so is left alone, and with it what is selected there. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Puts these nodes in the place of all that `parent` holds. */
export function show(parent, ...children) {
  parent.replaceChildren();
  appendAll(parent, children.flat(Infinity).filter(Boolean));
}

/** Puts the cursor into the first field, or where there is none the reader to the heading. */
export function enter(node) {
  const target = node.querySelector("input:not([hidden])") ?? node.querySelector("h1") ?? node;
  if (target.tabIndex < 0) target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

/**
 * Makes the children of `parent` follow `items`, one node each. A node that stays is kept, with
 * focus, selection and scroll position. `make(item)` returns `{ node, update(item) }`.
 */
export function list(parent, keyOf, make) {
  let rows = new Map();
  return (items) => {
    const next = new Map();
    items.forEach((item) => {
      const row = rows.get(keyOf(item)) ?? make(item);
      row.update(item);
      next.set(keyOf(item), row);
    });
    rows.forEach((row, key) => next.has(key) || row.node.remove());
    const focused = parent.contains(document.activeElement) ? document.activeElement : null;
    [...next.values()].forEach((row, at) => {
      // Moving a node takes its focus away, so only what stands wrong is moved.
      if (parent.children[at] !== row.node) parent.insertBefore(row.node, parent.children[at]);
    });
    // And if that was the one with the focus, it gets it back.
    if (focused !== document.activeElement) focused?.focus({ preventScroll: true });
    rows = next;
  };
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  const isThere = (child) => child !== null && child !== undefined && child !== false;
  appendAll(node, children.flat(Infinity).filter(isThere));
  return node;
}

/** One by one: a call takes only so many arguments, and strangers' text may come to more nodes. */
function appendAll(parent, children) {
  for (const child of children) parent.append(child);
}
