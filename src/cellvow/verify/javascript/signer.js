/** Checks 5 and 6: whose organisation signed, and with which key - as genesis names it, or as the state does. */

import { ed25519Verify } from "./ed25519.js";
import { equalBytes, fromHex, require, toHex } from "./formats.js";
import { leafHash, rootOfPath } from "./merkle.js";
import { carriedMessage, provenRecord, requireIncluded, requireNames, requirePlace } from "./proofs.js";
import { sha256 } from "./sha2.js";
import * as structures from "./structures.js";

const kidOf = (publicKey) => sha256(publicKey).slice(0, 16);
const isKey = (hex) => /^[0-9a-f]{64}$/.test(hex);

function checkFounder(evidence, { organisation, index, path }) {
  const { organisations, organisations_root: trustedRoot } = evidence.genesis;
  evidence.organisation = structures.parseOrganisation(organisation);
  const root = rootOfPath(leafHash(organisation), index, BigInt(organisations), path, "The organisation document");
  require(equalBytes(root, trustedRoot), "The organisation document is not one of those admitted in genesis.");
  return `${evidence.organisation.name} (${evidence.organisation.organisation}) is named by genesis.`;
}

/** Who executed the blocks that the state follows from; a state that is one writer's word alone is refused. */
function executedBy({ trust, bundle, cosignedBy }) {
  if (bundle.consensus !== null) return "";
  if (trust === null) return ", and nobody is known to have executed the blocks that lead to it";
  const name = trust.replaying.find((each) => cosignedBy.includes(each));
  require(
    name !== undefined,
    "Genesis does not lead to the signer's key, and no witness that re-executes the blocks vouches for the state that " +
      "does: ask for a checkpoint that a witness which re-executes has cosigned, and name it in your trust file.",
  );
  return `, which ${name} executed`;
}

function checkMember(evidence) {
  const executed = executedBy(evidence);
  const { organisation } = structures.parseStatement(evidence.bundle.statement.cose, "The statement");
  const what = `The record organisation/${organisation}`;
  const value = provenRecord(evidence, `organisation/${organisation}`);
  require(value !== undefined, `Neither genesis nor the state shown names ${organisation}.`);
  evidence.organisation = structures.parseMember(value, organisation, what);
  return `${evidence.organisation.name} (${organisation}) is a member, as the state under the checkpoint says${executed}.`;
}

/** Check 5. */
export function checkOrganisation(evidence) {
  const { admission } = evidence.bundle;
  return admission === null ? checkMember(evidence) : checkFounder(evidence, admission);
}

function rootKeyOf({ rootKeys }, kid) {
  return rootKeys.find((key) => equalBytes(kidOf(key), kid));
}

/** A root key that was replaced since: its record still names it, where the state vouches for the signer. */
function recordedRootKey(evidence, kid) {
  const name = `key/${toHex(kid)}`;
  const value = evidence.bundle.admission === null ? provenRecord(evidence, name) : undefined;
  if (value === undefined) return undefined;
  const record = structures.parseKeyRecord(value, `The record ${name}`);
  const isRoot = record.kind === "root" && record.organisation === evidence.organisation.organisation;
  return isRoot && isKey(record.public_key) ? fromHex(record.public_key) : undefined;
}

/** What `parse` reads in the message of a statement that a root key known so far has signed for its organisation. */
function linkOf(evidence, inclusion, parse, what) {
  const link = structures.parseStatement(inclusion.cose, what);
  requireNames(link, evidence, what);
  requirePlace(inclusion, link, what);
  const rootKey = rootKeyOf(evidence, link.kid) ?? recordedRootKey(evidence, link.kid);
  require(rootKey !== undefined, `${what} is not by a root key of the organisation.`);
  require(ed25519Verify(rootKey, link.signedBytes, link.signature), `${what} has a signature that does not hold.`);
  const key = parse(carriedMessage(inclusion, link, what), what);
  require(key.organisation === link.organisation, `${what} is for another organisation.`);
  structures.requireAccepted(inclusion.outcome, `${what}'s outcome`);
  requireIncluded(inclusion, link, evidence.note, what);
  require(inclusion.leaf > evidence.rootLeaf, `${what} comes before its root key.`);
  return { ...key, leaf: inclusion.leaf, height: null };
}

/** Go on from the root keys of genesis: each rotation is signed by the key that the one before it made. */
function followRotations(evidence) {
  for (const inclusion of evidence.bundle.rotations) {
    const { publicKey, leaf } = linkOf(evidence, inclusion, structures.parseRotation, "A rotation of the root key");
    evidence.rootKeys = [publicKey];
    evidence.rootLeaf = leaf;
  }
}

function registeredKey(evidence, kid) {
  const what = "The key's registration";
  const key = linkOf(evidence, evidence.bundle.keys[0], structures.parseRegistration, what);
  require(equalBytes(kidOf(key.publicKey), kid), `${what} is of another key than the statement names.`);
  return key;
}

function recordedKey(evidence, kid) {
  const name = `key/${toHex(kid)}`;
  const value = provenRecord(evidence, name);
  require(value !== undefined, "The record of the signer's key is not among the records.");
  const record = structures.parseKeyRecord(value, `The record ${name}`);
  const publicKey = isKey(record.public_key) ? fromHex(record.public_key) : new Uint8Array();
  require(equalBytes(kidOf(publicKey), kid), `The record ${name} is of another key.`);
  const isOwn = record.organisation === evidence.organisation.organisation && record.algorithm === "ed25519";
  require(isOwn, `The record ${name} is of another organisation, or of another algorithm.`);
  const registered = evidence.bundle.keys.length === 1 ? registeredKey(evidence, kid) : { leaf: null };
  require(record.registered_height >= 0, `The record ${name} has a height below 0.`);
  return {
    publicKey,
    kind: record.kind,
    scope: structures.scopeOf(record.kind, record.scope),
    validFromMs: record.valid_from_ms,
    validUntilMs: record.valid_until_ms ?? Infinity,
    leaf: registered.leaf,
    height: record.registered_height,
  };
}

/** Check 6. */
export function checkKey(evidence) {
  const { bundle } = evidence;
  evidence.statement = structures.parseStatement(bundle.statement.cose, "The statement");
  const { kid } = evidence.statement;
  evidence.rootKeys = evidence.organisation.root_keys;
  evidence.rootLeaf = -1n;
  if (bundle.admission === null) {
    evidence.key = recordedKey(evidence, kid);
    return `Key ${toHex(kid)} (${evidence.key.kind}) is the organisation's, as the state under the checkpoint says.`;
  }
  followRotations(evidence);
  const count = bundle.rotations.length;
  const leads = count === 1 ? "1 rotation leads" : `${count} rotations lead`;
  const named = count ? `to which ${leads} from genesis` : "named by genesis";
  if (bundle.keys.length === 1) {
    evidence.key = registeredKey(evidence, kid);
    return `A root key ${named} registered key ${toHex(kid)} at leaf ${evidence.key.leaf}.`;
  }
  const publicKey = rootKeyOf(evidence, kid);
  require(publicKey !== undefined, `No root key of the organisation has the identifier ${toHex(kid)}.`);
  const scope = structures.scopeOf("root");
  const leaf = count ? evidence.rootLeaf : null;
  evidence.key = { publicKey, scope, validFromMs: 0, validUntilMs: Infinity, leaf, height: null };
  return `Key ${toHex(kid)} is a root key of the organisation, ${named}.`;
}
