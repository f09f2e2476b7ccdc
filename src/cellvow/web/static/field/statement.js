/** A message becomes a signed statement: COSE_Sign1 around it (docs/reference/formats.md section 3). */

import { Tagged, toHex, utf8 } from "../verify/formats.js";
import { DOCUMENT_BYTES_MAX, Unwritable, encodeCbor, encodeDocument } from "./encoding.js";

const EDDSA = -8;
const SINGLE = "application/vnd.cellvow.message.v1+json";

/**
 * What a signature covers, and the parts that go around it. Without `not_after_ms`: it may be applied however late.
 * @param {{chainId: string, organisation: string, kid: Uint8Array}} signer
 */
export function prepare({ chainId, organisation, kid }, sequence, message) {
  if (encodeDocument(message).length > DOCUMENT_BYTES_MAX) throw new Unwritable("the message is too long");
  const claims = new Map([[1, organisation], [2, message.battery]]);
  const header = encodeCbor(new Map([[1, EDDSA], [3, SINGLE], [4, kid], [15, claims]]));
  const payload = encodeDocument({ chain_id: chainId, message, sequence });
  return { header, payload, signedBytes: encodeCbor(["Signature1", header, new Uint8Array(), payload]) };
}

/** @param {Uint8Array} signature 64 bytes @returns {Uint8Array} the statement as it is sent */
export function seal({ header, payload }, signature) {
  return encodeCbor(new Tagged([header, new Map(), payload, signature]));
}

/** What is sent: the statement, what opens its commitments, and when the row was made by this phone's clock. */
export function encodeUpload(statement, openings, madeMs) {
  return encodeCbor([statement, openings, madeMs]);
}

/** What a new key signs to show that whoever registers it holds it. */
export function possessionBytes(chainId, organisation, publicKey) {
  return utf8(`cellvow/possession/v1\n${chainId}\n${organisation}\n${toHex(publicKey)}\n`);
}

/** The one line with which the organisation admits the phone: public, and bound to this ledger and organisation. */
export function admissionCode(chainId, organisation, publicKey, possession) {
  return ["cellvow-phone-1", chainId, organisation, toHex(publicKey), toHex(possession)].join(":");
}

/** @param {Uint8Array} kid @returns {string} what people compare: five groups of four */
export const fingerprint = (kid) => toHex(kid).slice(0, 20).toUpperCase().match(/.{4}/g).join("-");
