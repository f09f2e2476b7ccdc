"""The page of the network: who signs, what will hold from which block, what is voted on, and who stands alone."""

from markupsafe import Markup

from cellvow.web.blocks_page import ChainLinks
from cellvow.web.network_picture import draw_ring
from cellvow.web.network_wording import KEY_DIGITS, word_proposal, word_roles
from cellvow.web.rendering import Look, render_page
from cellvow.web.wording import Wording
from cellvow.workspace.governing import ProposalView
from cellvow.workspace.network_view import Comparison, NetworkView

LOOK = Look(area="network")
PROPOSALS_MAX = 20
"""Open votes on the page; how many there are is told, and `cellvow vote list` names all."""
_SAID = {
    "engine": ("network.engine_agrees", "network.engine_differs"),
    "validators": ("network.validators_agree", "network.validators_differ"),
}


def render_network(view: NetworkView | None, *, locale: str = "en", links: ChainLinks) -> str:
    """The network, or that there is none yet."""
    wording = Wording(locale)
    height = 0 if view is None else view.height

    def sentence(proposal: ProposalView) -> Markup:
        return word_proposal(proposal, height, wording)

    return render_page(
        "network.html",
        locale,
        LOOK,
        view=view,
        ring=draw_ring(view.validators, wording) if view is not None and view.validators else None,
        sentence=sentence,
        roles=lambda one: word_roles(one, wording),
        compared=lambda one: _compared(one, wording),
        votes_max=PROPOSALS_MAX,
        key_digits=KEY_DIGITS,
        links=links,
        home=links.home,
        languages=links.languages,
    )


def _compared(comparison: Comparison, wording: Wording) -> Markup:
    """Whether somebody names the same root for this ledger's leaves, in a sentence."""
    text, size = wording.catalogue.text, wording.whole(comparison.size)
    if comparison.source == "member":
        if comparison.agrees is None:
            return text("network.member_silent", who=comparison.who)
        key = "network.member_agrees" if comparison.agrees else "network.member_differs"
        return text(key, who=comparison.who, size=size)
    if comparison.agrees is None:
        return text("network.not_compared")
    same, other = _SAID[comparison.source]
    return text(same if comparison.agrees else other, size=size)
