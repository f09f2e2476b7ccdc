"""Proposals in the terminal: the words of the network's page, as lines and as documents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellvow.cli.wording import moment

if TYPE_CHECKING:
    from cellvow.workspace.governing import ProposalView


def proposal_document(proposal: "ProposalView") -> dict[str, object]:
    """A proposal for `--json`."""
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(proposal)
    return {**document, "missing": proposal.missing, "name": proposal.name}


def pending_lines(proposals: "Sequence[ProposalView]", height: int) -> list[str]:
    """What was adopted and has not taken effect."""
    lines = []
    for one in proposals:
        ahead = max(1, one.effective_height - height)
        when = "with the next block" if ahead == 1 else f"in about {ahead:,} blocks"
        lines += [f"  {sentence(one, height)}", f"    {when}; {one.name}, approved by {', '.join(one.approvals)}"]
    return lines or ["  nothing: no adopted change is waiting"]


def open_lines(proposals: "Sequence[ProposalView]", height: int) -> list[str]:
    """What is voted on."""
    lines = []
    for one in proposals:
        lines += [f"  {one.name}  {sentence(one, height)}", *(f"    {line}" for line in _votes(one))]
    return lines or ["  no vote is open"]


def ended_lines(proposals: "Sequence[ProposalView]", height: int) -> list[str]:
    """What was decided, or ended otherwise."""
    return [f"  {one.name}  {_ended(one)}: {sentence(one, height)}" for one in proposals]


def standing_lines(proposal: "ProposalView", height: int) -> list[str]:
    """How one proposal stands after a vote on it: open, waiting for its block, or in effect."""
    by_state = {"open": open_lines, "adopted": pending_lines}
    return by_state.get(proposal.state, ended_lines)([proposal], height)


def proposal_lines(proposal: "ProposalView", height: int) -> list[str]:
    """One proposal."""
    head = [f"{proposal.name}: {proposal.state}", f"  {sentence(proposal, height)}"]
    if proposal.state == "open":
        head += [f"  {line}" for line in _votes(proposal)]
        return [*head, "Vote:", f"  cellvow vote cast {proposal.name} --approve"]
    decided = [] if proposal.decided_height is None else [f"  decided in block {proposal.decided_height:,}"]
    cause = [] if proposal.cause is None else [f"  it could not take effect: {proposal.cause}"]
    return [*head, *(f"  {line}" for line in _who(proposal)), *decided, *cause]


def sentence(proposal: "ProposalView", height: int) -> str:
    """What holds from which block on, or would."""
    from cellvow.cli.page_words import plain
    from cellvow.web.network_wording import word_proposal
    from cellvow.web.wording import Wording

    return plain(word_proposal(proposal, height, Wording("en")))


def _votes(proposal: "ProposalView") -> list[str]:
    count = proposal.missing
    missing = f"{count} more approval{'' if count == 1 else 's'} missing, {proposal.needed} decide"
    silent = [f"not yet: {', '.join(proposal.silent[:20])}"] if proposal.silent else []
    return [f"{missing}; voting ends {moment(proposal.closes_ms)}", *_who(proposal), *silent]


def _who(proposal: "ProposalView") -> list[str]:
    return [
        f"for it: {', '.join(proposal.approvals) or 'nobody'}; against it: {', '.join(proposal.refusals) or 'nobody'}"
    ]


def _ended(proposal: "ProposalView") -> str:
    return "in effect" if proposal.state == "effective" else proposal.state
