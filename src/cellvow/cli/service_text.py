"""What `cellvow service` answers: a unit in use, what waits to be sent, and what became of it, row by row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellvow.cli.answer import Answer, Table
from cellvow.cli.failures import ExitCode
from cellvow.cli.wording import day, moment

if TYPE_CHECKING:
    from cellvow.cli.writing import Published
    from cellvow.core.contracts.safety import SafetyRecord
    from cellvow.core.contracts.software import SoftwareRecord
    from cellvow.workspace.sending import Sent, Waiting
    from cellvow.workspace.service import PaperView, ServiceView

_FATES = {
    "recorded": "recorded",
    "rejected": "rejected",
    "not_included": "not taken",
    "contested": "kept as a claim",
    "held": "held for a second signature",
}


def answer_of_service(view: "ServiceView", today: str, *, is_member: bool) -> Answer:
    """A unit in use; `today` decides whether its next service is overdue."""
    import msgspec

    lines: list[str | Table] = [f"{view.battery}", f"  safety      {_safety(view.safety)}", *_incidents(view.safety)]
    lines += [f"  {one.component:<11} {_software(one)}" for one in view.software]
    if is_member:
        lines += [f"  place       {_place(view)}", f"  service     {_service(view, today)}"]
        if view.order is not None and view.order.state == "open":
            lines.append(f"  ordered     {view.order.kind} of {view.order.workshop}, by {view.order.organisation}")
        lines += _documents(view.documents)
    service = view.service
    is_overdue = service is not None and service.next_service_on is not None and service.next_service_on < today
    document = {
        "battery": view.battery,
        "documents": [_document(one) for one in view.documents],
        "installation": msgspec.to_builtins(view.installation),
        "is_service_overdue": is_overdue,
        "order": msgspec.to_builtins(view.order),
        "place": view.place,
        "safety": msgspec.to_builtins(view.safety),
        "service": msgspec.to_builtins(view.service),
        "software": msgspec.to_builtins(view.software),
    }
    return Answer(document, lines)


def answer_of_queue(waiting: "Sequence[Waiting]") -> Answer:
    """What is signed and waits, oldest first."""
    listed = [{"messages": one.messages, "sequence": one.sequence, "subject": one.subject} for one in waiting]
    if not waiting:
        return Answer({"waiting": listed}, ["Nothing waits to be sent."])
    rows = tuple((str(one.sequence), _kinds(one), one.subject) for one in waiting)
    return Answer({"waiting": listed}, [Table(("sequence", "message", "about"), rows)])


def answer_of_sent(sent: "Sequence[Sent]", published: "Published | None", stopped: str | None) -> Answer:
    """What became of each statement, and what stopped the rest; refused by the ledger if any was not recorded."""
    if not sent and stopped is None:
        return Answer({"checkpoint": None, "sent": [], "stopped": None}, ["Nothing waits to be sent."])
    rows = tuple((_kinds(one.waiting), one.waiting.subject, _fate(one)) for one in sent)
    done = sum(one.fate == "recorded" for one in sent)
    failed = sum(one.fate not in ("recorded", "held") for one in sent)
    document = {
        "checkpoint": None if published is None else published.document(),
        "sent": [_sent(one) for one in sent],
        "stopped": stopped,
    }
    lines: list[str | Table] = [Table(("message", "about", "what became of it"), rows)] if rows else []
    lines.append(f"{done} of {len(sent)} are recorded.")
    if failed:
        lines.append("What was rejected changed nothing: look at the unit (`cellvow service show`), then sign anew.")
    lines += [] if published is None else published.lines()
    if stopped is not None:
        lines.append(f"It stopped there: {stopped}. What was not answered still waits; send again.")
        return Answer(document, lines, int(ExitCode.OPERATIONAL))
    return Answer(document, lines, int(ExitCode.REFUSED if failed else ExitCode.DONE))


def _kinds(waiting: "Waiting") -> str:
    return waiting.messages[0] if len(waiting.messages) == 1 else f"{len(waiting.messages)} messages"


def _fate(sent: "Sent") -> str:
    word = _FATES[sent.fate]
    if sent.why is not None:
        return f"{word}: {sent.why}"
    when = "" if sent.receipted is None else f" in block {sent.receipted.height}"
    return f"{'already ' if sent.was_known else ''}{word}{when}"


def _sent(sent: "Sent") -> dict[str, object]:
    from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond

    why, receipted = sent.why, sent.receipted
    told: dict[str, object] = {
        "fate": sent.fate,
        "messages": sent.waiting.messages,
        "sequence": sent.waiting.sequence,
        "subject": sent.waiting.subject,
        "was_known": sent.was_known,
    }
    if receipted is not None:
        told |= {"height": receipted.height, "statement": receipted.digest.hex(), "txid": receipted.txid.hex()}
    if isinstance(why, KeptForSecond):
        told["held"] = list(why.indexes)
    elif isinstance(why, KeptAsClaim):
        told["dispute"] = f"{why.opener}/{why.reference}"
    elif why is not None:
        told |= {"code": int(why.reason), "facts": dict(why.facts), "rule": why.rule}
    return told


def _safety(record: "SafetyRecord | None") -> str:
    if record is None:
        return "nothing was ever reported or assessed"
    if record.organisation is None:
        return "nobody has raised an alarm, and nobody has assessed it"
    found = "" if record.assessed in (None, record.state) else f"; {record.assessed_by} had found it {record.assessed}"
    return f"{record.state}, says {record.organisation} since {moment(record.since_ms)}{found}"


def _incidents(record: "SafetyRecord | None") -> list[str | Table]:
    if record is None or not record.incidents:
        return []
    rows = tuple(
        (f"{one.organisation}/{one.reference}", one.kind.replace("_", " "), one.severity) for one in record.incidents
    )
    return [Table(("open incident", "what", "severity"), rows, indent=4)]


def _software(record: "SoftwareRecord") -> str:
    done = "reset to" if record.installed_as == "reset" else "runs"
    released = record.maker_released
    free = "" if released is None else f"; its maker is released since {day(released.since_ms)}"
    return f"{done} {record.release}, by {record.installed_by} since {day(record.since_ms)}{free}"


def _place(view: "ServiceView") -> str:
    record = view.installation
    if record is None:
        return "not recorded"
    which = "" if view.place is None else f" {view.place} (you know which)"
    into = record.into.replace("_", " ")
    if record.state == "removed":
        return f"taken out of a {into}{which} on {record.removed_on}, says {record.organisation}"
    return f"in a {into}{which} since {record.installed_on}, says {record.organisation}"


def _service(view: "ServiceView", today: str) -> str:
    record = view.service
    if record is None:
        return "none recorded with its holder's consent"
    last = f"{record.kind} on {record.done_on} by {record.organisation} ({record.reference})"
    if record.next_service_on is None:
        return f"{last}; no next one is set"
    due = "was due" if record.next_service_on < today else "next"
    return f"{last}; {due} {record.next_service_on}, set by {record.next_set_by}"


def _documents(documents: "Sequence[PaperView]") -> list[str | Table]:
    if not documents:
        return []
    rows = tuple(
        (f"{one.record.organisation}/{one.record.reference}", str(one.record.version), one.record.title)
        for one in documents
    )
    return [Table(("document", "version", "title"), rows, indent=4)]


def _document(paper: "PaperView") -> dict[str, object]:
    record = paper.record
    return {
        "about": record.about,
        "commitment": record.document.commitment,
        "organisation": record.organisation,
        "reference": record.reference,
        "roles": record.roles,
        "title": record.title,
        "version": record.version,
        "versions": [
            {"statement": one.statement, "time_ms": one.time_ms, "version": one.version} for one in paper.versions
        ],
    }
