/**
 * Shapes: a shape takes a value and what to call it, and returns it converted, or refuses it in a sentence.
 * They serve documents (objects) and envelopes (maps) alike.
 */

import { fromHex, require } from "./formats.js";

export const inside = (what, member) => (what.includes(" at ") ? `${what}.${member}` : `${what} at ${member}`);

export const shape = (test, noun, convert = (value) => value) => (value, what) => {
  require(test(value), `${what} is not ${noun}.`);
  return convert(value);
};

const isObject = (value) => typeof value === "object" && value !== null && Object.getPrototypeOf(value) === null;
export const object = shape(isObject, "an object");
export const text = (pattern = /^/, noun = "text") => shape((v) => typeof v === "string" && pattern.test(v), noun);
export const integer = (least, most = Number.MAX_SAFE_INTEGER) =>
  shape((v) => typeof v === "number" && v >= least && v <= most, `an integer of ${least} or more`);
export const hexadecimal = (length) =>
  shape(
    (v) => typeof v === "string" && v.length === 2 * length && /^[0-9a-f]*$/.test(v),
    `${length} bytes in lower-case hexadecimal`,
    fromHex,
  );
export const anyBytes = shape((v) => v instanceof Uint8Array, "a byte string");
export const bytes = (...lengths) =>
  shape((v) => v instanceof Uint8Array && lengths.includes(v.length), `a byte string of ${lengths.join(" or ")}`);
export const index = shape((v) => typeof v === "bigint" && v >= 0n, "an unsigned integer");

export const list = (member, least = 0, most = Infinity) => (value, what) => {
  require(Array.isArray(value), `${what} is not an array.`);
  require(value.length >= least && value.length <= most, `${what} has ${value.length} members.`);
  return value.map((each, i) => member(each, inside(what, i)));
};

/** A map or an object with exactly the required members and perhaps the optional ones. */
export const exactly = (required, optional = {}) => (value, what) => {
  require(value instanceof Map || isObject(value), `${what} has no members.`);
  const given = value instanceof Map ? value : new Map(Object.entries(value));
  const members = Object.create(null);
  for (const name of Object.keys(required)) require(given.has(name), `${what} lacks ${name}.`);
  for (const [name, member] of given) {
    const known = Object.hasOwn(required, name) ? required[name] : Object.hasOwn(optional, name) && optional[name];
    require(known, `${what} has a member too many, ${name}.`);
    members[name] = known(member, inside(what, name));
  }
  return members;
};

export const ORGANISATION = text(/^[a-z0-9][a-z0-9-]{1,31}$/, "an organisation's identifier");
export const SUBJECT = text(/^[A-Za-z0-9][A-Za-z0-9./:-]{0,127}$/, "a subject");
export const CHAIN = text(/^[a-z0-9][a-z0-9.-]{2,47}$/, "a chain's identifier");
export const HASH = hexadecimal(32);
