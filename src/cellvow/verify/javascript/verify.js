/** The checks of formats.md section 12, in order, on a bundle; runs unchanged in browsers and in Node 18 or newer. */

import { ed25519Verify } from "./ed25519.js";
import { Refused, equalBytes, parseCbor, parseDocument, require, toHex, utf8 } from "./formats.js";
import { verifyConsensus } from "./consensus.js";
import { domainDigest, rootOfPath, rootOfRecord } from "./merkle.js";
import * as proofs from "./proofs.js";
import { concat, hmacSha256, sha256, sha512 } from "./sha2.js";
import { object } from "./shapes.js";
import { checkKey, checkOrganisation } from "./signer.js";
import * as structures from "./structures.js";

export { ed25519Verify, hmacSha256, parseCbor, parseDocument, rootOfPath, rootOfRecord, sha256, sha512 };
export const { parseNote, parseStatement, parseTrust, verifyNote } = structures;

// A check returns its sentence or throws; what it proves it leaves in `evidence` for the checks that follow.

function checkForm(evidence) {
  evidence.bundle = structures.parseBundle(evidence.bytes);
  return `The bundle has its form (${evidence.bytes.length} bytes).`;
}

function checkNote(evidence, encoded) {
  const { trust } = evidence;
  const note = structures.parseNote(encoded);
  evidence.note = note;
  const tree = `a log of ${note.size} leaves`;
  if (trust === null) return `${note.origin} is said to have ${tree}; no signature is checked.`;
  require(trust.log !== null, "The trust file trusts a consortium's validators, but a log's key vouches for the bundle.");
  evidence.cosignedBy = structures.verifyNote(note, trust);
  return `${note.origin} has signed ${tree}; each of the ${note.signatures.length} signatures holds.`;
}

function checkCheckpoint(evidence) {
  const { trust, bundle } = evidence;
  if (bundle.consensus === null) return checkNote(evidence, bundle.note);
  const isConsortium = trust === null || trust.log === null;
  require(isConsortium, "The trust file names a log's key, but validators vouch for the bundle.");
  const proven = verifyConsensus(bundle.consensus, structures.parseGenesis(bundle.genesis));
  const { chainId: origin, size, root, height, signers, validators } = proven;
  evidence.note = { origin, size, root };
  evidence.consensus = proven;
  const names = proven.signedBy.length ? ` (${proven.signedBy.join(", ")})` : "";
  const tree = `a log of ${size} leaves`;
  return `Block ${height} of ${origin} has ${tree}, signed by ${signers} of ${validators} validators${names}.`;
}

function checkWitnesses({ trust, cosignedBy, bundle }) {
  if (trust === null) return "No witness is trusted, so none is asked for.";
  if (bundle.consensus !== null) return "Validators instead of witnesses.";
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

function checkSignature(evidence) {
  const { statement, key } = evidence;
  proofs.requireNames(statement, evidence, "The statement");
  proofs.requirePlace(evidence.bundle.statement, statement, "The statement");
  const holds = ed25519Verify(key.publicKey, statement.signedBytes, statement.signature);
  require(holds, "The statement's signature does not hold.");
  return `The statement is signed by ${statement.organisation} with that key.`;
}

function checkMessage(evidence) {
  const { bundle, statement, key } = evidence;
  evidence.message = proofs.carriedMessage(bundle.statement, statement, "The statement");
  const { type } = evidence.message;
  require(typeof type === "string", "The message has no type.");
  const { type: ordered } = structures.orderedBy(evidence.message);
  for (const one of [type, ordered]) {
    require(key.scope.includes(one), `The key may not sign ${one}; its scope is ${key.scope.join(", ")}.`);
  }
  const second = ordered === type ? "" : `, the second signature under ${ordered}`;
  return `The message is ${type}, which the key may sign${second}.`;
}

/** That a message was kept and not accepted, as its first event says. */
function checkKept(evidence, { result, events: [event = {}] }) {
  evidence.outcome = result;
  if (result === "held") {
    require(event.type === "MessageHeld", "The outcome is a hold, but its event does not say so.");
    return "Kept, not accepted: the message waits for a second signature, and did nothing.";
  }
  const { type, opener, reference } = event;
  const isNamed = type === "DisputeOpened" && typeof opener === "string" && typeof reference === "string";
  require(isNamed, "The outcome is contested, but no event names the dispute.");
  return `Contested: kept, not accepted. It changed nothing; dispute ${reference} of ${opener} keeps what it claims.`;
}

function checkOutcome(evidence) {
  const { bundle, message, takesKept } = evidence;
  evidence.outcome = "accepted";
  if (takesKept) {
    const outcome = structures.requireKept(bundle.statement.outcome, "The outcome");
    if (outcome.result !== "accepted") return checkKept(evidence, outcome);
  }
  const [event] = structures.requireAccepted(bundle.statement.outcome, "The outcome");
  if (message.type !== "Countersign") return "The ledger accepted the message.";
  require(typeof event?.first === "string", "A second signature is shown without the key that signed first.");
  return `The ledger accepted it, as the second signature after that of key ${event.first}.`;
}

function checkInclusion({ bundle, statement, note }) {
  proofs.requireIncluded(bundle.statement, statement, note, "The statement");
  return `The statement with its outcome is leaf ${bundle.statement.leaf} of the log.`;
}

function checkBlock(evidence) {
  const { bundle, statement, key, note } = evidence;
  const block = structures.parseBlock(bundle.block.body);
  evidence.block = block;
  const first = BigInt(block.first_leaf);
  const afterStatements = first + BigInt(block.statements);
  proofs.requireBlockLeaf(bundle.block.body, afterStatements + BigInt(block.evidence), bundle.block.path, note, "The block");
  const { leaf } = bundle.statement;
  require(first <= leaf && leaf < afterStatements, "The statement is not in the block.");
  const isEarlier = (key.leaf === null || key.leaf < first) && (key.height === null || key.height < block.height);
  require(isEarlier, "The key was not registered before the block.");
  require(key.validFromMs <= block.time_ms, "The block is older than the key's validity.");
  require(block.time_ms <= key.validUntilMs, "The block is younger than the key's validity.");
  const { not_after_ms: deadline = Infinity } = statement.payload;
  require(block.time_ms <= deadline, "The block is later than the signer wished.");
  return `The statement is in block ${block.height}, made at ${block.time_ms} ms, while the key was valid.`;
}

function checkState(evidence) {
  const { bundle, statement, key, block } = evidence;
  evidence.records = Object.create(null);
  const [state] = bundle.state;
  if (state === undefined) return "Whether the key was revoked is not shown.";
  const last = proofs.openState(evidence);
  for (const record of state.records) {
    proofs.requireRecord(record, last);
    const what = `The record ${record.key}`;
    evidence.records[record.key] = object(parseDocument(record.value, what), what);
  }
  const name = `key/${toHex(statement.kid)}`;
  const own = state.records.find((record) => record.key === name);
  require(own !== undefined, "The record of the signer's key is not among the records.");
  const record = structures.parseKeyRecord(own.value, `The record ${name}`);
  require(record.public_key === toHex(key.publicKey), `The record ${name} names another public key.`);
  const { revoked_height: revoked, compromised_since_ms: since } = record;
  require(revoked === null || revoked >= block.height, `The key was revoked at height ${revoked}.`);
  evidence.isSuspect = since !== null && since <= block.time_ms;
  const doubt = evidence.isSuspect ? `; suspect: the key counts as compromised since ${since} ms` : "";
  return `${state.records.length} records are proven as of block ${last.height}; the key was not revoked before${doubt}.`;
}

const commitmentOf = ({ salt, field }) => hmacSha256(salt, concat(utf8("cellvow/field/v1\0"), field));

function checkResults(evidence) {
  const { bundle, message } = evidence;
  const { stem, results } = structures.parseResults(message);
  let next = 0;
  for (const { salt, field } of bundle.disclosures) {
    const commitment = commitmentOf({ salt, field });
    const found = results.findIndex((result, i) => i >= next && equalBytes(result.commitment, commitment));
    require(found >= 0, "A disclosure is of no result of the attestation, or out of order.");
    const value = structures.parseField(field);
    require(value.quantity === results[found].quantity, "A disclosure names another quantity than its result.");
    evidence.disclosures.push(value);
    evidence.places.push(`${stem}/${found}`);
    evidence.documents.push(null);
    evidence.enclosed.push(null);
    next = found + 1;
  }
  return `${bundle.disclosures.length} of ${results.length} results are disclosed.`;
}

function checkPlaces(evidence) {
  const ordered = structures.orderedBy(evidence.message);
  for (const disclosure of evidence.bundle.disclosures) {
    const { at, field } = disclosure;
    const { commitment, quantity } = structures.findCommitted(ordered, at);
    require(equalBytes(commitment, commitmentOf(disclosure)), `What is disclosed at ${at} is not what was committed to.`);
    const value = structures.parseAnyField(field);
    require(quantity === null || value.quantity === quantity, `What is disclosed at ${at} is of another quantity.`);
    evidence.disclosures.push(value);
    evidence.places.push(at);
    const hasDocument = disclosure.document.length === 1;
    evidence.documents.push(hasDocument ? structures.requireDocument(disclosure, value) : null);
    evidence.enclosed.push(hasDocument ? disclosure.document[0] : null);
  }
  const shown = evidence.documents.filter((digest) => digest !== null).length;
  return `${evidence.places.length} fields are disclosed, with ${shown} documents.`;
}

function checkDisclosures(evidence) {
  Object.assign(evidence, { disclosures: [], places: [], documents: [], enclosed: [] });
  const [first] = evidence.bundle.disclosures;
  if (first === undefined) return "Nothing is disclosed.";
  return Object.hasOwn(first, "at") ? checkPlaces(evidence) : checkResults(evidence);
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

function verdictOf({ trust, note, cosignedBy, genesis, statement, message, block, bundle, ...rest }, steps) {
  const verdict = {
    ok: true,
    outcome: rest.outcome,
    anchored: trust !== null,
    steps,
    admitted_by: bundle.admission === null ? "state" : "genesis",
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
    signed_by: rest.consensus?.signedBy ?? [],
    signed_height: rest.consensus?.height ?? 0,
    signed_power: rest.consensus?.signedPower ?? 0,
    total_power: rest.consensus?.totalPower ?? 0,
    records: rest.records,
    disclosures: rest.disclosures,
    places: rest.places,
    documents: rest.documents,
    state_shown: bundle.state.length === 1,
    suspect: rest.isSuspect,
  };
  // The documents themselves are for who asks for them, and no part of what is printed.
  return Object.defineProperty(verdict, "enclosed", { value: rest.enclosed });
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
 * @param {boolean} takesKept whether what was kept and not accepted is proven as that, instead of refused; whoever asks
 *   so looks at `outcome` (accepted, contested or held) before he relies on anything
 * @returns {Promise<object>} `{ok: true, outcome, anchored, steps, admitted_by, organisation, kid, chain_id, message,
 *   sequence, height, time_ms, ruleset, leaf, origin, size, cosigned_by, signed_by, signed_height, signed_power,
 *   total_power, records, disclosures, places, documents, state_shown, suspect}`, with the bytes of each document in
 *   `enclosed`, which is not enumerable; or
 *   `{ok: false, check, reason, steps}` with the number of the first check that fails and the steps before it.
 *   Check 0 is the trust file itself.
 */
export async function verifyBundle(bundleBytes, trustText, takesKept = false) {
  const steps = [];
  let number = 0;
  return refusing(() => number, steps, () => {
    const trust = trustText === null ? null : structures.parseTrust(trustText);
    const evidence = { bytes: bundleBytes, trust, takesKept, cosignedBy: [], isSuspect: false };
    for (const [title, check] of CHECKS) {
      number += 1;
      steps.push({ number, title, detail: check(evidence) });
    }
    return verdictOf(evidence, steps);
  });
}

if (typeof process !== "undefined" && process.versions?.node) {
  import("./command.js").then((command) =>
    command.runIfStarted(import.meta.url, { verifyBundle, CHECK_TITLES }),
  );
}
