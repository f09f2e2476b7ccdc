/** What the phone keeps: its key, its counter, and each signed row until its answer is known and read. */

import { toHex } from "../verify/formats.js";

const NAME = "cellvow-field";
const VERSION = 1;
/** Rows kept at once; below the ledger's window of 1,024 sequences. */
export const ROWS_MAX = 500;
/** Newest minus oldest row without an answer: beyond it the ledger could shut the older one out for ever. */
export const SPAN_MAX = 1_000;

/** What the organisation's vault holds now, so that the phone need not. */
const KEPT = ["recorded", "contested", "held"];

/** Nothing more is signed before rows are sent or read. */
export class QueueFull extends Error {}

const counter = (kid) => `counter ${toHex(kid)}`;
const outcome = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Opens the database; two pages of one phone share it. */
export async function openStore() {
  const opening = indexedDB.open(NAME, VERSION);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore("phone");
    opening.result.createObjectStore("rows", { keyPath: "place", autoIncrement: true });
  };
  return new Store(await outcome(opening));
}

export class Store {
  constructor(database) {
    this.database = database;
    database.onversionchange = () => database.close();
  }

  /** One transaction; resolves once it is on disk, with what `act` returned. */
  async turn(mode, act) {
    const transaction = this.database.transaction(["phone", "rows"], mode, { durability: "strict" });
    const ended = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was given up"));
    });
    ended.catch(() => {});
    let value;
    try {
      value = await act(transaction.objectStore("phone"), transaction.objectStore("rows"));
    } catch (error) {
      if (transaction.error === null) transaction.abort();
      throw error;
    }
    await ended;
    return value;
  }

  /** The key of this phone and what it is for, or undefined. */
  identity() {
    return this.turn("readonly", (phone) => outcome(phone.get("identity")));
  }

  /**
   * Keeps a new key in the place of `before`, unless another page was first; resolves to the one that counts.
   * While a row of the old key waits it stays.
   */
  keepIdentity(identity, before) {
    return this.turn("readwrite", async (phone, rows) => {
      const known = await outcome(phone.get("identity"));
      if (known !== undefined && toHex(known.kid) !== (before && toHex(before.kid))) return known;
      const kept = await outcome(rows.getAll());
      if (kept.some(({ state }) => state === "waiting")) throw new QueueFull("waiting");
      await outcome(phone.put(identity, "identity"));
      return identity;
    });
  }

  /** A key's next sequence, on disk before it is used: a number is given once, whatever happens to the page. */
  reserve(kid) {
    return this.turn("readwrite", async (phone, rows) => {
      const newest = (await outcome(phone.get(counter(kid)))) ?? 0;
      const kept = await outcome(rows.getAll());
      const oldest = kept.find(({ state }) => state === "waiting");
      if (kept.length >= ROWS_MAX) throw new QueueFull("rows");
      if (oldest !== undefined && newest + 1 - oldest.sequence > SPAN_MAX) throw new QueueFull("span");
      await outcome(phone.put(newest + 1, counter(kid)));
      return newest + 1;
    });
  }

  /** After the ledger named a higher one: go on above it. The counter never goes down. */
  raise(kid, top) {
    return this.turn("readwrite", async (phone) => {
      const newest = (await outcome(phone.get(counter(kid)))) ?? 0;
      if (top > newest) await outcome(phone.put(top, counter(kid)));
    });
  }

  /** Keeps a signed row, behind all others. */
  add(row) {
    return this.turn("readwrite", (_, rows) => outcome(rows.add(row)));
  }

  /** All rows, in the order in which they were signed. */
  rows() {
    return this.turn("readonly", (_, rows) => outcome(rows.getAll()));
  }

  /** Writes down the answer to a row. What was typed stays only where the row was refused, to be signed anew. */
  settle(place, answer) {
    return this.turn("readwrite", async (_, rows) => {
      const row = await outcome(rows.get(place));
      if (row === undefined || row.state !== "waiting") return;
      const form = KEPT.includes(answer.fate) ? null : row.form;
      await outcome(rows.put({ ...row, form, statement: null, openings: [], state: answer.fate, answer }));
    });
  }

  /** Forgets a row that has its answer; one that waits is never forgotten. */
  discard(place) {
    return this.turn("readwrite", async (_, rows) => {
      const row = await outcome(rows.get(place));
      if (row !== undefined && row.state !== "waiting") await outcome(rows.delete(place));
    });
  }
}
