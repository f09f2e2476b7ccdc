"""Disputes and take-overs in the terminal: plain words first, commitments last, and the same file to both sides."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from cellvow.cli.wording import moment

if TYPE_CHECKING:
    from cellvow.passport.disputes import DisputeView, PositionView, TakeoverView
    from cellvow.workspace.disputes import DisputeFile

_TOPICS = {
    "cloned_serial": "the serial is claimed by two",
    "dead_identifier": "the identifier is of a unit that has ended",
    "counter_backwards": "a counter goes backwards",
    "health_risen": "health has risen without a recorded cause",
    "part_elsewhere": "the part is recorded in another unit",
    "not_held": "handed over by somebody who is not registered",
    "custody": "who holds it",
    "ownership": "who owns it",
    "responsibility": "who answers for it",
    "certificate": "a certificate",
    "identity": "which unit it is",
    "safety": "whether it is safe",
    "rule_gap": "the rules do not say",
}
_CAUSES = {
    "insolvent": "who answers for it is insolvent",
    "unreachable": "who answers for it cannot be reached",
    "abandoned": "it was abandoned",
    "removed": "who answers for it is no member any more",
}


def topic_text(topic: str) -> str:
    """What a dispute is about, in words."""
    return _TOPICS.get(topic, topic)


def dispute_document(file: "DisputeFile") -> dict[str, object]:
    """A dispute for `--json`: the ledger's part, and beside it what this reader can open."""
    return {**view_document(file.view), "opened": {name: dict(one) for name, one in file.opened.items()}}


def view_document(view: "DisputeView") -> dict[str, object]:
    """The ledger's part of a dispute: the same to whoever reads it."""
    return {**asdict(view), "name": view.name}


def list_lines(views: "Sequence[DisputeView]", battery: str) -> list[str]:
    """The disputes over a unit, one below the other."""
    if not views:
        return [f"No dispute over {battery} is recorded."]
    is_open = sum(view.summary.is_open for view in views)
    lines = [f"{battery}: {is_open} open, {len(views) - is_open} ended"]
    for view in views:
        sides = f"{view.opener} against {view.respondent or 'nobody'}"
        lines += [f"  {view.name}  {topic_text(view.summary.topic)}", f"    {_state(view)}; {sides}"]
    return [*lines, "One of them whole:", f"  cellvow dispute show {views[0].name}"]


def file_lines(file: "DisputeFile") -> list[str]:
    """One dispute whole."""
    view, summary = file.view, file.view.summary
    lines = [
        f"{view.name}: {_state(view)}",
        f"  unit: {view.battery}",
        f"  about: {topic_text(summary.topic)}",
        f"  {view.opener} against {view.respondent or 'nobody'}, since {moment(summary.opened_ms)}",
    ]
    if summary.is_claim:
        lines.append("  opened by a message that the registers deny; its statement is the evidence")
    lines += [f"  {register} does not move until it ends" for register in summary.holds]
    if summary.is_open:
        lines += [f"  decides: {_who_decides(view)}", f"  lapses: {moment(view.lapses_ms)}"]
    lines += ["", "Positions:" if view.positions else "No position is stated."]
    for position in view.positions:
        lines += _position(position, file.opened)
    lines += _proposal(view)
    return [*lines, *_decision(file), "", f"  statement {view.statement}"]


def takeover_lines(view: "TakeoverView | None", battery: str) -> list[str]:
    """The latest notice of a take-over."""
    if view is None:
        return [f"Nobody has given notice of a take-over of {battery}."]
    lines = [
        f"{view.battery}: notice {view.state}",
        f"  {view.by} wants to answer for it instead of {view.respondent}: {_CAUSES.get(view.cause, view.cause)}",
        f"  since {moment(view.since_ms)}; {len(view.evidence)} documents committed to",
    ]
    if view.state == "open":
        lines += [f"  until {moment(view.ends_ms)} whoever is registered can object:"]
        lines += [f"  cellvow takeover object {view.battery}"]
    if view.objected_by is not None:
        lines.append(f"  {view.objected_by} has objected")
    return lines


def _state(view: "DisputeView") -> str:
    outcome = view.summary.outcome
    return view.summary.state if outcome is None else f"{view.summary.state}, {outcome}"


def _who_decides(view: "DisputeView") -> str:
    if view.arbiter is not None:
        return f"{view.arbiter}, named by both sides"
    named = [f"{side} names {one}" for side, one in _named(view) if one is not None]
    return "an authority" + (f" ({'; '.join(named)})" if named else "")


def _named(view: "DisputeView") -> list[tuple[str, str | None]]:
    return [(view.opener, view.named_by_opener), (view.respondent or "", view.named_by_respondent)]


def _position(position: "PositionView", opened: Mapping[str, Mapping[str, object]]) -> list[str]:
    lines = [f"  {position.organisation}, {moment(position.stated_ms)}"]
    text = opened.get(position.text)
    if text is None:
        lines += ["    its text was not handed to you; the ledger keeps", f"    {position.text}"]
    else:
        lines.append(f"    {text.get('text')}")
    for commitment in position.evidence:
        document = opened.get(commitment)
        if document is None:
            lines += ["    a document:", f"    {commitment}"]
        else:
            lines += [f"    document {document.get('name')}, SHA-256", f"    {document.get('sha256')}"]
    return lines


def _proposal(view: "DisputeView") -> list[str]:
    if view.proposed_by is None or not view.summary.is_open:
        return []
    other = view.respondent if view.proposed_by == view.opener else view.opener
    return [
        "",
        f"{view.proposed_by} proposes: {_moves(view.proposed)}. For {other} to accept:",
        f"  cellvow dispute accept {view.name} --version {view.version}",
    ]


def _decision(file: "DisputeFile") -> list[str]:
    decision = file.view.decision
    if decision is None:
        return []
    grounds = file.opened.get(decision.grounds)
    voided = ["  earlier tests of the unit are void"] if decision.voids_tests else []
    said = [f"  grounds: {grounds.get('text')}"] if grounds else ["  grounds, committed to:", f"  {decision.grounds}"]
    sentence = f"{decision.arbiter} decided on {moment(decision.decided_ms)}: {decision.outcome}"
    return ["", sentence, f"  {_moves(decision.moves)}", *voided, *said]


def _moves(moves: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{register} to {organisation}" for register, organisation in moves) or "no register moves"
