/** What each structure of the evidence must look like: bundle, statement, genesis, outcome, block, note, trust. */

import { ed25519Verify } from "./ed25519.js";
import * as formats from "./formats.js";
import { concat, sha256 } from "./sha2.js";
import * as shapes from "./shapes.js";

const { Refused, equalBytes, fromHex, parseBase64, parseCbor, parseDocument, require, utf8 } = formats;
const { anyBytes, bytes, exactly, hexadecimal, index, inside, integer, list, object, shape, text } = shapes;
const { CHAIN, HASH, ORGANISATION, SUBJECT } = shapes;

// --- Bundle (section 10) ----------------------------------------------------------------------------------------

const BUNDLE_BYTES_MAX = 2_000_000;
const MESSAGE_BYTES_MAX = 64_000;
const STATEMENT_BYTES_MAX = 512_000;
const PATH = list(bytes(32));
const IN_BATCH = exactly({ index, salt: bytes(32), message: anyBytes, path: PATH, outcome_path: PATH });
const INCLUSION = exactly({ cose: anyBytes, batch: list(IN_BATCH, 0, 1), outcome: anyBytes, leaf: index, path: PATH });
const ASCII = text(/^[\u0000-\u007f]*$/, "ASCII text");
const RECORD = exactly({ key: ASCII, value: anyBytes, siblings: list(bytes(0, 32)) });
const ADMISSION = exactly({ organisation: anyBytes, index, path: PATH });
const version = (number) => shape((v) => v === number, String(number));
const OPENED = exactly({ salt: bytes(32), field: anyBytes });
const PLACE = text(/^(?:\/[a-z0-9_]{1,40}){1,8}$/, "names and indexes, each after a slash");
const OPENED_AT = exactly({ at: PLACE, salt: bytes(32), field: anyBytes, document: list(anyBytes, 0, 1) });
const RESULT_PLACE = /^(?:\/replacement)?\/results\/(?:0|[1-9][0-9]*)$/;
const MEMBERS = {
  genesis: anyBytes,
  keys: list(INCLUSION, 0, 1),
  statement: INCLUSION,
  block: exactly({ body: anyBytes, path: PATH }),
  state: list(exactly({ body: anyBytes, path: PATH, records: list(RECORD, 0, 16) }), 0, 1),
  disclosures: list(OPENED),
};
const VERSION_1 = exactly({ version: version(1n), admission: ADMISSION, checkpoint: anyBytes, ...MEMBERS });
const VOUCHED = [exactly({ note: anyBytes }), exactly({ consensus: anyBytes })];
const LATER = {
  admission: list(ADMISSION, 0, 1),
  vouched: (value, what) => VOUCHED[value instanceof Map && value.has("note") ? 0 : 1](value, what),
  rotations: list(INCLUSION, 0, 7),
  ...MEMBERS,
};
const VERSION_2 = exactly({ version: version(2n), ...LATER });
const VERSION_3 = exactly({ ...LATER, version: version(3n), disclosures: list(OPENED_AT, 1, 256) });

/** Disclosures with their places: in order, each once, and one at least that the versions before cannot say. */
function requirePlaces(disclosures, what) {
  const isAscending = disclosures.every(({ at }, i) => i === 0 || disclosures[i - 1].at < at);
  require(isAscending, `${what} has disclosures out of order or repeated.`);
  const isNew = disclosures.some(({ at, document }) => document.length === 1 || !RESULT_PLACE.test(at));
  require(isNew, `${what} says in version 3 what version 2 can say.`);
}

/** The members of any version in one form: `admission`, `note` and `consensus` are null where they are missing. */
function membersOf(value, what) {
  const number = value instanceof Map ? value.get("version") : undefined;
  if (number !== 2n && number !== 3n) {
    const { checkpoint: note, ...members } = VERSION_1(value, what);
    return { ...members, note, consensus: null, rotations: [] };
  }
  const form = number === 2n ? VERSION_2 : VERSION_3;
  const { admission: [admission = null], vouched: { note = null, consensus = null }, ...members } = form(value, what);
  const rotates = members.rotations.length > 0;
  if (number === 3n) requirePlaces(members.disclosures, what);
  else require(admission === null || consensus !== null || rotates, `${what} says in version 2 what version 1 can say.`);
  require(admission !== null || !rotates, `${what} has rotations, but no admission from which they lead on.`);
  return { ...members, admission, note, consensus };
}

/** @param {Uint8Array} encoded @returns {object} the bundle's members */
export function parseBundle(encoded) {
  require(encoded instanceof Uint8Array, "The bundle is not a byte array.");
  require(encoded.length <= BUNDLE_BYTES_MAX, `The bundle has more than ${BUNDLE_BYTES_MAX} bytes.`);
  const bundle = membersOf(parseCbor(encoded, "The bundle"), "The bundle");
  for (const { records } of bundle.state) {
    const isAscending = records.every(({ key }, i) => i === 0 || records[i - 1].key < key);
    require(isAscending, "The bundle has records out of order or repeated.");
  }
  return bundle;
}

// --- Statement (section 3) and outcome (section 4) --------------------------------------------------------------

const SINGLE = "application/vnd.cellvow.message.v1+json";
const BATCH = "application/vnd.cellvow.batch.v1+json";
const WISH = { not_after_ms: integer(0) };
const SINGLE_PAYLOAD = exactly({ chain_id: CHAIN, message: object, sequence: integer(1) }, WISH);
const MODE = text(/^(?:atomic|each)$/, "atomic or each");
const BATCH_PAYLOAD = exactly(
  { chain_id: CHAIN, count: integer(1, 500), mode: MODE, root: HASH, sequence: integer(1) },
  WISH,
);

function parseHeader(encoded, what) {
  const header = parseCbor(encoded, `${what}'s header`);
  const isMap = (value, size) => value instanceof Map && value.size === size;
  require(isMap(header, 4) && header.get(1n) === -8n, `${what}'s header does not have its labels or algorithm.`);
  const type = header.get(3n);
  require(type === SINGLE || type === BATCH, `${what} is neither a message nor a batch.`);
  const claims = header.get(15n);
  require(isMap(claims, 2), `${what} does not name an organisation and a subject.`);
  const subject = SUBJECT(claims.get(2n), `${what}'s subject`);
  require(type === SINGLE || subject === "batch", `${what} is a batch with another subject.`);
  return {
    isBatch: type === BATCH,
    kid: bytes(16)(header.get(4n), `${what}'s key identifier`),
    organisation: ORGANISATION(claims.get(1n), `${what}'s organisation`),
  };
}

/**
 * A signed statement, its signature not yet checked.
 * @param {Uint8Array} cose
 * @param {string} what the subject of the sentence if refused
 * @returns {{isBatch: boolean, kid: Uint8Array, organisation: string, payload: object, signature: Uint8Array,
 *   signedBytes: Uint8Array, digest: Uint8Array}}
 */
export function parseStatement(cose, what) {
  require(cose.length <= STATEMENT_BYTES_MAX, `${what} has more than ${STATEMENT_BYTES_MAX} bytes.`);
  const envelope = parseCbor(cose, what);
  const parts = envelope instanceof formats.Tagged ? envelope.value : null;
  require(Array.isArray(parts) && parts.length === 4, `${what} is not a COSE_Sign1.`);
  const [header, unprotected, payload, signature] = parts;
  anyBytes(header, `${what}'s header`);
  require(unprotected instanceof Map && unprotected.size === 0, `${what} has an unprotected header.`);
  anyBytes(payload, `${what}'s payload`);
  bytes(64)(signature, `${what}'s signature`);
  const named = parseHeader(header, what);
  require(payload.length <= MESSAGE_BYTES_MAX, `${what}'s payload has more than ${MESSAGE_BYTES_MAX} bytes.`);
  const document = parseDocument(payload, `${what}'s payload`);
  const signedBytes = concat(
    Uint8Array.of(0x84, 0x6a),
    utf8("Signature1"),
    formats.encodeByteString(header),
    Uint8Array.of(0x40),
    formats.encodeByteString(payload),
  );
  const form = named.isBatch ? BATCH_PAYLOAD : SINGLE_PAYLOAD;
  return { ...named, payload: form(document, `${what}'s payload`), signature, signedBytes, digest: sha256(cose) };
}

/** @param {Uint8Array} encoded a message of a batch @returns {object} */
export function parseMessage(encoded, what) {
  require(encoded.length <= MESSAGE_BYTES_MAX, `${what} has more than ${MESSAGE_BYTES_MAX} bytes.`);
  return object(parseDocument(encoded, what), what);
}

const EVENT = (value, what) => text()(object(value, what).type, inside(what, "type"));
const ACCEPTED = exactly({ events: list(EVENT), result: text() });
const REJECTED = exactly({ code: integer(0), facts: object, result: text() });

/** The outcome of what was not rejected: accepted, or kept as a claim or until a second signature. */
export function requireKept(encoded, what) {
  const outcome = object(parseDocument(encoded, what), what);
  if (outcome.result === "rejected") {
    const { code } = REJECTED(outcome, what);
    throw new Refused(`${what} is a rejection with code ${code}.`);
  }
  const known = ["accepted", "contested", "held"].includes(outcome.result);
  require(known, `${what} is no acceptance, no rejection, no contested claim and no hold.`);
  ACCEPTED(outcome, what);
  return outcome;
}

/** The events of an acceptance; refuses every other outcome. */
export function requireAccepted(encoded, what) {
  const outcome = requireKept(encoded, what);
  require(outcome.result !== "contested", `${what} is a claim against the registers: it changed none of them.`);
  require(outcome.result !== "held", `${what} is a hold: the message waits for a second signature and did nothing.`);
  return outcome.events;
}

/** What a message orders: itself, or what it gives a second signature to. */
export function orderedBy(message) {
  return message.type === "Countersign" ? object(message.order, "The second signature's order") : message;
}

// --- Registration of a key, attestation, disclosure (sections 6 and 9) ------------------------------------------

const SCOPE = list(text());
const ROOT_SCOPE = [
  ...["RegisterKey", "RevokeKey", "RaiseFloor", "RotateRootKey", "AppointGuardians"],
  ...["OpenRecovery", "ApproveRecovery", "VetoRecovery", "SetSigningRule"],
];

/** What a key may sign: a root key what manages keys, an operational one also the veto of a recovery. */
export function scopeOf(kind, scope = []) {
  if (kind === "root") return ROOT_SCOPE;
  return kind === "operational" ? [...scope, "VetoRecovery"] : scope;
}

const whole = integer(Number.MIN_SAFE_INTEGER);
const orNull = (form) => (value, what) => (value === null ? null : form(value, what));
const KEY_RECORD = exactly({
  algorithm: text(),
  compromised_since_ms: orNull(whole),
  device: orNull(text()),
  kid: text(),
  kind: text(),
  organisation: text(),
  public_key: text(),
  registered_height: whole,
  replaces: orNull(text()),
  revoked_height: orNull(whole),
  scope: SCOPE,
  statement: orNull(text()),
  valid_from_ms: whole,
  valid_until_ms: orNull(whole),
});

/** The record of a key in the state. */
export const parseKeyRecord = (encoded, what) => KEY_RECORD(parseDocument(encoded, what), what);

/** What the state says of a member: his name and his root keys; whatever else it says is not needed here. */
export function parseMember(encoded, organisation, what) {
  const record = object(parseDocument(encoded, what), what);
  const isOwn = record.organisation === organisation && Array.isArray(record.root_keys);
  require(isOwn, `${what} is of another organisation, or has no root keys.`);
  const keys = record.root_keys.filter((key) => typeof key === "string" && /^[0-9a-f]{64}$/.test(key));
  return { organisation, name: text()(record.name, `${what} at name`), root_keys: keys.map(fromHex) };
}

/** What a `RotateRootKey` message says: whose root key, and the key itself. */
export function parseRotation(message, what) {
  require(message.type === "RotateRootKey", `${what} carries no RotateRootKey message.`);
  return { organisation: message.organisation, publicKey: HASH(message.public_key, `${what}'s public_key`) };
}

/** What a `RegisterKey` message says of the key. */
export function parseRegistration(message, what) {
  require(message.type === "RegisterKey", `${what} carries no RegisterKey message.`);
  const { valid_until_ms: until = null, valid_from_ms: from = 0 } = message;
  return {
    organisation: message.organisation,
    publicKey: HASH(message.public_key, `${what}'s public_key`),
    scope: scopeOf(message.kind, SCOPE(message.scope, `${what}'s scope`)),
    validFromMs: integer(0)(from, `${what}'s valid_from_ms`),
    validUntilMs: until === null ? Infinity : integer(0)(until, `${what}'s valid_until_ms`),
  };
}

const RESULTS = list((value, what) => {
  const { commitment, quantity } = object(value, what);
  return { commitment: HASH(commitment, inside(what, "commitment")), quantity };
});

/** The commitments of an attestation, of one that a correction puts in place, or of a recorded verdict, in order. */
export function parseResults(carried) {
  const message = orderedBy(carried);
  const isCorrection = message.type === "CorrectStatement";
  const attestation = isCorrection ? object(message.replacement, "The correction's replacement") : message;
  const commits = attestation.type === "IssueAttestation" || message.type === "RecordVerdict";
  require(commits, "There are disclosures, but the message is no attestation, correction of one, or verdict.");
  const stem = isCorrection ? "/replacement/results" : "/results";
  return { stem, results: RESULTS(attestation.results, "The attestation at results") };
}

const INDEX = /^(?:0|[1-9][0-9]*)$/;

/** What stands at a place of a message, once it is a commitment: that, and the quantity it may be of. */
export function findCommitted(ordered, at) {
  let found = ordered;
  for (const step of at.split("/").slice(1)) {
    const isMember = Array.isArray(found)
      ? INDEX.test(step) && Number(step) < found.length
      : typeof found === "object" && found !== null && Object.hasOwn(found, step);
    require(isMember, `The message has nothing at ${at}.`);
    found = found[step];
  }
  const { commitment, ...others } = object(found, `What the message has at ${at}`);
  const quantity = Object.hasOwn(others, "quantity") ? text()(others.quantity, `The quantity at ${at}`) : null;
  return { commitment: HASH(commitment, `The commitment at ${at}`), quantity };
}

/** Refuse a document unless the field document that is disclosed with it has its digest, and its length if any. */
export function requireDocument({ at, document: [document] }, field) {
  const { sha256: digest, bytes: length = document.length } = field;
  const isIts = digest === formats.toHex(sha256(document));
  require(isIts, `The document at ${at} is not the one that was committed to.`);
  require(length === document.length, `The document at ${at} is not as long as disclosed.`);
  return digest;
}

const FIELD = (value, what) => {
  text()(object(value, what).quantity, inside(what, "quantity"));
  return value;
};

// --- Genesis (section 7) and block (section 5) ------------------------------------------------------------------

const PREDECESSOR = exactly({
  chain_id: CHAIN,
  height: integer(0),
  log_root: HASH,
  log_size: integer(1),
  state_root: HASH,
});
const VALIDATOR = exactly({ organisation: ORGANISATION, power: integer(1, 1_000_000), public_key: hexadecimal(32) });

/** Validators in order of organisation and key, no key twice. */
function VALIDATORS(value, what) {
  const validators = list(VALIDATOR, 1, 100)(value, what);
  const places = validators.map((one) => `${one.organisation} ${formats.toHex(one.public_key)}`);
  require(places.every((place, i) => i === 0 || places[i - 1] < place), `${what} is out of order.`);
  const keys = new Set(validators.map((one) => formats.toHex(one.public_key)));
  require(keys.size === validators.length, `${what} has a key twice.`);
  return validators;
}

const GENESIS = exactly(
  { chain_id: CHAIN, organisations: integer(1), organisations_root: HASH, ruleset: integer(1), time_ms: integer(0) },
  { predecessor: PREDECESSOR, validators: VALIDATORS },
);
const ACCREDITATION = exactly({
  standard: text(),
  edition: text(),
  quantities: list(text()),
  valid_until_ms: integer(0),
});
const ROLES = /^(?:manufacturer|vehicle_maker|importer|laboratory|operator|workshop|second_life_operator|recycler|authority|insurer|buyer|producer_responsibility_organisation)$/;
// Characters that cannot be seen, or that turn the direction of reading: fixed ranges, as section 7 lists them.
const UNSEEN =
  /[\u{0}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{61c}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{e000}-\u{f8ff}\u{fe00}-\u{fe0f}\u{feff}\u{fff0}-\u{ffff}\u{e0000}-\u{10ffff}]/u;

function DISPLAY_NAME(value, what) {
  const length = [...text()(value, what)].length;
  require(length >= 1 && length <= 80 && !UNSEEN.test(value), `${what} is not 1 to 80 printable characters.`);
  return value;
}

const ORGANISATION_DOCUMENT = exactly({
  organisation: ORGANISATION,
  name: DISPLAY_NAME,
  roles: list(text(ROLES), 1),
  root_keys: list(HASH, 1),
  accreditations: list(ACCREDITATION),
});
const BLOCK = exactly({
  evidence: integer(0),
  first_leaf: integer(1),
  height: integer(1),
  ruleset: integer(1),
  state_root: HASH,
  statements: integer(0),
  time_ms: integer(0),
});

const documentOf = (form, what) => (encoded) => form(parseDocument(encoded, what), what);
export const parseGenesis = documentOf(GENESIS, "The genesis header");
export const parseOrganisation = documentOf(ORGANISATION_DOCUMENT, "The organisation document");
export const parseBlock = documentOf(BLOCK, "The block document");
export const parseField = documentOf(FIELD, "The disclosed field");
export const parseAnyField = documentOf(object, "The disclosed field");

// --- Checkpoint (section 8): C2SP signed-note, tlog-checkpoint, tlog-cosignature --------------------------------

const NOTE_BYTES_MAX = 16_384;
const NOTE_SIGNATURES_MAX = 32;
const NAME = "[!-*,-~]{1,255}";
const EMPTY_TREE_ROOT = sha256(new Uint8Array());
const SIGNATURE_LINE = new RegExp(`^\u2014 (${NAME}) ([A-Za-z0-9+/=]+)$`);
const VERIFIER_KEY = new RegExp(`^(${NAME})\\+([0-9a-f]{8})\\+([A-Za-z0-9+/=]+)$`);
const LOG_KEY_TYPE = 1;
const COSIGNER_KEY_TYPE = 4;

function parseSignatureLine(line, i) {
  const what = `The note's signature ${i + 1}`;
  const [, name, encoded] = SIGNATURE_LINE.exec(line) ?? [];
  require(name !== undefined, `${what} is not an em dash, a name and base64.`);
  const blob = parseBase64(encoded, what);
  require(blob.length > 4, `${what} is empty.`);
  return { name, keyId: blob.slice(0, 4), signature: blob.slice(4) };
}

/**
 * A checkpoint, its signatures not yet checked.
 * @param {Uint8Array} note
 * @returns {{origin: string, size: bigint, root: Uint8Array, body: Uint8Array,
 *   signatures: {name: string, keyId: Uint8Array, signature: Uint8Array}[]}}
 */
export function parseNote(note) {
  require(note.length <= NOTE_BYTES_MAX, `The note has more than ${NOTE_BYTES_MAX} bytes.`);
  const lines = formats.parseUtf8(note, "The note").split("\n");
  require(lines.pop() === "", "The note does not end with a line's end.");
  const [origin, size, root, blank, ...signatures] = lines;
  require(new RegExp(`^${NAME}$`).test(origin ?? ""), "The note's origin is not a name.");
  const isSize = /^(?:0|[1-9][0-9]{0,15})$/.test(size ?? "") && Number.isSafeInteger(Number(size));
  require(isSize, "The note's size is not a decimal number below 2^53.");
  const rootBytes = bytes(32)(parseBase64(root ?? "", "The note's root"), "The note's root");
  const isPossible = size !== "0" || equalBytes(rootBytes, EMPTY_TREE_ROOT);
  require(isPossible, "The note is of an empty log, but its root is not that of the empty tree.");
  require(blank === "", "The note has more than three lines before its signatures.");
  const count = signatures.length;
  require(count >= 1 && count <= NOTE_SIGNATURES_MAX, `The note has ${count} signatures.`);
  const parsed = signatures.map(parseSignatureLine);
  const signers = new Set(parsed.map(({ name, keyId }) => `${name} ${formats.toHex(keyId)}`));
  require(signers.size === count, "The note has two signatures by the same key.");
  const body = utf8(`${origin}\n${size}\n${root}\n`);
  return { origin, size: BigInt(size), root: rootBytes, body, signatures: parsed };
}

/** The key of `name+hash+base64`; its type byte must be `type`. */
function parseVerifierKey(encoded, type, what) {
  const [, name, hash, material] = VERIFIER_KEY.exec(encoded) ?? [];
  require(name !== undefined, `${what} is not a name, a hash and base64 joined by "+".`);
  const key = bytes(33)(parseBase64(material, what), what);
  require(key[0] === type, `${what} has key type ${key[0]}, not ${type}.`);
  const keyId = sha256(concat(utf8(`${name}\n`), key)).slice(0, 4);
  require(equalBytes(fromHex(hash), keyId), `${what} has a hash that is not its own.`);
  return { name, keyId, type, publicKey: key.slice(1) };
}

/** Whether `signature` by the verifier key `key` holds for the note's body. */
function noteSignatureHolds(key, body, signature) {
  if (key.type === LOG_KEY_TYPE) return ed25519Verify(key.publicKey, body, signature);
  if (signature.length !== 72) return false;
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  if (time >= 1n << 63n) return false;
  return ed25519Verify(key.publicKey, concat(utf8(`cosignature/v1\ntime ${time}\n`), body), signature.subarray(8));
}

/**
 * Refuse unless the log has signed the note, and every other signature is by a trusted witness and holds.
 * @param {object} note from `parseNote`
 * @param {object} trust from `parseTrust`
 * @returns {string[]} the names of the witnesses that cosigned, sorted
 */
export function verifyNote({ origin, body, signatures }, { log, witnesses }) {
  require(origin === log.name, `The note is of the log ${origin}, not of ${log.name}.`);
  const signers = signatures.map(({ name, keyId, signature }) => {
    const key = [log, ...witnesses].find((trusted) => trusted.name === name && equalBytes(trusted.keyId, keyId));
    require(key !== undefined, `The note is signed by ${name} with a key that is not trusted.`);
    require(noteSignatureHolds(key, body, signature), `The note's signature by ${name} does not hold.`);
    return key;
  });
  require(signers.includes(log), `The log ${log.name} has not signed the note.`);
  return signers.filter((key) => key !== log).map((key) => key.name).sort();
}

// --- Trust (section 11) -----------------------------------------------------------------------------------------

const TRUST_BYTES_MAX = 64_000;
const TRUST = exactly(
  { genesis: HASH, log: text(), witnesses: list(text()), quorum: integer(0) },
  { replaying: list(text(), 1) },
);
const CONSORTIUM = exactly({ genesis: HASH, engine: text(/^cometbft$/, "cometbft") });

/**
 * What the verifier takes as given; a consortium has no log key, `log` is null.
 * @param {string} trustText
 * @returns {{genesis: Uint8Array, log: object|null, witnesses: object[], quorum: number, replaying: string[]}}
 */
export function parseTrust(trustText) {
  const what = "The trust file";
  require(typeof trustText === "string", `${what} is not text.`);
  const encoded = utf8(trustText);
  require(encoded.length <= TRUST_BYTES_MAX, `${what} has more than ${TRUST_BYTES_MAX} bytes.`);
  // A lone surrogate has no UTF-8; encoding replaces it.
  require(formats.parseUtf8(encoded, what) === trustText, `${what} is not valid text.`);
  const document = parseDocument(encoded, what, true);
  if (Object.hasOwn(object(document, what), "engine")) {
    return { genesis: CONSORTIUM(document, what).genesis, log: null, witnesses: [], quorum: 0, replaying: [] };
  }
  const trust = TRUST(document, what);
  const log = parseVerifierKey(trust.log, LOG_KEY_TYPE, `${what}'s log key`);
  const witnesses = trust.witnesses.map((key, i) =>
    parseVerifierKey(key, COSIGNER_KEY_TYPE, `${what}'s witness key ${i + 1}`),
  );
  const areDistinct = (texts) => new Set(texts).size === texts.length;
  require(areDistinct(witnesses.map((key) => key.name)), `${what} names a witness twice.`);
  const publicKeys = [log, ...witnesses].map((key) => formats.toHex(key.publicKey));
  require(areDistinct(publicKeys), `${what} has a public key twice.`);
  require(trust.quorum <= witnesses.length, `${what} asks for more witnesses than it names.`);
  const { genesis, quorum, replaying = [] } = trust;
  const areWitnesses = replaying.every((name) => witnesses.some((key) => key.name === name));
  require(areWitnesses && areDistinct(replaying), `${what} names as replaying no witness, or one twice.`);
  return { genesis, log, witnesses, quorum, replaying };
}
