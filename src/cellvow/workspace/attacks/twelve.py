"""The twelve attacks, told one after the other, and who noticed each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.primitives.errors import OperationalError
from cellvow.workspace.attacks import by_member, by_operator
from cellvow.workspace.attacks.attack import Attack, Look, Report
from cellvow.workspace.attacks.scene import Scene
from cellvow.workspace.attacks.watchers import OUTSIDE, watch


@dataclass(frozen=True, slots=True)
class Noticed:
    """An attack and everybody's look at it."""

    attack: Attack
    looks: tuple[Look, ...]

    @property
    def by(self) -> dict[str, str]:
        """The words of each party that noticed it."""
        return {look.party: look.words for look in self.looks if look.words is not None}

    @property
    def blind(self) -> tuple[str, ...]:
        """The parties that looked and saw nothing."""
        return tuple(look.party for look in self.looks if look.words is None)

    @property
    def took_ms(self) -> int | None:
        """How long the quickest look took that saw it; None where none did."""
        return min((look.took_ms for look in self.looks if look.words is not None), default=None)


def run_attacks(
    demo: Path,
    scratch: Path,
    report: Report,
    parties: Sequence[str] = OUTSIDE,
    attacks: Sequence[Attack] | None = None,
) -> list[Noticed]:
    """Carry out each attack on a copy of a demonstration, made in `scratch`, and let these parties look.

    The demonstration itself is not touched. Without `attacks` all twelve are carried out. Raises `OperationalError`
    where `demo` holds no demonstration.
    """
    if not (demo / "ledger").is_dir() or not (demo / "witnesses").is_dir():
        raise OperationalError(f"{demo} holds no demonstration to attack: `cellvow demo --folder {demo}` makes one")
    noticed = []
    for number, attack in enumerate(ATTACKS if attacks is None else attacks, start=1):
        report(f"{number:<2} {attack.who} {attack.does}.")
        report(f"     If nobody looks: {attack.gains}.")
        scene = Scene(demo, scratch / attack.name)
        deed = attack.carry_out(scene, report)
        looks = watch(scene, deed.bundle, parties)
        noticed.append(Noticed(attack, (*looks, *([] if deed.refused is None else [deed.refused]))))
        _tell(noticed[-1], report)
    return noticed


def _tell(noticed: Noticed, report: Report) -> None:
    for party, words in noticed.by.items():
        report(f"     noticed by {party}: {words}")
    if not noticed.by:
        report("     NOBODY NOTICED")
    if noticed.blind:
        report(f"     not by: {', '.join(noticed.blind)}")


_OPERATOR = "The operator"

ATTACKS: tuple[Attack, ...] = (
    Attack(
        "alter_record",
        ("T01",),
        _OPERATOR,
        "edits the database behind the node's back",
        "every page of his node names another owner",
        by_operator.alter_record,
    ),
    Attack(
        "rewrite_history",
        ("3",),
        _OPERATOR,
        "rewrites history without the first hand-over, and signs it",
        "the pack maker still owns a battery that he has sold",
        by_operator.rewrite_history,
    ),
    Attack(
        "split_view",
        ("3",),
        _OPERATOR,
        "shows two purchasers two presents, each under a checkpoint with his signature",
        "one battery is promised twice",
        by_operator.split_view,
    ),
    Attack(
        "roll_back",
        ("3", "9"),
        _OPERATOR,
        "goes back to yesterday's database after he has acknowledged a statement",
        "what was acknowledged never happened",
        by_operator.roll_back,
    ),
    Attack(
        "invent_laboratory",
        ("1", "2"),
        _OPERATOR,
        "invents a laboratory's key, and has its certificate witnessed",
        "a worn battery has a certificate",
        by_operator.invent_laboratory,
    ),
    Attack(
        "forge_state",
        ("2", "13"),
        _OPERATOR,
        "lets a block write an owner whom no statement named, and computes every root over that",
        "the proofs themselves say that the authority owns the battery",
        by_operator.forge_state,
    ),
    Attack(
        "replay_statement",
        ("8", "9"),
        "A listener",
        "sends captured statements again, one of them signed for another ledger",
        "the buyer gives away what he only rehearsed",
        by_member.replay_statement,
    ),
    Attack(
        "steal_key",
        ("1",),
        "A thief",
        "certifies with the laboratory's stolen key, before and after it is revoked",
        "his certificates are the laboratory's",
        by_member.steal_key,
    ),
    Attack(
        "swap_message",
        ("11",),
        "A seller",
        "swaps a message of a signed batch in the bundle he shows, and repeats its last leaf",
        "an old battery is eleven years younger",
        by_member.swap_message,
    ),
    Attack(
        "weaken_signature",
        ("12",),
        "A member",
        "registers a key of small order, and spells a signature in a second way",
        "anybody can sign for him, and what the buyer signed cannot be found",
        by_member.weaken_signature,
    ),
    Attack(
        "claim_serial",
        ("7",),
        "A member",
        "claims the maker's new model and serial number in the same block",
        "whoever comes first has the number",
        by_member.claim_serial,
    ),
    Attack(
        "propose_bent_block",
        ("2",),
        "A validator",
        "proposes a forged statement, a repeated one, and a block that is dated back",
        "a deadline that has passed can be met again",
        by_member.propose_bent_block,
    ),
)
"""Each with the rows of the threat model that it stands for; T01 is the capability that nothing recorded is altered."""
