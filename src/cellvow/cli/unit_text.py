"""How a unit stands, in the terminal: safety, disputes, what it was and became, its use and its parts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellvow.cli.answer import Table
from cellvow.cli.page_words import PageWords, mark_suspect, plain

if TYPE_CHECKING:
    from cellvow.passport.view import DisputeSeen, Parties, Passport, Relative, Safety

Lines = list[str | Table]


def describe_contested(disputes: Sequence["DisputeSeen"], words: PageWords) -> Lines:
    """What is contested, since when, and what to do; who stands against whom, where that may be known."""
    lines: Lines = []
    for one in disputes:
        title = words.text("contested.title" if one.is_of_identity else "contested.title_disputed")
        said = words.text("contested.line", topic=words.term("topic", one.topic), day=words.day(one.opened_ms))
        doubt = f" {words.text('contested.identity')}" if one.is_of_identity else ""
        advice = words.text("contested.do_identity" if one.is_of_identity else "contested.do")
        lines.append(f"{title.upper()} {said}{doubt} {advice}")
        if one.parties is not None:
            lines.append(f"  {_parties(one.parties, words)}")
    return lines


def _parties(parties: "Parties", words: PageWords) -> str:
    named = {"opener": parties.opener, "reference": parties.reference, "positions": str(parties.positions)}
    if parties.respondent is None:
        said = words.text("contested.alone", **named)
    else:
        said = words.text("contested.parties", **named, respondent=parties.respondent)
    return f"{said}{mark_suspect(parties.source, words)}"


def describe_notice(passport: "Passport", words: PageWords) -> Lines:
    """That somebody takes the unit over, and until when there is time to object."""
    notice = passport.notice
    if notice is None:
        return []
    since, until = words.day(notice.since_ms), words.day(notice.ends_ms)
    said = f"  {words.text('notice.title').upper()} {words.text('notice.text', since=since, until=until)}"
    if notice.by is None or notice.respondent is None or notice.cause is None:
        return [said]
    cause = words.term("takeover_cause", notice.cause)
    return [said, f"    {words.text('notice.parties', by=notice.by, respondent=notice.respondent, cause=cause)}"]


def describe_safety(passport: "Passport", words: PageWords) -> Lines:
    """The safety state, by whose word, and the open incidents; that nothing is recorded is no word of safety."""
    safety = passport.safety
    lines = words.heading("safe.title")
    if safety is None:
        lines.append(f"  {words.text('safe.answer')} {words.text('safe.why')}")
    else:
        lines += _safety(safety, words)
    return [*lines, f"  {words.text('safe.status', status=words.term('status', passport.status))}"]


def _safety(safety: "Safety", words: PageWords) -> Lines:
    lines: Lines = []
    if safety.name is None:
        lines.append(f"  {words.text('safe.unassessed')}")
    else:
        state = words.term("safety_state", safety.state)
        said = words.text("safe.says", state=state, day=words.day(safety.since_ms), name=safety.name)
        raised = "" if safety.is_assessed else f" {words.text('safe.raised')}"
        lines.append(f"  {said}{mark_suspect(safety.source, words)}")
        lines.append(f"  {words.term('safety_advice', safety.state)}{raised}")
    if safety.incidents:
        lines.append(f"  {words.count('safe.incidents', safety.incidents_open)}")
    for one in safety.incidents:
        incident, severity = words.term("incident", one.kind), words.term("severity", one.severity)
        named = {"name": one.source.name, "day": words.day(one.source.time_ms)}
        said = words.text("safe.incident", incident=incident, severity=severity, **named)
        lines.append(f"    {said}{mark_suspect(one.source, words)}")
    left = safety.incidents_open - len(safety.incidents)
    return [*lines, f"    {words.count('safe.incidents_more', left)}"] if left else lines


def describe_relatives(passport: "Passport", words: PageWords) -> Lines:
    """What the unit was made of, and what it became."""
    relatives = passport.relatives
    if not (relatives.originals or relatives.successors):
        return []
    lines = words.heading("relatives.title")
    lines += _kin("relatives.made_of", relatives.originals, relatives.originals_all, words)
    return lines + _kin("relatives.became", relatives.successors, relatives.successors_all, words)


def _kin(key: str, found: Sequence["Relative"], number: int, words: PageWords) -> Lines:
    if not found:
        return []
    lines: Lines = [f"  {words.text(key)}:"]
    for one in found:
        by = "" if one.source is None else f"{one.source.name}, "
        lines.append(f"    {one.battery}, {words.term('operation', one.operation)} ({by}{words.day(one.begun_ms)})")
    left = number - len(found)
    return [*lines, f"    {words.count('relatives.further', left)}"] if left else lines


def describe_use(passport: "Passport", words: PageWords) -> Lines:
    """Where it is built in, its service, its software, its grade, its documents."""
    from cellvow.web.unit_sentences import tell_use

    lines = words.heading("service.title")
    for fact in passport.use:
        by = "" if fact.source is None else f" ({fact.source.name}, {words.day(fact.source.time_ms)})"
        lines.append(f"  {plain(tell_use(fact, words.wording))}{by}{mark_suspect(fact.source, words)}")
    return lines if passport.use else [*lines, f"  {words.text('service.none')}"]


def describe_parts(passport: "Passport", words: PageWords) -> Lines:
    """What it is built into, its parts as an indented list, and those that came out."""
    parts = passport.parts
    if parts is None:
        return []
    lines = words.heading("parts.title")
    if parts.above:
        lines.append(f"  {words.text('parts.above')} {', '.join(parts.above)}")
    if parts.parts or parts.left:
        lines.append(f"  {words.count('parts.now', parts.direct)}")
    for part in parts.parts:
        position = "" if part.position is None else f", {part.position}"
        lines.append(f"  {'  ' * (part.depth + 1)}{part.battery}{position}")
    if parts.is_cut:
        lines.append(f"    {words.text('parts.cut')}")
    for left in parts.left:
        said = words.text("parts.left_line", removed=left.removed, cause=words.term("removal", left.cause))
        instead = "" if left.installed is None else f", {words.text('parts.replaced_by', installed=left.installed)}"
        lines.append(f"    {said}{instead} ({left.source.name}, {words.day(left.source.time_ms)})")
    return lines
