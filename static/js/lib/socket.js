/**
 * One WebSocket to the daemon for everything live. It comes back by itself, and subscribes again to
 * all that is still wanted; what was missed meanwhile is for the subscriber to fetch.
 */

import { decode } from "./frames.js";
import { value } from "./value.js";

const VERSION = 1;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

export class Socket {
  #url;
  #proof;
  #refused;
  #ws = null;
  #timer = null;
  #wait = FIRST_WAIT_MS;
  #subscriptions = new Map();
  #numbers = new Map();
  #ears = new Map();

  /** "open" or "away". */
  state = value("away");

  /** Told of `{ op: "…_error" | "error", error, code, sessionId? }`. */
  onError = () => {};

  /** `proof()` goes into the greeting; `refused()` is called where it was not answered. */
  constructor(url, proof, refused) {
    this.#url = url;
    this.#proof = proof;
    this.#refused = refused;
    const now = () => document.visibilityState === "visible" && this.#soon();
    window.addEventListener("online", now);
    document.addEventListener("visibilitychange", now);
    this.#connect();
  }

  /**
   * Follows a topic until the returned function is called. `handlers` are `options()` for fields of
   * the request, `subscribed()`, `told(message)` and `frame(frame)`; all but one may be missing.
   */
  subscribe(topic, handlers) {
    this.#subscriptions.set(topic, handlers);
    this.#ask(topic, handlers);
    return () => {
      if (this.#subscriptions.get(topic) !== handlers) return;
      this.#subscriptions.delete(topic);
      this.#numbers.forEach((known, number) => known === handlers && this.#numbers.delete(number));
      this.send({ op: "unsubscribe", topic });
    };
  }

  /** Calls `told(message)` for each answer with this `op`; returns how to stop. */
  hear(op, told) {
    const ears = this.#ears.get(op) ?? new Set();
    this.#ears.set(op, ears.add(told));
    return () => ears.delete(told);
  }

  /** Sends a message; false while there is no connection. */
  send(message) {
    if (this.state.get() !== "open") return false;
    this.#ws.send(JSON.stringify(message));
    return true;
  }

  #ask(topic, handlers) {
    this.send({ op: "subscribe", topic, ...handlers.options?.() });
  }

  #connect() {
    this.#timer = null;
    const ws = new WebSocket(this.#url);
    this.#ws = ws;
    ws.binaryType = "arraybuffer";
    ws.onopen = () => {
      ws.send(JSON.stringify({ op: "hello", version: VERSION, proof: this.#proof() }));
    };
    ws.onmessage = ({ data }) => {
      if (typeof data === "string") this.#message(JSON.parse(data));
      else this.#frame(decode(data));
    };
    ws.onclose = () => {
      const greeted = this.state.get() === "open";
      this.state.set("away");
      this.#numbers.clear();
      // The reason of a refused upgrade is hidden from pages: ask over HTTP.
      if (!greeted) this.#refused();
      // Not all at once, when a daemon comes back to many pages.
      this.#timer = setTimeout(() => this.#connect(), this.#wait * (0.5 + Math.random() / 2));
      this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT_MS);
    };
  }

  #soon() {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  #message(message) {
    const handlers = this.#subscriptions.get(message.topic);
    switch (message.op) {
      case "hello_ack":
        this.#wait = FIRST_WAIT_MS;
        this.state.set("open");
        this.#subscriptions.forEach((known, topic) => this.#ask(topic, known));
        break;
      case "subscribed":
        if (!handlers) return;
        this.#numbers.set(message.id, handlers);
        handlers.subscribed?.(message);
        break;
      case undefined:
        handlers?.told?.(message);
        break;
      default:
        this.#ears.get(message.op)?.forEach((told) => told(message));
        if (message.op === "error" || message.op.endsWith("_error")) this.onError(message);
    }
  }

  #frame(frame) {
    if (frame) this.#numbers.get(frame.topic)?.frame?.(frame);
  }
}
