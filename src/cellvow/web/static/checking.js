/** Runs the second verifier on a proof and tells each check in the reader's language; nothing leaves the browser. */

import { verifyBundle } from "./verify/verify.js";

const LAST_DATE_MS = 8.64e15;
const NEED_TRUST = [2, 3, 4];
const OUTCOME = 9;
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._ -]{0,80}$/;
const plainText = new TextDecoder("utf-8", { fatal: true });

/** An element with a text; what is foreign stays text. */
export function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** A sentence with its parameters filled in. */
export function fill(template, parameters) {
  return template.replace(/\{(\w+)\}/g, (_, name) => String(parameters[name]));
}

async function fetchBytes(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** The words that the page at hand speaks. */
export async function fetchWords(address) {
  return JSON.parse(plainText.decode(await fetchBytes(address)));
}

/** What this server says of itself. */
export async function fetchServerTrust() {
  return plainText.decode(await fetchBytes("/trust.json"));
}

/** The bytes of a chosen file, or a sentence that says why it was not taken. */
export async function readFile(file, bytesMax, words) {
  const { said, language } = words;
  const write = (number) => number.toLocaleString(language);
  if (file.size === 0) return { refused: fill(said.file_empty, { name: file.name }) };
  if (file.size > bytesMax) {
    const parameters = { name: file.name, size: write(file.size), limit: write(bytesMax) };
    return { refused: fill(said.file_too_large, parameters) };
  }
  try {
    return { bytes: new Uint8Array(await file.arrayBuffer()) };
  } catch {
    return { refused: fill(said.file_unreadable, { name: file.name }) };
  }
}

/** A trust file's text; bytes that are no text are left to the verifier to refuse. */
export function trustText(bytes) {
  return new TextDecoder().decode(bytes);
}

/** Let the browser paint what was just said. */
function painted() {
  return new Promise((resolve) => setTimeout(resolve, 30));
}

/**
 * Check a proof and show everything about it.
 * @param {{bundle: Uint8Array, trust: string|null, source: "none"|"server"|"own"}} given
 * @param {{status: Element, into: Element}} place where the result is said, and where its parts go
 */
export async function check(given, words, { status, into }) {
  status.textContent = words.said.running;
  into.replaceChildren();
  await painted();
  // Asked what was kept, too: a contested claim is shown as one, and never as accepted.
  const result = await verifyBundle(given.bundle, given.trust, true);
  into.append(listChecks(result, given.source, words));
  if (result.ok) into.append(...tellProven(result, words));
  status.textContent = summary(result, given.source, words.said);
  into.dataset.result = !result.ok ? "fails" : isKept(result) ? "kept" : "holds";
}

function isKept({ outcome }) {
  return outcome === "contested" || outcome === "held";
}

/** What is said of a message that the ledger kept and did not accept; nothing of an accepted one. */
function keptSentence(result, said) {
  return { contested: said.kept_contested, held: said.kept_held }[result.outcome] ?? "";
}

function summary(result, source, said) {
  const all = result.steps.length;
  const held = source === "none" ? said.held_some : said.held;
  const count = fill(held, { count: all - NEED_TRUST.length, all });
  if (result.ok) return `${keptSentence(result, said)} ${count} ${said[`anchored_${source}`]}`.trim();
  if (result.check === 0) return `${said.trust_failed} ${result.reason}`;
  return fill(said.failed, { number: result.check });
}

function listChecks(result, source, words) {
  const list = make("ol", "", { class: "checks", role: "list" });
  words.checks.forEach((told, place) => list.append(tellCheck(told, place + 1, { result, source }, words.said)));
  return list;
}

/**
 * What became of one check: `held`, `failed`, `kept` where the outcome is no acceptance, `unasked` where it needs a
 * trust file and has none, or `skipped`.
 */
function becameOf(number, { result, source }) {
  if (result.steps.some((one) => one.number === number)) {
    if (number === OUTCOME && isKept(result)) return "kept";
    return source === "none" && NEED_TRUST.includes(number) ? "unasked" : "held";
  }
  return !result.ok && result.check === number ? "failed" : "skipped";
}

function tellCheck({ title, meaning }, number, { result, source }, said) {
  const step = result.steps.find((one) => one.number === number);
  const became = becameOf(number, { result, source });
  const words = { held: said.holds, failed: said.fails, kept: said.kept, unasked: said.unasked, skipped: said.skipped };
  const word = words[became];
  const entry = make("li", "", { class: became });
  const state = make("span", word, { class: became === "held" ? "state good" : "state" });
  const told = became === "kept" ? keptSentence(result, said) : meaning;
  entry.append(make("strong", `${number}. ${title}`), " ", state, make("br"), make("span", told));
  const detail = step ? step.detail : became === "failed" ? result.reason : "";
  if (detail) entry.append(make("span", detail, { class: "by technical", lang: "en" }));
  return entry;
}

/** What is proven: in words, as it was signed, and the values that were shown. */
function tellProven(result, words) {
  const { said } = words;
  const signed = make("details");
  signed.append(make("summary", said.as_signed), make("pre", JSON.stringify(result.message, null, 2), { lang: "en" }));
  const proven = [table(said.facts, [], listFacts(result, words)), signed];
  const fields = listFields(result, words);
  if (fields.length > 0) proven.push(table(said.fields, [], fields));
  const values = result.disclosures.filter((one) => Number.isInteger(one.value));
  if (values.length === 0) return fields.length > 0 ? proven : [...proven, make("p", said.none_disclosed)];
  const headings = [said.quantity, said.value, said.interval, said.class];
  const rows = values.map((one) => [
    words.quantity[one.quantity] ?? one.quantity,
    writeQuantity(one.value, one.unit, words),
    Number.isInteger(one.low)
      ? `${writeQuantity(one.low, one.unit, words)} – ${writeQuantity(one.high, one.unit, words)}`
      : "",
    words.class[one.class] ?? one.class ?? words.class.declared,
  ]);
  return [...proven, table(said.disclosed, headings, rows)];
}

/** Rows of the places, texts and documents that the proof shows: what each is, and what it says. */
function listFields(result, words) {
  const rows = result.disclosures.map((field, place) => {
    const content = result.enclosed[place];
    return [nameField(result.places[place], field, words), tellField(field, content, words)];
  });
  return rows.filter(([, told]) => told !== null);
}

/** What a field is called: its quantity, or the name of its place, counted where there are several. */
function nameField(at, field, words) {
  const steps = at.split("/");
  const last = steps.at(-1);
  if (Object.hasOwn(words.quantity, field.quantity)) return words.quantity[field.quantity];
  const [name, number] = /^[0-9]+$/.test(last) ? [steps.at(-2), ` ${Number(last) + 1}`] : [last, ""];
  return `${words.committed[name] ?? name}${number}`;
}

/** What a field says, as text that stays foreign, or a document with the way to save it; null of numbers and curves. */
function tellField(field, content, words) {
  const told = [field.place, field.text].find((one) => typeof one === "string");
  if (told !== undefined) return make("bdi", told);
  if (typeof field.sha256 !== "string") return null;
  const cell = make("span");
  if (typeof field.name === "string") cell.append(make("bdi", field.name), " ");
  cell.append(make("span", `SHA-256 ${field.sha256}`, { class: "technical" }));
  if (content) cell.append(saveLink(content, field, words));
  return cell;
}

/** A link that saves a document which the proof holds; its own name is used where it is a plain one. */
function saveLink(content, { name, sha256 }, { said, language }) {
  const plain = typeof name === "string" && FILE_NAME.test(name) ? name : `${sha256.slice(0, 16)}.bin`;
  const href = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  return make("a", fill(said.document_save, { size: content.length.toLocaleString(language) }), { href, download: plain });
}

/** Rows for people: who, what and when; then what the message says, as far as it is of a kind that has words. */
function listFacts(result, words) {
  const { said, language } = words;
  // A second signature is under a message: people want to read that one.
  const message = result.message.type === "Countersign" ? result.message.order : result.message;
  const moment = (name) => (Number.isInteger(message[name]) ? writeMoment(message[name], language) : undefined);
  const facts = [
    [said.outcome, keptSentence(result, said)],
    [said.signed_by, result.organisation],
    [said.kind, words.message[message.type] ?? message.type],
    [said.battery, message.battery],
    [said.reference, message.reference],
    [said.class, words.class[message.evidence_class] ?? message.evidence_class],
    [said.sentence, listSentences(message, words)],
    [said.tested, moment("tested_until_ms")],
    [said.valid_until, moment("valid_until_ms")],
    [said.recorded, writeMoment(result.time_ms, language)],
    [said.block, result.height.toLocaleString(language)],
    [said.ledger, result.chain_id],
    [said.log, result.origin],
    [said.suspect, result.suspect ? said.suspect_text : ""],
    result.signed_by.length > 0 ? [said.validators, listSigners(result, said)] : [said.witnesses, result.cosigned_by.join(", ") || said.nobody],
  ];
  return facts.filter(([, value]) => typeof value === "string" && value !== "");
}

/** The members whose validators signed the header, and with how many votes. */
function listSigners(result, said) {
  return fill(said.validators_of, { names: result.signed_by.join(", "), signed: result.signed_power, total: result.total_power });
}

/** What the issuer says in public of the values, each in words. */
function listSentences({ predicates }, words) {
  if (!Array.isArray(predicates)) return "";
  return predicates.map(({ quantity, comparison, threshold }) => tellPredicate(quantity, comparison, threshold, words)).join("; ");
}

function tellPredicate(quantity, comparison, threshold, words) {
  const shown = writeQuantity(threshold, words.unit_of[quantity] ?? "", words);
  const template = words.predicate[comparison] ?? `{quantity} ${comparison} {threshold}`;
  return fill(template, { quantity: words.quantity[quantity] ?? quantity, threshold: shown });
}

function table(caption, headings, rows) {
  const region = make("div", "", { class: "wide", role: "region", "aria-label": caption, tabindex: "0" });
  const made = make("table");
  made.append(make("caption", caption));
  if (headings.length > 0) {
    const head = make("tr");
    head.append(...headings.map((heading) => make("th", heading, { scope: "col" })));
    const top = make("thead");
    top.append(head);
    made.append(top);
  }
  const body = make("tbody");
  for (const [name, ...cells] of rows) {
    const row = make("tr");
    row.append(make("th", name, { scope: "row" }), ...cells.map(makeCell));
    body.append(row);
  }
  made.append(body);
  region.append(made);
  return region;
}

function makeCell(content) {
  const cell = make("td");
  cell.append(content);
  return cell;
}

function writeMoment(ms, language) {
  if (ms > LAST_DATE_MS) return `${ms} ms`;
  const form = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short", timeZone: "UTC" });
  return `${form.format(ms)} UTC`;
}

function writeQuantity(number, unit, { language, unit: units }) {
  const [shown, places, least] = Object.hasOwn(units, unit) ? units[unit] : [unit, 0, 0];
  const scaled = number / 10 ** places;
  const form = { minimumFractionDigits: least, maximumFractionDigits: places };
  return `${scaled.toLocaleString(language, form)}\u00a0${shown}`;
}

/** The check of a passport's own proof: first with what the server says of itself, then with the reader's own trust. */
export async function beginOnPassport(place) {
  const words = await fetchWords(place.dataset.words);
  const [bundle, trust] = await Promise.all([fetchBytes(place.dataset.bundle), fetchServerTrust()]);
  const status = place.querySelector("[role=status]");
  const into = resultPlace(place);
  await check({ bundle, trust, source: "server" }, words, { status, into });
  if (place.querySelector("input")) return;
  const chosen = make("input", "", { type: "file", id: "own-trust", accept: ".json,application/json" });
  const label = make("label", `${words.said.choose_trust} `, { for: "own-trust" });
  const line = make("p");
  line.append(label, chosen);
  into.before(line);
  chosen.addEventListener("change", async () => {
    const [file] = chosen.files;
    if (!file) return;
    const { bytes, refused } = await readFile(file, words.trust_bytes_max, words);
    if (refused) status.textContent = refused;
    else await check({ bundle, trust: trustText(bytes), source: "own" }, words, { status, into });
  });
}

function resultPlace(place) {
  const found = place.querySelector(".result");
  if (found) return found;
  const made = make("div", "", { class: "result" });
  place.append(made);
  return made;
}
