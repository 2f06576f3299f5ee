/**
 * Buttons that do nothing for a moment: what appears or moves under a finger is not what the finger
 * meant.
 *
 * 1. A press that began before its button was ready MUST do nothing, by pointer and by key.
 * 2. Whatever moves a button MUST make it wait again, however it came to move.
 */

const ARM_MS = 700;
/** Less than this is no move. */
const MOVE_PX = 3;

const guarded = new Set();
const sizes = new ResizeObserver(() => look());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") look(true);
});

/** First all places, then what follows from them: each in turn would lay the page out each time. */
function look(anyway = false) {
  const found = [...guarded].map((card) => [card, card.measure()]);
  found.forEach(([card, place]) => card.moved(place, anyway));
}

/**
 * Guards the buttons in `node`, which must be there already: `{ press(act), again() }`, where
 * `press` makes the listener of a click, and `again` starts the wait anew.
 */
export function arming(node, buttons) {
  let ready = false;
  let timer = null;
  let early = false;
  let pressed = null;
  let place = null;
  node.addEventListener("pointerdown", () => { early = !ready; }, true);
  node.addEventListener("keydown", (event) => {
    // A key that is held down from something else is no answer: Enter presses while it is down, a
    // blank when it is let go.
    if (!event.repeat) [early, pressed] = [!ready, event.target];
    else if (event.target !== pressed) early = true;
    if (event.repeat && event.key === "Enter") event.preventDefault();
  }, true);
  const card = { measure: () => (node.isConnected ? where(node) : null), moved };
  guarded.add(card);
  sizes.observe(node);
  again();
  return { press, again };

  function again() {
    ready = false;
    clearTimeout(timer);
    buttons.forEach((button) => button.setAttribute("aria-disabled", "true"));
    // Another name of the same animation: the bar that fills begins anew.
    node.dataset.arming = node.dataset.arming === "1" ? "2" : "1";
    timer = setTimeout(() => {
      ready = true;
      delete node.dataset.arming;
      buttons.forEach((button) => button.removeAttribute("aria-disabled"));
    }, ARM_MS);
  }

  function press(act) {
    return () => {
      if (ready && !early) act();
    };
  }

  function moved(now, anyway) {
    if (!now) {
      if (place) forget();
      return;
    }
    if (!place) watchAround();
    const far = (a, b) => Math.abs(a - b) > MOVE_PX;
    // Scrolling moves it on the screen alone, and what the browser makes good on the page alone.
    const hasMoved = place && (far(now.x, place.x)
      || (far(now.onScreen, place.onScreen) && far(now.onPage, place.onPage)));
    if (!place || hasMoved || anyway) again();
    place = now;
  }

  function watchAround() {
    for (let box = node.parentElement; box; box = box.parentElement) sizes.observe(box);
  }

  function forget() {
    clearTimeout(timer);
    ready = false;
    guarded.delete(card);
    sizes.unobserve(node);
    // Boxes around cards that are gone would be kept with them.
    if (!guarded.size) sizes.disconnect();
  }
}

function where(node) {
  const { left, top } = node.getBoundingClientRect();
  return { x: left + window.scrollX, onScreen: top, onPage: top + window.scrollY };
}
