"""What every test shares: suites collected only where their needs are found, and Hypothesis profiles."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest
from hypothesis import HealthCheck, settings

from cellvow.core.primitives.errors import OperationalError
from cellvow.evidence import find_measurement
from cellvow.node.cometbft.binary import find_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
CYCLER_FILES = ("battery_data_toolkit-0.4.6.tar.gz", "cellpy-1.0.0.post9-py3-none-any.whl", "navani-0.1.22.tar.gz")
NOT_COLLECTED = pytest.StashKey[dict[str, int]]()
SLOW_SECONDS = 0.25

settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", settings.get_profile("default"), derandomize=False, max_examples=2_000)


def find_third_party_data(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of third-party test data, or None where there is none."""
    named = environ.get("CELLVOW_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def find_reference_measurement(environ: Mapping[str, str]) -> Path | None:
    """Return the fetched distribution with the real measurement, or None where it was not fetched."""
    cache = ROOT / ".cache" / "measurement"
    return find_measurement(Path(environ.get("CELLVOW_MEASUREMENT") or cache))


def find_cycler_files(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of archives with cycler files, or None unless all of them were fetched."""
    folder = Path(environ.get("CELLVOW_REALDATA") or ROOT / ".cache" / "realdata")
    return folder if all((folder / name).is_file() for name in CYCLER_FILES) else None


def find_chromium(environ: Mapping[str, str]) -> str | None:
    """Return the path of a Chromium executable on PATH, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = (shutil.which(name, path=environ.get("PATH")) for name in names)
    return next((path for path in found if path), None)


def find_node(environ: Mapping[str, str]) -> str | None:
    """Return the path of Node.js if it is version 18 or newer, else None."""
    path = shutil.which("node", path=environ.get("PATH"))
    if path is None:
        return None
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30)
    version = re.match(r"v(\d+)\.", answer.stdout)
    return path if version and int(version[1]) >= 18 else None


def find_network_namespaces(environ: Mapping[str, str]) -> str | None:
    """Return the path of `ip` if network namespaces can be made, linked and filtered here, else None."""
    paths = [shutil.which(name, path=environ.get("PATH")) for name in ("ip", "nft", "unshare")]
    if None in paths:
        return None
    answer = subprocess.run([str(paths[2]), "--net", "true"], capture_output=True, check=False, timeout=30)
    return paths[0] if answer.returncode == 0 else None


def find_fault_tools(environ: Mapping[str, str]) -> Path | None:
    """Return the library that shifts a process's clock if small file systems can be mounted here too, else None."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    unshare = shutil.which("unshare", path=environ.get("PATH"))
    if library is None or unshare is None:
        return None
    mount = [unshare, "--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "tried", "/mnt"]
    return library if subprocess.run(mount, capture_output=True, check=False, timeout=30).returncode == 0 else None


def find_consensus_engine(environ: Mapping[str, str]) -> Path | None:
    """Return the path of a CometBFT of the supported line, or None."""
    try:
        return find_engine(environ).path
    except OperationalError:
        return None


class Need(NamedTuple):
    """Something a group of tests cannot do without: how to find it and what to do when it is missing."""

    find: Callable[[Mapping[str, str]], object | None]
    remedy: str


NEEDS = {
    "browser": Need(find_chromium, "install Chromium (Debian: apt install chromium)"),
    "cometbft": Need(find_consensus_engine, "run `make network-engine` (Go 1.22.11 or newer, or the package index)"),
    "data": Need(find_third_party_data, "set CELLVOW_DATA to the folder of third-party data"),
    "faults": Need(find_fault_tools, "install faketime, and run where file systems may be mounted (Linux, as root)"),
    "measurement": Need(find_reference_measurement, "run `make test` where the package index can be reached"),
    "network": Need(find_network_namespaces, "install iproute2 and nftables, and run as root on Linux"),
    "node": Need(find_node, "install Node.js 18 or newer (Debian: apt install nodejs)"),
    "realdata": Need(find_cycler_files, "run `make test` where the package index can be reached"),
}


def missing_needs(groups: Iterable[str], environ: Mapping[str, str]) -> set[str]:
    """Return those of `groups` whose need is not found on this machine."""
    return {group for group in groups if NEEDS[group].find(environ) is None}


def required_groups(environ: Mapping[str, str]) -> set[str]:
    """Return the groups named by CELLVOW_REQUIRE; a name we do not know is a usage error."""
    names = {name.strip() for name in environ.get("CELLVOW_REQUIRE", "").split(",") if name.strip()}
    unknown = sorted(names - NEEDS.keys())
    if unknown:
        known = ", ".join(sorted(NEEDS))
        raise pytest.UsageError(f"CELLVOW_REQUIRE names {', '.join(unknown)}; known groups are {known}.")
    return names


def is_exploring(environ: Mapping[str, str]) -> bool:
    """Return whether the full-size suites were asked for."""
    return environ.get("CELLVOW_EXPLORE") == "1"


def groups_of(item: pytest.Item) -> set[str]:
    """Return what the test needs; asking for the data's folder is needing the data."""
    groups = {group for group in NEEDS if item.get_closest_marker(group)}
    if "third_party_data" in getattr(item, "fixturenames", ()):
        groups.add("data")
    return groups


def reason_to_leave_out(item: pytest.Item, missing: set[str], *, exploring: bool) -> str | None:
    """Return the group for whose sake the test is not collected, or None if it is."""
    absent = sorted(groups_of(item) & missing)
    if absent:
        return absent[0]
    if item.get_closest_marker("explore") and not exploring:
        return "explore"
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Choose the Hypothesis profile and refuse to start where something required is missing."""
    config.stash[NOT_COLLECTED] = {}
    settings.load_profile("explore" if is_exploring(os.environ) else "default")
    missing = missing_needs(required_groups(os.environ), os.environ)
    if missing:
        sentences = [f"{group}: not found; {NEEDS[group].remedy}." for group in sorted(missing)]
        raise pytest.UsageError("CELLVOW_REQUIRE asks for what is not here. " + " ".join(sentences))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose needs are not found; they are counted, never reported as skipped."""
    needed = set().union(*(groups_of(item) for item in items)) if items else set()
    missing = missing_needs(needed, os.environ)
    exploring = is_exploring(os.environ)
    reasons = {item: reason_to_leave_out(item, missing, exploring=exploring) for item in items}
    left_out = [item for item, reason in reasons.items() if reason]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if reasons[item] is None]
    counts: dict[str, int] = dict(Counter(reason for reason in reasons.values() if reason))
    config.stash[NOT_COLLECTED] = counts


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts of a parallel worker to the process that prints the summary."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["not_collected"] = session.config.stash[NOT_COLLECTED]


class Worker(Protocol):
    """What the parallel scheduler tells of a worker that ends."""

    config: pytest.Config
    workeroutput: dict[str, dict[str, int]]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Worker) -> None:
    """Take the counts from a parallel worker that ends; every worker collects the same tests."""
    output = getattr(node, "workeroutput", {})
    node.config.stash[NOT_COLLECTED] = output.get("not_collected", {})


def unmarked_slow_tests(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return a line for each passed test that took long and carries neither mark that says so."""
    return [
        f"{report.duration:.2f} s  {report.nodeid}"
        for report in reports
        if report.duration > SLOW_SECONDS and not {"slow", "explore"} & set(report.keywords)
    ]


def measured_lines(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return what tests counted, in the order of their names: the property `measured` of each."""
    counted = [
        (report.nodeid, value) for report in reports for name, value in report.user_properties if name == "measured"
    ]
    return [str(value) for _, value in sorted(counted, key=lambda one: one[0])]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which groups were not collected and what would change it, and which tests should say `slow`."""
    counts = config.stash[NOT_COLLECTED]
    if counts:
        terminalreporter.section("not collected")
    for group, count in sorted(counts.items()):
        remedy = NEEDS[group].remedy if group in NEEDS else "set CELLVOW_EXPLORE=1 (make explore)"
        terminalreporter.write_line(f"{group}: {count} test(s); to include them, {remedy}")
    measured = measured_lines(terminalreporter.getreports("passed"))
    if measured:
        terminalreporter.section("counted")
    for line in measured:
        terminalreporter.write_line(line)
    slow = unmarked_slow_tests(terminalreporter.getreports("passed"))
    if slow:
        terminalreporter.section(f"slower than {SLOW_SECONDS} s without the mark `slow`")
    for line in slow:
        terminalreporter.write_line(line)


@pytest.fixture(scope="module", autouse=True)
def _engines_one_module_at_a_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Modules that run real engines wait for each other: two networks on two cores would measure each other's load."""
    runs_engines = any(
        item.getparent(pytest.Module) is request.node and item.get_closest_marker("cometbft")
        for item in request.session.items
    )
    if not runs_engines:
        yield
        return
    with (Path(tempfile.gettempdir()) / f"cellvow-engines-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, or its process dies
        yield


@pytest.fixture(scope="session")
def third_party_data() -> Path:
    """The folder of third-party test data; a test asking for it is collected only where it is found."""
    folder = find_third_party_data(os.environ)
    if folder is None:
        raise pytest.UsageError("third-party data not found; " + NEEDS["data"].remedy)
    return folder
