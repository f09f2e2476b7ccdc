"""What watches a node: alive, ready or why not, and counters whose labels name no address and no key."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.api.application import Site, create_application
from cellvow.api.health import HealthRoutes
from cellvow.api.metrics import OTHER, SECONDS_BOUNDS, Figures, Gauge, Meter
from cellvow.api.passports import PassportPages
from cellvow.node.store import LEDGER_FILE, LedgerStopped
from cellvow.workspace.passports import TIMELINE_FILE
from cellvow.workspace.readiness import BLOCKS_BEHIND_MAX, DISK_FREE_BYTES_MIN, Readiness, Standing
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.node_site import OWNER, OWNER_KEY, NodeSite
from tests.unit.api.test_passports import Shelf

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? ([0-9.e+-]+)\Z')


@pytest.fixture
def site(tmp_path: Path) -> Iterator[NodeSite]:
    """A node."""
    with NodeSite(tmp_path) as built:
        yield built


def parse_metrics(text: str) -> dict[tuple[str, str], float]:
    """(name, labels) -> value; every line is a comment or a sample, or this raises."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            match = SAMPLE.match(line)
            assert match, line
            found[match[1], match[2] or ""] = float(match[3])
    return found


def test_a_process_is_alive_whatever_its_ledger_does(site: NodeSite) -> None:
    """Nothing is looked at for it."""
    (site.home.folder / LEDGER_FILE).unlink()

    assert {"alive": True} == site.client.get("/healthz").json()


def test_a_node_that_can_serve_is_ready(site: NodeSite) -> None:
    """With its height."""
    answer = site.client.get("/readyz")

    assert (200, {"ready": True, "reasons": [], "height": 1}) == (answer.status_code, answer.json())


def test_a_node_without_its_ledger_is_not_ready(site: NodeSite) -> None:
    """503, why, and when to ask again."""
    (site.home.folder / LEDGER_FILE).unlink()
    answer = site.client.get("/readyz")

    assert (503, ["ledger_unreadable"], "10") == (
        answer.status_code,
        answer.json()["reasons"],
        answer.headers["retry-after"],
    )


def test_a_stopped_ledger_is_not_ready(site: NodeSite) -> None:
    """It reads, and takes nothing more."""
    with pytest.raises(LedgerStopped), site.writer.turn():
        raise LedgerStopped("disk")

    assert ["ledger_stopped"] == site.client.get("/readyz").json()["reasons"]


def test_an_index_far_behind_is_not_ready(site: NodeSite, tmp_path: Path) -> None:
    """At the bound it is, past it not; an index that is not there, or no index, has everything before it."""
    index = tmp_path / "index.db"
    connection = apsw.Connection(str(index))
    connection.execute("CREATE TABLE followed(genesis BLOB, height INTEGER)")
    readiness = Readiness(site.home, index)
    found = []
    for height in (1 - BLOCKS_BEHIND_MAX, -BLOCKS_BEHIND_MAX):
        connection.execute("DELETE FROM followed")
        connection.execute("INSERT INTO followed VALUES(x'', ?)", (height,))
        found.append(readiness.stand().reasons)
    connection.close()
    index.write_bytes(b"no database at all, and long enough to be looked at as one" * 20)

    assert [(), ("index_behind",)] == found
    assert () == readiness.stand().reasons
    assert TIMELINE_FILE == "timeline.db"


def test_a_full_disk_is_not_ready(site: NodeSite) -> None:
    """The bound is what the machine has and one more byte."""
    free = shutil.disk_usage(site.home.folder).free

    assert (free < DISK_FREE_BYTES_MIN) is ("disk_low" in Readiness(site.home, site.home.folder).stand().reasons)
    assert free > 0


@pytest.mark.slow
def test_figures_are_for_the_owners_key(site: NodeSite) -> None:
    """How much a company does is its own affair; guesses are limited."""
    assert 401 == site.client.get("/metrics").status_code
    assert 401 == site.client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code
    assert 200 == site.client.get("/metrics", headers=OWNER).status_code


@pytest.mark.slow
def test_an_operator_may_open_them_to_his_machine(tmp_path: Path) -> None:
    """Where no proxy stands in front, loopback needs no key."""
    with NodeSite(tmp_path, metrics_on_loopback=True) as site:
        assert 200 == site.client.get("/metrics").status_code


@pytest.mark.slow
def test_requests_are_counted_by_template(site: NodeSite) -> None:
    """No address, key or token is a label, whatever was asked for."""
    for path in (
        "/blocks/1",
        "/blocks/777",
        f"/enter/{OWNER_KEY}",
        "/nowhere/secret-1",
        "/g/secret-2",
        "/?after=secret-3",
    ):
        site.client.get(path)
    site.client.request("BREW", "/blocks/1")
    text = site.client.get("/metrics", headers=OWNER).text
    found = parse_metrics(text)

    assert 1 == found["cellvow_requests_total", 'method="GET",route="/blocks/{height}",status="200"']
    assert 1 == found["cellvow_requests_total", 'method="GET",route="/blocks/{height}",status="404"']
    assert 1 == found["cellvow_requests_total", 'method="GET",route="/enter/{key}",status="303"']
    assert 1 == found["cellvow_requests_total", f'method="{OTHER}",route="{OTHER}",status="405"']
    assert not {word for word in (OWNER_KEY, "secret", "777", "BREW") if word in text}


def test_gauges_tell_the_height_and_the_witnesses(site: NodeSite) -> None:
    """As of the moment they are asked for."""
    site.writer.publish()
    found = parse_metrics(site.client.get("/metrics", headers=OWNER).text)

    assert (1, 1, 3, 3, 0) == tuple(
        found[f"cellvow_{name}", ""]
        for name in ("ready", "height", "log_leaves", "checkpoint_leaves", "checkpoint_cosignatures")
    )


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from(["/a", '/"b\\', "/c\nd"]), st.integers(100, 599), st.floats(0, 60)), max_size=30)
)
def test_what_is_counted_adds_up(requests: list[tuple[str, int, float]]) -> None:
    """Buckets grow, the last holds all, and sum and count are those of the requests; every line is of the format."""
    figures = Figures()
    for route, status, seconds in requests:
        figures.count(route, "GET", status, seconds)
    found = parse_metrics(figures.text())

    assert len(requests) == sum(value for (name, _), value in found.items() if name == "cellvow_requests_total")
    assert len(requests) == sum(value for (name, _), value in found.items() if name.endswith("_count"))
    for route in {route for route, _, _ in requests}:
        shown = route.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        bounds = [*(f"{one:g}" for one in SECONDS_BOUNDS), "+Inf"]
        buckets = [found["cellvow_request_seconds_bucket", f'route="{shown}",le="{bound}"'] for bound in bounds]
        times = [seconds for one, _, seconds in requests if one == route]
        assert [*(sum(time <= bound for time in times) for bound in SECONDS_BOUNDS), len(times)] == buckets
        assert found["cellvow_request_seconds_sum", f'route="{shown}"'] == pytest.approx(sum(times))


def test_a_further_gauge_is_read_when_asked_for() -> None:
    """An area may add what it knows: uploads, statements that wait."""
    numbers = iter([1.0, 2.0])
    gauge = Gauge("cellvow_uploads", "Uploads kept.", lambda: next(numbers))

    assert [1, 2] == [parse_metrics(Figures().text((gauge,)))["cellvow_uploads", ""] for _ in range(2)]


class Broken:
    """A source with a fault of its own."""

    def stand(self) -> Standing:
        """Fails."""
        raise ZeroDivisionError


def test_what_fails_is_counted_as_failed(site: NodeSite) -> None:
    """A fault of ours is status 500, not silence."""
    figures = Figures()
    area = HealthRoutes(site.access, Broken(), figures)
    app = create_application(Site(site.access, PassportPages(Shelf(), site.access), (area,)))
    app.add_middleware(Meter, figures=figures)

    assert 500 == AsgiClient(app).get("/readyz").status_code
    assert 'status="500"' in figures.text()
