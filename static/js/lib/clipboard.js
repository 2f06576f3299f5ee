/** Copies a text, also where browsers have no clipboard for pages: over plain HTTP. */

/** True when it is in the clipboard. Has to be called while a key or a button is handled. */
export async function copy(text) {
  if (navigator.clipboard) {
    const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
    if (done) return true;
  }
  return copyBySelection(text);
}

/** The old way: select it in a field that nobody sees, and copy the selection. */
function copyBySelection(text) {
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.className = "unseen";
  area.value = text;
  // In an open dialog nothing outside can be selected.
  (before?.closest("dialog") ?? document.body).append(area);
  area.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } finally {
    area.remove();
    before?.focus({ preventScroll: true });
  }
  return done;
}
