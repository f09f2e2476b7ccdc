/** Ed25519 verification (RFC 8032), cofactorless, on BigInt; the exact rule is section 3 of formats.md. */

import { concat, sha512 } from "./sha2.js";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const SIGN_BIT = 1n << 255n;

// Field elements are integers congruent to their value and between -P and P: `%` keeps the sign, and only
// what leaves this module is brought to 0..P-1. Sums and differences are reduced with the next product.
const canonical = (x) => ((x % P) + P) % P;

function squareTimes(x, times) {
  for (let i = 0; i < times; i++) x = (x * x) % P;
  return x;
}

/** x^(2^252 - 3) and x^11, the two powers that roots and inverses are made of. */
function powerChain(x) {
  const x2 = (x * x) % P;
  const x9 = (squareTimes(x2, 2) * x) % P;
  const x11 = (x9 * x2) % P;
  const ones5 = (squareTimes(x11, 1) * x9) % P;
  const ones10 = (squareTimes(ones5, 5) * ones5) % P;
  const ones20 = (squareTimes(ones10, 10) * ones10) % P;
  const ones40 = (squareTimes(ones20, 20) * ones20) % P;
  const ones50 = (squareTimes(ones40, 10) * ones10) % P;
  const ones100 = (squareTimes(ones50, 50) * ones50) % P;
  const ones200 = (squareTimes(ones100, 100) * ones100) % P;
  const ones250 = (squareTimes(ones200, 50) * ones50) % P;
  return { root: (squareTimes(ones250, 2) * x) % P, ones250, x11 };
}

/** 1/x as x^(P - 2), P - 2 being 2^255 - 21. */
function inverse(x) {
  const { ones250, x11 } = powerChain(x);
  return (squareTimes(ones250, 5) * x11) % P;
}

const D = (-121665n * inverse(121666n)) % P;
const SQRT_MINUS_1 = (() => {
  // 2 is no square, so 2^((P - 1) / 4) is a root of -1; the exponent is 2 (2^252 - 3) + 1.
  const { root } = powerChain(2n);
  return (2n * root * root) % P;
})();

// A point is [X, Y, Z, T] with x = X/Z, y = Y/Z, xy = T/Z. The formulas (Hisil, Wong, Carter, Dawson 2008) are
// complete on this curve: they hold for every pair of points, the identity and torsion points included.
const IDENTITY = [0n, 1n, 1n, 0n];
const negate = ([x, y, z, t]) => [-x, y, z, -t];

function double([x, y, z]) {
  const xx = x * x;
  const yy = y * y;
  const e = (2n * x * y) % P;
  const g = (yy - xx) % P;
  const f = (yy - xx - 2n * z * z) % P;
  const h = (-xx - yy) % P;
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

/** A summand prepared once for many additions: [Y - X, Y + X, 2Z, 2dT]. */
const prepare = ([x, y, z, t]) => [y - x, y + x, 2n * z, (2n * D * t) % P];
const prepareNegative = ([minus, plus, z2, t2d]) => [plus, minus, z2, -t2d];

function add([x, y, z, t], [minus, plus, z2, t2d]) {
  const a = (y - x) * minus;
  const b = (y + x) * plus;
  const c = t * t2d;
  const d = z * z2;
  const e = (b - a) % P;
  const f = (d - c) % P;
  const g = (d + c) % P;
  const h = (b + a) % P;
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

function isIdentity([x, y, z]) {
  return x % P === 0n && (y - z) % P === 0n;
}

const isSmallOrder = (point) => isIdentity(double(double(double(point))));

function littleEndian(bytes) {
  let hex = "";
  for (let i = bytes.length - 1; i >= 0; i--) hex += bytes[i].toString(16).padStart(2, "0");
  return BigInt(`0x${hex}`);
}

/** The point of a canonical encoding, or null where there is none: y >= P, no x, or a sign bit on x = 0. */
function decodePoint(bytes) {
  const number = littleEndian(bytes);
  const isOdd = number >= SIGN_BIT;
  const y = isOdd ? number - SIGN_BIT : number;
  if (y >= P) return null;
  const yy = (y * y) % P;
  const u = yy - 1n;
  const v = (D * yy + 1n) % P;
  const v3 = (((v * v) % P) * v) % P;
  const { root } = powerChain((((((u * v3) % P) * v3) % P) * v) % P);
  let x = (((u * v3) % P) * root) % P;
  const vxx = (v * x * x) % P;
  if ((vxx + u) % P === 0n) x = (x * SQRT_MINUS_1) % P;
  else if ((vxx - u) % P !== 0n) return null;
  x = canonical(x);
  if (x === 0n && isOdd) return null;
  if ((x & 1n) !== (isOdd ? 1n : 0n)) x = P - x;
  return [x, y, 1n, (x * y) % P];
}

/** The canonical encoding of a point, as the little-endian number it stands for. */
function encodeToNumber([x, y, z]) {
  const scale = inverse(z);
  const sign = canonical(x * scale) & 1n;
  return canonical(y * scale) + sign * SIGN_BIT;
}

/** A scalar below 2^253 in 64 digits from -8 to 8 of base 16, lowest first. */
function signedDigits(scalar) {
  const digits = [];
  let carry = 0;
  for (const digit of scalar.toString(16).padStart(64, "0").split("").reverse()) {
    const value = parseInt(digit, 16) + carry;
    carry = value > 8 ? 1 : 0;
    digits.push(value - 16 * carry);
  }
  return digits;
}

/** 1P to 8P, prepared. */
function smallMultiples(point) {
  const first = prepare(point);
  const multiples = [point];
  while (multiples.length < 8) multiples.push(add(multiples[multiples.length - 1], first));
  return multiples.map(prepare);
}

function addDigit(sum, multiples, digit) {
  if (digit > 0) return add(sum, multiples[digit - 1]);
  if (digit < 0) return add(sum, prepareNegative(multiples[-digit - 1]));
  return sum;
}

const BASE = (() => {
  const bytes = new Uint8Array(32).fill(0x66);
  bytes[0] = 0x58;
  return decodePoint(bytes);
})();
let baseTable = null;

/** For each of 64 digits the multiples of 16^i B, so that S B needs no doubling. */
function baseMultiples() {
  if (baseTable) return baseTable;
  baseTable = [];
  for (let i = 0, point = BASE; i < 64; i++) {
    baseTable.push(smallMultiples(point));
    for (let n = 0; n < 4; n++) point = double(point);
  }
  return baseTable;
}

/** s B + h Q. */
function combine(s, h, point) {
  const multiples = smallMultiples(point);
  let sum = IDENTITY;
  for (const digit of signedDigits(h).reverse()) {
    for (let n = 0; n < 4; n++) sum = double(sum);
    sum = addDigit(sum, multiples, digit);
  }
  const table = baseMultiples();
  signedDigits(s).forEach((digit, i) => (sum = addDigit(sum, table[i], digit)));
  return sum;
}

/**
 * Whether a signature holds: `encode(S B - h A) = R` byte for byte, S < L, A and R canonical and not of small order.
 * @param {Uint8Array} publicKey 32 bytes
 * @param {Uint8Array} message any bytes
 * @param {Uint8Array} signature 64 bytes
 * @returns {boolean}
 */
export function ed25519Verify(publicKey, message, signature) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= L) return false;
  const a = decodePoint(publicKey);
  if (a === null || isSmallOrder(a)) return false;
  const h = littleEndian(sha512(concat(r, publicKey, message))) % L;
  const sum = combine(s, h, negate(a));
  // Equality with an encoding we made ourselves is what makes R canonical and a point.
  return encodeToNumber(sum) === littleEndian(r) && !isSmallOrder(sum);
}
