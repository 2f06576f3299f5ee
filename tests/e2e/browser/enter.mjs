// The way in without a page, for stories that begin behind it.

import { totp } from "./totp.mjs";

export const PASSWORD = "violet anvil over nine rivers";

/** Sets the daemon at `url` up; `{ storageState, secret, codes }`, the first for a context. */
export async function enter(url, bootstrapPassword) {
  const kept = new Map();
  let proof = "";
  const post = async (path, body) => {
    const reply = await fetch(`${url}/api${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: {
        "Content-Type": "application/json", Origin: url, "X-CodePiper-Proof": proof,
        Cookie: [...kept].map((pair) => pair.join("=")).join("; "),
      },
    });
    for (const cookie of reply.headers.getSetCookie()) kept.set(...cookie.split(";")[0].split("="));
    const answer = await reply.json();
    if (!reply.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    proof = answer.proof ?? proof;
    return answer;
  };
  await post("/auth/setup", { bootstrapPassword, password: PASSWORD });
  const { secret } = await post("/auth/mfa/setup", {});
  const { recoveryCodes } = await post("/auth/mfa/verify", { totpCode: totp(secret) });
  const storageState = {
    cookies: [{
      name: "codepiper_session", value: kept.get("codepiper_session"), domain: "127.0.0.1",
      path: "/", expires: -1, httpOnly: true, secure: false, sameSite: "Strict",
    }],
    origins: [{ origin: url, localStorage: [{ name: "codepiper.proof", value: proof }] }],
  };
  return { storageState, secret, codes: recoveryCodes };
}
