"""The closed vocabularies of the network's page and of votes: roles, parameters, states, kinds of evidence."""

from cellvow.core.contracts.parameter import DEFAULTS
from cellvow.core.ledger import evidence
from cellvow.core.ledger.genesis import ROLES
from cellvow.core.protocol.ruleset import RULESETS

NETWORK_WORDS: dict[str, tuple[str, ...]] = {
    "adds": tuple(str(version) for version in sorted(RULESETS)),
    "evidence": evidence.KINDS,
    "parameter": tuple(DEFAULTS),
    "proposal": ("open", "adopted", "effective", "refused", "lapsed", "withdrawn"),
    "recovery": ("open", "pending", "vetoed", "completed", "lapsed"),
    "role": ROLES,
}
"""Kind -> its words, as `VOCABULARIES` has them; `adds` says what each ruleset brings."""
