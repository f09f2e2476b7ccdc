/** SHA-256, SHA-512 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), since crypto.subtle is absent on plain http. */

const MASK_64 = (1n << 64n) - 1n;

function firstPrimes(count) {
  const primes = [];
  for (let n = 2; primes.length < count; n++) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  return primes;
}

/** The first 64 bits of the fraction of a root of `prime`: the constants of FIPS 180-4 are such bits. */
function rootFraction(prime, degree) {
  const power = BigInt(prime) << (64n * degree);
  let low = 0n;
  for (let bit = 1n << 68n; bit > 0n; bit >>= 1n) {
    if ((low + bit) ** degree <= power) low += bit;
  }
  return low & MASK_64;
}

const PRIMES = firstPrimes(80);
const ROUND_CONSTANTS = PRIMES.map((prime) => rootFraction(prime, 3n));
const START_VALUES = PRIMES.slice(0, 8).map((prime) => rootFraction(prime, 2n));
const upperHalf = (word) => Number(word >> 32n) | 0;
const lowerHalf = (word) => Number(word & 0xffffffffn) | 0;
const K_HIGH = Int32Array.from(ROUND_CONSTANTS, upperHalf);
const K_LOW = Int32Array.from(ROUND_CONSTANTS, lowerHalf);
const START_HIGH = Int32Array.from(START_VALUES, upperHalf);
const START_LOW = Int32Array.from(START_VALUES, lowerHalf);

/** The message with its padding: 0x80, zeros, and its length in bits in the last 8 bytes. */
function padded(message, blockLength, lengthField) {
  const total = Math.ceil((message.length + 1 + lengthField) / blockLength) * blockLength;
  const bytes = new Uint8Array(total);
  bytes.set(message);
  bytes[message.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(total - 8, Math.floor(message.length / 0x20000000));
  view.setUint32(total - 4, (message.length << 3) >>> 0);
  return view;
}

function bigEndian(words) {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((word, i) => view.setInt32(i * 4, word));
  return new Uint8Array(view.buffer);
}

const rotate = (x, n) => (x >>> n) | (x << (32 - n));

function schedule256(w, view, offset) {
  for (let i = 0; i < 16; i++) w[i] = view.getInt32(offset + i * 4);
  for (let i = 16; i < 64; i++) {
    const a = w[i - 15];
    const b = w[i - 2];
    const small0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
    const small1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
    w[i] = (w[i - 16] + small0 + w[i - 7] + small1) | 0;
  }
}

function compress256(state, w) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const big1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + big1 + ((e & f) ^ (~e & g)) + K_HIGH[i] + w[i]) | 0;
    const big0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
}

/**
 * SHA-256.
 * @param {Uint8Array} message any bytes
 * @returns {Uint8Array} 32 bytes
 */
export function sha256(message) {
  const view = padded(message, 64, 8);
  const state = Int32Array.from(START_HIGH);
  const w = new Int32Array(64);
  for (let offset = 0; offset < view.byteLength; offset += 64) {
    schedule256(w, view, offset);
    compress256(state, w);
  }
  return bigEndian(state);
}

// SHA-512 keeps each 64-bit word as two 32-bit halves, high half first, at 2i and 2i + 1. The low halves are
// added as unsigned numbers below 2^53; what exceeds 2^32 is carried into the high half.
const CARRY = 0x100000000;

function schedule512(w, view, offset) {
  for (let i = 0; i < 32; i++) w[i] = view.getInt32(offset + i * 4);
  for (let i = 32; i < 160; i += 2) {
    const ah = w[i - 30], al = w[i - 29], bh = w[i - 4], bl = w[i - 3];
    const h0 = ((ah >>> 1) | (al << 31)) ^ ((ah >>> 8) | (al << 24)) ^ (ah >>> 7);
    const l0 = ((al >>> 1) | (ah << 31)) ^ ((al >>> 8) | (ah << 24)) ^ ((al >>> 7) | (ah << 25));
    const h1 = ((bh >>> 19) | (bl << 13)) ^ ((bl >>> 29) | (bh << 3)) ^ (bh >>> 6);
    const l1 = ((bl >>> 19) | (bh << 13)) ^ ((bh >>> 29) | (bl << 3)) ^ ((bl >>> 6) | (bh << 26));
    const low = (l0 >>> 0) + (l1 >>> 0) + (w[i - 31] >>> 0) + (w[i - 13] >>> 0);
    w[i] = h0 + h1 + w[i - 32] + w[i - 14] + Math.floor(low / CARRY);
    w[i + 1] = low;
  }
}

function compress512(state, w) {
  let [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl] = state;
  for (let i = 0; i < 80; i++) {
    const e1h = ((eh >>> 14) | (el << 18)) ^ ((eh >>> 18) | (el << 14)) ^ ((el >>> 9) | (eh << 23));
    const e1l = ((el >>> 14) | (eh << 18)) ^ ((el >>> 18) | (eh << 14)) ^ ((eh >>> 9) | (el << 23));
    const chooseLow = (el & fl) ^ (~el & gl);
    const t1l = (hl >>> 0) + (e1l >>> 0) + (chooseLow >>> 0) + (K_LOW[i] >>> 0) + (w[2 * i + 1] >>> 0);
    const t1h = (hh + e1h + ((eh & fh) ^ (~eh & gh)) + K_HIGH[i] + w[2 * i] + Math.floor(t1l / CARRY)) | 0;
    const a0h = ((ah >>> 28) | (al << 4)) ^ ((al >>> 2) | (ah << 30)) ^ ((al >>> 7) | (ah << 25));
    const a0l = ((al >>> 28) | (ah << 4)) ^ ((ah >>> 2) | (al << 30)) ^ ((ah >>> 7) | (al << 25));
    const majorityLow = (al & bl) ^ (al & cl) ^ (bl & cl);
    const t2l = (a0l >>> 0) + (majorityLow >>> 0);
    const t2h = a0h + ((ah & bh) ^ (ah & ch) ^ (bh & ch)) + Math.floor(t2l / CARRY);
    hh = gh, hl = gl, gh = fh, gl = fl, fh = eh, fl = el;
    const el2 = (dl >>> 0) + (t1l % CARRY);
    eh = (dh + t1h + Math.floor(el2 / CARRY)) | 0, el = el2 | 0;
    dh = ch, dl = cl, ch = bh, cl = bl, bh = ah, bl = al;
    const al2 = (t1l % CARRY) + (t2l % CARRY);
    ah = (t1h + t2h + Math.floor(al2 / CARRY)) | 0, al = al2 | 0;
  }
  const words = [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl];
  for (let i = 0; i < 16; i += 2) {
    const low = (state[i + 1] >>> 0) + (words[i + 1] >>> 0);
    state[i] += words[i] + Math.floor(low / CARRY);
    state[i + 1] = low;
  }
}

/**
 * SHA-512.
 * @param {Uint8Array} message any bytes
 * @returns {Uint8Array} 64 bytes
 */
export function sha512(message) {
  const view = padded(message, 128, 16);
  const state = new Int32Array(16);
  START_HIGH.forEach((word, i) => (state[2 * i] = word));
  START_LOW.forEach((word, i) => (state[2 * i + 1] = word));
  const w = new Int32Array(160);
  for (let offset = 0; offset < view.byteLength; offset += 128) {
    schedule512(w, view, offset);
    compress512(state, w);
  }
  return bigEndian(state);
}

/**
 * Join byte strings.
 * @param {...Uint8Array} parts
 * @returns {Uint8Array}
 */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * HMAC-SHA-256.
 * @param {Uint8Array} key any length
 * @param {Uint8Array} message any bytes
 * @returns {Uint8Array} 32 bytes
 */
export function hmacSha256(key, message) {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(concat(block.map((byte) => byte ^ 0x36), message));
  return sha256(concat(block.map((byte) => byte ^ 0x5c), inner));
}
