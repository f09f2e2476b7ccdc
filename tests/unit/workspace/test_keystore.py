"""Keys lie in files of their owner alone, are never overwritten, and do not leave the process that opened them."""

from __future__ import annotations

import copy
import json
import pickle
import stat
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import InvariantBroken, Malformed, OperationalError, VerificationError
from cellvow.core.primitives.signature import derive_key_id, is_valid
from cellvow.workspace.keystore import Keystore, SigningKey

if TYPE_CHECKING:
    from pathlib import Path

SEED = bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the keys lie."""
    return tmp_path / "keys"


@pytest.fixture
def keystore(folder: Path) -> Keystore:
    """A keystore with a root and an operational key."""
    keystore = Keystore.create(folder)
    keystore.new_key("root", "root")
    keystore.new_key("operational", "operational-1")
    return keystore


def test_a_key_signs_what_its_public_key_verifies(keystore: Keystore, folder: Path) -> None:
    """The key read by a later process is the key that was made."""
    key = Keystore.open(folder).key("operational-1")

    assert is_valid(key.public_key, b"message", key.sign(b"message"))
    assert ("operational", derive_key_id(key.public_key)) == (key.kind, key.kid)
    assert keystore.key("operational-1").public_key == key.public_key


def test_no_two_keys_are_alike(keystore: Keystore, tmp_path: Path) -> None:
    """Every key and every vault key is drawn anew."""
    other = Keystore.create(tmp_path / "other")

    assert keystore.key("root").kid != keystore.key("operational-1").kid
    assert keystore.vault_key() != other.vault_key()


def test_folder_and_files_are_their_owners_alone(keystore: Keystore, folder: Path) -> None:
    """0700 for the folder, 0600 for each file, and no file but those."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert dict.fromkeys(["operational-1.json", "root.json", "vault.key"], 0o600) == modes
    assert ["operational-1", "root"] == keystore.names()


def test_a_file_holds_what_the_page_says(folder: Path) -> None:
    """Five fields, one line."""
    keystore = Keystore.create(folder, lambda length: SEED[:length])
    key = keystore.new_key("device", "tester-1")
    text = (folder / "tester-1.json").read_text(encoding="ascii")

    assert text.endswith("}\n")
    assert {
        "algorithm": "ed25519",
        "kid": key.kid.hex(),
        "kind": "device",
        "public_key": key.public_key.hex(),
        "seed": SEED.hex(),
    } == json.loads(text)
    assert SEED == keystore.vault_key()


@pytest.mark.parametrize("name", ["", "root.json", "operational-1.json", "vault.key"])
@pytest.mark.parametrize("mode", [0o740, 0o604])
@pytest.mark.usefixtures("keystore")
def test_a_keystore_open_to_others_is_refused_with_the_remedy(folder: Path, name: str, mode: int) -> None:
    """One readable file is enough, and the sentence says how to mend it."""
    path = folder / name
    path.chmod(mode)

    with pytest.raises(OperationalError, match=f"open to other users of this machine: run `chmod [67]00 {path}`"):
        Keystore.open(folder)


def test_a_key_opened_to_others_later_is_refused_when_it_is_read(keystore: Keystore, folder: Path) -> None:
    """The rights are checked at each reading, on the file that is read."""
    for name in ("root.json", "vault.key"):
        (folder / name).chmod(0o644)

    with pytest.raises(OperationalError, match="chmod 600"):
        keystore.key("root")
    with pytest.raises(OperationalError, match="chmod 600"):
        keystore.vault_key()


def test_a_key_is_never_overwritten(keystore: Keystore) -> None:
    """A name is used once; the first key stays."""
    kid = keystore.key("root").kid

    with pytest.raises(OperationalError, match="nothing was changed"):
        keystore.new_key("root", "root")
    assert kid == keystore.key("root").kid


def test_a_keystore_is_never_made_over_another(keystore: Keystore, folder: Path) -> None:
    """Otherwise the vault's key, and with it the vault, would be lost."""
    vault_key = keystore.vault_key()

    with pytest.raises(OperationalError, match="not empty: nothing was changed"):
        Keystore.create(folder)
    assert vault_key == keystore.vault_key()


def test_a_folder_that_others_may_read_gets_no_keys(folder: Path) -> None:
    """An existing empty folder is taken, if its rights are right."""
    folder.mkdir(mode=0o755)
    with pytest.raises(OperationalError, match="chmod 700"):
        Keystore.create(folder)
    folder.chmod(0o700)

    assert [] == Keystore.create(folder).names()


def test_what_is_missing_is_named(keystore: Keystore, folder: Path, tmp_path: Path) -> None:
    """The folder, a key, the vault's key."""
    (folder / "vault.key").unlink()

    with pytest.raises(OperationalError, match="elsewhere holds no keys"):
        Keystore.open(tmp_path / "elsewhere")
    with pytest.raises(OperationalError, match=r"operational-2.json is missing"):
        keystore.key("operational-2")
    with pytest.raises(OperationalError, match=r"vault.key is missing"):
        keystore.vault_key()


@pytest.mark.parametrize("name", ["", "Root", "../root", "a/b", "1st", ".root", "root\n", "a" * 33])
def test_a_name_cannot_leave_the_folder(keystore: Keystore, name: str) -> None:
    """A name is a plain word: no path, no second spelling."""
    with pytest.raises(Malformed, match="not a key's name"):
        keystore.new_key("operational", name)
    with pytest.raises(Malformed, match="not a key's name"):
        keystore.key(name)


def test_an_unknown_kind_is_refused(keystore: Keystore) -> None:
    """The kinds are those of the ledger."""
    with pytest.raises(Malformed, match="root, operational, device are"):
        keystore.new_key("master", "master")
    assert ["operational-1", "root"] == keystore.names()


DAMAGE = {
    "cut": lambda text: text[:-20],
    "empty": lambda _: "",
    "not canonical": lambda text: text.replace(":", ": "),
    "a field more": lambda text: text.replace("}", ',"zone":1}'),
    "another algorithm": lambda text: text.replace("ed25519", "es256"),
    "another kind": lambda text: text.replace('"kind":"root"', '"kind":"master"'),
    "a kind that is no text": lambda text: text.replace('"kind":"root"', '"kind":[]'),
    "an upper-case seed": lambda text: text.replace('"seed":"', '"seed":"F'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_key_file_is_refused_without_quoting_it(keystore: Keystore, folder: Path, damage: object) -> None:
    """The sentence names the file and never shows what may be a part of the seed, nor does its cause."""
    path = folder / "root.json"
    text = path.read_text(encoding="ascii")
    seed = json.loads(text)["seed"]
    path.write_text(damage(text) if callable(damage) else "", encoding="ascii")

    with pytest.raises(Malformed, match=r"root.json is not the file of a key .*restore it") as refusal:
        keystore.key("root")
    assert refusal.value.__cause__ is None
    assert seed[:8] not in str(refusal.value)


@pytest.mark.parametrize("field", ["seed", "public_key", "kid"])
def test_a_key_whose_parts_do_not_belong_together_is_refused(keystore: Keystore, folder: Path, field: str) -> None:
    """An exchanged seed would sign under a key that nobody registered."""
    path, other = folder / "root.json", folder / "operational-1.json"
    theirs = json.loads(other.read_text(encoding="ascii"))[field]
    ours = json.loads(path.read_text(encoding="ascii"))[field]
    path.write_text(path.read_text(encoding="ascii").replace(ours, theirs), encoding="ascii")

    with pytest.raises(VerificationError, match="belongs to another public key"):
        keystore.key("root")


@pytest.mark.parametrize("content", ["", "00", "00" * 32, "00" * 33 + "\n", "zz" * 32 + "\n", "AB" * 32 + "\n"])
def test_a_damaged_vault_key_is_refused(keystore: Keystore, folder: Path, content: str) -> None:
    """A wrong key is not tried on the vault."""
    (folder / "vault.key").write_text(content, encoding="ascii")

    with pytest.raises(Malformed, match=r"vault.key does not hold a key"):
        keystore.vault_key()


def test_a_file_of_another_size_is_not_read(keystore: Keystore, folder: Path) -> None:
    """A file that grew is not ours."""
    (folder / "root.json").write_bytes(bytes(1_025))

    with pytest.raises(OperationalError, match="longer than 1024 bytes"):
        keystore.key("root")


def test_a_signing_key_shows_no_secret() -> None:
    """Its text form names it by its public identifier."""
    key = SigningKey("root", SEED)

    assert f"<SigningKey root {key.kid.hex()}>" == repr(key) == str(key)


def test_a_signing_key_cannot_be_pickled_or_copied() -> None:
    """It would otherwise travel to other processes, caches and crash reports unnoticed."""
    key = SigningKey("root", SEED)

    for carry in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled or copied"):
            carry(key)


def test_a_seed_of_another_length_is_a_bug() -> None:
    """Neither is a kind that the ledger does not know."""
    with pytest.raises(InvariantBroken, match="seed of 31 bytes"):
        SigningKey("root", SEED[:31])
    with pytest.raises(InvariantBroken, match="no kind of key"):
        SigningKey("master", SEED)


@pytest.mark.usefixtures("keystore")
def test_a_draft_that_a_crash_left_behind_is_no_key(folder: Path) -> None:
    """It bears no name and hinders nothing."""
    draft = folder / ".operational-2.json.0123456789abcdef"
    draft.write_text("{", encoding="ascii")
    draft.chmod(0o600)

    assert ["operational-1", "root"] == Keystore.open(folder).names()
