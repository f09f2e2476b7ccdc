/** The proofs that several checks open: statements and blocks under the checkpoint, records under the state root. */

import { equalBytes, require } from "./formats.js";
import { domainDigest, leafHash, rootOfPath, rootOfRecord } from "./merkle.js";
import { concat, sha256 } from "./sha2.js";
import * as structures from "./structures.js";

const STATEMENT_LEAF = Uint8Array.of(1);
const BLOCK_LEAF = Uint8Array.of(3);

/** Refuse unless the statement is of this chain and this organisation. */
export function requireNames(statement, { genesis, organisation }, what) {
  const chain = statement.payload.chain_id;
  require(chain === genesis.chain_id, `${what} is for the chain ${chain}.`);
  require(statement.organisation === organisation.organisation, `${what} is by ${statement.organisation}.`);
}

/** Refuse unless an inclusion shows a place in a batch exactly if the statement is one. */
export function requirePlace({ batch }, { isBatch }, what) {
  require(isBatch || batch.length === 0, `${what} is no batch, but comes with a place in one.`);
  require(!isBatch || batch.length === 1, `${what} is a batch, but comes without a place in it.`);
}

/** The message an inclusion carries, alone or with a path to the root that the batch signs. */
export function carriedMessage({ batch: [place] }, statement, what) {
  if (!statement.isBatch) return statement.payload.message;
  const count = BigInt(statement.payload.count);
  const root = rootOfPath(leafHash(place.salt, place.message), place.index, count, place.path, `${what}'s message`);
  require(equalBytes(root, statement.payload.root), `${what}'s message is not in the batch that was signed.`);
  return structures.parseMessage(place.message, `${what}'s message`);
}

/** Refuse unless the statement with its outcome lies in the log at `leaf` under the checkpoint. */
export function requireIncluded({ outcome, leaf, path, batch: [place] }, statement, note, what) {
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

/** Refuse unless the block document is the content of the block leaf at `index`. */
export function requireBlockLeaf(body, index, path, note, what) {
  const root = rootOfPath(leafHash(BLOCK_LEAF, body), index, note.size, path, what);
  require(equalBytes(root, note.root), `${what} is not leaf ${index} of the log.`);
}

/** The last block under the checkpoint, whose state root the bundle's records are proven against. */
export function openState({ bundle: { state: [state] }, note }) {
  const last = structures.parseBlock(state.body);
  const index = BigInt(last.first_leaf) + BigInt(last.statements) + BigInt(last.evidence);
  require(index === note.size - 1n, "The state's block is not the last one under the checkpoint.");
  requireBlockLeaf(state.body, index, state.path, note, "The last block");
  return last;
}

/** Refuse unless the record stands in the state of the block `last`. */
export function requireRecord({ key, value, siblings }, last) {
  const root = rootOfRecord(key, value, siblings);
  require(equalBytes(root, last.state_root), `The record ${key} is not in the state of the last block.`);
}

/** The bytes of the record of `key`, proven by the state; undefined where the bundle does not show it. */
export function provenRecord(evidence, key) {
  const record = evidence.bundle.state[0]?.records.find((each) => each.key === key);
  if (record === undefined) return undefined;
  requireRecord(record, openState(evidence));
  return record.value;
}
