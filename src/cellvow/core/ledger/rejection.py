"""The closed list of reasons why a statement is refused or rejected, with stable codes.

100-199: not includable - the statement leaves no trace on the ledger. From 200: kept as the outcome.
Codes are never reused.
"""

from enum import IntEnum

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import CellvowError


class Reason(IntEnum):
    """A stable code; its sentence is in `RULES`."""

    MALFORMED = 101
    WRONG_CHAIN = 102
    UNKNOWN_KEY = 103
    FOREIGN_KEY = 104
    KEY_NOT_IN_FORCE = 105
    BAD_SIGNATURE = 106
    SEQUENCE_USED = 107
    SEQUENCE_OUT_OF_WINDOW = 108
    EXPIRED = 201
    MALFORMED_MESSAGE = 202
    OUT_OF_SCOPE = 203
    WRONG_SUBJECT = 204
    BATCH_ABORTED = 205
    STALE_VERSION = 206
    RECORD_TOO_LARGE = 207
    ROLE_MISSING = 301
    INVALID_PUBLIC_KEY = 302
    KEY_EXISTS = 303
    NO_POSSESSION = 304
    NOT_YOUR_KEY = 305
    KEY_ALREADY_REVOKED = 306
    EMPTY_VALIDITY = 307
    FLOOR_NOT_ABOVE = 308
    NO_DEVICE = 309
    OUTSIDE_DEVICE_SCOPE = 310
    MARK_NOT_EARLIER = 311
    TOO_MANY_ROOT_KEYS = 312
    KEY_HAS_ENDED = 313
    MODEL_EXISTS = 401
    UNKNOWN_MODEL = 402
    NOT_YOUR_MODEL = 403
    BATTERY_EXISTS = 404
    UNKNOWN_BATTERY = 405
    BAD_IDENTIFIER = 406
    IMPLAUSIBLE_MODEL = 407
    NOT_IN_THE_REGISTER = 501
    UNKNOWN_ORGANISATION = 502
    OFFER_TO_ONESELF = 503
    OFFER_OPEN = 504
    NO_OPEN_OFFER = 505
    NOT_THE_ADDRESSEE = 506
    NOT_THE_OFFERER = 507
    REGISTER_DISPUTED = 508
    PART_OF_ANOTHER = 509
    NOT_FOR_WASTE = 510
    NOT_ORPHANED = 511
    NO_OPEN_TAKEOVER = 512
    TAKEOVER_OPEN = 513
    NOTICE_RUNNING = 514
    ATTESTATION_EXISTS = 601
    UNKNOWN_ATTESTATION = 602
    OUTSIDE_ACCREDITATION = 603
    INPUT_NOT_ANCHORED = 604
    NOT_IN_FORCE = 605
    INCOMPLETE_CERTIFICATE = 606
    WRONG_PERIOD = 607
    OTHER_BATTERY = 608
    ANCHOR_EXISTS = 701
    NOT_YOUR_STATEMENT = 801
    NOT_THE_CURRENT_STATEMENT = 802
    NOTHING_CHANGES = 803
    VERDICT_EXISTS = 901
    NOTHING_TO_ACCEPT = 902
    TEST_OF_ANOTHER_BATTERY = 903
    WRONG_DAY = 904
    NOT_YOUR_PROPOSAL = 1001
    PROPOSAL_EXISTS = 1002
    UNKNOWN_PROPOSAL = 1003
    PROPOSAL_NOT_OPEN = 1004
    WRONG_TERM = 1005
    TOO_MANY_PROPOSALS = 1006
    TOO_MANY_CHANGES = 1007
    NOT_IN_THE_ELECTORATE = 1008
    ELECTORATE_TOO_LARGE = 1009
    SAME_VOTE = 1010
    ORGANISATION_EXISTS = 1011
    LAST_OF_THE_ELECTORATE = 1012
    NOT_A_CONSORTIUM = 1013
    VALIDATOR_EXISTS = 1014
    UNKNOWN_VALIDATOR = 1015
    TOO_MANY_VALIDATORS = 1016
    WRONG_PARAMETER = 1017
    RULESET_NOT_NEWER = 1018
    NO_SUCH_KEY = 1019
    WRONG_GUARDIANS = 1101
    NO_GUARDIANS = 1102
    NOT_A_GUARDIAN = 1103
    RECOVERY_OPEN = 1104
    TOO_MANY_RECOVERIES = 1105
    NO_OPEN_RECOVERY = 1106
    APPROVED_ALREADY = 1107
    LOCK_NOT_RUNNING = 1108
    TIME_LOCK = 1109
    NOT_THE_HOLDER = 1201
    ALREADY_INSTALLED = 1202
    NOT_INSTALLED = 1203
    WRONG_DOCUMENT_VERSION = 1204
    WORK_EXISTS = 1205
    DAY_OUT_OF_RANGE = 1206
    INCIDENT_EXISTS = 1207
    UNKNOWN_INCIDENT = 1208
    SOFTWARE_UNCHANGED = 1209
    NO_OPEN_ORDER = 1210
    TOO_MANY_INCIDENTS = 1211
    PART_OF_ITSELF = 1301
    TREE_TOO_DEEP = 1302
    TOO_MANY_PARTS = 1303
    PARTS_TOO_HEAVY = 1304
    NOT_ITS_PART = 1305
    MODEL_NOT_DESCRIBED = 1306
    MODEL_DESCRIBED = 1307
    WRONG_LEVEL = 1308
    TOO_MANY_CELLS = 1309
    WRONG_WHOLES = 1310
    REGISTERS_DIFFER = 1311
    MODEL_ASSEMBLED = 1312
    WRONG_STATUS = 1401
    UNIT_SUCCEEDED = 1402
    BALANCE_EXCEEDED = 1403
    STILL_INSTALLED = 1404
    STILL_HAS_PARTS = 1405
    NOT_RESPONSIBLE = 1406
    NAMED_TWICE = 1407
    NOT_THE_OWNER = 1408
    TOO_MANY_SUCCESSORS = 1409
    DISPUTE_EXISTS = 1501
    UNKNOWN_DISPUTE = 1502
    DISPUTE_NOT_OPEN = 1503
    NOT_A_PARTY = 1504
    NOT_THE_ARBITER = 1505
    TOO_MANY_DISPUTES = 1506
    NO_SETTLEMENT = 1507
    WRONG_EFFECT = 1508
    TOO_MANY_POSITIONS = 1509
    ARBITER_AGREED = 1510
    NOTHING_HELD = 1601
    SAME_SIGNER = 1602
    TOO_MANY_HELD = 1603
    WRONG_SIGNING_RULE = 1604
    PARTLY_HELD = 1605
    FIRST_KEY_COMPROMISED = 1606


RULES: dict[Reason, str] = {
    Reason.MALFORMED: "the bytes are not the one accepted form of a statement",
    Reason.WRONG_CHAIN: "the statement is signed for another ledger",
    Reason.UNKNOWN_KEY: "no key with this identifier is registered",
    Reason.FOREIGN_KEY: "the key belongs to another organisation than the statement names",
    Reason.KEY_NOT_IN_FORCE: "the key is revoked, or not valid at this block's time",
    Reason.BAD_SIGNATURE: "the signature does not hold under the key",
    Reason.SEQUENCE_USED: "this key has used this sequence already",
    Reason.SEQUENCE_OUT_OF_WINDOW: "the sequence is too far from the highest one this key has used",
    Reason.EXPIRED: "the signer did not want it applied this late",
    Reason.MALFORMED_MESSAGE: "the message matches no schema of the ruleset in force",
    Reason.OUT_OF_SCOPE: "the key's scope does not hold this type of message",
    Reason.WRONG_SUBJECT: "the envelope names another subject than the message",
    Reason.BATCH_ABORTED: "another message of the same atomic batch was rejected",
    Reason.STALE_VERSION: "the record has changed since the signer read it: read it again and sign anew",
    Reason.RECORD_TOO_LARGE: "the record would become larger than the ledger allows",
    Reason.ROLE_MISSING: "the organisation does not hold the role this message needs",
    Reason.INVALID_PUBLIC_KEY: "the public key is not a point of the prime-order group",
    Reason.KEY_EXISTS: "a key with this identifier is registered already",
    Reason.NO_POSSESSION: "the new key did not sign for its own registration",
    Reason.NOT_YOUR_KEY: "only the organisation that holds a key may revoke it, and a root key is changed by vote",
    Reason.KEY_ALREADY_REVOKED: "the key is revoked already",
    Reason.EMPTY_VALIDITY: "a key must be valid for some time: from is before until",
    Reason.FLOOR_NOT_ABOVE: "the floor must lie above the highest sequence used, by at most one window",
    Reason.NO_DEVICE: "a device key names its device, and no other key does",
    Reason.OUTSIDE_DEVICE_SCOPE: "a device key signs anchors and attestations, and nothing for its organisation",
    Reason.MARK_NOT_EARLIER: "a mark of compromise is not after this block, and moves only to an earlier time",
    Reason.TOO_MANY_ROOT_KEYS: "an organisation has at most eight root keys in force: retire one",
    Reason.KEY_HAS_ENDED: "the key ended, or its organisation was removed, earlier in this block",
    Reason.MODEL_EXISTS: "the model is registered already",
    Reason.UNKNOWN_MODEL: "the battery's model is not registered",
    Reason.NOT_YOUR_MODEL: "only the organisation that registered a model registers batteries of it",
    Reason.BATTERY_EXISTS: "a battery with this identifier is registered already (Regulation (EU) 2023/1542: unique)",
    Reason.UNKNOWN_BATTERY: "no battery with this identifier is registered",
    Reason.BAD_IDENTIFIER: "the check digit of the GTIN is wrong",
    Reason.IMPLAUSIBLE_MODEL: "a model has a capacity above zero, and minimum, nominal and maximum voltage in order",
    Reason.NOT_IN_THE_REGISTER: "the organisation does not stand in the register it wants to hand over",
    Reason.UNKNOWN_ORGANISATION: "no organisation with this identifier is a member",
    Reason.OFFER_TO_ONESELF: "a hand-over goes to another organisation",
    Reason.OFFER_OPEN: "an offer for this battery is open: withdraw it first",
    Reason.NO_OPEN_OFFER: "no offer for this battery is open",
    Reason.NOT_THE_ADDRESSEE: "the offer is addressed to another organisation",
    Reason.NOT_THE_OFFERER: "the offer was made by another organisation",
    Reason.REGISTER_DISPUTED: "a party disputes this register: it moves only when the dispute has ended",
    Reason.PART_OF_ANOTHER: "the unit is a part of another and goes where that one goes: take it out first",
    Reason.NOT_FOR_WASTE: "the responsibility for waste passes to a producer, a producer responsibility organisation "
    "or a waste operator only",
    Reason.NOT_ORPHANED: "who answers for the unit is there: it is taken over by an offer, not by notice",
    Reason.NO_OPEN_TAKEOVER: "no notice of a take-over with this version is running",
    Reason.TAKEOVER_OPEN: "a notice of a take-over is running already",
    Reason.NOTICE_RUNNING: "the notice has not ended: until then who is registered can object",
    Reason.ATTESTATION_EXISTS: "the organisation has used this reference already",
    Reason.UNKNOWN_ATTESTATION: "the organisation has issued no attestation with this reference",
    Reason.OUTSIDE_ACCREDITATION: "the accreditation does not cover this standard, edition or quantity now",
    Reason.INPUT_NOT_ANCHORED: "the root of the measurement is not anchored",
    Reason.NOT_IN_FORCE: "the attestation is no longer in force",
    Reason.INCOMPLETE_CERTIFICATE: "a certificate needs a standard, a measurement root and class measured or estimated",
    Reason.WRONG_PERIOD: "the test ended before it began, or after this block's time, or validity ends before it",
    Reason.OTHER_BATTERY: "the superseded attestation is about another battery",
    Reason.ANCHOR_EXISTS: "the organisation has anchored this root already",
    Reason.NOT_YOUR_STATEMENT: "only the organisation that made a statement may correct it",
    Reason.NOT_THE_CURRENT_STATEMENT: "the record does not stem from the statement named",
    Reason.NOTHING_CHANGES: "the replacement equals what it corrects",
    Reason.VERDICT_EXISTS: "the organisation has recorded a verdict under this reference already",
    Reason.NOTHING_TO_ACCEPT: "a verdict that accepts names the attestation it rests on",
    Reason.TEST_OF_ANOTHER_BATTERY: "the attestation that the verdict rests on is about another battery",
    Reason.WRONG_DAY: "a verdict is of a day that the calendar has, and that is not after this block's",
    Reason.NOT_YOUR_PROPOSAL: "a proposal is made, and withdrawn, in one's own name only",
    Reason.PROPOSAL_EXISTS: "the organisation has made a proposal with this reference already",
    Reason.UNKNOWN_PROPOSAL: "the organisation has made no proposal with this reference",
    Reason.PROPOSAL_NOT_OPEN: "the proposal is decided, withdrawn, or its time to vote has passed",
    Reason.WRONG_TERM: "voting ends after this block and within the longest time, at a height not too far off",
    Reason.TOO_MANY_PROPOSALS: "the organisation has as many open proposals as one may have: withdraw one",
    Reason.TOO_MANY_CHANGES: "as many adopted changes wait as may wait: vote again once one has taken effect",
    Reason.NOT_IN_THE_ELECTORATE: "whoever runs a validator votes, and every member where there is none",
    Reason.ELECTORATE_TOO_LARGE: "too many would vote for one record: found a consortium, whose validators vote",
    Reason.SAME_VOTE: "the organisation has cast this vote already",
    Reason.ORGANISATION_EXISTS: "an organisation with this identifier is a member already",
    Reason.LAST_OF_THE_ELECTORATE: "nobody would be left to vote, or to validate",
    Reason.NOT_A_CONSORTIUM: "this ledger has one writer and no validators: found a consortium that goes on from it",
    Reason.VALIDATOR_EXISTS: "another organisation runs a validator with this key, or it has this power already",
    Reason.UNKNOWN_VALIDATOR: "no validator has this key",
    Reason.TOO_MANY_VALIDATORS: "a consortium has at most a hundred validators",
    Reason.WRONG_PARAMETER: "the parameter does not take this value: see the table of parameters",
    Reason.RULESET_NOT_NEWER: "only a ruleset newer than the one in force is activated",
    Reason.NO_SUCH_KEY: "no key with this identifier is registered that could be distrusted",
    Reason.WRONG_GUARDIANS: "guardians are two to seven other members, and at least two of them must agree",
    Reason.NO_GUARDIANS: "the organisation has appointed no guardians",
    Reason.NOT_A_GUARDIAN: "the signer is none of the organisation's guardians",
    Reason.RECOVERY_OPEN: "a recovery is under way: it ends by veto, completion, or when its time has passed",
    Reason.TOO_MANY_RECOVERIES: "a guardian opens one recovery of an organisation in thirty days",
    Reason.NO_OPEN_RECOVERY: "no recovery with this number is under way",
    Reason.APPROVED_ALREADY: "the guardian has approved this recovery already, or enough have",
    Reason.LOCK_NOT_RUNNING: "not enough guardians have approved: the time lock does not run yet",
    Reason.TIME_LOCK: "the time lock has not ended: until then the owner can veto",
    Reason.NOT_THE_HOLDER: "only who holds the unit may record this",
    Reason.ALREADY_INSTALLED: "the unit is installed already: record its removal first",
    Reason.NOT_INSTALLED: "the unit is not installed",
    Reason.WRONG_DOCUMENT_VERSION: "the versions of a document follow one another without a gap, about one "
    "unit or model",
    Reason.WORK_EXISTS: "the organisation has recorded work under this reference already",
    Reason.DAY_OUT_OF_RANGE: "the day is not in the calendar, lies before the unit's birth or what it follows on, "
    "or after this block",
    Reason.INCIDENT_EXISTS: "the organisation has reported an incident under this reference already",
    Reason.UNKNOWN_INCIDENT: "no open incident of this unit is recorded under this reference",
    Reason.SOFTWARE_UNCHANGED: "this version of the software is recorded already",
    Reason.NO_OPEN_ORDER: "no work order of who holds the unit is open for this: only with his consent is a unit "
    "repaired or assessed, and its next service set",
    Reason.TOO_MANY_INCIDENTS: "as many incidents of the unit are open as the ledger allows, in all or of one member: "
    "they wait for an assessment",
    Reason.PART_OF_ITSELF: "a unit cannot be a part of itself, directly or through its parts",
    Reason.TREE_TOO_DEEP: "parts are nested in at most four levels",
    Reason.TOO_MANY_PARTS: "the unit would have more parts than the ledger allows",
    Reason.PARTS_TOO_HEAVY: "the parts would weigh more than the unit they are in",
    Reason.NOT_ITS_PART: "the unit named is not a part of this one",
    Reason.MODEL_NOT_DESCRIBED: "the model's level and number of cells are not described yet",
    Reason.MODEL_DESCRIBED: "the model's level and number of cells are described already",
    Reason.WRONG_LEVEL: "a cell goes into a module or pack, a module into a pack, a pack into a system of packs",
    Reason.TOO_MANY_CELLS: "the parts would have more cells than the unit they are in",
    Reason.WRONG_WHOLES: "the message does not name the units that this one is built into as they are now",
    Reason.REGISTERS_DIFFER: "the part and the unit have different owners, or different parties that answer: "
    "hand the part over first",
    Reason.MODEL_ASSEMBLED: "a unit of the model has been a part or has had one: its level stays, only its number of "
    "cells can be corrected",
    Reason.WRONG_STATUS: "a unit's life does not lead from this status to that one",
    Reason.UNIT_SUCCEEDED: "the unit has become another one: name its successor",
    Reason.BALANCE_EXCEEDED: "more mass or more cells would come out of the originals than they have left",
    Reason.STILL_INSTALLED: "the unit is still installed: record its removal first",
    Reason.STILL_HAS_PARTS: "the unit still has registered parts: take them out first",
    Reason.NOT_RESPONSIBLE: "only who answers for the unit, or its owner where it goes out of use, may record this",
    Reason.NAMED_TWICE: "a unit is named twice",
    Reason.NOT_THE_OWNER: "only who owns the unit may record this",
    Reason.TOO_MANY_SUCCESSORS: "one unit would become more units than the ledger allows",
    Reason.DISPUTE_EXISTS: "the organisation has opened a dispute under this reference, or this claim, already",
    Reason.UNKNOWN_DISPUTE: "no dispute is recorded under this reference",
    Reason.DISPUTE_NOT_OPEN: "the dispute has ended",
    Reason.NOT_A_PARTY: "the signer is not a party of the dispute",
    Reason.NOT_THE_ARBITER: "the signer is neither the arbiter whom both sides named nor an authority that may step in",
    Reason.TOO_MANY_DISPUTES: "the organisation, or the unit, has as many open disputes as the ledger allows",
    Reason.NO_SETTLEMENT: "the other side has proposed no settlement with this version",
    Reason.WRONG_EFFECT: "a decision or settlement moves registers of this unit between its parties only",
    Reason.TOO_MANY_POSITIONS: "a side may state its position eight times in one dispute",
    Reason.ARBITER_AGREED: "both sides have named the arbiter, and he has the case: neither names another now",
    Reason.NOTHING_HELD: "no such message of the organisation waits for a second signature",
    Reason.SAME_SIGNER: "the second signature must be another key's than the first, and not its successor's",
    Reason.TOO_MANY_HELD: "the organisation has as many messages waiting for a second signature as the ledger allows",
    Reason.WRONG_SIGNING_RULE: "a signing rule names messages that an operational key signs, each once and in order",
    Reason.PARTLY_HELD: "an atomic batch waits for a second signature as a whole: sign apart what can never wait",
    Reason.FIRST_KEY_COMPROMISED: "the key that signed first is marked as compromised: sign the message anew",
}
"""One sentence per reason, in words a signer understands."""

ARTICLES: dict[Reason, str] = {
    Reason.NOT_FOR_WASTE: "Regulation (EU) 2023/1542, Article 77(7)",
    Reason.UNIT_SUCCEEDED: "Regulation (EU) 2023/1542, Article 77(6)",
    Reason.BALANCE_EXCEEDED: "Regulation (EU) 2023/1542, Article 77(6)",
    Reason.WRONG_STATUS: "Regulation (EU) 2023/1542, Annex XIII point 4",
}
"""Where a reason rests on a law rather than on this ledger's own rules: its article."""


class _Refusal(CellvowError):
    def __init__(self, reason: Reason, **facts: Json) -> None:
        self.reason = reason
        self.facts = facts
        detail = "".join(f"; {name} {value}" for name, value in sorted(facts.items()))
        article = f"; {ARTICLES[reason]}" if reason in ARTICLES else ""
        super().__init__(f"{RULES[reason]} (code {int(reason)}{article}{detail})")

    @property
    def rule(self) -> str:
        """The rule that was broken, as a sentence."""
        return RULES[self.reason]

    @property
    def article(self) -> str | None:
        """The article of law behind the rule, if it is not this ledger's own."""
        return ARTICLES.get(self.reason)


class NotIncludable(_Refusal):
    """The statement may not stand in a block: it is not authentic or not fresh. It leaves no trace."""


class Rejected(_Refusal):
    """The statement breaks a rule. Deterministic, and kept as its outcome."""
