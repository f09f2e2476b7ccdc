"""A private SQLite file is whole, durable and ours, or it is refused with a sentence."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.vault import Layout, PrivateDatabase, private_database
from cellvow.vault.private_database import require_durable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LAYOUT = Layout(noun="shelf", application_id=7, tables="CREATE TABLE book(title TEXT) STRICT;")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed file with a hundred books."""
    path = tmp_path / "shelf.db"
    database = PrivateDatabase.open(path, LAYOUT)
    with database.writing() as connection:
        connection.executemany("INSERT INTO book VALUES(?)", [(f"{number:0500}",) for number in range(100)])
    database.close()
    return path


def count(database: PrivateDatabase) -> object:
    """How many books there are."""
    with database.reading() as connection:
        return connection.execute("SELECT count(*) FROM book").get


def test_a_block_that_fails_changes_nothing(path: Path) -> None:
    """A transaction is there whole or not at all, and the next one works."""
    database = PrivateDatabase.open(path, LAYOUT)

    def clear_and_fail() -> None:
        with database.writing() as connection:
            connection.execute("DELETE FROM book")
            raise KeyError

    with pytest.raises(KeyError):
        clear_and_fail()
    assert 100 == count(database)
    database.close()


def count_without_log(path: Path) -> object:
    """How many books the file itself holds, were its log lost by the next power cut."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    with closing(PrivateDatabase.open(alone, LAYOUT)) as database:
        return count(database)


@pytest.mark.parametrize(("settles", "kept"), [(True, 101), (False, 100)])
def test_what_a_killed_process_wrote_outlives_the_next_power_cut(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, settles: bool, kept: int
) -> None:
    """A restart that tells what no sync has reached brings it home first; without that it would be gone."""
    with closing(PrivateDatabase.open(path, LAYOUT)) as writer:
        with writer.writing() as connection:
            connection.execute("INSERT INTO book VALUES('the last')")
        for name in (path.name, f"{path.name}-wal"):
            shutil.copy(path.with_name(name), path.with_name(f"left-{name}"))
    left = path.with_name(f"left-{path.name}")
    left.chmod(0o600)
    if not settles:
        monkeypatch.setattr(private_database, "_settle", lambda _: None)
    with closing(PrivateDatabase.open(left, LAYOUT)) as reader:
        assert 101 == count(reader)
        assert kept == count_without_log(left)


@pytest.mark.parametrize("name", ["synchronous", "journal_mode", "secure_delete"])
def test_a_weaker_setting_is_refused(path: Path, name: str) -> None:
    """What was acknowledged must be on disk, what was deleted must not: each setting alone is missed."""
    weaker = {"synchronous": "NORMAL", "journal_mode": "DELETE", "secure_delete": "OFF"}
    with closing(apsw.Connection(str(path))) as connection:
        for setting, value in {"journal_mode": "WAL", "synchronous": "FULL", "secure_delete": "ON"}.items():
            connection.execute(f"PRAGMA {setting}={value}").fetchall()
        require_durable(connection, "shelf")
        connection.execute(f"PRAGMA {name}={weaker[name]}").fetchall()

        with pytest.raises(OperationalError, match=f"{name}="):
            require_durable(connection, "shelf")


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "truncated: restore it"),
    "one byte short": (lambda content: content[:-1], "truncated: restore it"),
    "one page short": (lambda content: content[:-4096], "truncated: restore it"),
    "half": (lambda content: content[: len(content) // 2], "truncated: restore it"),
    "header only": (lambda content: content[:100], "truncated: restore it"),
    "part of the header": (lambda content: content[:50], "truncated: restore it"),
    "another file": (lambda _: b"Dear Sir or Madam, " * 99, "damaged"),
    "first bytes overwritten": (lambda content: b"\0" * 16 + content[16:], "damaged"),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_refused(path: Path, damage: Callable[[bytes], bytes], sentence: str) -> None:
    """The sentence names the file and says to restore it; the file is left as it is."""
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)

    with pytest.raises(OperationalError, match=f"the shelf .*shelf.db is {sentence}"):
        PrivateDatabase.open(path, LAYOUT)
    assert damaged == path.read_bytes()


def test_control_sqlite_alone_reads_a_file_cut_in_its_last_page(tmp_path: Path) -> None:
    """It fills the missing end with zeros, which is why the length is compared with the header."""
    path = tmp_path / "shelf.db"
    database = PrivateDatabase.open(path, LAYOUT)
    database.close()
    path.write_bytes(path.read_bytes()[:-1000])
    with closing(apsw.Connection(str(path))) as connection:
        assert [] == connection.execute("SELECT * FROM book").fetchall()

    with pytest.raises(OperationalError, match="truncated"):
        PrivateDatabase.open(path, LAYOUT)


def test_a_page_damaged_inside_is_reported_when_it_is_read(path: Path) -> None:
    """SQLite notices, and the sentence is ours."""
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    database = PrivateDatabase.open(path, LAYOUT)

    with pytest.raises(OperationalError, match=r"is damaged .*restore it from a backup"):
        count(database)
    database.close()


def test_a_file_whose_log_still_completes_it_is_opened(path: Path, tmp_path: Path) -> None:
    """After a crash the log holds what the file lacks; that is no truncation."""
    database = PrivateDatabase.open(path, LAYOUT)
    with database.writing() as connection:
        connection.execute("INSERT INTO book SELECT title FROM book")
    (tmp_path / "crashed").mkdir(mode=0o700)
    copies = [tmp_path / "crashed" / name for name in ("shelf.db", "shelf.db-wal")]
    for copy in copies:
        copy.write_bytes((tmp_path / copy.name).read_bytes())
        copy.chmod(0o600)
    database.close()
    recovered = PrivateDatabase.open(copies[0], LAYOUT)

    assert 200 == count(recovered)
    recovered.close()


def test_another_kind_of_file_and_another_version_are_refused(path: Path) -> None:
    """A file is not guessed at."""
    with pytest.raises(OperationalError, match="is no vault"):
        PrivateDatabase.open(path, Layout(noun="vault", application_id=8, tables=""))
    with pytest.raises(OperationalError, match="has layout 1, this software knows 2"):
        PrivateDatabase.open(path, Layout(noun="shelf", application_id=7, tables="", version=2))


def test_the_slower_of_two_creators_opens_what_the_faster_made(tmp_path: Path) -> None:
    """Two processes that start at once end up with one file."""
    path = tmp_path / "shelf.db"
    faster: list[PrivateDatabase] = []

    def begin(_: apsw.Connection) -> None:
        faster.append(PrivateDatabase.open(path, LAYOUT))
        with faster[0].writing() as connection:
            connection.execute("INSERT INTO book VALUES('faster')")

    slower = PrivateDatabase.open(path, LAYOUT, begin)

    assert 1 == count(slower)
    assert {"shelf.db", "shelf.db-wal", "shelf.db-shm"} == {each.name for each in tmp_path.iterdir()}
    for database in (*faster, slower):
        database.close()


def test_a_creator_that_fails_leaves_no_file(tmp_path: Path) -> None:
    """A half-made file would be taken for a whole one."""

    def begin(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO nowhere VALUES(1)")

    with pytest.raises(OperationalError, match=r"shelf.db cannot be created"):
        PrivateDatabase.open(tmp_path / "shelf.db", LAYOUT, begin)
    assert [] == list(tmp_path.iterdir())


def test_a_writer_that_waits_too_long_is_told_to_try_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process's transaction is not our failure; afterwards all goes on."""
    monkeypatch.setattr(private_database, "BUSY_MS_MAX", 1)
    first, second = (PrivateDatabase.open(path, LAYOUT) for _ in range(2))
    with first.writing(), pytest.raises(OperationalError, match="try again"), second.writing():
        pass
    with second.writing() as connection:
        connection.execute("DELETE FROM book")

    assert 0 == count(first)
    first.close()
    second.close()


def test_after_a_failure_of_the_storage_nothing_goes_on(path: Path) -> None:
    """Whether the change was kept is unknown until the file is opened anew."""
    database = PrivateDatabase.open(path, LAYOUT)

    with pytest.raises(OperationalError, match="unknown: mend the storage"), database.writing():
        raise apsw.IOError("disk I/O error")
    with pytest.raises(OperationalError, match="unknown: mend the storage"):
        count(database)
    database.close()
    reopened = PrivateDatabase.open(path, LAYOUT)

    assert 100 == count(reopened)
    reopened.close()


def test_a_full_disk_is_called_that_and_can_be_made_room_on(path: Path) -> None:
    """Nothing was written, and nothing needs to be opened anew."""
    database = PrivateDatabase.open(path, LAYOUT)
    with database.reading() as connection:
        connection.execute("PRAGMA max_page_count=20").fetchall()
    with (
        pytest.raises(OperationalError, match="the disk is full: nothing was written"),
        database.writing() as connection,
    ):
        connection.execute("INSERT INTO book SELECT title || title || title FROM book")

    assert 100 == count(database)
    database.close()
