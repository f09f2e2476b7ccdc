"""Every upper bound of the ledger in one place; each is tested at the bound and one past it."""

INTEGER_MAX = 2**53 - 1
"""Largest magnitude of an integer: what every JSON reader keeps exactly (RFC 7493, I-JSON)."""
DEPTH_MAX = 16
"""Nesting of arrays and maps in any signed document."""
MESSAGE_BYTES_MAX = 64_000
"""One message as canonical JSON."""
STATEMENT_BYTES_MAX = 512_000
"""One statement on the wire: fits the consortium engine's request body after base64."""
BATCH_MESSAGES_MAX = 500
"""Messages under one signature; also bounds the work one statement can cause."""
BATCH_BYTES_MAX = 500_000
"""Sum of the message lengths of one batch."""
BLOCK_STATEMENTS_MAX = 2_000
"""Statements in one block."""
BLOCK_BYTES_MAX = 4_000_000
"""Sum of the statement lengths of one block."""
SEQUENCE_WINDOW = 1_024
"""How far a sequence may run ahead of, or lag behind, the highest one used by the same key."""
PATH_LENGTH_MAX = 63
"""Hashes in one Merkle path: trees hold fewer than 2^63 leaves."""
STATE_PATH_LENGTH_MAX = 256
"""Siblings in one state proof: the key hash has 256 bits."""
CHECKPOINT_BYTES_MAX = 16_384
"""A checkpoint with all its signatures."""
CHECKPOINT_SIGNATURES_MAX = 32
"""Signature lines under one checkpoint."""
BUNDLE_BYTES_MAX = 2_000_000
"""A bundle handed to a verifier."""
TRUST_BYTES_MAX = 64_000
"""A trust file handed to a verifier."""
RECORD_BYTES_MAX = 64_000
"""One record of the state."""
ORGANISATIONS_MAX = 10_000
"""Organisations named by a genesis document."""
RESULTS_MAX = 64
"""Results in one attestation."""
PREDICATES_MAX = 64
"""Public predicates in one attestation."""
SCOPE_MAX = 64
"""Message types or quantities in one scope list."""
DISCLOSURES_MAX = 256
"""Disclosed fields in one bundle."""
VALIDATORS_MAX = 100
"""Validators of one consortium: every block carries a signature of each."""
VALIDATOR_POWER_MAX = 1_000_000
"""Voting power of one validator: the sum stays far below what the engine can count."""
HEADER_BYTES_MAX = 1_000
"""A header of the consortium engine: fourteen fields, none long."""
COMMIT_BYTES_MAX = 20_000
"""A commit of the consortium engine: some 110 bytes for each validator."""
VALIDATOR_CHANGES_MAX = 256
"""Changes of the validators that one proof follows from genesis."""
ROOT_KEYS_MAX = 8
"""Root keys in force of one organisation."""
ACCREDITATIONS_MAX = 16
"""Accreditations of one member: with their quantities they stay within one record."""
ACCREDITED_QUANTITIES_MAX = 32
"""Quantities of one accreditation."""
ELECTORATE_MAX = 256
"""Organisations that vote: their votes on a proposal stand in one record, and are counted with each."""
PROPOSALS_OPEN_MAX = 64
"""Open proposals of one organisation, whatever the parameter says."""
PENDING_MAX = 64
"""Adopted changes that wait for their height: what one block may have to put into effect."""
EFFECTIVE_AHEAD_MAX = 100_000_000
"""How many blocks ahead a change may be asked to take effect: more than a year at three blocks a second."""
GUARDIANS_MAX = 7
"""Guardians of one organisation."""
RECOVERY_KEYS_MAX = 4
"""Root keys that one recovery may bring."""
DISPUTES_OPEN_MAX = 16
"""Disputes that one organisation may have open, with its claims that were dismissed of late."""
BATTERY_DISPUTES_MAX = 32
"""Disputes open over one unit."""
BATTERY_DISPUTES_OF_MEMBER_MAX = 4
"""Those of them that one organisation opened: whoever made the unit or stands in its registers finds room."""
DISPUTES_ENDED_MAX = 16
"""Disputes over one unit that have ended and are still named with it: the latest."""
POSITIONS_MAX = 8
"""Positions that one side states in one dispute."""
EVIDENCE_MAX = 16
"""Commitments to documents under one position."""
BOUNDS_MAX = 32
"""Bounds that certificates put on one quantity of one unit: the latest and the tightest are kept."""
INCIDENTS_OPEN_MAX = 64
"""Incidents of one unit that wait for an assessment."""
INCIDENTS_OF_MEMBER_MAX = 4
"""Those of them that one organisation reported: it cannot fill the list alone."""
PARTS_MAX = 1_000
"""Direct parts of one unit."""
PART_LEVELS_MAX = 4
"""Levels in which parts are nested."""
UNITS_NAMED_MAX = 64
"""Originals, or successors, in one message about a second life."""
SUCCESSORS_MAX = 1_000
"""Units that one unit becomes, in all operations together: their names stand in one record."""
HELD_MAX = 64
"""Messages of one organisation that wait for a second signature."""
ROTATIONS_FOLLOWED_MAX = 16
"""Rotations of one key while a message waits; past them the second signer counts as the first."""
