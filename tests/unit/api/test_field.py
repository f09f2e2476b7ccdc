"""Where a workshop's phone sends its rows: once, opened, of its own organisation, or not at all."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from cellvow.core.contracts.battery import RegisterBattery
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.node.home import NodeHome
from cellvow.workspace.field import LAST_STEPS, UPLOAD_BYTES_MAX
from cellvow.workspace.intake import Intake
from cellvow.workspace.workspace import Workspace
from tests.unit.api.field_site import REFUSALS, FieldSite, Phone, encode_row, installation, paper, work
from tests.unit.cli.service_world import BATTERY, DAY_MS, count_statements, make_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.cli.deciding_world import Deciding

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """The maker holds the battery."""
    return make_service(tmp_path, monkeypatch)


@pytest.fixture
def site(world: Deciding) -> Iterator[FieldSite]:
    """The maker's site."""
    with FieldSite(world) as opened:
        yield opened


@pytest.fixture
def phone(site: FieldSite) -> Phone:
    """A phone that the maker has admitted."""
    admitted = Phone()
    site.admit(admitted)
    return admitted


def test_a_row_is_recorded_and_what_it_opens_lies_in_the_vault(site: FieldSite, phone: Phone) -> None:
    """Opened to the letter, and by nobody who lacks the vault."""
    message, opening = work("W-1")
    told = site.send(encode_row(phone.sign(message), opening))

    assert (told["fate"], told["was_known"], told["code"]) == ("recorded", False, None)
    assert site.opened(message.report) == opening[1]


def test_a_row_that_is_sent_again_changes_nothing_and_gets_the_same_answer(
    site: FieldSite, phone: Phone, world: Deciding
) -> None:
    """As often as it comes, a day later too: known, at the same place."""
    message, opening = work("W-1")
    row = encode_row(phone.sign(message), opening)
    before = count_statements(world)
    first = site.send(row)
    world.now_ms += DAY_MS
    again = [site.send(row) for _ in range(3)]

    assert all(one == {**first, "was_known": True} for one in again)
    assert count_statements(world) == before + 1


def test_what_was_erased_does_not_come_back_with_a_replayed_row(site: FieldSite, phone: Phone) -> None:
    """Threat: an old upload puts an erased text back into the vault."""
    message, opening = work("W-1")
    row = encode_row(phone.sign(message), opening)
    site.send(row)
    place = site.workspace.vault.find_by_commitment(bytes.fromhex(message.report.commitment))
    assert place is not None
    site.workspace.vault.erase_record(place.record_id)

    assert site.send(row)["was_known"] is True
    assert site.opened(message.report) is None


def test_the_same_paper_is_kept_once(site: FieldSite, phone: Phone) -> None:
    """Two rows that commit to the very same: one record, so that erasing it leaves no copy."""
    message, opening = work("W-1")
    for reference in ("W-1", "W-2"):
        row = encode_row(phone.sign(msgspec.structs.replace(message, reference=reference)), opening)
        assert site.send(row)["fate"] == "recorded"
    place = site.workspace.vault.find_by_commitment(bytes.fromhex(message.report.commitment))
    assert place is not None
    site.workspace.vault.erase_record(place.record_id)

    assert site.opened(message.report) is None


def _other_text(phone: Phone) -> bytes:
    message, (salt, _) = work("W-1")
    return encode_row(phone.sign(message), (salt, work("W-1", "Another text")[1][1]))


def _other_salt(phone: Phone) -> bytes:
    message, (_, field) = work("W-1")
    return encode_row(phone.sign(message), (bytes(32), field))


def _short_salt(phone: Phone) -> bytes:
    message, (salt, field) = work("W-1")
    return encode_row(phone.sign(message), (salt[:31], field))


def _no_opening(phone: Phone) -> bytes:
    return encode_row(phone.sign(work("W-1")[0]))


def _one_too_many(phone: Phone) -> bytes:
    message, opening = work("W-1")
    return encode_row(phone.sign(message), opening, work("W-2", "More", 8)[1])


def _foreign_document(phone: Phone) -> bytes:
    report, opening = paper({"quantity": "capacity", "value": 1})
    return encode_row(phone.sign(msgspec.structs.replace(work("W-1")[0], report=report)), opening)


@pytest.mark.parametrize("row", [_other_text, _other_salt, _short_salt, _no_opening, _one_too_many, _foreign_document])
def test_an_opening_that_does_not_fit_is_refused_and_nothing_recorded(
    site: FieldSite, phone: Phone, world: Deciding, row: Callable[[Phone], bytes]
) -> None:
    """Neither on the ledger nor in the vault; the sequence is not used either, so the right row is still taken."""
    before = count_statements(world)
    answer = site.post(row(phone))
    message, opening = work("W-1")

    assert answer.status_code == 400
    assert "nothing was recorded" in answer.json()["detail"]
    assert count_statements(world) == before
    assert site.opened(message.report) is None
    assert site.send(encode_row(phone.sign(message, 1), opening))["fate"] == "recorded"


def test_a_row_of_another_organisation_is_refused(site: FieldSite, world: Deciding) -> None:
    """Threat: another member's phone fills this vault and has this site write for it."""
    stranger = Phone(seed=2, organisation="workshop")
    with FieldSite(world, "workshop") as theirs:
        theirs.admit(stranger)
    before = count_statements(world)
    message, opening = work("W-1")
    told = site.send(encode_row(stranger.sign(message), opening))
    for _ in range(REFUSALS - 1):
        site.send(encode_row(stranger.sign(message), opening))

    assert (told["fate"], told["digest"]) == ("elsewhere", None)
    assert site.post(b"").status_code == 429
    assert count_statements(world) == before
    assert site.opened(message.report) is None


def test_another_organisations_key_in_the_name_of_this_one_is_not_taken(site: FieldSite, world: Deciding) -> None:
    """Threat: the name is right, the key is not."""
    stranger = Phone(seed=2, organisation="workshop")
    with FieldSite(world, "workshop") as theirs:
        theirs.admit(stranger)
    stranger.organisation = "maker"
    message, opening = work("W-1")
    told = site.send(encode_row(stranger.sign(message), opening))

    assert (told["fate"], told["code"]) == ("not_included", int(Reason.FOREIGN_KEY))
    assert site.opened(message.report) is None


def test_a_phone_that_nobody_admitted_leaves_no_trace(site: FieldSite, world: Deciding) -> None:
    """Neither on the ledger nor in the vault, and its standing says so."""
    before, stranger = count_statements(world), Phone(seed=3)
    message, opening = work("W-1")
    told = site.send(encode_row(stranger.sign(message), opening))

    assert (told["fate"], told["code"]) == ("not_included", int(Reason.UNKNOWN_KEY))
    assert (count_statements(world), site.opened(message.report)) == (before, None)
    assert site.client.get(f"/field/standing/{stranger.code.kid}").json() == {"state": "unknown"}


def test_a_row_of_another_ledger_is_for_that_one(site: FieldSite, phone: Phone) -> None:
    """It is not refused for good: the phone keeps it and sends it where it belongs."""
    message, opening = work("W-1")

    assert site.send(encode_row(phone.sign(message, chain_id="other.example"), opening))["fate"] == "elsewhere"
    assert site.opened(message.report) is None


def test_a_changed_statement_is_not_taken(site: FieldSite, phone: Phone) -> None:
    """Threat: somebody on the way changes a day."""
    message, opening = work("W-1")
    changed = phone.sign(message).replace(b"2026-11-30", b"2026-11-29")
    told = site.send(encode_row(changed, opening))

    assert (told["fate"], told["code"]) == ("not_included", int(Reason.BAD_SIGNATURE))
    assert site.opened(message.report) is None


def test_a_lost_phone_signs_nothing_after_its_key_is_ended(site: FieldSite, phone: Phone, world: Deciding) -> None:
    """`cellvow key revoke` with its identifier; its standing says so."""
    standing = f"/field/standing/{phone.code.kid}"
    assert site.client.get(standing).json() == {"state": "in_force"}
    site.rest()
    world.do("key", "revoke", phone.code.kid, "--cause", "lost", who="maker")
    message, opening = work("W-1")
    told = site.send(encode_row(phone.sign(message), opening))

    assert (told["fate"], told["code"]) == ("not_included", int(Reason.KEY_NOT_IN_FORCE))
    assert site.client.get(standing).json() == {"state": "ended"}


def test_a_sequence_that_was_used_is_told_with_the_highest_one(site: FieldSite, phone: Phone) -> None:
    """A phone whose store was put back from a copy goes on above it; nothing of the second row is kept."""
    for reference in ("W-1", "W-2"):
        message, opening = work(reference)
        site.send(encode_row(phone.sign(message), opening))
    message, opening = work("W-3", "Another text", 9)
    told = site.send(encode_row(phone.sign(message, 1), opening))

    assert (told["fate"], told["code"], told["top"]) == ("not_included", int(Reason.SEQUENCE_USED), 2)
    assert site.opened(message.report) is None


def test_a_row_whose_twin_is_recorded_while_it_is_examined_is_told_as_recorded(
    site: FieldSite, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phone lost patience and sent it again at the same time: never "not taken" for what stands in the ledger."""
    message, opening = work("W-1")
    row = encode_row(phone.sign(message), opening)
    first = site.send(row)
    monkeypatch.setattr(Intake, "examine", lambda *_: None)

    assert site.send(row) == {**first, "was_known": True}


def test_a_technicians_phone_registers_no_battery(site: FieldSite, phone: Phone) -> None:
    """Its key signs for one kind of work: the ledger rejects the rest."""
    message = RegisterBattery(battery=BATTERY[:-1] + "9", manufactured_on="2026-05-17", facility="Plant 1")
    told = site.send(encode_row(phone.sign(message)))

    assert (told["fate"], told["code"]) == ("rejected", int(Reason.OUT_OF_SCOPE))


def test_a_conflict_is_told_with_who_did_what_since_the_row_was_made(
    site: FieldSite, phone: Phone, world: Deciding
) -> None:
    """The steps after the moment of signing, with name and time; those before are left out."""
    message, opening = installation()
    made_ms = world.now_ms + 500
    row = encode_row(phone.sign(message), opening, made_ms=made_ms)
    site.rest()
    world.do("service", "install", BATTERY, "--into", "vehicle", "--place", "Another", who="maker")
    told = site.send(row)

    assert (told["fate"], told["code"]) == ("rejected", int(Reason.ALREADY_INSTALLED))
    assert "by maker" in told["rule"]
    assert [(one["name"], one["message"]) for one in told["since"]] == [("Maker", "InstallBattery")]
    assert told["since"][0]["time_ms"] >= made_ms
    assert told["last"] == []


def test_where_nothing_happened_since_the_last_steps_are_told(site: FieldSite, phone: Phone, world: Deciding) -> None:
    """The mechanic overlooked what stood there already."""
    first, opening = installation()
    site.send(encode_row(phone.sign(first), opening))
    message, opening = installation("Another")
    told = site.send(encode_row(phone.sign(message), opening, made_ms=world.now_ms + DAY_MS))

    assert (told["fate"], told["since"]) == ("rejected", [])
    assert told["last"][-1]["message"] == "InstallBattery"
    assert len(told["last"]) <= LAST_STEPS


@pytest.mark.parametrize(
    "row",
    [b"", b"\xff", encode_cbor([b"", [], 0]), encode_cbor(["x", [], 0]), encode_cbor([b"x", [[b"", b""]] * 5, 0])],
)
def test_what_is_no_row_is_refused(site: FieldSite, row: bytes) -> None:
    """In a sentence, and counted against who sends it."""
    assert site.post(row).status_code == 400


def test_a_batch_is_no_row(site: FieldSite, world: Deciding) -> None:
    """Each row is signed by itself: its fate is its own."""
    workspace = Workspace(world.folder / "maker")
    signed = workspace.sign_batch(workspace.chain_id, [work("W-1")[0]], bytes(32), world.now_ms)
    workspace.close()

    assert "by itself" in site.post(encode_row(signed.data)).json()["detail"]


def test_a_row_has_a_bound_and_one_form(site: FieldSite) -> None:
    """One byte more is not read; another media type neither."""
    assert site.post(bytes(UPLOAD_BYTES_MAX)).status_code == 400
    assert site.post(bytes(UPLOAD_BYTES_MAX + 1)).status_code == 413
    assert site.post(b"\x80", "application/json").status_code == 415


def test_whoever_sends_what_nobody_signed_is_slowed_down_and_a_phone_with_a_long_queue_is_not(
    site: FieldSite, phone: Phone
) -> None:
    """Rows in order count against nobody, as many as there are."""
    for number in range(REFUSALS + 3):
        message, opening = work(f"W-{number}", salt=number)
        assert site.send(encode_row(phone.sign(message), opening))["fate"] == "recorded"
    refused = [site.post(b"").status_code for _ in range(REFUSALS + 1)]

    assert refused == [400] * REFUSALS + [429]


def test_a_locked_ledger_keeps_the_row_on_the_phone(site: FieldSite, phone: Phone, world: Deciding) -> None:
    """Somebody else writes: the phone is told to come again, and then the row is recorded once."""
    message, opening = work("W-1")
    row = encode_row(phone.sign(message), opening)
    site.rest()
    with NodeHome(world.folder / "node").open_session(lambda: world.now_ms):
        assert site.post(row).status_code == 503

    assert site.send(row)["fate"] == "recorded"


def test_the_worker_names_what_is_there_and_changes_with_it(site: FieldSite) -> None:
    """Every file it keeps is served; its scope is the page alone, and the page may start no other worker."""
    worker = site.client.get("/field/worker.js")
    files = json.loads(re.search(r"const FILES = (.*);", worker.text)[1])  # type: ignore[index]  # it is there

    assert [site.client.get(address).status_code for address in files] == [200] * len(files)
    assert worker.headers["service-worker-allowed"] == "/field"
    assert re.match(r'const CACHE = "cellvow-field-[0-9a-f]{16}";', worker.text)
    page, other = site.client.get("/field"), site.client.get("/field/words")
    assert "trusted-types cellvow-field" in page.headers["content-security-policy"]
    assert "trusted-types 'none'" in other.headers["content-security-policy"]


def test_every_script_that_the_page_loads_is_kept(site: FieldSite) -> None:
    """A module that the worker forgets would be missing without network."""
    worker = site.client.get("/field/worker.js").text
    waiting, seen = ["/static/field/page.js"], []
    while waiting:
        name = waiting.pop()
        seen.append(name)
        text = site.client.get(name).text
        for found in re.findall(r'from "\.(\.?)/([^"]+)"', text):
            folder = "/static/" if found[0] else name.rpartition("/")[0] + "/"
            waiting += [one for one in [folder + found[1]] if one not in seen and one not in waiting]

    assert all(f'"{name}"' in worker for name in seen)
    assert len(seen) >= 9


@pytest.mark.parametrize(("language", "title"), [("en", "Workshop phone"), ("de", "Werkstatt-Telefon")])
def test_the_page_says_without_scripts_what_else_to_do(site: FieldSite, language: str, title: str) -> None:
    """In the reader's language."""
    page = site.client.get(f"/field?lang={language}").text

    assert title in page
    assert "cellvow service --offline" in page


@pytest.mark.parametrize("kid", ["00", "g" * 32, "0" * 33])
def test_what_is_no_key_has_no_standing(site: FieldSite, kid: str) -> None:
    """As an address that names nothing."""
    assert site.client.get(f"/field/standing/{kid}").status_code == 404
