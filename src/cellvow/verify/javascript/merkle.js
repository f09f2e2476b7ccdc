/** Hashes with a domain, paths in RFC 9162 trees, and proofs in the state map. */

import { Refused, compareBytes, require, utf8 } from "./formats.js";
import { concat, sha256 } from "./sha2.js";

const ZERO = Uint8Array.of(0);
const EMPTY_SUBTREE = new Uint8Array(32);
const STATE_DEPTH = 256;

/** `D(name, x)`: SHA-256 of the ASCII name, a zero byte and `x`. */
export const domainDigest = (name, bytes) => sha256(concat(utf8(name), ZERO, bytes));

/** The hash of a leaf with that content. */
export const leafHash = (...content) => sha256(concat(ZERO, ...content));

const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right));

/**
 * The root that a path gives for a leaf (RFC 9162, section 2.1.3.2).
 * @param {Uint8Array} leaf hash of the leaf
 * @param {bigint} index of the leaf
 * @param {bigint} size of the tree
 * @param {Uint8Array[]} path lowest first
 * @param {string} what the subject of the sentence if refused
 * @returns {Uint8Array} 32 bytes
 */
export function rootOfPath(leaf, index, size, path, what) {
  require(index < size, `${what} is said to be leaf ${index} of a tree of ${size}.`);
  let node = index;
  let last = size - 1n;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0n) throw new Refused(`${what} has a path that is too long for its tree.`);
    if (node % 2n === 1n || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2n === 0n && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  require(last === 0n, `${what} has a path that is too short for its tree.`);
  return hash;
}

/**
 * The state root under which a record has that key and value.
 * @param {string} key ASCII
 * @param {Uint8Array} value
 * @param {Uint8Array[]} siblings from the root downwards, an empty one as an empty byte string
 * @returns {Uint8Array} 32 bytes
 */
export function rootOfRecord(key, value, siblings) {
  require(siblings.length <= STATE_DEPTH, `The record ${key} has more than ${STATE_DEPTH} siblings.`);
  const keyHash = domainDigest("cellvow/state/key/v1", utf8(key));
  let hash = sha256(concat(Uint8Array.of(0x10), keyHash, sha256(value)));
  for (let depth = siblings.length - 1; depth >= 0; depth--) {
    const isSpelt = compareBytes(siblings[depth], EMPTY_SUBTREE) !== 0;
    require(isSpelt, `The record ${key} has an empty sibling that is written as zeros.`);
    const sibling = siblings[depth].length === 0 ? EMPTY_SUBTREE : siblings[depth];
    const isRight = (keyHash[depth >> 3] >> (7 - (depth & 7))) & 1;
    hash = sha256(concat(Uint8Array.of(0x11), ...(isRight ? [sibling, hash] : [hash, sibling])));
  }
  return hash;
}
