/** What is to be known of a session besides its state, as badges: guard, sandbox, danger. */

import { span } from "../lib/format.js";
import { isLive } from "./state.js";

/** `[{ word, tone, title }]`, what is wrong first. */
export function marks(session) {
  return [danger(session), alarm(session), guard(session), sandbox(session), log(session)]
    .filter(Boolean);
}

function danger({ dangerousUntil }) {
  return dangerousUntil && {
    word: `dangerous ${span(dangerousUntil)}`, tone: "bad",
    title: "What policy would ask about is allowed without asking for so long",
  };
}

function alarm(session) {
  return session.alarm && { word: "alarm", tone: "bad", title: session.alarm };
}

function guard(session) {
  if (session.provider === "command" || !isLive(session)) return null;
  if (session.guarded) {
    return { word: "guarded", tone: "busy", title: "Each tool call is decided by policy first" };
  }
  if (session.status === "STARTING") return null;
  return {
    word: "not guarded", tone: "bad",
    title: "Its hooks have not reported: no policy has decided anything in it",
  };
}

function sandbox({ sandbox: cage }) {
  if (!cage) return null;
  if (!cage.verified || cage.verified === "off") {
    return { word: "no sandbox", tone: "ask", title: "It can do whatever your user can" };
  }
  const lacks = cage.partial?.length ? ` without ${cage.partial.join(", ")}` : "";
  return {
    word: `sandbox ${cage.verified}${lacks && ", partly"}`, tone: lacks ? "ask" : "over",
    title: `Sandbox ${cage.verified}${lacks}, checked from inside when it started`,
  };
}

function log({ logDegraded }) {
  return logDegraded && {
    word: "log gap", tone: "bad", title: "The disk was full: some output could not be kept",
  };
}
