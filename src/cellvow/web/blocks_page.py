"""The chain as pages: its newest blocks as a picture with the table behind it, and one block with its leaves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import parse_battery_id
from cellvow.web.catalogue import isolate_foreign, load_catalogue
from cellvow.web.chain_picture import draw_chain
from cellvow.web.rendering import Look, render_page
from cellvow.web.wording import Wording
from cellvow.workspace.explorer import BlockPage, BlockView, ChainHead

LOOK = Look(area="explorer")
ORDERS = {
    "AcceptHandover": "order.AcceptHandover",
    "Anchor": "order.Anchor",
    "AppointGuardians": "order.AppointGuardians",
    "ApproveRecovery": "order.ApproveRecovery",
    "BeginSecondLife": "order.BeginSecondLife",
    "CastVote": "order.CastVote",
    "CompleteRecovery": "order.CompleteRecovery",
    "CorrectStatement": "order.CorrectStatement",
    "DeclareWaste": "order.DeclareWaste",
    "Countersign": "order.Countersign",
    "DeclineHandover": "order.DeclineHandover",
    "Decommission": "order.Decommission",
    "GradeUnit": "order.GradeUnit",
    "IssueAttestation": "order.IssueAttestation",
    "OfferHandover": "order.OfferHandover",
    "OpenRecovery": "order.OpenRecovery",
    "Propose": "order.Propose",
    "RaiseFloor": "order.RaiseFloor",
    "RecordDestruction": "order.RecordDestruction",
    "RecordRecycling": "order.RecordRecycling",
    "RecordVerdict": "order.RecordVerdict",
    "RegisterBattery": "order.RegisterBattery",
    "RegisterKey": "order.RegisterKey",
    "RegisterModel": "order.RegisterModel",
    "ReportSighting": "order.ReportSighting",
    "RevokeAttestation": "order.RevokeAttestation",
    "RevokeKey": "order.RevokeKey",
    "RotateRootKey": "order.RotateRootKey",
    "SetSigningRule": "order.SetSigningRule",
    "VetoRecovery": "order.VetoRecovery",
    "WithdrawHandover": "order.WithdrawHandover",
    "WithdrawHeld": "order.WithdrawHeld",
    "WithdrawProposal": "order.WithdrawProposal",
}
"""Message type -> its text; a later ruleset's type stands as it is written."""
KINDS = {"block": "leaf.block", "evidence": "leaf.evidence", "statement": "leaf.statement"}


@dataclass(frozen=True, slots=True)
class ChainLinks:
    """Addresses around a page of the chain; `to` keeps the reader's language on the way to another page."""

    home: str
    languages: tuple[tuple[str, str], ...]
    to: Callable[[str], str]
    witness_note: str | None = None
    newest: str | None = None
    older: str | None = None


def render_blocks(
    head: ChainHead | None, blocks: Sequence[BlockView], *, locale: str = "en", is_member: bool, links: ChainLinks
) -> str:
    """The chain, newest block first; `head` is None where there is no ledger."""
    wording = Wording(locale)
    return render_page(
        "blocks.html",
        locale,
        LOOK,
        head=head,
        blocks=blocks,
        picture=draw_chain(head, blocks, wording) if head is not None and blocks else None,
        covers=lambda block: head is not None and covers(head, block),
        is_member=is_member,
        links=links,
        home=links.home,
        languages=links.languages,
    )


def render_block(page: BlockPage, head: ChainHead, *, locale: str = "en", is_member: bool, links: ChainLinks) -> str:
    """One block; its statements say something where `page` holds their bodies."""
    catalogue = load_catalogue(locale)

    def order(kind: str) -> Markup:
        key = ORDERS.get(kind)
        return Markup("<code>{}</code>").format(isolate_foreign(kind)) if key is None else catalogue.text(key)

    return render_page(
        "block.html",
        locale,
        LOOK,
        block=page.block,
        page=page,
        head=head,
        is_covered=covers(head, page.block),
        kind=lambda one: catalogue.text(KINDS[one]),
        order=order,
        passport_of=lambda subject: _passport_of(subject, links),
        is_member=is_member,
        links=links,
        home=links.home,
        languages=links.languages,
    )


def covers(head: ChainHead, block: BlockView) -> bool:
    """Whether the newest checkpoint, or what the validators signed last, vouches for a block."""
    return block.block_leaf < head.vouched_leaves


def _passport_of(subject: str, links: ChainLinks) -> str | None:
    """The address of a subject's passport, where the subject is a battery."""
    try:
        return links.to(f"/{parse_battery_id(subject)}")
    except Malformed:
        return None
