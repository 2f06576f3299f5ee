/** A value that tells its watchers when it changes. It knows nothing of codepiper. */

/** `{ get(), set(next), watch(told) }`; `watch` calls at once, and returns how to stop. */
export function value(initial) {
  let current = initial;
  const watchers = new Set();
  return {
    get: () => current,
    set(next) {
      current = next;
      watchers.forEach((told) => told(current));
    },
    watch(told) {
      watchers.add(told);
      told(current);
      return () => watchers.delete(told);
    },
  };
}
