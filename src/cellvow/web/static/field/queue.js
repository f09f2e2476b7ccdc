/** Making the phone's key, signing a row, and sending what waits: each row as it was signed, until its answer is known. */

import { toHex } from "../verify/formats.js";
import { SALT_LENGTH, deriveKeyId } from "./encoding.js";
import { compose } from "./messages.js";
import { admissionCode, encodeUpload, possessionBytes, prepare, seal } from "./statement.js";

const ALGORITHM = "Ed25519";
const PATIENCE_MS = 60_000;
const NOT_ADMITTED = 103;
const TURN = "cellvow-field-send";
const PROBLEM = "application/problem+json";
/** Answers that say something of the row itself: it will not be taken, however often it is sent. */
const FINAL = [400, 413, 415];
export const UPLOADS = "/field/statements";
export const STANDING = "/field/standing/";

const drawSalt = () => crypto.getRandomValues(new Uint8Array(SALT_LENGTH));

async function sign(privateKey, bytes) {
  return new Uint8Array(await crypto.subtle.sign(ALGORITHM, privateKey, bytes));
}

/** Why this browser cannot keep a key: a word of the page, or an empty text where it can. */
export async function findObstacle() {
  if (!globalThis.isSecureContext) return "insecure";
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB || !globalThis.navigator?.serviceWorker) return "old";
  try {
    await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    return "";
  } catch {
    return "old";
  }
}

/** A key for this phone, in the place of the one `before` it, if any; it can be used here and never read. */
export async function makeIdentity(store, { chainId, organisation }, before) {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
  const exported = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  const possession = await sign(privateKey, possessionBytes(chainId, organisation, exported));
  const code = admissionCode(chainId, organisation, exported, possession);
  return store.keepIdentity({ chainId, organisation, privateKey, kid: deriveKeyId(exported), code }, before);
}

/** Signs what a form says and keeps it; throws `Unfit` before a number is used, `QueueFull` before anything is signed. */
export async function record(store, identity, kind, form) {
  const { message, openings } = compose(kind, form, drawSalt);
  const sequence = await store.reserve(identity.kid);
  const prepared = prepare(identity, sequence, message);
  const statement = seal(prepared, await sign(identity.privateKey, prepared.signedBytes));
  const { battery } = message;
  const made = { sequence, kind, battery, form, madeMs: Date.now(), statement, openings };
  await store.add({ ...made, state: "waiting", answer: null });
  return made;
}

async function post(row) {
  const answer = await fetch(UPLOADS, {
    method: "POST",
    headers: { "Content-Type": "application/cbor", Accept: "application/json" },
    body: encodeUpload(row.statement, row.openings, row.madeMs),
    credentials: "omit",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const isProblem = (answer.headers.get("content-type") ?? "").startsWith(PROBLEM);
  if (answer.ok) return answer.json();
  if (isProblem && FINAL.includes(answer.status)) {
    const { detail } = await answer.json();
    return { fate: "refused", code: answer.status, rule: detail, since: [] };
  }
  return null;
}

/** One row after the other; ends at the first that gets no answer. Resolves to a word of the page. */
async function sendRows(store, { kid }) {
  for (const row of await store.rows()) {
    if (row.state !== "waiting") continue;
    let answer;
    try {
      answer = await post(row);
    } catch {
      return "unreachable";
    }
    if (answer === null || typeof answer.fate !== "string") return "busy";
    if (answer.fate === "elsewhere") return "elsewhere";
    if (answer.fate === "not_included" && answer.code === NOT_ADMITTED) return "not_admitted";
    if (answer.top) await store.raise(kid, answer.top);
    await store.settle(row.place, answer);
  }
  return "sent";
}

/** Sends what waits, in one page at a time. */
export function sendAll(store, identity) {
  return navigator.locks.request(TURN, () => sendRows(store, identity));
}

/** Whether the organisation has admitted this phone: a word of the page. */
export async function fetchStanding(identity) {
  try {
    const answer = await fetch(STANDING + toHex(identity.kid), { credentials: "omit", cache: "no-store" });
    return answer.ok ? (await answer.json()).state : "unreachable";
  } catch {
    return "unreachable";
  }
}
