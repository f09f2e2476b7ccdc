/** The bytes that are signed and sent: documents and envelopes written in their one form, as the verifier reads them. */

import { Tagged, compareBytes, encodeByteString, utf8 } from "../verify/formats.js";
import { concat, hmacSha256, sha256 } from "../verify/sha2.js";

const DEPTH_MAX = 16;
const KID_LENGTH = 16;
export const SALT_LENGTH = 32;
export const DOCUMENT_BYTES_MAX = 64_000;
const FIELD_DOMAIN = "cellvow/field/v1\0";
const LONE_SURROGATE = /[\ud800-\udfff]/u;
const ASCII = /^[\0-\x7f]*$/;

/** What cannot be written; nothing was signed. */
export class Unwritable extends Error {}

function text(value) {
  if (LONE_SURROGATE.test(value)) throw new Unwritable("a text holds half of a surrogate pair");
  return value;
}

function member(value, depth) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(text(value));
  if (Number.isSafeInteger(value)) return String(value);
  if (depth > DEPTH_MAX) throw new Unwritable(`nesting deeper than ${DEPTH_MAX}`);
  if (Array.isArray(value)) return `[${value.map((one) => member(one, depth + 1)).join()}]`;
  if (typeof value !== "object") throw new Unwritable(`a ${typeof value} cannot be part of a document`);
  const names = Object.keys(value).sort();
  if (!names.every((name) => ASCII.test(name))) throw new Unwritable("a key is not ASCII text");
  return `{${names.map((name) => `${JSON.stringify(name)}:${member(value[name], depth + 1)}`).join()}}`;
}

/**
 * Canonical bytes of a document (docs/reference/formats.md section 1).
 * @param {*} value @returns {Uint8Array}
 */
export const encodeDocument = (value) => utf8(member(value, 1));

function head(major, argument) {
  const first = major << 5;
  if (argument < 24) return Uint8Array.of(first | argument);
  if (argument < 0x100) return Uint8Array.of(first | 24, argument);
  const bytes = new Uint8Array(argument < 0x10000 ? 3 : argument < 0x100000000 ? 5 : 9);
  const view = new DataView(bytes.buffer);
  bytes[0] = first | { 3: 25, 5: 26, 9: 27 }[bytes.length];
  if (bytes.length === 3) view.setUint16(1, argument);
  else if (bytes.length === 5) view.setUint32(1, argument);
  else view.setBigUint64(1, BigInt(argument));
  return bytes;
}

function encodeMap(value) {
  const members = [...value].map(([key, one]) => [encodeCbor(key), encodeCbor(one)]);
  members.sort(([one], [other]) => compareBytes(one, other));
  return concat(head(5, members.length), ...members.flat());
}

/**
 * The deterministic CBOR of integers, byte strings, texts, arrays, Maps and `Tagged`.
 * @param {*} value @returns {Uint8Array}
 */
export function encodeCbor(value) {
  if (Number.isSafeInteger(value)) return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (value instanceof Uint8Array) return encodeByteString(value);
  if (typeof value === "string") {
    const bytes = utf8(text(value));
    return concat(head(3, bytes.length), bytes);
  }
  if (Array.isArray(value)) return concat(head(4, value.length), ...value.map(encodeCbor));
  if (value instanceof Map) return encodeMap(value);
  if (value instanceof Tagged) return concat(head(6, 18), encodeCbor(value.value));
  throw new Unwritable(`a ${typeof value} cannot be encoded`);
}

/** @param {Uint8Array} publicKey @returns {Uint8Array} the 16 bytes that name a key */
export const deriveKeyId = (publicKey) => sha256(publicKey).slice(0, KID_LENGTH);

/**
 * The commitment to a field document (docs/reference/formats.md section 9).
 * @param {Uint8Array} salt 32 bytes @param {Uint8Array} field canonical bytes @returns {Uint8Array}
 */
export function commit(salt, field) {
  if (salt.length !== SALT_LENGTH) throw new Unwritable(`a salt of ${salt.length} bytes`);
  return hmacSha256(salt, concat(utf8(FIELD_DOMAIN), field));
}
