"""Two clicks to a signature: nothing before the second, nothing but what was shown, and never twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.register import REGISTERS
from cellvow.core.ledger.outcome import KeptForSecond
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.limits import EVIDENCE_MAX
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.engine import Backpressure
from cellvow.workspace import commands, desk_acts, parts
from cellvow.workspace.countersigning import set_rule
from cellvow.workspace.desk_acts import Acts, ActSeen
from cellvow.workspace.drafts import (
    CLAIMED,
    DOCUMENT_BYTES_MAX,
    DONE,
    DRAFT_BYTES_MAX,
    DRAFT_MS,
    DRAFTS_MAX,
    HELD,
    OPEN,
    REJECTED,
    UNKNOWN,
    Attached,
    Composed,
    Drafts,
)
from cellvow.workspace.orders import TEXT_LENGTH_MAX
from tests.unit.desk_world import BATTERY, GTIN, DeskWorld

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cellvow.workspace.desk import Desk

pytestmark = pytest.mark.slow

OWNER, STRANGER = "session-1", "session-2"
NOTE = Attached("note.pdf", b"%PDF a delivery note")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    """Three members and a battery, under the newest rules."""
    founded = DeskWorld.found(tmp_path / "world", NEWEST)
    yield founded
    founded.close()


def opening(**changed: str) -> dict[str, str]:
    """The form of a dispute of the maker with the buyer."""
    return {"battery": BATTERY, "topic": "safety", "respondent": "buyer", "text": "It is hot.", **changed}


def leaves(desk: Desk) -> int:
    """How large the ledger's log is."""
    store = desk.workspace.home().open_reader()
    try:
        return store.head().log.size
    finally:
        store.close()


def look(acts: Acts, number: str, owner: str = OWNER) -> ActSeen:
    """A draft that must be there."""
    seen = acts.look(owner, number)
    assert seen is not None
    return seen


def act(desk: Desk, word: str, fields: Mapping[str, str], *documents: Attached) -> ActSeen:
    """Both clicks; what became of it."""
    number = desk.acts.prepare(OWNER, word, fields, documents)
    seen = look(desk.acts, number)
    assert desk.acts.confirm(OWNER, number, seen.seen), seen.rehearsal
    return look(desk.acts, number)


def test_nothing_is_signed_or_kept_before_the_second_click(world: DeskWorld) -> None:
    """No statement, no sequence, no record in the vault; with the second click one of each."""
    maker = world.desk("maker")
    kid = maker.workspace.key().kid
    size, sealed = leaves(maker), count_sealed(maker)
    number = maker.acts.prepare(OWNER, "dispute_open", opening(), [NOTE])
    seen = look(maker.acts, number)
    sequence = maker.workspace.sequences.allocate(kid)
    maker.workspace.sequences.resolve(kid, sequence)
    assert (size, sealed) == (leaves(maker), count_sealed(maker))

    assert maker.acts.confirm(OWNER, number, seen.seen)
    done = look(maker.acts, number)
    assert (DONE, "maker/D-1") == (done.draft.state, done.draft.composed.name)
    assert size < leaves(maker)
    assert sealed + 2 == count_sealed(maker)


def count_sealed(desk: Desk) -> int:
    """How many records the vault has."""
    with desk.workspace.vault._database.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM record").fetchone()[0])  # type: ignore[index]  # one row


def test_a_second_click_twice_signs_once(world: DeskWorld) -> None:
    """The same draft again is what became of it, with the same statement."""
    maker = world.desk("maker")
    done = act(maker, "dispute_open", opening())
    size = leaves(maker)

    assert maker.acts.confirm(OWNER, done.draft.number, "")
    assert done.draft.statement == look(maker.acts, done.draft.number).draft.statement
    assert size == leaves(maker)


@pytest.mark.parametrize("seen", ["", "0" * 64, "x"])
def test_threat_the_second_click_brings_back_something_else(world: DeskWorld, seen: str) -> None:
    """A forged confirmation signs nothing, and the draft stays."""
    maker = world.desk("maker")
    number = maker.acts.prepare(OWNER, "dispute_open", opening())
    size = leaves(maker)

    assert not maker.acts.confirm(OWNER, number, seen)
    assert (OPEN, size) == (look(maker.acts, number).draft.state, leaves(maker))


def test_threat_another_session_signs_a_draft(world: DeskWorld) -> None:
    """It neither sees it, nor adds to it, nor drops it, nor signs it."""
    maker = world.desk("maker")
    number = maker.acts.prepare(OWNER, "dispute_open", opening())
    seen = look(maker.acts, number).seen
    maker.acts.forget(STRANGER, number)

    assert maker.acts.look(STRANGER, number) is None
    assert not maker.acts.attach(STRANGER, number, NOTE)
    assert not maker.acts.confirm(STRANGER, number, seen)
    assert OPEN == look(maker.acts, number).draft.state


def test_what_has_changed_since_is_shown_anew_and_not_signed(world: DeskWorld) -> None:
    """A settlement that was replaced, a register that moved, a document that came: each is another dry run."""
    world.hand_over("custody")
    maker, buyer = world.desk("maker"), world.desk("buyer")
    act(maker, "dispute_open", opening(topic="custody"))
    propose = {"dispute": "maker/D-1", "move_custody": "maker"}
    act(buyer, "dispute_propose", propose)
    accepting = maker.acts.prepare(OWNER, "dispute_accept", {"dispute": "maker/D-1", "version": "2"})
    shown = look(maker.acts, accepting)
    act(buyer, "dispute_propose", {"dispute": "maker/D-1"})

    assert not maker.acts.confirm(OWNER, accepting, shown.seen)
    stale = look(maker.acts, accepting)
    assert stale.rehearsal is not None
    assert stale.rehearsal.rejection is not None
    assert Reason.STALE_VERSION is stale.rehearsal.rejection.reason
    stating = maker.acts.prepare(OWNER, "dispute_state", {"dispute": "maker/D-1", "text": "Look."})
    before = look(maker.acts, stating).seen
    assert maker.acts.attach(OWNER, stating, NOTE)
    assert not maker.acts.confirm(OWNER, stating, before)


def test_another_key_than_the_one_shown_signs_nothing(world: DeskWorld) -> None:
    """The page names the key: once the workspace works with another, it is another dry run."""
    maker = world.desk("maker")
    maker.workspace.keystore.new_key("operational", "second")
    with maker.write() as session:
        commands.enrol(session, maker.workspace, "second")
    number = maker.acts.prepare(OWNER, "dispute_open", opening())
    shown = look(maker.acts, number).seen
    maker.workspace.work_with("second")

    assert not maker.acts.confirm(OWNER, number, shown)
    assert maker.acts.confirm(OWNER, number, look(maker.acts, number).seen)


def test_what_would_be_refused_is_never_signed(world: DeskWorld) -> None:
    """The dry run tells code and rule; its confirmation, brought back word for word, leaves the ledger as it was."""
    maker, lab = world.desk("maker"), world.desk("lab")
    act(maker, "dispute_open", opening())
    number = lab.acts.prepare(OWNER, "dispute_withdraw", {"dispute": "maker/D-1"})
    seen, size = look(lab.acts, number), leaves(lab)

    assert seen.rehearsal is not None
    assert seen.rehearsal.rejection is not None
    assert Reason.NOT_A_PARTY is seen.rehearsal.rejection.reason
    assert not lab.acts.confirm(OWNER, number, seen.seen)
    assert size == leaves(lab)


def test_what_waits_for_a_colleague_says_so_before_and_after(world: DeskWorld) -> None:
    """The dry run knows the rule on second signatures; the same key is then told that it is not its turn."""
    maker = world.desk("maker")
    with maker.write() as session:
        set_rule(session, maker.workspace, ["OpenDispute"])
    number = maker.acts.prepare(OWNER, "dispute_open", opening())
    shown = look(maker.acts, number)
    assert shown.rehearsal is not None
    assert shown.rehearsal.is_held
    assert maker.acts.confirm(OWNER, number, shown.seen)
    held = look(maker.acts, number).draft
    (waiting,) = maker.seconds.list()

    assert (HELD, waiting.statement) == (held.state, held.statement)
    assert waiting.is_own
    second = look(maker.acts, maker.acts.prepare(OWNER, "second_give", {"statement": held.statement}))
    assert second.rehearsal is not None
    assert second.rehearsal.rejection is not None
    assert Reason.SAME_SIGNER is second.rehearsal.rejection.reason
    assert "It is hot." in str(waiting.opened)


def test_a_colleague_signs_what_waits_and_it_is_done(world: DeskWorld) -> None:
    """With another key of the organisation the register moves, as the dry run said."""
    maker = world.desk("maker")
    with maker.write() as session:
        set_rule(session, maker.workspace, ["OfferHandover"])
    offer = {"battery": BATTERY, "addressee": "buyer", "registers": "custody"}
    held = act(maker, "handover_offer", offer).draft
    maker.workspace.keystore.new_key("operational", "second")
    with maker.write() as session:
        commands.enrol(session, maker.workspace, "second")
    maker.workspace.work_with("second")
    (waiting,) = maker.seconds.list()
    done = act(maker, "second_give", {"statement": held.statement, "index": "0"}).draft

    assert waiting.refusal is None
    assert DONE == done.state
    assert () == maker.seconds.list()
    assert [BATTERY] == [one.battery for one in world.desk("buyer").handovers.standing().received]


def test_what_waits_is_withdrawn_by_the_key_that_signed_first(world: DeskWorld) -> None:
    """Then it does nothing, and nothing waits."""
    maker = world.desk("maker")
    with maker.write() as session:
        set_rule(session, maker.workspace, ["OpenDispute"])
    held = act(maker, "dispute_open", opening()).draft

    assert DONE == act(maker, "second_withdraw", {"statement": held.statement}).draft.state
    assert () == maker.seconds.list()
    with pytest.raises(Malformed, match="waits any more"):
        maker.acts.prepare(OWNER, "second_give", {"statement": held.statement})


def test_a_claim_against_the_registers_is_told_before_it_is_made(world: DeskWorld) -> None:
    """An offer of what another holds by the record: the dry run says that it becomes a dispute, and so it does."""
    world.hand_over("custody")
    maker = world.desk("maker")
    with maker.write() as session:
        set_rule(session, maker.workspace, ["OfferHandover"])
    with maker.write() as session, pytest.raises(KeptForSecond) as held:
        commands.offer_handover(session, maker.workspace, BATTERY, "lab", ["custody"], claim=True)
    maker.workspace.keystore.new_key("operational", "second")
    with maker.write() as session:
        commands.enrol(session, maker.workspace, "second")
    maker.workspace.work_with("second")
    number = maker.acts.prepare(OWNER, "second_give", {"statement": held.value.statement})
    shown = look(maker.acts, number)
    assert shown.rehearsal is not None
    assert shown.rehearsal.is_contested, shown.rehearsal
    assert maker.acts.confirm(OWNER, number, shown.seen)

    kept = look(maker.acts, number).draft
    assert (CLAIMED, "dispute", "maker/CLAIM-1") == (kept.state, kept.composed.place, kept.composed.name)


@pytest.mark.parametrize(
    ("error", "state"),
    [(OperationalError("the disk is gone"), UNKNOWN), (TimeoutError(), UNKNOWN), (Rejected(Reason.EXPIRED), REJECTED)],
    ids=["lost", "silent", "refused after all"],
)
def test_an_answer_that_does_not_come_is_said_and_nothing_is_signed_anew(
    world: DeskWorld, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str
) -> None:
    """Whoever presses again does not state the same twice."""

    def failing(*_: object) -> None:
        raise error

    maker = world.desk("maker")
    number = maker.acts.prepare(OWNER, "dispute_open", opening())
    seen, size = look(maker.acts, number).seen, leaves(maker)
    with monkeypatch.context() as patch:
        patch.setattr(desk_acts, "submit_message", failing)
        assert maker.acts.confirm(OWNER, number, seen)
    assert maker.acts.confirm(OWNER, number, seen)

    assert (state, size) == (look(maker.acts, number).draft.state, leaves(maker))


def test_a_full_queue_leaves_the_draft_to_be_signed_later(world: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was taken: the same click does it then."""

    def full(*_: object) -> None:
        raise Backpressure("the queue is full")

    maker = world.desk("maker")
    number = maker.acts.prepare(OWNER, "dispute_open", opening())
    seen = look(maker.acts, number).seen
    with monkeypatch.context() as patch:
        patch.setattr(desk_acts, "submit_message", full)
        with pytest.raises(Backpressure):
            maker.acts.confirm(OWNER, number, seen)

    assert maker.acts.confirm(OWNER, number, seen)
    assert DONE == look(maker.acts, number).draft.state


FAULTS: list[tuple[str, dict[str, str], str]] = [
    ("none", {}, "act"),
    ("dispute_open", opening(topic="weather"), "topic"),
    ("dispute_open", opening(respondent=""), "respondent"),
    ("dispute_open", opening(respondent="No Such!"), "organisation"),
    ("dispute_open", opening(battery="01/1/21/X"), "battery"),
    ("dispute_open", opening(text=" \r\n "), "text"),
    ("dispute_open", opening(text="x" * (TEXT_LENGTH_MAX + 1)), "text"),
    ("dispute_state", {"dispute": "maker/D-9", "text": "x"}, "dispute"),
    ("dispute_state", {"dispute": "../D-9", "text": "x"}, "organisation"),
    ("dispute_accept", {"dispute": "maker/D-9", "version": "1"}, "dispute"),
    ("takeover_notice", {"battery": BATTERY, "cause": "insolvent"}, "version"),
    ("takeover_notice", {"battery": BATTERY, "version": "1", "cause": "spite"}, "cause"),
    ("takeover_object", {"battery": BATTERY, "version": "-1"}, "version"),
    ("second_give", {"statement": "ab"}, "statement"),
    ("second_give", {"statement": "ab" * 32, "index": "x"}, "statement"),
    ("handover_offer", {"battery": BATTERY, "addressee": "buyer", "registers": ""}, "registers"),
    ("handover_offer", {"battery": BATTERY, "addressee": "buyer", "registers": "soul"}, "registers"),
]


@pytest.mark.parametrize(("word", "fields", "named"), FAULTS)
def test_a_form_that_cannot_be_meant_is_told_by_its_field(
    world: DeskWorld, word: str, fields: dict[str, str], named: str
) -> None:
    """No draft is made of it."""
    with pytest.raises(Malformed, match=named):
        world.desk("maker").acts.prepare(OWNER, word, fields)


def test_a_text_at_its_bound_is_taken(world: DeskWorld) -> None:
    """And one of two bytes a character goes into the vault whole."""
    done = act(world.desk("maker"), "dispute_open", opening(text="ü" * TEXT_LENGTH_MAX), NOTE)

    assert DONE == done.draft.state


def composed() -> Composed:
    """Something that documents go with."""
    return Composed(act="dispute_state", messages=(), place="dispute", takes_documents=True)


def test_drafts_are_bounded_in_number_size_and_time() -> None:
    """The oldest make room; a draft is forgotten after an hour, not before."""
    now_ms = 0
    drafts = Drafts(lambda: now_ms)
    kept = [drafts.add(OWNER, composed()) for _ in range(DRAFTS_MAX + 1)]
    assert drafts.find(OWNER, kept[0].number) is None
    assert drafts.find(OWNER, kept[1].number) is not None
    now_ms = DRAFT_MS
    assert drafts.find(OWNER, kept[1].number) is not None
    now_ms = DRAFT_MS + 1
    assert drafts.find(OWNER, kept[1].number) is None

    large = Attached("large", bytes(DOCUMENT_BYTES_MAX))
    most = DRAFT_BYTES_MAX // DOCUMENT_BYTES_MAX
    full = [drafts.add(OWNER, composed(), (large,)) for _ in range(most)]
    assert drafts.find(OWNER, full[0].number) is not None
    drafts.add(OWNER, composed(), (NOTE,))
    assert drafts.find(OWNER, full[0].number) is None


def test_documents_are_bounded_in_number_and_size() -> None:
    """At the bound they are taken, one past it they are not; an empty one is none."""
    drafts = Drafts(lambda: 0)
    drafts.add(OWNER, composed(), (Attached("most", bytes(DOCUMENT_BYTES_MAX)),))
    for refused in (
        (NOTE,) * (EVIDENCE_MAX + 1),
        (Attached("x", bytes(DOCUMENT_BYTES_MAX + 1)),),
        (Attached("x", b""),),
    ):
        with pytest.raises(Malformed):
            drafts.add(OWNER, composed(), refused)
    full = drafts.add(OWNER, composed(), (NOTE,) * EVIDENCE_MAX)
    with pytest.raises(Malformed):
        drafts.attach(full, NOTE)
    with pytest.raises(Malformed, match="no document"):
        drafts.add(OWNER, Composed(act="dispute_withdraw", messages=(), place="dispute"), (NOTE,))


def test_a_part_is_shown_with_who_stands_for_what_it_is_built_into(world: DeskWorld) -> None:
    """Its own registers rest, with who built it in: not he, but who bought the whole, holds and answers for it."""
    maker, part = world.desk("maker"), f"{BATTERY[:-1]}2"
    with maker.write() as session:
        commands.register_battery(session, maker.workspace, part, "2026-05-17", "Plant 1")
        parts.describe_model(session, maker.workspace, GTIN, "pack", 96)
        parts.install_part(session, maker.workspace, BATTERY, part)
    world.hand_over(*REGISTERS)
    seen = maker.disputes.unit(part)

    assert seen is not None
    assert ["buyer"] * len(REGISTERS) == [one.organisation for one in seen.registers]
    assert ("dispute_open",) == seen.may
