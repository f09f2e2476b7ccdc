"""`cellvow key phone`: the organisation admits a phone by its line and fingerprint, and never sees its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.node.home import NodeHome
from cellvow.workspace.scopes import WORK
from tests.unit.api.field_site import Phone
from tests.unit.cli.service_world import CHAIN_ID, count_statements, make_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.deciding_world import Deciding

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """A maker and a workshop."""
    return make_service(tmp_path, monkeypatch)


def line_of(phone: Phone) -> str:
    """What the phone shows."""
    code = phone.code
    return f"cellvow-phone-1:{code.chain_id}:{code.organisation}:{code.public_key}:{code.possession}"


def test_a_phone_is_admitted_for_a_technicians_work(world: Deciding) -> None:
    """In force from the next block on, for that work alone; how to end it is told at once."""
    phone = Phone(organisation="workshop")
    words = ("key", "phone", line_of(phone), "--fingerprint", phone.code.fingerprint.lower().replace("-", " "))
    told = world.read(*words, "--valid-until", "2029-12-31", who="workshop")
    store = NodeHome(world.folder / "node").open_reader()
    value = store.get(key_record_key(bytes.fromhex(phone.code.kid)))
    store.close()
    assert value is not None
    record = parse_key_record(value)

    assert (record.kind, record.scope) == ("operational", WORK["technician"])
    assert record.valid_until_ms is not None
    assert phone.code.fingerprint in told
    assert f"cellvow key revoke {phone.code.kid} --cause lost" in told


def test_a_line_may_be_broken_where_a_message_broke_it(world: Deciding) -> None:
    """Mail wraps long lines: the space in between is no part of it."""
    phone = Phone(organisation="workshop")
    line = line_of(phone)
    broken = f"{line[:60]}\n  {line[60:]}\n"

    assert world.do("key", "phone", broken, "--fingerprint", phone.code.fingerprint, who="workshop")["kid"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("cellvow-phone-1:x", "not the line of a phone"),
        (line_of(Phone(organisation="workshop")).replace(":workshop:", ":maker:"), "changed on its way"),
        (line_of(Phone(organisation="workshop"))[:-1] + "g", "not the line of a phone"),
        (line_of(Phone(organisation="maker")), "asks maker"),
        (line_of(Phone(seed=2, organisation="workshop")), "came from another phone"),
    ],
)
def test_a_line_of_something_else_admits_nothing(world: Deciding, line: str, why: str) -> None:
    """Threat: another phone's line in the place of the right one; its fingerprint is not what the phone shows."""
    before = count_statements(world)
    fingerprint = Phone(organisation="workshop").code.fingerprint
    result = world.run("key", "phone", line, "--fingerprint", fingerprint, who="workshop")

    assert result.exit_code != 0
    assert why in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert count_statements(world) == before


def test_a_phone_of_another_ledger_is_not_admitted(world: Deciding) -> None:
    """Its key has signed for that one."""
    phone = Phone(organisation="workshop")
    other = line_of(phone).replace(CHAIN_ID, "other.example")
    result = world.run("key", "phone", other, "--fingerprint", phone.code.fingerprint, who="workshop")

    assert result.exit_code != 0
    assert "changed on its way" in " ".join(result.output.split())
