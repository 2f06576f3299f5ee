/**
 * What a call does, in the words of a person who worries: its effects as the daemon tells them
 * (`read /p/a`, `write /p/a`, `net host`, `exec rm`), sorted, and a word where one is due. A hint
 * for the eye: what may run is decided by policies.
 */

const KINDS = [
  ["exec", "runs", "Programs"], ["write", "writes", "Writes"], ["net", "speaks to", "Hosts"],
  ["read", "reads", "Reads"],
];

const DELETES = new Set(["rm", "rmdir", "unlink", "shred", "dd", "mkfs", "truncate", "wipefs"]);
const RAISES = new Set(["sudo", "su", "doas", "pkexec", "run0", "chroot", "nsenter"]);
const SHELLS = new Set(["sh", "bash", "zsh", "dash", "fish", "ksh", "eval", "source"]);
const INSTALLS = new Set(["npm", "npx", "pnpm", "yarn", "pip", "pip3", "pipx", "uv", "cargo",
  "gem", "go", "apt", "apt-get", "dnf", "brew", "apk", "pacman"]);
const FETCHES = new Set(["curl", "wget", "ssh", "scp", "rsync", "nc", "ncat", "socat", "ftp"]);
const SECRET = new RegExp("(^|/)(\\.env(\\.[^/]*)?|\\.ssh|\\.gnupg|\\.aws|\\.netrc|\\.npmrc|"
  + "id_(rsa|dsa|ecdsa|ed25519)[^/]*|[^/]*\\.(pem|key|p12|pfx|kdbx)|\\.password-store)(/|$)", "u");

/** `{ kind, title, items: [{ text, risk }] }` in the order of what can do most harm. */
export function groups(effects, cwd = "") {
  const parsed = effects.map(split);
  return KINDS.map(([kind, , title]) => ({
    kind, title,
    items: parsed.filter((one) => one.kind === kind)
      .map(({ text }) => ({ text, risk: risk(kind, text, cwd) })),
  })).concat([{
    kind: "other", title: "Also",
    items: parsed.filter(({ kind }) => !KINDS.some(([known]) => known === kind))
      .map(({ text }) => ({ text, risk: null })),
  }]).filter(({ items }) => items.length);
}

/** The words of all the risks, each once, for the head of a card. */
export function risks(effects, cwd = "") {
  const words = groups(effects, cwd).flatMap(({ items }) => items.map(({ risk: word }) => word));
  return [...new Set(words.filter(Boolean))];
}

function split(effect) {
  const at = effect.indexOf(" ");
  const kind = at < 0 ? effect : effect.slice(0, at);
  const known = KINDS.some(([word]) => word === kind);
  return { kind, text: known ? effect.slice(at + 1) : effect };
}

function risk(kind, text, cwd) {
  switch (kind) {
    case "exec": return ofProgram(text.split("/").at(-1));
    case "net": return "network";
    case "write":
      if (SECRET.test(text)) return "secrets";
      return isBelow(text, cwd) ? null : "outside the directory";
    case "read": return SECRET.test(text) ? "secrets" : null;
    default: return null;
  }
}

function ofProgram(program) {
  if (DELETES.has(program)) return "deletes";
  if (RAISES.has(program)) return "more rights";
  if (SHELLS.has(program)) return "runs a script";
  if (INSTALLS.has(program)) return "installs";
  return FETCHES.has(program) ? "network" : null;
}

/** Without a directory nothing is said to lie outside of it. */
function isBelow(path, cwd) {
  return !cwd || path === cwd || path.startsWith(cwd.endsWith("/") ? cwd : `${cwd}/`);
}
