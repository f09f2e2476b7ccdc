"""The description of the interface: complete, sound as a document, and no more generous than the application is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cellvow.api.openapi import build_document, listed_routes, name_operation
from cellvow.api.openapi_operations import OPERATIONS, UNDESCRIBED, find_reason
from cellvow.api.statements import STATEMENTS_PATH
from cellvow.cli.site import Served, Wanted, build_site
from cellvow.node.home import NodeHome
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace
from tests.unit.api.node_site import ORIGIN, NodeSite
from tests.world import MAKER, make_genesis

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeSite]:
    """The application; nothing here changes it."""
    with NodeSite(tmp_path_factory.mktemp("openapi")) as built:
        yield built


def references(document: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a JSON document
    """Every `$ref` in it."""
    if isinstance(document, dict):
        yield from (value for name, value in document.items() if name == "$ref")
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            yield from references(part)


def undescribed(routes: list[tuple[str, frozenset[str]]]) -> list[str]:
    """Routes that are neither described nor left out for a reason."""
    described = {(one.path, one.method.upper()) for one in OPERATIONS}
    return [
        f"{method} {path}"
        for path, methods in routes
        for method in sorted(methods - {"HEAD"})
        if (path, method) not in described and find_reason(path) is None
    ]


def test_every_route_is_described_or_left_out_for_a_reason(site: NodeSite) -> None:
    """A new address cannot be forgotten."""
    assert [] == undescribed(listed_routes(site.app.routes))


@pytest.mark.slow
def test_every_route_of_what_is_served_is_described_or_left_out(tmp_path: Path) -> None:
    """The same for `cellvow serve` with all its areas, the desk of an organisation among them."""
    home = NodeHome.create(tmp_path / "ledger", make_genesis(), ORIGIN, bytes(range(32)))
    workspace = Workspace.create(tmp_path / "maker", MAKER, "Nordpack (invented)", ("manufacturer",))
    served = Served(PassportReader(home, workspace), workspace, "")
    with ExitStack() as closing:
        closing.callback(workspace.close)
        app = build_site(served, Wanted("key", takes_statements=True), closing)
        routes = listed_routes(app.routes)

    assert [] == undescribed(routes)
    assert {"/desk", STATEMENTS_PATH, "/metrics"} <= {path for path, _ in routes}


def test_control_a_forgotten_route_is_found() -> None:
    """One that nobody described."""
    assert ["POST /api/v1/forgotten"] == undescribed([("/api/v1/forgotten", frozenset({"POST", "HEAD"}))])


def test_nothing_is_described_that_is_not_there(site: NodeSite) -> None:
    """And nothing is left out that does not exist."""
    routes = listed_routes(site.app.routes)
    present = {(path, method) for path, methods in routes for method in methods}

    assert [] == [one.path for one in OPERATIONS if (one.path, one.method.upper()) not in present]
    assert [] == [path for path in UNDESCRIBED if path not in {path for path, _ in routes}]


def test_the_served_document_is_the_whole_one(site: NodeSite) -> None:
    """OpenAPI 3.1, with an ETag, the same each time."""
    answer = site.client.get("/openapi.json")

    assert json.loads(json.dumps(build_document())) == answer.json()
    assert answer.json()["openapi"].startswith("3.1")
    assert 304 == site.client.get("/openapi.json", headers={"if-none-match": answer.headers["etag"]}).status_code


def test_the_document_keeps_to_the_standard() -> None:
    """Every reference resolves, path parameters are those of the path, names are unique, answers have descriptions."""
    document = build_document()
    names = [name_operation(one) for one in OPERATIONS]

    assert {"openapi", "info", "servers", "tags", "paths", "components"} == document.keys()
    assert sorted(set(names)) == sorted(names)
    for reference in references(document):
        part: Any = document
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
    for path, methods in document["paths"].items():
        assert path.startswith("/")
        assert methods.keys() <= METHODS
        for operation in methods.values():
            in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert re.findall(r"\{(\w+)\}", path) == in_path
            assert all(one["required"] is (one["in"] == "path") for one in operation["parameters"])
            assert operation["operationId"] in names
            for status, response in operation["responses"].items():
                assert re.fullmatch("[1-5][0-9]{2}", status)
                assert response["description"]


def test_a_body_is_described_with_the_limit_that_the_guard_holds(site: NodeSite) -> None:
    """The rule and the description name the same kinds and the same number."""
    rules = {(rule.path, rule.method): rule for area in site.areas for rule in area.bodies()}

    for operation in OPERATIONS:
        rule = rules.pop((operation.path, operation.method.upper()), None)
        assert (rule is not None) is bool(operation.body_types)
        if rule is not None:
            assert (rule.media_types, rule.bytes_max) == (operation.body_types, operation.body_bytes_max)
    assert {} == rules


def test_no_foreign_host_is_named() -> None:
    """Nothing that reads the document is sent elsewhere."""
    assert "//" not in str(build_document()).replace("https://json-schema.org", "")
