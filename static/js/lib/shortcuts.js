/**
 * Keys that do something anywhere on a page. It knows nothing of codepiper.
 *
 * They are single letters, so they rest wherever a letter may mean itself: in fields, in a
 * terminal, in a dialog or a menu, and together with Ctrl, Alt or Meta.
 */

const sets = new Set();
let listening = false;

/**
 * Adds `rows` of `{ keys, label, act(event) }` until the returned function is called; `keys` are
 * the names of `KeyboardEvent.key`. What was added last is asked first.
 */
export function shortcuts(rows) {
  if (!listening) document.addEventListener("keydown", press);
  listening = true;
  sets.add(rows);
  return () => sets.delete(rows);
}

/** All rows that are there now, those of the page before those of everywhere. */
export const known = () => [...sets].reverse().flat();

/** Whether a key that is pressed here belongs to what has the focus. */
function isTaken(event) {
  const { target } = event;
  if (event.defaultPrevented || event.isComposing) return true;
  if (event.ctrlKey || event.altKey || event.metaKey) return true;
  if (target.isContentEditable) return true;
  return Boolean(target.closest?.("input, textarea, select, dialog, [role=menu], [role=listbox]"));
}

function press(event) {
  if (isTaken(event)) return;
  const row = known().find(({ keys }) => keys.includes(event.key));
  if (!row) return;
  // A button under the focus would be pressed by Enter too, but letters mean nothing to it.
  event.preventDefault();
  row.act(event);
}
