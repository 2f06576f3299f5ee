/** Where a session starts: a field that completes directories, and says what one is. */

import { get, post, withQuery } from "../../lib/api.js";
import { lastPart } from "../../lib/format.js";
import { combobox } from "../../parts/combobox.js";

const RECENT = 8;

/** `{ node, input }`; `sessions` are those that this place has seen, the newest first. */
export function directory(sessions, value) {
  const recent = [...new Set(sessions.map((session) => session.cwd))].slice(0, RECENT);
  const box = combobox("Directory", {
    value: value ?? recent[0] ?? "~/", placeholder: "~/project", class: "path",
  }, "", { find, chosen: check });
  let checks = 0;
  check(box.input.value);
  return box;

  async function find(text) {
    const typed = text.trim();
    const known = recent.filter((path) => path.startsWith(typed) && path !== typed)
      .map((path) => ({ value: path, label: path, hint: "recent" }));
    if (!/^[~/]/.test(typed)) return { rows: known };
    const found = await get(withQuery("/directories", { path: typed }));
    const rows = found.directories.filter(({ path }) => !recent.includes(path)).map((one) => ({
      value: `${one.path}/`, label: one.path, goesOn: true,
      hint: [one.isGitRepo && "git", one.isLink && "link"].filter(Boolean).join(", "),
    }));
    return {
      rows: [...known, ...rows],
      note: found.problem ?? (found.more ? "There are more; type on." : ""),
    };
  }

  async function check(text) {
    checks += 1;
    const turn = checks;
    const cwd = text.trim();
    if (!cwd) return say("");
    try {
      const found = await post("/sessions/validate", { cwd });
      if (turn === checks) say(words(found), !found.valid);
    } catch (error) {
      // The start itself will tell.
      if (turn === checks) say(error.status === 404 ? "" : error.message, true);
    }
  }

  function say(text, isBad = false) {
    box.hint.textContent = text;
    box.hint.classList.toggle("problem", isBad);
    box.input.toggleAttribute("aria-invalid", isBad);
  }
}

function words(found) {
  if (!found.valid) return found.errors.join("; ");
  const git = found.gitInfo;
  const place = git && `git: ${lastPart(git.repoRoot)}${
    git.currentBranch ? `, on ${git.currentBranch}` : ""}`;
  return [place, ...found.warnings].filter(Boolean).join(" · ") || "no git repository";
}
