/** The whole log of a session as a file: raw, as the terminal got it. */

import { raw } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { bytes } from "../../lib/format.js";
import { words } from "../../parts/field.js";
import { nameOf } from "../../parts/state.js";
import { toast } from "../../parts/toast.js";

/** Reads it piece by piece and saves it; secrets that the session was given are covered. */
export async function download(session) {
  const pieces = [];
  let size = 0;
  toast("Fetching the log…");
  try {
    for (let from = 0; ;) {
      const path = `/sessions/${encodeURIComponent(session.id)}/log?covered=true&from=${from}`;
      const reply = await raw(path);
      const piece = await reply.arrayBuffer();
      if (piece.byteLength === 0) break;
      pieces.push(piece);
      size += piece.byteLength;
      from = Number(reply.headers.get("X-CodePiper-From")) + piece.byteLength;
    }
  } catch (error) {
    return toast(words(error));
  }
  save(`${nameOf(session)}.log`, new Blob(pieces, { type: "application/octet-stream" }));
  toast(`${bytes(size)} of output, with the terminal's control sequences: less -R shows it.`);
}

function save(name, blob) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  // The browser may not have begun to read it yet.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
