/** The checks of formats.md section 12, in order, on a bundle; runs unchanged in browsers and in Node 18 or newer. */

import { ed25519Verify } from "./ed25519.js";
import { Refused, equalBytes, parseCbor, parseDocument, require, toHex, utf8 } from "./formats.js";
import { domainDigest, leafHash, rootOfPath, rootOfRecord } from "./merkle.js";
import { concat, hmacSha256, sha256, sha512 } from "./sha2.js";
import * as structures from "./structures.js";

export { ed25519Verify, hmacSha256, parseCbor, parseDocument, rootOfPath, rootOfRecord, sha256, sha512 };
export const { parseNote, parseStatement, parseTrust, verifyNote } = structures;

const ROOT_KEY_SCOPE = ["RegisterKey", "RevokeKey", "RaiseFloor"];
const STATEMENT_LEAF = Uint8Array.of(1);
const BLOCK_LEAF = Uint8Array.of(3);
const kidOf = (publicKey) => sha256(publicKey).slice(0, 16);

// A check returns its sentence or throws; what it proves it leaves in `evidence` for the checks that follow.

function checkForm(evidence) {
  evidence.bundle = structures.parseBundle(evidence.bytes);
  return `The bundle has its form (${evidence.bytes.length} bytes).`;
}

function checkCheckpoint(evidence) {
  const { trust } = evidence;
  const note = structures.parseNote(evidence.bundle.checkpoint);
  evidence.note = note;
  const tree = `a log of ${note.size} leaves`;
  if (trust === null) return `${note.origin} is said to have ${tree}; no signature is checked.`;
  evidence.cosignedBy = structures.verifyNote(note, trust);
  return `${note.origin} has signed ${tree}; each of the ${note.signatures.length} signatures holds.`;
}

function checkWitnesses({ trust, cosignedBy }) {
  if (trust === null) return "No witness is trusted, so none is asked for.";
  const count = `${cosignedBy.length} of ${trust.witnesses.length} trusted witnesses cosigned`;
  require(cosignedBy.length >= trust.quorum, `${count}; ${trust.quorum} are needed.`);
  return `${count}${cosignedBy.length ? ` (${cosignedBy.join(", ")})` : ""}; ${trust.quorum} are needed.`;
}

function checkGenesis(evidence) {
  const { trust, bundle } = evidence;
  const digest = domainDigest("cellvow/genesis/v1", bundle.genesis);
  const isTrusted = trust === null || equalBytes(digest, trust.genesis);
  require(isTrusted, `The chain began with genesis ${toHex(digest)}, which is not the trusted one.`);
  evidence.genesis = structures.parseGenesis(bundle.genesis);
  const chain = `The chain is ${evidence.genesis.chain_id}`;
  return trust === null ? `${chain}, as the bundle itself says.` : `${chain}, from the trusted genesis.`;
}

function checkOrganisation(evidence) {
  const { organisation, index, path } = evidence.bundle.admission;
  const { organisations, organisations_root: trustedRoot } = evidence.genesis;
  evidence.organisation = structures.parseOrganisation(organisation);
  const root = rootOfPath(leafHash(organisation), index, BigInt(organisations), path, "The organisation document");
  require(equalBytes(root, trustedRoot), "The organisation document is not one of those admitted in genesis.");
  return `${evidence.organisation.name} (${evidence.organisation.organisation}) was admitted in genesis.`;
}

/** Refuse unless the statement is of this chain and this organisation. */
function requireNames(statement, { genesis, organisation }, what) {
  const chain = statement.payload.chain_id;
  require(chain === genesis.chain_id, `${what} is for the chain ${chain}.`);
  require(statement.organisation === organisation.organisation, `${what} is by ${statement.organisation}.`);
}

function rootKeyOf({ organisation }, kid) {
  return organisation.root_keys.find((key) => equalBytes(kidOf(key), kid));
}

/** Refuse unless an inclusion shows a place in a batch exactly if the statement is one. */
function requirePlace({ batch }, { isBatch }, what) {
  require(isBatch || batch.length === 0, `${what} is no batch, but comes with a place in one.`);
  require(!isBatch || batch.length === 1, `${what} is a batch, but comes without a place in it.`);
}

/** The message an inclusion carries, alone or with a path to the root that the batch signs. */
function carriedMessage({ batch: [place] }, statement, what) {
  if (!statement.isBatch) return statement.payload.message;
  const count = BigInt(statement.payload.count);
  const root = rootOfPath(leafHash(place.salt, place.message), place.index, count, place.path, `${what}'s message`);
  require(equalBytes(root, statement.payload.root), `${what}'s message is not in the batch that was signed.`);
  return structures.parseMessage(place.message, `${what}'s message`);
}

/** Refuse unless the statement with its outcome lies in the log at `leaf` under the checkpoint. */
function requireIncluded({ outcome, leaf, path, batch: [place] }, statement, note, what) {
  const outcomeDigest = statement.isBatch
    ? rootOfPath(
        leafHash(place.salt, outcome),
        place.index,
        BigInt(statement.payload.count),
        place.outcome_path,
        `${what}'s outcome`,
      )
    : domainDigest("cellvow/outcome/v1", outcome);
  const hash = leafHash(STATEMENT_LEAF, sha256(concat(statement.digest, outcomeDigest)));
  const root = rootOfPath(hash, leaf, note.size, path, what);
  require(equalBytes(root, note.root), `${what} with its outcome is not leaf ${leaf} of the log.`);
}

function registeredKey(evidence, kid) {
  const what = "The key's registration";
  const [inclusion] = evidence.bundle.keys;
  const registration = structures.parseStatement(inclusion.cose, what);
  requireNames(registration, evidence, what);
  requirePlace(inclusion, registration, what);
  const rootKey = rootKeyOf(evidence, registration.kid);
  require(rootKey !== undefined, `${what} is not by a root key of the organisation.`);
  const holds = ed25519Verify(rootKey, registration.signedBytes, registration.signature);
  require(holds, `${what} has a signature that does not hold.`);
  const key = structures.parseRegistration(carriedMessage(inclusion, registration, what), what);
  require(key.organisation === registration.organisation, `${what} is for another organisation.`);
  structures.requireAccepted(inclusion.outcome, `${what}'s outcome`);
  requireIncluded(inclusion, registration, evidence.note, what);
  require(equalBytes(kidOf(key.publicKey), kid), `${what} is of another key than the statement names.`);
  return { ...key, leaf: inclusion.leaf };
}

function checkKey(evidence) {
  const { bundle } = evidence;
  evidence.statement = structures.parseStatement(bundle.statement.cose, "The statement");
  const { kid } = evidence.statement;
  if (bundle.keys.length === 1) {
    evidence.key = registeredKey(evidence, kid);
    return `The organisation registered key ${toHex(kid)} at leaf ${evidence.key.leaf}.`;
  }
  const publicKey = rootKeyOf(evidence, kid);
  require(publicKey !== undefined, `No root key of the organisation has the identifier ${toHex(kid)}.`);
  evidence.key = { publicKey, scope: ROOT_KEY_SCOPE, validFromMs: 0, validUntilMs: Infinity, leaf: null };
  return `Key ${toHex(kid)} is a root key of the organisation.`;
}

function checkSignature(evidence) {
  const { statement, key } = evidence;
  requireNames(statement, evidence, "The statement");
  requirePlace(evidence.bundle.statement, statement, "The statement");
  const holds = ed25519Verify(key.publicKey, statement.signedBytes, statement.signature);
  require(holds, "The statement's signature does not hold.");
  return `The statement is signed by ${statement.organisation} with that key.`;
}

function checkMessage(evidence) {
  const { bundle, statement, key } = evidence;
  evidence.message = carriedMessage(bundle.statement, statement, "The statement");
  const { type } = evidence.message;
  require(typeof type === "string", "The message has no type.");
  require(key.scope.includes(type), `The key may not sign ${type}; its scope is ${key.scope.join(", ")}.`);
  return `The message is ${type}, which the key may sign.`;
}

function checkOutcome({ bundle }) {
  structures.requireAccepted(bundle.statement.outcome, "The outcome");
  return "The ledger accepted the message.";
}

function checkInclusion({ bundle, statement, note }) {
  requireIncluded(bundle.statement, statement, note, "The statement");
  return `The statement with its outcome is leaf ${bundle.statement.leaf} of the log.`;
}

/** Refuse unless the block document is the content of the block leaf at `index`. */
function requireBlockLeaf(body, index, path, note, what) {
  const root = rootOfPath(leafHash(BLOCK_LEAF, body), index, note.size, path, what);
  require(equalBytes(root, note.root), `${what} is not leaf ${index} of the log.`);
}

function checkBlock(evidence) {
  const { bundle, statement, key, note } = evidence;
  const block = structures.parseBlock(bundle.block.body);
  evidence.block = block;
  const first = BigInt(block.first_leaf);
  const afterStatements = first + BigInt(block.statements);
  requireBlockLeaf(bundle.block.body, afterStatements + BigInt(block.evidence), bundle.block.path, note, "The block");
  const { leaf } = bundle.statement;
  require(first <= leaf && leaf < afterStatements, "The statement is not in the block.");
  require(key.leaf === null || key.leaf < first, "The key was not registered before the block.");
  require(key.validFromMs <= block.time_ms, "The block is older than the key's validity.");
  require(block.time_ms <= key.validUntilMs, "The block is younger than the key's validity.");
  const { not_after_ms: deadline = Infinity } = statement.payload;
  require(block.time_ms <= deadline, "The block is later than the signer wished.");
  return `The statement is in block ${block.height}, made at ${block.time_ms} ms, while the key was valid.`;
}

function checkState(evidence) {
  const { bundle, statement, key, note, block } = evidence;
  evidence.records = Object.create(null);
  const [state] = bundle.state;
  if (state === undefined) return "Whether the key was revoked is not shown.";
  const last = structures.parseBlock(state.body);
  const index = BigInt(last.first_leaf) + BigInt(last.statements) + BigInt(last.evidence);
  require(index === note.size - 1n, "The state's block is not the last one under the checkpoint.");
  requireBlockLeaf(state.body, index, state.path, note, "The last block");
  for (const record of state.records) {
    const root = rootOfRecord(record.key, record.value, record.siblings);
    require(equalBytes(root, last.state_root), `The record ${record.key} is not in the state of the last block.`);
    const what = `The record ${record.key}`;
    evidence.records[record.key] = structures.object(parseDocument(record.value, what), what);
  }
  const name = `key/${toHex(statement.kid)}`;
  require(Object.hasOwn(evidence.records, name), "The record of the signer's key is not among the records.");
  const record = structures.object(evidence.records[name], `The record ${name}`);
  require(record.public_key === toHex(key.publicKey), `The record ${name} names another public key.`);
  const revoked = record.revoked_height ?? null;
  require(revoked === null || Number.isInteger(revoked), `The record ${name} has no whole revoked_height.`);
  require(revoked === null || revoked >= block.height, `The key was revoked at height ${revoked}.`);
  return `${state.records.length} records are proven as of block ${last.height}; the key was not revoked before.`;
}

function checkDisclosures(evidence) {
  const { bundle, message } = evidence;
  evidence.disclosures = [];
  if (bundle.disclosures.length === 0) return "Nothing is disclosed.";
  const results = structures.parseResults(message);
  let next = 0;
  for (const { salt, field } of bundle.disclosures) {
    const commitment = hmacSha256(salt, concat(utf8("cellvow/field/v1\0"), field));
    const found = results.findIndex((result, i) => i >= next && equalBytes(result.commitment, commitment));
    require(found >= 0, "A disclosure is of no result of the attestation, or out of order.");
    const value = structures.parseField(field);
    require(value.quantity === results[found].quantity, "A disclosure names another quantity than its result.");
    evidence.disclosures.push(value);
    next = found + 1;
  }
  return `${bundle.disclosures.length} of ${results.length} results are disclosed.`;
}

const CHECKS = [
  ["Form", checkForm],
  ["Checkpoint", checkCheckpoint],
  ["Witnesses", checkWitnesses],
  ["Genesis", checkGenesis],
  ["Organisation", checkOrganisation],
  ["Key", checkKey],
  ["Signature", checkSignature],
  ["Message", checkMessage],
  ["Outcome", checkOutcome],
  ["Inclusion", checkInclusion],
  ["Block", checkBlock],
  ["State", checkState],
  ["Disclosures", checkDisclosures],
];

/** The titles of the checks, in order: check n has title n - 1. */
export const CHECK_TITLES = CHECKS.map(([title]) => title);

function verdict({ trust, note, cosignedBy, genesis, statement, message, block, bundle, ...rest }, steps) {
  return {
    ok: true,
    anchored: trust !== null,
    steps,
    organisation: statement.organisation,
    kid: toHex(statement.kid),
    chain_id: genesis.chain_id,
    message,
    sequence: statement.payload.sequence,
    height: block.height,
    time_ms: block.time_ms,
    ruleset: block.ruleset,
    leaf: Number(bundle.statement.leaf),
    origin: note.origin,
    size: Number(note.size),
    cosigned_by: cosignedBy,
    records: rest.records,
    disclosures: rest.disclosures,
    state_shown: bundle.state.length === 1,
  };
}

/** Run `work`, and turn whatever it throws into a verdict of the check that `number()` names. */
function refusing(number, steps, work) {
  try {
    return work();
  } catch (error) {
    // Evidence that our own code cannot cope with has not been verified: never a throw, never a pass.
    const reason = error instanceof Refused ? error.message : `The verifier failed at this check: ${error}`;
    return { ok: false, check: number(), reason, steps };
  }
}

/**
 * Verify a bundle. Never throws.
 * @param {Uint8Array} bundleBytes
 * @param {string|null} trustText the text of a trust file, or null to check consistency alone
 * @returns {Promise<object>} `{ok: true, anchored, steps, organisation, kid, chain_id, message, sequence, height,
 *   time_ms, ruleset, leaf, origin, size, cosigned_by, records, disclosures, state_shown}`, or
 *   `{ok: false, check, reason, steps}` with the number of the first check that fails and the steps before it.
 *   Check 0 is the trust file itself.
 */
export async function verifyBundle(bundleBytes, trustText) {
  const steps = [];
  let number = 0;
  return refusing(() => number, steps, () => {
    const trust = trustText === null ? null : structures.parseTrust(trustText);
    const evidence = { bytes: bundleBytes, trust, cosignedBy: [] };
    for (const [title, check] of CHECKS) {
      number += 1;
      steps.push({ number, title, detail: check(evidence) });
    }
    return verdict(evidence, steps);
  });
}

if (typeof process !== "undefined" && process.versions?.node) {
  import("./command.js").then((command) =>
    command.runIfStarted(import.meta.url, { verifyBundle, CHECK_TITLES }),
  );
}
