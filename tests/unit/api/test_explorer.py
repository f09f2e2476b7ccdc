"""The chain over HTTP: hashes for strangers, bodies for members, pages by keyset, caches that may keep the final."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.explorer import BATTERIES_MAX, ExplorerRoutes, NoChain
from cellvow.api.negotiation import FINAL
from cellvow.api.passports import PassportPages
from cellvow.core.ledger.block import Block
from cellvow.core.ledger.checkpoint import parse_note
from cellvow.core.protocol.transition import apply_block
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStore
from cellvow.web.chain_picture import LEAVES_DRAWN_MAX
from cellvow.workspace.explorer import BLOCKS_MAX, LEAVES_MAX, MESSAGES_MAX, Explorer
from tests import messages
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.node_site import OWNER, NodeSite
from tests.unit.api.test_passports import Shelf
from tests.unit.web.page_reading import Page, shape_faults

BODIES = ("nordpack", "RegisterBattery", messages.GTIN)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeSite]:
    """A node with four blocks, the first three under a checkpoint; nothing here changes it."""
    with NodeSite(tmp_path_factory.mktemp("explorer")) as built:
        built.fill(batteries=MESSAGES_MAX + 5)
        built.writer.publish()
        built.post(built.member.key.sign_batch([messages.model()], mode="each").data)
        yield built


def test_the_head_says_where_the_chain_stands(site: NodeSite) -> None:
    """Height, leaves and root, and the checkpoint beneath them."""
    head = site.client.get("/api/v1/head").json()

    assert (5, 11, 9) == (head["height"], head["leaves"], head["checkpoint"]["size"])
    assert head["root"] != head["checkpoint"]["root"]
    assert [] == head["checkpoint"]["cosigned_by"]


def test_the_checkpoint_is_the_signed_note(site: NodeSite) -> None:
    """Byte for byte as it was published."""
    answer = site.client.get("/api/v1/checkpoint")

    assert 9 == parse_note(answer.content).checkpoint.size
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_following_next_visits_every_block_once(site: NodeSite, limit: int) -> None:
    """By height, oldest first, and `next` is null at the end."""
    address, heights = f"/api/v1/blocks?limit={limit}", []
    while address:
        page = site.client.get(address).json()
        heights += [block["height"] for block in page["blocks"]]
        assert len(page["blocks"]) <= limit
        address = page["next"]

    assert [1, 2, 3, 4, 5] == heights


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_turning_back_visits_every_block_once(site: NodeSite, limit: int) -> None:
    """Newest first, as the pages do."""
    explorer, heights = Explorer(site.home), list[int]()
    before: int | None = None
    while found := explorer.blocks_before(before, limit):
        heights += [block.height for block in found]
        before = found[-1].height

    assert [5, 4, 3, 2, 1] == heights


def test_following_next_visits_every_battery_once(site: NodeSite) -> None:
    """By identifier."""
    address, found = "/api/v1/batteries?limit=7", []
    while address:
        page = site.client.get(address).json()
        found += page["batteries"]
        address = page["next"]

    assert MESSAGES_MAX + 5 == len(found)
    assert sorted(set(found)) == found


@pytest.mark.parametrize("path", ["/api/v1/blocks/3", "/blocks/3", "/blocks", "/api/v1/blocks", "/api/v1/head"])
def test_a_stranger_sees_no_body(site: NodeSite, path: str) -> None:
    """No organisation, message type or identifier, nor a digest that would let him guess an outcome."""
    text = site.client.get(path).text

    assert [] == [word for word in BODIES if word in text]
    assert "digest" not in text.lower() or path == "/blocks"
    assert '"statement":{' not in text


@pytest.mark.parametrize("path", ["/api/v1/blocks/3", "/blocks/3"])
def test_control_a_member_sees_bodies(site: NodeSite, path: str) -> None:
    """The same addresses with the owner's key, and nobody's cache keeps that."""
    answer = site.client.get(path, headers=OWNER)

    assert [word for word in BODIES if word in answer.text]
    assert "no-store" == answer.headers["cache-control"]


def test_a_member_sees_outcomes_and_follows_batteries(site: NodeSite) -> None:
    """Rejected with its code and rule; each battery leads to its passport."""
    rejected = site.client.get("/api/v1/blocks/4", headers=OWNER).json()["leaves"][0]["statement"]["messages"][0]
    page = Page(site.client.get("/blocks/3", headers=OWNER).text)

    assert (401, "MODEL_EXISTS", False) == (rejected["code"], rejected["reason"], rejected["accepted"])
    assert f"/01/{messages.GTIN}/21/PACK-0001" in page.addresses
    assert "A batch of 25 messages" in page.text
    assert "and 5 messages more" in page.text


def test_a_leaf_is_the_hash_that_the_log_holds(site: NodeSite) -> None:
    """What a stranger sees is what proofs are made of."""
    store = site.home.open_reader()
    leaves = site.client.get("/api/v1/blocks/3").json()["leaves"]

    assert [store.node(0, one["index"]).hex() for one in leaves] == [one["hash"] for one in leaves]
    assert ["statement", "block"] == [one["kind"] for one in leaves]
    store.close()


@pytest.mark.slow
def test_a_block_of_many_leaves_comes_in_pages(tmp_path: Path) -> None:
    """Each leaf once; the last page ends with the block's own leaf."""
    with NodeSite(tmp_path) as site:
        statements = tuple(site.member.key.sign(messages.model()) for _ in range(LEAVES_MAX * 2 + 10))
        store = LedgerStore.open_writer(site.home.folder)
        block = Block(2, site.clock(), statements)
        store.commit(block, apply_block(store.head(), StoredState(store), block))
        store.close()
        address, found = "/api/v1/blocks/2", list[int]()
        while address:
            page = site.client.get(address).json()
            assert len(page["leaves"]) <= LEAVES_MAX
            found += [one["index"] for one in page["leaves"]]
            address = page["next"]
        text = site.client.get("/blocks").text

    assert list(range(3, 3 + len(statements) + 1)) == found
    assert f"+{len(statements) - LEAVES_DRAWN_MAX}</text>" in text


@pytest.mark.parametrize("height", ["0", "99", "-1", "1e3", "%31%00", "9" * 16, "9" * 40, "\u0663", "../1", "abc"])
@pytest.mark.parametrize("under", ["/blocks/", "/api/v1/blocks/"])
def test_a_height_without_a_block_is_not_found(site: NodeSite, under: str, height: str) -> None:
    """Whatever it looks like."""
    assert 404 == site.client.get(under + height).status_code


@pytest.mark.parametrize(
    ("address", "limits"),
    [
        ("/api/v1/blocks?limit=0", "from 1 to 100"),
        (f"/api/v1/blocks?limit={BLOCKS_MAX + 1}", "from 1 to 100"),
        ("/api/v1/blocks?after=-1", "from 0"),
        ("/api/v1/blocks?after=x", "from 0"),
        ("/api/v1/blocks?after=9007199254740992", "9007199254740991"),
        (f"/api/v1/batteries?limit={BATTERIES_MAX + 1}", "from 1 to 500"),
        ("/api/v1/blocks/1?leaf=%C2%B2", "from 0"),
        ("/blocks?before=0", "from 1"),
    ],
)
def test_an_error_names_the_limits(site: NodeSite, address: str, limits: str) -> None:
    """400, and what would have been right."""
    answer = site.client.get(address)

    assert 400 == answer.status_code
    assert limits in answer.text


def test_a_final_block_may_be_kept_and_a_growing_answer_is_asked_for_again(site: NodeSite) -> None:
    """A block as a stranger sees it never changes; the head does."""
    block, head = site.client.get("/api/v1/blocks/2"), site.client.get("/api/v1/head")

    assert (FINAL, "no-cache") == (block.headers["cache-control"], head.headers["cache-control"])
    for answer, path in ((block, "/api/v1/blocks/2"), (head, "/api/v1/head")):
        for held in (answer.headers["etag"], f"W/{answer.headers['etag']}", f'"x", {answer.headers["etag"]}', "*"):
            again = site.client.get(path, headers={"if-none-match": held})
            assert (304, b"") == (again.status_code, again.content)
        assert 200 == site.client.get(path, headers={"if-none-match": '"other"'}).status_code


@pytest.mark.parametrize("language", ["en", "de", "pt-BR"])
@pytest.mark.parametrize(
    "path", ["/blocks", "/blocks?before=3", "/blocks?before=1", "/blocks/1", "/blocks/3", "/blocks/5"]
)
@pytest.mark.parametrize("headers", [{}, OWNER], ids=["stranger", "member"])
def test_pages_are_well_formed_in_every_language(
    site: NodeSite, path: str, language: str, headers: dict[str, str]
) -> None:
    """For strangers and members, in the middle and past the end."""
    answer = site.client.get(path, headers={**headers, "accept-language": language})

    assert 200 == answer.status_code
    assert [] == shape_faults(Page(answer.text))
    assert len(answer.content) <= 25_000
    assert language == answer.headers["content-language"]


def test_the_picture_and_the_table_name_the_same_blocks(site: NodeSite) -> None:
    """Each block of the table is in the picture, under the checkpoint or not, as the table says."""
    text = site.client.get("/blocks").text
    page = Page(text)

    for height in range(1, 6):
        assert f"Block {height}</text>" in text
        assert f"/blocks/{height}" in page.addresses
    assert (4, 1) == (text.count('class="box covered"'), text.count('class="box"'))
    assert (4, 1) == (text.count(">covered<"), text.count(">not yet<"))
    assert "0 cosignatures" in text


def test_json_is_given_for_pages_too(site: NodeSite) -> None:
    """The same content under the same address."""
    as_json = {"accept": "application/json"}

    assert site.client.get("/api/v1/blocks").json() == site.client.get("/blocks", headers=as_json).json()
    assert site.client.get("/api/v1/blocks/3").json() == site.client.get("/blocks/3", headers=as_json).json()


def test_without_a_ledger_the_page_says_what_to_do_first() -> None:
    """Empty is designed; programs are told that there is nothing."""
    access = Access(None, lambda: 0)
    routes = ExplorerRoutes(NoChain(), Shelf(), access)
    client = AsgiClient(create_application(Site(access, PassportPages(Shelf(), access), (routes,))))
    page = Page(client.get("/blocks").text)

    assert [] == shape_faults(page)
    assert "There is no block yet." in page.text
    assert "cellvow demo" in page.text
    for path in ("/api/v1/head", "/api/v1/checkpoint", "/api/v1/blocks/1", "/blocks/1"):
        assert 404 == client.get(path).status_code
    assert {"blocks": [], "next": None} == client.get("/api/v1/blocks").json()
