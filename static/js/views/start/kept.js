/** What was chosen at the last start of each provider, kept by this browser. Never any value. */

const KEY = "codepiper.start";

/** The last choices for a provider, or what belongs to none: `{ provider }`. */
export function kept(provider) {
  const all = read();
  return provider ? all.by?.[provider] ?? {} : { provider: all.provider };
}

/** Keeps them. */
export function keep(provider, choices) {
  const all = read();
  const next = { provider, by: { ...all.by, [provider]: choices } };
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // A browser that keeps nothing starts sessions all the same.
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
