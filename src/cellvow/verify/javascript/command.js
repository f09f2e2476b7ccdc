/** The Node command line of the verifier: `node verify.js BUNDLE [TRUST] [--json]` and `node verify.js --lines`. */

import { realpath } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Refused, fromHex, parseUtf8 } from "./formats.js";
import { parseTrust } from "./structures.js";

const USAGE = `Usage:
  node verify.js BUNDLE [TRUST] [--json]   verify a bundle; without a trust file it is anchored to nothing
  node verify.js --lines                   read {"bundle": hex, "trust": text or null} lines, write a result line each;
                                           with "kept": true, what was kept and not accepted is proven as that

Exit codes: 0 every check holds, 1 the evidence does not hold, 2 wrong usage (a file or line that cannot be read),
9 every check holds, and the ledger kept the message without accepting it.`;
const FILE_BYTES_MAX = 4_000_000;
const LAST_DATE_MS = 8.64e15;
const KEPT = {
  contested: " Contested: kept, not accepted.",
  held: " Held for a second signature: kept, not accepted.",
};
const NOT_ACCEPTED = 9;

class Usage extends Error {}

/** A file's bytes; of one that is too large, enough for the verifier to say so. */
async function readBytes(path) {
  const chunks = [];
  try {
    for await (const chunk of createReadStream(path, { end: FILE_BYTES_MAX })) chunks.push(chunk);
  } catch (error) {
    throw new Usage(`${path} cannot be read (${error.code ?? error.message}).`);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

async function readTrust(path) {
  try {
    const text = parseUtf8(await readBytes(path), path);
    parseTrust(text);
    return text;
  } catch (error) {
    if (error instanceof Refused) throw new Usage(`${path}: ${error.message}`);
    throw error;
  }
}

const stepLine = (number, title, detail) => `${String(number).padStart(2)}  ${title.padEnd(12)}  ${detail}`;
const dateOf = (ms) => (ms <= LAST_DATE_MS ? new Date(ms).toISOString() : `${ms} ms`);

function summary(result) {
  const said = `${result.organisation} signed ${result.message.type}`;
  const when = `block ${result.height} of ${result.chain_id}, ${dateOf(result.time_ms)}`;
  const kept = KEPT[result.outcome] ?? "";
  if (!result.anchored) return `Consistent, anchored to nothing: ${said}, ${when} - by the bundle's own word.${kept}`;
  const { cosigned_by: witnesses, signed_power: signed, total_power: total } = result;
  const vouching = total ? `${signed} of ${total} votes of the validators` : `${witnesses.length} witnesses`;
  const doubt = result.suspect ? " Suspect: the signer's key counts as compromised by then." : "";
  return `Verified: ${said}, ${when}; checkpoint of ${result.origin}, ${vouching}.${doubt}${kept}`;
}

/** The result in words, a line for each check. */
function inWords(result, titles) {
  const lines = result.steps.map(({ number, title, detail }) => stepLine(number, title, detail));
  if (result.ok) return [...lines, "", summary(result)].join("\n");
  const failed = stepLine(result.check, titles[result.check - 1], `DOES NOT HOLD. ${result.reason}`);
  return [...lines, failed, "", `Not verified: check ${result.check} does not hold.`].join("\n");
}

async function verifyFiles(verifyBundle, titles, paths, asJson) {
  const [bundlePath, trustPath] = paths;
  const trust = trustPath === undefined ? null : await readTrust(trustPath);
  const result = await verifyBundle(await readBytes(bundlePath), trust, true);
  // A script that asks whether it is ok asks whether the ledger accepted it.
  const isAccepted = result.ok && result.outcome === "accepted";
  console.log(asJson ? JSON.stringify({ ...result, ok: isAccepted }) : inWords(result, titles));
  if (!result.ok) return 1;
  return isAccepted ? 0 : NOT_ACCEPTED;
}

function parseLine(line, number) {
  try {
    const { bundle, trust, kept = false } = JSON.parse(line);
    const isHex = typeof bundle === "string" && /^(?:[0-9a-f]{2})*$/.test(bundle);
    if (!isHex) throw new Usage(`Line ${number} has no bundle in lower-case hexadecimal.`);
    const isTrust = trust === null || typeof trust === "string";
    if (!isTrust) throw new Usage(`Line ${number} has no trust, neither text nor null.`);
    if (typeof kept !== "boolean") throw new Usage(`Line ${number} has a kept that is neither true nor false.`);
    return { bundle: fromHex(bundle), trust, kept };
  } catch (error) {
    const isForm = error instanceof SyntaxError || error instanceof TypeError;
    if (isForm) throw new Usage(`Line ${number} is not a JSON object.`);
    throw error;
  }
}

async function verifyLines(verifyBundle) {
  let number = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    number += 1;
    const { bundle, trust, kept } = parseLine(line, number);
    const result = await verifyBundle(bundle, trust, kept);
    if (!process.stdout.write(`${JSON.stringify(result)}\n`)) await new Promise((r) => process.stdout.once("drain", r));
  }
  return 0;
}

async function run(verifyBundle, titles, words) {
  const options = words.filter((word) => word.startsWith("--"));
  const paths = words.filter((word) => !word.startsWith("--"));
  if (options.includes("--help")) return console.log(USAGE) ?? 0;
  if (options.join() === "--lines" && paths.length === 0) return verifyLines(verifyBundle);
  const isKnown = options.every((option) => option === "--json");
  if (!isKnown || paths.length < 1 || paths.length > 2) throw new Usage(USAGE);
  return verifyFiles(verifyBundle, titles, paths, options.length > 0);
}

/**
 * Act as a command if Node was started with the module at `moduleUrl`; otherwise do nothing.
 * @param {string} moduleUrl
 * @param {{verifyBundle: function, CHECK_TITLES: string[]}} verifier
 */
export async function runIfStarted(moduleUrl, { verifyBundle, CHECK_TITLES }) {
  const started = process.argv[1];
  if (started === undefined) return;
  const isStarted = (await realpath(started).catch(() => null)) === (await realpath(fileURLToPath(moduleUrl)));
  if (!isStarted) return;
  try {
    process.exitCode = await run(verifyBundle, CHECK_TITLES, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof Usage)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
