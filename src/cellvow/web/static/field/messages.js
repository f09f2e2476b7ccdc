/** What a form says becomes a message, and what is confidential in it a commitment with its opening. */

import { toHex } from "../verify/formats.js";
import { DOCUMENT_BYTES_MAX, commit, encodeDocument } from "./encoding.js";

const PLACE_CHARACTERS_MAX = 200;
const LINK_LENGTH_MAX = 1_024;
const PRINTABLE = /^(?: |[^\p{C}\p{Z}])+$/u;
const REFERENCE = /^[A-Z0-9][A-Z0-9.-]{0,31}$/;
const DAY = /^[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$/;
const BATTERY = /^01\/[0-9]{14}\/21\/[A-Z0-9][A-Z0-9.-]{0,19}$/;
const PATH = /^(?:\/[A-Za-z0-9._~-]+)*?\/(01\/[^/]*\/21\/[^/]*)$/;

/** What is wrong with a form: the name of the field, and why as a word of the page. */
export class Unfit extends Error {
  constructor(field, why) {
    super(`${field}: ${why}`);
    this.field = field;
    this.why = why;
  }
}

function requireFit(condition, field, why = field) {
  if (!condition) throw new Unfit(field, why);
}

function hasCheckDigit(gtin) {
  const sum = [...gtin.slice(0, 13)].reduce((all, digit, i) => all + Number(digit) * (i % 2 === 0 ? 3 : 1), 0);
  return (10 - (sum % 10)) % 10 === Number(gtin[13]);
}

function pathOf(link) {
  if (link.startsWith("/")) return link.split(/[?#]/)[0];
  try {
    return new URL(link).pathname;
  } catch {
    return "";
  }
}

/**
 * The battery that was typed, pasted or scanned: its identifier, or the address that its code leads to.
 * @param {string} typed @returns {string} 01/GTIN/21/SERIAL; throws `Unfit`
 */
export function parseBattery(typed) {
  const entered = typed.trim();
  const isLink = /^(?:https?:\/\/|\/)/i.test(entered) && entered.length <= LINK_LENGTH_MAX;
  const battery = isLink ? (PATH.exec(pathOf(entered))?.[1] ?? "") : entered;
  requireFit(BATTERY.test(battery), "unit");
  requireFit(hasCheckDigit(battery.slice(3, 17)), "unit", "check_digit");
  return battery;
}

function parseReference(typed) {
  const reference = typed.trim().toUpperCase();
  requireFit(REFERENCE.test(reference), "reference");
  return reference;
}

function parseDay(typed, field) {
  const isDay = DAY.test(typed) && new Date(`${typed}T00:00:00Z`).getUTCDate() === Number(typed.slice(8));
  requireFit(isDay, field, "on");
  return typed;
}

function parsePlace(typed) {
  const place = typed.replace(/\s+/gu, " ").trim();
  requireFit([...place].length <= PLACE_CHARACTERS_MAX && PRINTABLE.test(place), "place");
  return place;
}

function parseText(typed) {
  const text = typed.trim();
  requireFit(text !== "" && text.isWellFormed() && encodeDocument(text).length < DOCUMENT_BYTES_MAX - 100, "text");
  return text;
}

/** Each kind of record: its message, and the documents that are committed to, by the message's member. */
const KINDS = {
  install: (form) => ({
    message: { type: "InstallBattery", into: form.into, installed_on: parseDay(form.on, "on") },
    confidential: { place: { into: form.into, place: parsePlace(form.place), quantity: "place" } },
  }),
  remove: (form) => ({
    message: { type: "UninstallBattery", cause: form.cause, removed_on: parseDay(form.on, "on") },
    confidential: {},
  }),
  work: (form) => {
    const next = form.next === "" ? null : parseDay(form.next, "next");
    requireFit(next === null || next >= parseDay(form.on, "on"), "next", "next");
    return {
      message: {
        type: "RecordWork",
        reference: parseReference(form.reference),
        kind: form.kind,
        done_on: parseDay(form.on, "on"),
        ...(next === null ? {} : { next_service_on: next }),
      },
      confidential: { report: { quantity: "text", text: parseText(form.text) } },
    };
  },
  incident: (form) => ({
    message: {
      type: "ReportIncident",
      reference: parseReference(form.reference),
      kind: form.kind,
      severity: form.severity,
      occurred_on: parseDay(form.on, "on"),
    },
    confidential: { report: { quantity: "text", text: parseText(form.text) } },
  }),
  sighting: (form) => ({
    message: { type: "ReportSighting" },
    confidential: { place: { name: "place", text: parsePlace(form.place) } },
  }),
};

/**
 * The message of a form, and the salts and documents that open its commitments.
 * @param {string} kind a name of `KINDS` @param {Object<string, string>} form @param {function(): Uint8Array} drawSalt
 * @returns {{message: object, openings: Uint8Array[][]}} throws `Unfit`
 */
export function compose(kind, form, drawSalt) {
  const battery = parseBattery(form.unit);
  const { message, confidential } = KINDS[kind](form);
  const openings = [];
  for (const [name, document] of Object.entries(confidential)) {
    const [salt, field] = [drawSalt(), encodeDocument(document)];
    openings.push([salt, field]);
    message[name] = { commitment: toHex(commit(salt, field)) };
  }
  return { message: { ...message, battery }, openings };
}
