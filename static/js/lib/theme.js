/** Light, dark or as the system has it: a choice of this browser. It knows nothing of codepiper. */

const KEY = "codepiper.theme";

/** What can be chosen, and what it is called. */
export const THEMES = [["", "As the system"], ["light", "Light"], ["dark", "Dark"]];

/** The choice; empty for the system's. */
export const chosen = () => localStorage.getItem(KEY) ?? "";

/** Makes a choice, and remembers it. */
export function choose(theme) {
  if (theme) localStorage.setItem(KEY, theme);
  else localStorage.removeItem(KEY);
  apply();
}

/** Shows the page as was chosen. The colours follow `color-scheme`. */
export function apply() {
  document.documentElement.dataset.theme = chosen();
}
