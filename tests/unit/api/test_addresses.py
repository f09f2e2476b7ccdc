"""What an answer says again of the address that was asked for: never a key or token, right, wrong or mistyped."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.api.access import GUESSES_BURST
from cellvow.api.addresses import INSTANCE_LENGTH_MAX, SECRET_PATHS, derive_instance
from cellvow.api.openapi import listed_routes
from tests.unit.api.test_access import LINK, TOKEN, Place
from tests.unit.desk_world import DeskSite, DeskWorld
from tests.unit.web.samples import BATTERY

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "q7Jt0yXo3bQm1sVn5rKp8uWd2zLf4hGc6eAi9oTyNxE"
"""As long as a token is."""
AS_JSON = {"accept": "application/json"}
DIGEST = "ab" * 32


def ask(place: Place, address: str, method: str = "GET") -> tuple[int, str, str]:
    """(status, instance, everything that was answered)."""
    answer = place.client.request(method, address, headers=AS_JSON)
    said = " ".join([answer.text, *(f"{name}: {value}" for name, value in answer.headers.items())])
    return answer.status_code, str(answer.json()["instance"]), said


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", SECRET_PATHS)
def test_threat_the_log_of_a_program_keeps_the_secret_of_a_link_that_failed(path: str, method: str) -> None:
    """Outdated, withdrawn, followed in the wrong way: the problem names where the link leads, and no secret."""
    status, instance, said = ask(Place(), f"{path}{SECRET}", method)

    assert status >= 400
    assert (instance, SECRET in said) == (path, False)


@pytest.mark.parametrize("tail", ["", "/", "/more", ".", "%0A", "?lang=de", "x" * 300])
@pytest.mark.parametrize("path", SECRET_PATHS)
def test_a_link_with_something_behind_it_is_no_way_around(path: str, tail: str) -> None:
    """As programs and people copy it: with a full stop, a slash, a line's end."""
    assert SECRET not in derive_instance(f"{path}{SECRET}{tail}")
    answer = Place().client.get(f"{path}{SECRET}{tail}", headers=AS_JSON)

    assert SECRET not in answer.text


@pytest.mark.parametrize("path", ["/", "/G/", "//g/", "/Invite/", "/de/g/", "/tour/", f"/{BATTERY}/", "/api/v1/g/"])
def test_a_secret_under_a_mistyped_address_is_not_repeated_either(path: str) -> None:
    """Whatever is longer than a serial number, and no digest, could be one."""
    _, _, said = ask(Place(), f"{path}{SECRET}")

    assert SECRET not in said


def test_a_right_key_is_not_repeated_to_whoever_must_wait() -> None:
    """After many wrong keys the right one is refused too, unread: just then it must not be told."""
    place = Place()
    for _ in range(GUESSES_BURST):
        ask(place, f"/enter/{SECRET}")
    told = [ask(place, f"/enter/{TOKEN}"), ask(place, f"/g/{LINK}")]

    assert [(429, "/enter/"), (429, "/g/")] == [(status, instance) for status, instance, _ in told]
    assert not any(secret in said for secret, (_, _, said) in zip((TOKEN, LINK), told, strict=True))


@pytest.mark.parametrize(
    "path", ["/", f"/{BATTERY}", f"/{BATTERY}/bundles/{DIGEST}/0", f"/static/{DIGEST}.cvb", "/api/v1/statements"]
)
def test_an_address_without_a_secret_is_repeated_whole(path: str) -> None:
    """The control: a program learns which of its requests failed."""
    assert path == derive_instance(path)


def test_a_long_address_is_cut() -> None:
    """However many short parts it has."""
    assert INSTANCE_LENGTH_MAX == len(derive_instance("/abc" * 100))


@given(st.text(string.ascii_letters + string.digits + "-_", min_size=21, max_size=60), st.sampled_from(SECRET_PATHS))
def test_no_secret_survives_wherever_it_stands(secret: str, path: str) -> None:
    """Behind any of the paths, or by itself between two others; a digest is no secret."""
    is_digest = len(secret) == 64

    assert derive_instance(f"{path}{secret}") == path
    assert is_digest or secret not in derive_instance(f"/x/{secret}/y")


@pytest.mark.slow
def test_every_route_that_takes_a_secret_is_known_as_one(tmp_path: Path) -> None:
    """A new link with a token in its path joins `SECRET_PATHS`, or this test fails: of a whole site, desk included."""
    world = DeskWorld.found(tmp_path)
    paths = [path for path, _ in listed_routes(DeskSite(world.desk("maker")).app.routes)]
    world.close()
    secret = [path for path in paths if path.endswith(("{token}", "{key}"))]

    assert sorted(SECRET_PATHS) == sorted(path.rpartition("{")[0] for path in secret)
    assert [] == [path for path in paths if ("token" in path or "key" in path) and path not in secret]
