"""Commands that stay up: passports as pages, a witness over HTTP; free ports, keys nobody can guess, a quiet end."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.story import BATTERY, CELLVOW, ENVIRON, ORIGIN, Story, copy_story, tell_story


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story, told once; tests read it, and what they change they copy first."""
    return tell_story(tmp_path_factory.mktemp("story"))


@pytest.fixture
def copy(story: Story, tmp_path: Path) -> Story:
    """A copy to spoil."""
    return copy_story(story, tmp_path / "copy")


@contextmanager
def running(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A serving command as a process of its own, and the document it began with; interrupted at the end."""
    process = subprocess.Popen(
        [*CELLVOW, *words, "--json"], cwd=folder, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, json.loads(process.stdout.readline() if process.stdout else "")
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert (0, "", "") == (process.returncode, out, err)


def fetch(url: str, *handlers: urllib.request.BaseHandler) -> tuple[int, str]:
    """Status and text of a page, where redirects lead."""
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=10) as answer:
            return answer.status, answer.read().decode("utf-8")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8", "replace")


@pytest.mark.slow
def test_serving_shows_each_reader_his_view_and_stops_quietly(story: Story) -> None:
    """A free port, an owner's link nobody can guess, nothing on the error stream, exit 0 on Ctrl-C."""
    with running(story.folder, "serve", "--workspace", "buyer") as (_, document):
        url, owner = document["url"], document["owner_url"]
        key = owner.partition("/enter/")[2].partition("?")[0]
        public, owned = fetch(url + BATTERY), fetch(owner, urllib.request.HTTPCookieProcessor())

        assert len(key) >= 43
        assert (200, 200, 200) == (fetch(url)[0], public[0], owned[0])
        assert "10.000" in owned[1].replace("\u00a0", " ")
        assert "10.000" not in public[1]
        assert fetch(f"{url}enter/{key[:-1]}")[0] == 404


@pytest.mark.slow
def test_serving_before_there_is_anything_says_what_to_do(tmp_path: Path) -> None:
    """The empty page is served, and it names the command that fills it."""
    with running(tmp_path, "serve") as (_, document):
        status, page = fetch(document["url"])

        assert document["owner_url"] is None
        assert 200 == status
        assert "cellvow demo" in page


@pytest.mark.slow
def test_a_witness_answers_over_http(copy: Story) -> None:
    """A ledger that names its address gets its cosignature."""
    vkey = copy.ask("witness", "init", "south", "--name", "witness.example/south")["vkey"]
    log = copy.said["ledger"]["log"]
    copy.ask("witness", "add-log", "south", "--origin", ORIGIN, "--vkey", log)
    with running(copy.folder, "witness", "run", "south") as (_, document):
        said = copy.ask("init", "witness", "node", "--vkey", vkey, "--place", document["url"])

        assert "witness.example/south" in said["checkpoint"]["cosigned_by"]
        assert "story.example/log" in fetch(document["url"])[1]
    assert 0 < copy.ask("witness", "show", "south")["logs"][0]["size"]


@pytest.mark.slow
def test_a_port_that_is_taken_is_exit_five(story: Story) -> None:
    """The message says what to do instead."""
    with running(story.folder, "serve", "--ledger", "node") as (_, document):
        port = document["url"].rstrip("/").rpartition(":")[2]

        assert "--port" in story.ask("serve", "--ledger", "node", "--port", port, code=5)["reason"]
