/**
 * A part of a view whose file is fetched when it is first wanted. Until then it remembers what it
 * was told last.
 */

import { h, show } from "../lib/dom.js";
import { failed, loading } from "./page.js";

/** `load()` fetches the file, `make(file)` returns `{ node, update?, shown?, destroy? }`. */
export function later(load, make) {
  const node = h("div", { class: "later" }, loading());
  let [part, known, gone] = [null, null, false];
  fetchIt();
  return {
    node,
    update(now) {
      known = now;
      part?.update?.(now);
    },
    shown: () => part?.shown?.(),
    destroy() {
      gone = true;
      part?.destroy?.();
    },
  };

  async function fetchIt() {
    try {
      const file = await load();
      if (gone) return;
      part = make(file);
      show(node, part.node);
      if (known) part.update?.(known);
    } catch (error) {
      show(node, failed(error, fetchIt));
    }
  }
}
