/** Headers and commits of CometBFT v0.38 and the consensus proof made of them (formats.md, section 10). */

import { ed25519Verify } from "./ed25519.js";
import { compareBytes, equalBytes, parseCbor, require, toHex, utf8 } from "./formats.js";
import { leafHash } from "./merkle.js";
import { concat, sha256 } from "./sha2.js";
import { anyBytes, bytes, exactly, list, shape } from "./shapes.js";

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const HEADER_BYTES_MAX = 1_000;
const COMMIT_BYTES_MAX = 20_000;
const CHANGES_MAX = 256;
const VALIDATORS_MAX = 100;
const POWER_MAX = 1_000_000n;
const [ABSENT, VOTED, NIL] = [1n, 2n, 3n];
const NO_TIME_S = -62_135_596_800n;
const LAST_TIME_S = 253_402_300_799n;

// --- The little of protobuf that is needed ----------------------------------------------------------------------

function varint(value) {
  const digits = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) digits.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.of(...digits, Number(rest));
}

const NOTHING = new Uint8Array();
const tag = (number, kind) => varint(BigInt((number << 3) | kind));
const message = (number, ...content) => {
  const joined = concat(...content);
  return concat(tag(number, 2), varint(BigInt(joined.length)), joined);
};
const content = (number, value) => (value.length === 0 ? NOTHING : message(number, value));
const whole = (number, value) => (value === 0n ? NOTHING : concat(tag(number, 0), varint(value)));

/** A number of eight bytes, lowest first. */
function fixed(number, value) {
  if (value === 0n) return NOTHING;
  const eight = new Uint8Array(8);
  new DataView(eight.buffer).setBigInt64(0, value, true);
  return concat(tag(number, 1), eight);
}

/** The fields of a message as they came. Whoever parses writes the value back and compares. */
class Fields {
  constructor(encoded, what) {
    this.what = what;
    this.encoded = encoded;
    this.at = 0;
    this.members = [];
    while (this.at < encoded.length) this.members.push(this.member());
  }

  varint() {
    let value = 0n;
    for (let place = 0n; place < 10n; place++) {
      require(this.at < this.encoded.length, `${this.what} ends within a number.`);
      const byte = this.encoded[this.at++];
      value |= BigInt(byte & 0x7f) << (7n * place);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return require(false, `${this.what} has a number longer than 64 bits.`);
  }

  member() {
    const head = this.varint();
    const [number, kind] = [head >> 3n, head & 7n];
    require(kind === 0n || kind === 2n, `${this.what} has a field that is neither a number nor a byte string.`);
    const value = this.varint();
    if (kind === 0n) return [number, BigInt.asIntN(64, value)];
    require(value <= BigInt(this.encoded.length - this.at), `${this.what} ends within a field.`);
    this.at += Number(value);
    return [number, this.encoded.slice(this.at - Number(value), this.at)];
  }

  last(number, byDefault) {
    const found = this.members.findLast(([at]) => at === BigInt(number))?.[1] ?? byDefault;
    require(typeof found === typeof byDefault, `${this.what} has a field ${number} of another kind.`);
    return found;
  }

  whole = (number) => this.last(number, 0n);
  content = (number) => this.last(number, NOTHING);
  message = (number) => new Fields(this.content(number), this.what);
  messages = (number) =>
    this.members
      .filter(([at, value]) => at === BigInt(number) && value instanceof Uint8Array)
      .map(([, value]) => new Fields(value, this.what));
}

// --- Parts that headers and commits share -----------------------------------------------------------------------

const parseTime = (fields) => ({ seconds: fields.whole(1), nanoseconds: fields.whole(2) });

function encodeTime({ seconds, nanoseconds }) {
  const isTime = NO_TIME_S <= seconds && seconds <= LAST_TIME_S && 0n <= nanoseconds && nanoseconds < 1_000_000_000n;
  require(isTime, "A time lies outside the calendar.");
  return concat(whole(1, seconds), whole(2, nanoseconds));
}

function parseBlockId(fields) {
  const parts = fields.message(2);
  return { digest: fields.content(1), parts: parts.whole(1), partsRoot: parts.content(2) };
}

function encodeBlockId({ digest, parts, partsRoot }) {
  const isNone = digest.length === 0 && parts === 0n && partsRoot.length === 0;
  const isSome = digest.length === 32 && partsRoot.length === 32 && 1n <= parts && parts < 1n << 32n;
  require(isNone || isSome, "A block id is neither a hash with its parts nor nothing.");
  return concat(content(1, digest), message(2, whole(1, parts), content(2, partsRoot)));
}

/** The RFC 9162 root over the contents of leaves, one or more. */
function rootOf(contents) {
  if (contents.length === 1) return leafHash(contents[0]);
  let half = 1;
  while (2 * half < contents.length) half *= 2;
  return sha256(concat(Uint8Array.of(1), rootOf(contents.slice(0, half)), rootOf(contents.slice(half))));
}

// --- Header -----------------------------------------------------------------------------------------------------

const CHAIN_ID = /^[ -~]{1,50}$/;
const isOneOf = (...lengths) => (value) => lengths.includes(value.length);
/** The fields 6 to 14: which lengths each may have. */
const HASHES = [
  isOneOf(0, 32), // last commit
  isOneOf(0, 32), // data
  isOneOf(32), // validators
  isOneOf(32), // next validators
  isOneOf(0, 32), // consensus parameters
  (value) => value.length <= 64, // app hash
  isOneOf(0, 32), // last results
  isOneOf(0, 32), // evidence
  isOneOf(20), // proposer
];

const encodeVersion = ({ block, app }) => concat(whole(1, block), whole(2, app));

function encodeHeader(header) {
  const { version, chainId, height, time, lastBlock, hashes } = header;
  return concat(
    message(1, encodeVersion(version)),
    content(2, chainId),
    whole(3, height),
    message(4, encodeTime(time)),
    message(5, encodeBlockId(lastBlock)),
    ...hashes.map((hash, i) => content(6 + i, hash)),
  );
}

/** The header of its one encoding. */
export function parseHeader(encoded) {
  const what = "The header";
  require(encoded.length <= HEADER_BYTES_MAX, `${what} has more than ${HEADER_BYTES_MAX} bytes.`);
  const fields = new Fields(encoded, what);
  const version = fields.message(1);
  const header = {
    version: { block: version.whole(1), app: version.whole(2) },
    chainId: fields.content(2),
    height: fields.whole(3),
    time: parseTime(fields.message(4)),
    lastBlock: parseBlockId(fields.message(5)),
    hashes: HASHES.map((_, i) => fields.content(6 + i)),
  };
  const { block, app } = header.version;
  const isBounded = [block, app].every((number) => 0n <= number && number <= SAFE);
  require(isBounded && 1n <= header.height && header.height <= SAFE, `${what} has a number out of range.`);
  header.chainName = String.fromCharCode(...header.chainId);
  require(CHAIN_ID.test(header.chainName), `${what} names no chain of 1 to 50 printable characters.`);
  require(HASHES.every((isFit, i) => isFit(header.hashes[i])), `${what} has a hash of another length.`);
  require(equalBytes(encodeHeader(header), encoded), `${what} is not in the engine's encoding.`);
  [, , header.validatorsHash, header.nextValidatorsHash, , header.appHash] = header.hashes;
  return header;
}

/** The hash that validators sign: the root over the fourteen fields, each encoded alone. */
export function hashHeader({ version, chainId, height, time, lastBlock, hashes }) {
  return rootOf([
    encodeVersion(version),
    content(1, chainId),
    whole(1, height),
    encodeTime(time),
    encodeBlockId(lastBlock),
    ...hashes.map((hash) => content(1, hash)),
  ]);
}

// --- Validators -------------------------------------------------------------------------------------------------

const addressOf = (publicKey) => sha256(publicKey).slice(0, 20);

/** Negative where `a` stands before `b` in the engine's order: more power first, then the lower address. */
function compareKeys(a, b) {
  if (a.power !== b.power) return a.power > b.power ? -1 : 1;
  return compareBytes(addressOf(a.publicKey), addressOf(b.publicKey));
}

/** What a header names as its validators; refuses what is no set in the engine's order. */
export function hashValidators(keys) {
  require(1 <= keys.length && keys.length <= VALIDATORS_MAX, `There are ${keys.length} validators.`);
  for (const { publicKey, power } of keys) {
    const isValidator = publicKey.length === 32 && 1n <= power && power <= POWER_MAX;
    require(isValidator, "A validator has no key of 32 bytes, or a power out of range.");
  }
  const isOrdered = keys.every((key, i) => i === 0 || compareKeys(keys[i - 1], key) < 0);
  const isDistinct = new Set(keys.map(({ publicKey }) => toHex(publicKey))).size === keys.length;
  require(isOrdered && isDistinct, "The validators are not in the engine's order, each once.");
  return rootOf(keys.map(({ publicKey, power }) => concat(message(1, content(1, publicKey)), whole(2, power))));
}

// --- Commit -----------------------------------------------------------------------------------------------------

function encodeVote({ flag, address, time, signature }) {
  const isAbsent = flag === ABSENT;
  require(isAbsent || flag === VOTED || flag === NIL, "A vote is neither there nor absent.");
  const lengths = isAbsent ? [0, 0] : [20, 64];
  const isFilled = address.length === lengths[0] && signature.length === lengths[1];
  require(isFilled, "A vote has an address or a signature too many or too few.");
  const isTimed = !isAbsent || (time.seconds === NO_TIME_S && time.nanoseconds === 0n);
  require(isTimed, "A vote that is absent has a time.");
  return concat(whole(1, flag), content(2, address), message(3, encodeTime(time)), content(4, signature));
}

function encodeCommit({ height, round, block, votes }) {
  return concat(
    whole(1, height),
    whole(2, round),
    message(3, encodeBlockId(block)),
    ...votes.map((vote) => message(4, encodeVote(vote))),
  );
}

/** The commit of its one encoding. */
export function parseCommit(encoded) {
  const what = "The commit";
  require(encoded.length <= COMMIT_BYTES_MAX, `${what} has more than ${COMMIT_BYTES_MAX} bytes.`);
  const fields = new Fields(encoded, what);
  const commit = {
    height: fields.whole(1),
    round: fields.whole(2),
    block: parseBlockId(fields.message(3)),
    votes: fields.messages(4).map((vote) => ({
      flag: vote.whole(1),
      address: vote.content(2),
      time: parseTime(vote.message(3)),
      signature: vote.content(4),
    })),
  };
  const { height, round, block, votes } = commit;
  require(1n <= height && height <= SAFE && 0n <= round && round < 1n << 31n, `${what} has a number out of range.`);
  const isForBlock = block.digest.length === 32 && 1 <= votes.length && votes.length <= VALIDATORS_MAX;
  require(isForBlock, `${what} is for no block, or has ${votes.length} votes.`);
  require(equalBytes(encodeCommit(commit), encoded), `${what} is not in the engine's encoding.`);
  return commit;
}

/** What a validator signed: the canonical vote, with its length before it. */
function signedBytes({ chainId }, { height, round, block }, { flag, time }) {
  const vote = concat(
    whole(1, 2n),
    fixed(2, height),
    fixed(3, round),
    flag === NIL ? NOTHING : message(4, encodeBlockId(block)),
    message(5, encodeTime(time)),
    content(6, chainId),
  );
  return concat(varint(BigInt(vote.length)), vote);
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0n);

/**
 * Refuse unless more than two thirds of the validators' power voted for the header, and every signature holds.
 * @returns {{signers: object[], signedPower: bigint, totalPower: bigint}}
 */
export function verifyCommit(header, commit, chainName, keys) {
  require(header.chainName === chainName, `The header is of the chain ${header.chainName}.`);
  const isTheirs = equalBytes(hashValidators(keys), header.validatorsHash);
  require(isTheirs, `The header of block ${header.height} names other validators.`);
  const isOfHeader = commit.height === header.height && equalBytes(commit.block.digest, hashHeader(header));
  require(isOfHeader, `The commit is not of the header of block ${header.height}.`);
  require(commit.votes.length === keys.length, `There are ${commit.votes.length} votes for ${keys.length} validators.`);
  commit.votes.forEach((vote, i) => {
    if (vote.flag === ABSENT) return;
    const { publicKey } = keys[i];
    require(equalBytes(vote.address, addressOf(publicKey)), "A vote stands at another validator's place.");
    const holds = ed25519Verify(publicKey, signedBytes(header, commit, vote), vote.signature);
    require(holds, `The signature of the validator ${toHex(vote.address)} does not hold.`);
  });
  const signers = keys.filter((_, i) => commit.votes[i].flag === VOTED);
  const signedPower = sum(signers.map(({ power }) => power));
  const totalPower = sum(keys.map(({ power }) => power));
  require(3n * signedPower > 2n * totalPower, `Validators with ${signedPower} of ${totalPower} votes signed.`);
  return { signers, signedPower, totalPower };
}

// --- Consensus proof --------------------------------------------------------------------------------------------

const POWER = shape((v) => typeof v === "bigint", "a whole number");
const KEY = exactly({ public_key: bytes(32), power: POWER });
const CHANGE = exactly({ header: anyBytes, commit: anyBytes, validators: list(KEY, 0, VALIDATORS_MAX) });
const PROOF = exactly({ header: anyBytes, commit: anyBytes, sets: list(CHANGE, 0, CHANGES_MAX) });

function verifyLink({ header: encodedHeader, commit }, chainName, keys, above) {
  const header = parseHeader(encodedHeader);
  const verified = verifyCommit(header, parseCommit(commit), chainName, keys);
  require(header.height > above, "The headers are not in order of their heights.");
  return { header, ...verified };
}

/** The validators that follow a change, which must be one. */
function keysAfter({ header }, { validators }) {
  const isChange = !equalBytes(header.nextValidatorsHash, header.validatorsHash);
  require(isChange, `The validators do not change after block ${header.height}.`);
  const keys = validators.map(({ public_key: publicKey, power }) => ({ publicKey, power }));
  const isNamed = equalBytes(hashValidators(keys), header.nextValidatorsHash);
  require(isNamed, `Other validators follow block ${header.height}.`);
  return keys;
}

/**
 * What a consensus proof proves under the validators of a genesis header.
 * @param {Uint8Array} encoded
 * @param {object} genesis from `parseGenesis`
 * @returns {{chainId: string, size: bigint, root: Uint8Array, height: number, signers: number, validators: number,
 *   signedPower: number, totalPower: number, signedBy: string[]}}
 */
export function verifyConsensus(encoded, { chain_id: chainId, validators: founders }) {
  require(founders !== undefined, "Genesis names no validators; no commit can vouch for this ledger.");
  const proof = PROOF(parseCbor(encoded, "The consensus proof"), "The consensus proof");
  let keys = founders.map(({ public_key: publicKey, power }) => ({ publicKey, power: BigInt(power) })).sort(compareKeys);
  let height = 0n;
  for (const change of proof.sets) {
    const link = verifyLink(change, chainId, keys, height);
    keys = keysAfter(link, change);
    height = link.header.height;
  }
  const { header, signers, signedPower, totalPower } = verifyLink(proof, chainId, keys, height);
  const { appHash } = header;
  require(appHash.length === 40, "The app hash is not the size and the root of a log.");
  const size = new DataView(appHash.buffer, appHash.byteOffset).getBigUint64(0);
  require(1n <= size && size <= SAFE, "The app hash has a size out of range.");
  const owners = new Map(founders.map(({ public_key: publicKey, organisation }) => [toHex(publicKey), organisation]));
  const named = signers.map(({ publicKey }) => owners.get(toHex(publicKey))).filter((name) => name !== undefined);
  return {
    chainId,
    size,
    root: appHash.slice(8),
    height: Number(header.height),
    signers: signers.length,
    validators: keys.length,
    signedPower: Number(signedPower),
    totalPower: Number(totalPower),
    signedBy: [...new Set(named)].sort(),
  };
}
