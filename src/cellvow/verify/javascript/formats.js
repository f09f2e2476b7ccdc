/** Byte forms with one spelling each: hexadecimal, base64, UTF-8, restricted JSON and the subset of CBOR. */

import { concat } from "./sha2.js";

/** What is thrown where evidence does not have its form or does not hold; its message is a sentence for people. */
export class Refused extends Error {}

/**
 * Refuse unless `condition` holds.
 * @param {boolean} condition
 * @param {string} sentence what is wrong
 */
export function require(condition, sentence) {
  if (!condition) throw new Refused(sentence);
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const MAX_LEVELS = 16;

/** @param {Uint8Array} bytes @returns {string} lower case, two digits a byte */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {string} hex already known to be pairs of hexadecimal digits @returns {Uint8Array} */
export const fromHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** @param {string} text without lone surrogates @returns {Uint8Array} its UTF-8 */
export const utf8 = (text) => new TextEncoder().encode(text);

/** Bytewise order: negative, zero or positive as `a` sorts before, with or after `b`. */
export function compareBytes(a, b) {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}

/** @param {Uint8Array} a @param {Uint8Array} b @returns {boolean} whether they are the same bytes */
export const equalBytes = (a, b) => compareBytes(a, b) === 0;

/**
 * The text of UTF-8 bytes.
 * @param {Uint8Array} bytes
 * @param {string} what the subject of the sentence if refused
 * @returns {string}
 */
export function parseUtf8(bytes, what) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new Refused(`${what} is not valid UTF-8.`);
    throw error;
  }
}

/**
 * The bytes of base64 (RFC 4648 section 4) with its padding and with zeros in the bits left over.
 * @param {string} text
 * @param {string} what the subject of the sentence if refused
 * @returns {Uint8Array}
 */
export function parseBase64(text, what) {
  require(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text), `${what} is not base64.`);
  const digits = Array.from(text.replace(/=+$/, ""), (character) => BASE64.indexOf(character));
  const bytes = [];
  let bits = 0;
  let held = 0;
  for (const digit of digits) {
    held = (held << 6) | digit;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push(held >> bits);
      held &= (1 << bits) - 1;
    }
  }
  require(held === 0, `${what} is base64 with bits left over that are not zero.`);
  return Uint8Array.from(bytes);
}

// --- Documents: restricted JSON (section 1) ---------------------------------------------------------------------

const ESCAPES = { '"': '"', "\\": "\\", b: "\b", t: "\t", n: "\n", f: "\f", r: "\r" };
const SPACE = /[ \t\n\r]+/y;
const NUMBER = /-?[0-9]+/y;
const PLAIN = /[^"\\\u0000-\u001f]+/y;
// The control characters that have no letter of their own.
const UNICODE_ESCAPE = /u00(?:0[0-7be-f]|1[0-9a-f])/y;

class DocumentReader {
  constructor(text, what, allowsSpace) {
    this.text = text;
    this.what = what;
    this.allowsSpace = allowsSpace;
    this.at = 0;
  }

  refuse(reason) {
    throw new Refused(`${this.what} is not a document: ${reason} at character ${this.at}.`);
  }

  skipSpace() {
    if (this.allowsSpace) this.match(SPACE);
  }

  /** Consume `token` with the space before it, if it comes next. */
  takes(token) {
    this.skipSpace();
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return "";
    this.at += found[0].length;
    return found[0];
  }

  value(level) {
    if (this.takes("{")) return this.object(level + 1);
    if (this.takes("[")) return this.array(level + 1);
    if (this.takes('"')) return this.string();
    if (this.takes("true")) return true;
    if (this.takes("false")) return false;
    if (this.takes("null")) return null;
    return this.integer();
  }

  integer() {
    const digits = this.match(NUMBER);
    if (digits === "") this.refuse("no value");
    const isShortest = /^(?:0|-?[1-9][0-9]{0,15})$/.test(digits);
    if (!isShortest) this.refuse("an integer that is too large or not in its shortest form");
    const number = Number(digits);
    if (!Number.isSafeInteger(number)) this.refuse("an integer beyond 2^53");
    return number;
  }

  string() {
    let text = "";
    for (;;) {
      text += this.match(PLAIN);
      const next = this.text[this.at];
      if (next === '"') break;
      if (next !== "\\") this.refuse("a string without end or with a bare control character");
      this.at++;
      text += this.escape();
    }
    this.at++;
    return text;
  }

  escape() {
    const long = this.match(UNICODE_ESCAPE);
    if (long !== "") return String.fromCharCode(parseInt(long.slice(1), 16));
    const letter = this.text[this.at];
    if (letter === undefined || !Object.hasOwn(ESCAPES, letter)) this.refuse("an escape that is not the one spelling");
    this.at++;
    return ESCAPES[letter];
  }

  array(level) {
    if (level > MAX_LEVELS) this.refuse(`more than ${MAX_LEVELS} levels`);
    const values = [];
    if (this.takes("]")) return values;
    do {
      values.push(this.value(level));
    } while (this.takes(","));
    if (!this.takes("]")) this.refuse("an array without end");
    return values;
  }

  object(level) {
    if (level > MAX_LEVELS) this.refuse(`more than ${MAX_LEVELS} levels`);
    // Without a prototype, "__proto__" is a key like any other.
    const members = Object.create(null);
    if (this.takes("}")) return members;
    let previous = null;
    do {
      const key = this.key();
      if (previous !== null && !(previous < key)) this.refuse("keys out of order or repeated");
      previous = key;
      members[key] = this.value(level);
    } while (this.takes(","));
    if (!this.takes("}")) this.refuse("an object without end");
    return members;
  }

  key() {
    if (!this.takes('"')) this.refuse("no key");
    const key = this.string();
    if (!/^[\u0000-\u007f]*$/.test(key)) this.refuse("a key that is not ASCII");
    if (!this.takes(":")) this.refuse("a key without value");
    return key;
  }

  whole() {
    const value = this.value(0);
    this.skipSpace();
    if (this.at !== this.text.length) this.refuse("something after the value");
    return value;
  }
}

/**
 * The value of a document. Objects have no prototype; integers are numbers.
 * @param {Uint8Array} bytes
 * @param {string} what the subject of the sentence if refused
 * @param {boolean} allowsSpace whether white space may stand between the parts, as in a trust file
 * @returns {*}
 */
export function parseDocument(bytes, what = "The value", allowsSpace = false) {
  return new DocumentReader(parseUtf8(bytes, what), what, allowsSpace).whole();
}

// --- Envelopes: a subset of CBOR (section 2) --------------------------------------------------------------------

/** A tagged value; 18 is the only tag there is. */
export class Tagged {
  constructor(value) {
    this.value = value;
  }
}

class CborReader {
  constructor(bytes, what) {
    this.bytes = bytes;
    this.what = what;
    this.at = 0;
  }

  refuse(reason) {
    throw new Refused(`${this.what} is not an envelope: ${reason} at byte ${this.at}.`);
  }

  take(length) {
    if (length > this.bytes.length - this.at) this.refuse("it ends too early");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** The major type and the argument (a BigInt) of the next head, which must be the shortest. */
  head() {
    const first = this.take(1)[0];
    const major = first >> 5;
    const short = first & 0x1f;
    if (short < 24) return { major, argument: BigInt(short) };
    if (short > 27) this.refuse("a length that is not given");
    const argument = this.take(1 << (short - 24)).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const smallest = [24n, 0x100n, 0x10000n, 0x100000000n][short - 24];
    if (argument < smallest) this.refuse("a head that is not the shortest");
    return { major, argument };
  }

  /** How many bytes or values follow; each takes at least one byte, so no count can exceed what is left. */
  count(argument) {
    if (argument > BigInt(this.bytes.length - this.at)) this.refuse("it ends too early");
    return Number(argument);
  }

  value(level) {
    if (level > MAX_LEVELS) this.refuse(`more than ${MAX_LEVELS} levels`);
    const { major, argument } = this.head();
    switch (major) {
      case 0:
        return argument;
      case 1:
        return -1n - argument;
      case 2:
        return this.take(this.count(argument)).slice();
      case 3:
        return parseUtf8(this.take(this.count(argument)), `${this.what} is not an envelope: a text`);
      case 4:
        return Array.from({ length: this.count(argument) }, () => this.value(level + 1));
      case 5:
        return this.map(this.count(argument), level + 1);
      case 6:
        if (argument !== 18n) this.refuse("a tag that is not 18");
        return new Tagged(this.value(level + 1));
      default:
        return this.refuse("a simple value or a float");
    }
  }

  map(count, level) {
    const members = new Map();
    let previous = null;
    for (let i = 0; i < count; i++) {
      const start = this.at;
      const key = this.value(level);
      if (typeof key !== "bigint" && typeof key !== "string") this.refuse("a key that is neither integer nor text");
      const encoded = this.bytes.subarray(start, this.at);
      if (previous !== null && compareBytes(previous, encoded) >= 0) this.refuse("keys out of order or repeated");
      previous = encoded;
      members.set(key, this.value(level));
    }
    return members;
  }
}

/**
 * The value of an envelope: integers are BigInt, byte strings Uint8Array, maps Map, tag 18 `Tagged`.
 * @param {Uint8Array} bytes
 * @param {string} what the subject of the sentence if refused
 * @returns {*}
 */
export function parseCbor(bytes, what = "The value") {
  const reader = new CborReader(bytes, what);
  const value = reader.value(1);
  if (reader.at !== bytes.length) reader.refuse("something follows the value");
  return value;
}

/** @param {Uint8Array} bytes @returns {Uint8Array} them as a CBOR byte string, with the shortest head */
export function encodeByteString(bytes) {
  const { length } = bytes;
  if (length < 24) return concat(Uint8Array.of(0x40 + length), bytes);
  if (length < 0x100) return concat(Uint8Array.of(0x58, length), bytes);
  if (length < 0x10000) return concat(Uint8Array.of(0x59, length >> 8, length & 0xff), bytes);
  return concat(Uint8Array.of(0x5a, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff), bytes);
}
