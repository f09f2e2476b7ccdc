"""What tests of disputes, claims and take-overs share: messages with sound values, and a settled world."""

from __future__ import annotations

from collections.abc import Sequence

from cellvow.core.contracts.contract import Committed, Message
from cellvow.core.contracts.dispute import (
    AcceptSettlement,
    DecideDispute,
    NominateArbiter,
    OpenDispute,
    ProposeSettlement,
    StatePosition,
    WithdrawDispute,
)
from cellvow.core.contracts.dispute_file import DisputeRecord, Move, Topic, dispute_key
from cellvow.core.contracts.register import REGISTERS, RegisterName, RegisterRecord, register_key
from cellvow.core.contracts.takeover import CompleteTakeover, GiveNotice, ObjectToTakeover, WithdrawNotice
from cellvow.core.ledger.outcome import Outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.world import BUYER, MAKER, World, make_genesis

D_1 = "D-1"
TEXT = Committed(commitment="7e" * 32)
DOCUMENT = Committed(commitment="d0" * 32)


def settled() -> World:
    """The newest rules and two batteries, held, owned and answered for by their maker."""
    world = World(make_genesis(ruleset=NEWEST))
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()))
    world.accept(maker.sign(messages.battery()), maker.sign(messages.battery(messages.OTHER_BATTERY)))
    return world


def submit(world: World, organisation: str, message: Message, *, time_ms: int | None = None) -> Reason | None:
    """The reason why the message was rejected, or None."""
    return outcome(world, organisation, message, time_ms=time_ms).reason


def outcome(world: World, organisation: str, message: Message, *, time_ms: int | None = None) -> Outcome:
    """What became of a message in a block of its own."""
    return world.submit(world[organisation].key.sign(message), time_ms=time_ms)


def hand_over(world: World, giver: str, taker: str, registers: tuple[RegisterName, ...] = REGISTERS) -> None:  # type: ignore[assignment]  # the three names
    """Offer and accept registers of the battery, by the versions that stand."""
    versions = tuple(register(world, name).version for name in registers)
    offered = outcome(world, giver, messages.offer(taker, registers, versions))
    assert offered.is_accepted, offered
    assert submit(world, taker, messages.accept(int(str(offered.events[0]["version"])))) is None


def register(world: World, name: str, battery: str = messages.BATTERY) -> RegisterRecord:
    """One register of a battery."""
    return world.record(RegisterRecord, register_key(name, battery))


def holders(world: World, battery: str = messages.BATTERY) -> dict[str, str]:
    """Register -> organisation."""
    return {name: register(world, name, battery).organisation for name in REGISTERS}


def dispute(world: World, opener: str, reference: str = D_1) -> DisputeRecord:
    """A dispute that must be there."""
    return world.record(DisputeRecord, dispute_key(opener, reference))


def opening(
    respondent: str | None = MAKER,
    topic: Topic = "custody",
    reference: str = D_1,
    *,
    arbiter: str | None = None,
    battery: str = messages.BATTERY,
) -> OpenDispute:
    """A dispute with a first position and one document."""
    return OpenDispute(
        battery=battery,
        reference=reference,
        topic=topic,
        respondent=respondent,
        text=TEXT,
        evidence=(DOCUMENT,),
        arbiter=arbiter,
    )


def position(
    opener: str = BUYER, reference: str = D_1, *, battery: str = messages.BATTERY, documents: int = 1
) -> StatePosition:
    """A further position."""
    evidence = (DOCUMENT,) * documents
    return StatePosition(battery=battery, opener=opener, reference=reference, text=TEXT, evidence=evidence)


def nomination(arbiter: str, opener: str = BUYER, reference: str = D_1) -> NominateArbiter:
    """Whom a side wants to decide."""
    return NominateArbiter(battery=messages.BATTERY, opener=opener, reference=reference, arbiter=arbiter)


def withdrawal(opener: str = BUYER, reference: str = D_1) -> WithdrawDispute:
    """The end of one's own dispute."""
    return WithdrawDispute(battery=messages.BATTERY, opener=opener, reference=reference)


def moves(*pairs: tuple[RegisterName, str]) -> tuple[Move, ...]:
    """Registers and whom they shall name."""
    return tuple(Move(register=name, organisation=organisation) for name, organisation in pairs)


def settlement(moves: Sequence[Move] = (), opener: str = BUYER, reference: str = D_1) -> ProposeSettlement:
    """What one side proposes."""
    return ProposeSettlement(battery=messages.BATTERY, opener=opener, reference=reference, moves=tuple(moves))


def consent(version: int, opener: str = BUYER, reference: str = D_1) -> AcceptSettlement:
    """The other side accepts."""
    return AcceptSettlement(battery=messages.BATTERY, opener=opener, reference=reference, version=version)


def decision(
    outcome: str = "upheld",
    moves: Sequence[Move] = (),
    opener: str = BUYER,
    reference: str = D_1,
    *,
    positions: int = 1,
    voids_tests: bool = False,
) -> DecideDispute:
    """What an arbiter decides."""
    return DecideDispute(
        battery=messages.BATTERY,
        opener=opener,
        reference=reference,
        positions=positions,
        outcome=outcome,  # type: ignore[arg-type]  # words of tests
        grounds=TEXT,
        moves=tuple(moves),
        voids_tests=voids_tests,
    )


def notice(version: int = 1, *, battery: str = messages.BATTERY) -> GiveNotice:
    """Notice that the signer takes over an abandoned unit."""
    return GiveNotice(battery=battery, version=version, cause="abandoned", evidence=(DOCUMENT,))


def objection(version: int = 1, *, battery: str = messages.BATTERY) -> ObjectToTakeover:
    """Who is registered is there."""
    return ObjectToTakeover(battery=battery, version=version)


def completion(version: int = 1, *, battery: str = messages.BATTERY) -> CompleteTakeover:
    """The notice has ended."""
    return CompleteTakeover(battery=battery, version=version)


def second_thoughts(version: int = 1, *, battery: str = messages.BATTERY) -> WithdrawNotice:
    """The claimant takes his notice back."""
    return WithdrawNotice(battery=battery, version=version)
