/** Draws once a frame, however often it is asked. It knows nothing of codepiper. */

/** A function that has `draw` called before the next frame; what comes until then is one call. */
export function oncePerFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    // A page that is not seen has no frames, and its title and counts are read all the same.
    if (document.hidden) setTimeout(run);
    else requestAnimationFrame(run);
  };

  function run() {
    asked = false;
    draw();
  }
}
