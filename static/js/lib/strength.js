/**
 * How hard a password is to guess, roughly, and what would make it harder. A hint while typing: the
 * daemon decides, and has the list of common ones.
 */

const RUNS = ["abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "01234567890"];
const WORDS = ["password", "codepiper", "admin", "letmein", "welcome", "secret", "login"];

/** Characters that a password has at least. */
export const LEAST_CHARS = 8;

/** `{ score: 0..4, hint }` for a password of at least `least` characters. */
export function strength(password, least = LEAST_CHARS) {
  const length = [...password].length;
  if (length === 0) return { score: 0, hint: `At least ${least} characters.` };
  if (length < least) return { score: 0, hint: `${least - length} more to go.` };
  const bits = effort(password.toLowerCase()) * Math.log2(alphabet(password));
  if (bits < 45) return { score: 1, hint: "Easy to guess. Longer is better than stranger." };
  if (bits < 60) return { score: 2, hint: "Fair. Another word or two would help." };
  if (bits < 80) return { score: 3, hint: "Good." };
  return { score: 4, hint: "Strong." };
}

function alphabet(password) {
  const kinds = [[/[a-z]/, 26], [/[A-Z]/, 26], [/[0-9]/, 10], [/[^a-zA-Z0-9]/, 30]];
  return kinds.reduce((sum, [kind, size]) => sum + (kind.test(password) ? size : 0), 0) || 1;
}

/** How many characters had to be thought of: repeats, runs and well-known words count little. */
function effort(password) {
  const rest = WORDS.reduce((text, word) => text.replaceAll(word, "\0"), password);
  let count = 0;
  for (let at = 0; at < rest.length; at += 1) {
    const pair = rest.slice(at - 1, at + 1);
    const follows = at > 0 && (pair[0] === pair[1] || RUNS.some((run) => run.includes(pair)));
    const seen = rest.indexOf(rest[at]) < at;
    count += follows ? 0.25 : seen ? 0.8 : 1;
  }
  return count;
}
