// What a browser would refuse to load: an import of a name that its file does not export. Views are
// fetched when they are first shown, so that it could go unseen for long.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const IMPORT = /import (?:\{([^}]*)\} from |\* as \w+ from )?"(\.[^"]+)"/g;
const ROOT = new URL("../../static/js", import.meta.url).pathname;

function scripts(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? scripts(path) : [path];
  });
}

/** The names that a script exports. */
function exported(text) {
  const found = text.matchAll(/^export (?:async )?(?:function\*?|const|let|class) (\w+)/gm);
  return [...found].map(([, name]) => name);
}

/** What of `text`, the script at `path`, cannot be had. */
function missing(path, text) {
  const complaints = [];
  for (const [, names, from] of text.matchAll(IMPORT)) {
    const target = join(dirname(path), from);
    if (!existsSync(target)) {
      complaints.push(`${path}: no ${from}`);
      continue;
    }
    const known = exported(readFileSync(target, "utf8"));
    const wanted = (names ?? "").split(",").map((name) => name.trim().split(" as ")[0]);
    complaints.push(...wanted.filter((name) => name && !known.includes(name))
      .map((name) => `${path}: ${from} has no ${name}`));
  }
  for (const [, from] of text.matchAll(/import\("(\.[^"]+)"\)/g)) {
    if (!existsSync(join(dirname(path), from))) complaints.push(`${path}: no ${from}`);
  }
  return complaints;
}

test("every import names what its file exports", () => {
  const all = scripts(ROOT);
  assert.ok(all.length > 50);
  assert.deepEqual(all.flatMap((path) => missing(path, readFileSync(path, "utf8"))), []);
  const [main] = all.filter((path) => path.endsWith("/main.js"));
  const wrong = "import { lost } from \"./feed.js\";\nimport(\"./lost.js\")";
  assert.equal(missing(main, wrong).length, 2);
});
