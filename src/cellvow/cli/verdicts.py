"""`cellvow verdict`: does a battery's last test still hold - accept, re-test or cannot tell, with every reason."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.bundles import read_bounded
from cellvow.cli.command import command
from cellvow.cli.failures import ExitCode, WrongUsage
from cellvow.cli.options import ReadingOptions, opened_reading
from cellvow.cli.parsing import parse_attestation, parse_battery, parse_span

if TYPE_CHECKING:
    from cellvow.passport.acceptance import Judgement, Savings
    from cellvow.passport.view import Passport

_EXIT_CODES = {"accept": ExitCode.DONE, "re_test": ExitCode.RE_TEST, "cannot_tell": ExitCode.CANNOT_TELL}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToJudge(ReadingOptions):
    """Options of `verdict`."""

    battery: Annotated[
        str | None,
        typer.Argument(metavar="[BATTERY]", help="The battery, as 01/GTIN/21/SERIAL or as the link on it."),
    ] = None
    policy: Annotated[
        str | None, typer.Option(metavar="FILE|NAME", help="A policy's file, or the name of a ready one.")
    ] = None
    attestation: Annotated[
        str | None, typer.Option(metavar="ORGANISATION/REF", help="Let it rest on this attestation alone.")
    ] = None
    today: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Day of the verdict (UTC). Without: today.")
    ] = None
    test_hours: Annotated[
        str | None, typer.Option(metavar="HOURS", help="Assumed duration of a re-test, as 6-10 or 8.")
    ] = None
    hourly_cost: Annotated[
        str | None, typer.Option(metavar="EUR", help="Assumed cost of its hour, as 40-120 or 75.")
    ] = None
    record: Annotated[
        str | None, typer.Option(metavar="REF", help="Sign the verdict and record it under this number.")
    ] = None
    list_policies: Annotated[bool, typer.Option("--list-policies", help="List the ready policies, and end.")] = False
    show_policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show a ready policy with its sources, and end.")
    ] = None
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE", exists=True, dir_okay=False, help="Compute a recorded verdict again from its bundle."
        ),
    ] = None
    trust: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="With --check: what you take as given."),
    ] = None


def add_verdict(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "verdict",
        examples=(
            "cellvow verdict 01/09506000134376/21/PACK-0001 --policy second_life_intake --workspace buyer",
            "cellvow verdict 01/09506000134376/21/PACK-0001 --policy our.policy --workspace buyer --record V-1",
            "cellvow verdict --list-policies",
            "cellvow verdict --check verdict.cvb --trust trust.json",
        ),
    )(verdict)


def verdict(options: ToJudge) -> Answer:
    """Say whether a battery's last test still holds.

    Accept, re-test or cannot tell: with every reason, what would change the
    answer, and the hours saved. With only a ledger it is judged on what
    everybody may see, with a workspace on what its organisation may. Exits
    with 0 for accept, 6 for re-test, 7 for cannot tell; in JSON only an accept
    is "ok". A recorded verdict can be computed again by whoever is shown its
    bundle (--check).
    """
    modes = [options.battery is not None, options.list_policies, options.show_policy is not None]
    if sum([*modes, options.check is not None]) != 1:
        raise WrongUsage("name a BATTERY with --policy, or one of --list-policies, --show-policy and --check")
    if options.list_policies:
        return _list_policies()
    if options.show_policy is not None:
        return _show_policy(options.show_policy)
    return _check(options) if options.check is not None else _judge(options)


def _list_policies() -> Answer:
    from cellvow.passport.acceptance import NAMES, load_ready_policy

    ready = [load_ready_policy(name) for name in NAMES]
    document = {"policies": [{"name": one.name, "title": one.title, "for_whom": one.for_whom} for one in ready]}
    rows = tuple((one.name, one.title, one.for_whom) for one in ready)
    return Answer(document, [Table(("name", "title", "for whom"), rows)])


def _show_policy(name: str) -> Answer:
    from cellvow.core.contracts.policy import policy_digest
    from cellvow.passport.acceptance import load_ready_policy

    ready = load_ready_policy(name)
    sources = [dataclasses.asdict(source) for source in ready.sources]
    document = {
        "name": ready.name,
        "title": ready.title,
        "for_whom": ready.for_whom,
        "date": ready.date,
        "note": ready.note,
        "sources": sources,
        "digest": policy_digest(ready.policy).hex(),
        "text": ready.text,
    }
    lines = [f"{ready.title}, {ready.date}: for {ready.for_whom}.", ready.note, "", "Sources:"]
    lines += [f"  {source.name}: {source.confidence}" for source in ready.sources]
    return Answer(document, [*lines, "", *ready.text.splitlines()])


def _judge(options: ToJudge) -> Answer:
    from cellvow.cli.verdict_text import describe_judgement
    from cellvow.passport.acceptance import judgement_document

    judgement, savings, recorded = _judged(options)
    document = judgement_document(judgement, savings)
    lines = describe_judgement(judgement, savings)
    if recorded is not None:
        document["recorded"] = recorded.document
        lines += ["", *recorded.text]
    return Answer(document, lines, exit_code=int(_EXIT_CODES[judgement.verdict]))


def _judged(options: ToJudge) -> tuple["Judgement", "Savings | None", Answer | None]:
    from cellvow.passport.acceptance import derive_savings, judge, load_assumptions
    from cellvow.workspace import verdicts

    if options.policy is None:
        raise WrongUsage("name a --policy; --list-policies lists those that are ready")
    if options.record is not None and options.workspace is None:
        raise WrongUsage("--record signs: name the --workspace whose verdict it is")
    hours = None if options.test_hours is None else parse_span(options.test_hours, 60, "hours")
    cost = None if options.hourly_cost is None else parse_span(options.hourly_cost, 100, "euros")
    assumptions = load_assumptions().changed(hours, cost)
    judgement = judge(
        _passport(options),
        verdicts.load_policy(options.policy),
        today=options.today or verdicts.today(),
        attestation=None if options.attestation is None else parse_attestation(options.attestation),
    )
    recorded = None if options.record is None else _record(options, judgement)
    return judgement, derive_savings(judgement.verdict, assumptions), recorded


def _passport(options: ToJudge) -> "Passport":
    from cellvow.core.ledger.rejection import Reason, Rejected
    from cellvow.passport.view import Audience
    from cellvow.workspace.passports import PassportReader

    battery = parse_battery(options.battery or "")
    with opened_reading(options) as (home, workspace):
        audience = Audience.PUBLIC if workspace is None else Audience.OWNER
        passport = PassportReader(home, workspace).passport(battery, audience)
    if passport is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
    return passport


def _record(options: ToJudge, judgement: "Judgement") -> Answer:
    from cellvow.cli.writing import perform
    from cellvow.workspace.verdicts import record_verdict

    folder, reference = options.workspace or Path(), options.record or ""
    answer = perform(
        folder,
        f"The verdict is recorded as {reference}; its reasons stay in the vault.",
        lambda session, workspace: record_verdict(session, workspace, judgement, reference),
    )
    statement = answer.document["statement"]
    proof = [
        "Whoever shall check it gets the bundle that this makes:",
        f"  cellvow bundle {statement} --disclose all --workspace {folder} --out verdict.cvb",
    ]
    return Answer(answer.document, [*answer.text, *proof])


def _check(options: ToJudge) -> Answer:
    from cellvow.cli.verdict_text import describe_recomputed, recomputed_document
    from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX, TRUST_BYTES_MAX
    from cellvow.core.primitives.signature import is_valid
    from cellvow.verify import parse_trust, verify_bundle
    from cellvow.workspace.verdicts import verify_recorded_verdict

    trust = None if options.trust is None else parse_trust(read_bounded(options.trust, TRUST_BYTES_MAX))
    data = read_bounded(options.check or Path(), BUNDLE_BYTES_MAX)
    verified = verify_bundle(data, trust, is_valid)
    recomputed = verify_recorded_verdict(verified)
    return Answer(recomputed_document(verified, recomputed), describe_recomputed(verified, recomputed))
