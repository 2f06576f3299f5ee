/**
 * Calls to the daemon: JSON both ways, the proof of the login on each, and errors as one class.
 *
 * The cookie alone opens nothing. Browsers send it to every port of this host, so that a server an
 * agent has started could collect it; the proof stays in this origin's own storage.
 */

const PROOF = "codepiper.proof";
const DEVICE = "codepiper.device";
/** What a request is told that came with two cookies of ours; the next one comes with one. */
const DOUBLED = "cookie_doubled";

/** What the daemon refused, in its own words. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    super(body?.error ?? `the daemon answered ${status}`);
    this.status = status;
    this.code = body?.code ?? "";
    this.body = body ?? {};
    this.retryAfter = retryAfter;
  }
}

/** The proof of this login, kept by the browser. */
export const proof = {
  get: () => localStorage.getItem(PROOF),
  set: (text) => localStorage.setItem(PROOF, text),
  clear: () => localStorage.removeItem(PROOF),
};

/** What an earlier login gave this browser: attempts to log in that nobody else uses up. */
const device = {
  get: () => localStorage.getItem(DEVICE) ?? undefined,
  set: (text) => localStorage.setItem(DEVICE, text),
};

let signedOut = () => {};

/** Says what happens when the daemon no longer knows this login. */
export function onSignedOut(told) {
  signedOut = told;
}

/** GET. */
export const get = (path) => call("GET", path);

/** POST with a JSON body; `signal` can call it off. */
export const post = (path, body = {}, signal = null) => call("POST", path, body, signal);

/** PUT with a JSON body. */
export const put = (path, body) => call("PUT", path, body);

/** DELETE. */
export const remove = (path) => call("DELETE", path);

/** `path` with the fields of `query` that have a value. */
export function withQuery(path, query) {
  const fields = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  return fields.length ? `${path}?${new URLSearchParams(fields)}` : path;
}

/** A login with these credentials; the reply's proof and device are kept. */
export async function signIn(credentials) {
  const reply = await post("/auth/login", { ...credentials, device: device.get() });
  signedIn(reply);
}

/** Keeps what a login gave. */
export function signedIn(reply) {
  proof.set(reply.proof);
  if (reply.device) device.set(reply.device);
}

/**
 * How far this browser is signed in. Another page of this host may have set a cookie of the same
 * name as ours; the first reply says so and takes it away.
 */
export async function standing() {
  const found = await get("/auth/status");
  return found.cookieDoubled ? get("/auth/status") : found;
}

/** What is not JSON: the reply itself, `{ headers, arrayBuffer() }`. */
export const raw = (path) => answered("GET", path);

async function call(method, path, body, signal) {
  const reply = await answered(method, path, body, signal);
  return reply.json().catch(() => null);
}

async function answered(method, path, body, signal, again = false) {
  const reply = await send(method, path, body, signal);
  if (reply.ok) return reply;
  const answer = await reply.json().catch(() => null);
  if (answer?.code === DOUBLED && !again) return answered(method, path, body, signal, true);
  if (reply.status === 401) signedOut();
  throw new ApiError(reply.status, answer, Number(reply.headers.get("Retry-After")) || 0);
}

async function send(method, path, body, signal) {
  const headers = { Accept: "application/json" };
  if (proof.get()) headers["X-CodePiper-Proof"] = proof.get();
  if (body) headers["Content-Type"] = "application/json";
  try {
    return await fetch(`/api${path}`, {
      method, headers, body: body && JSON.stringify(body), cache: "no-store", signal,
    });
  } catch {
    if (signal?.aborted) throw new ApiError(0, { error: "taken back", code: "aborted" });
    throw new ApiError(0, { error: "the daemon cannot be reached", code: "unreachable" });
  }
}
