"""`cellvow vote propose`: one command for each kind of change."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import WorkspaceOptions, opened_workspace
from cellvow.cli.parsing import parse_accreditation, parse_interval_ms, parse_moment
from cellvow.cli.writing import answer_of, submit_and_publish

if TYPE_CHECKING:
    from cellvow.core.contracts.change import Change

app = make_app("Propose a change; it holds once enough members approve.")
VOTING = "14d"
"""How long members may vote unless the proposal says otherwise."""
OrganisationArgument = Annotated[str, typer.Argument(metavar="ORGANISATION", help="Whom it is about.")]
KeyOption = Annotated[str, typer.Option("--key", metavar="KEY", help="Its consensus key: 64 hexadecimal digits.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proposing(WorkspaceOptions):
    """What every proposal takes."""

    reference: Annotated[
        str | None, typer.Option("--ref", metavar="REF", help="Your name for it. Without: P-1, P-2 and so on.")
    ] = None
    from_block: Annotated[
        int, typer.Option(metavar="HEIGHT", min=0, help="Block from which it holds. Without: as soon as adopted.")
    ] = 0
    voting: Annotated[str, typer.Option(metavar="TIME", help="How long members may vote, like 12h or 14d.")] = VOTING


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Admission(Proposing):
    """Options of `vote propose admit-member`."""

    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="member.json of its workspace.")]


@command(app, "admit-member", examples=("cellvow vote propose admit-member maker/member.json -w lab",))
def admit_member(options: Admission) -> Answer:
    """Admit an organisation.

    Its member.json holds its name, its roles and its public root keys. Accreditations are a vote of their own.
    """
    from cellvow.core.contracts.change import AdmitMember
    from cellvow.workspace.workspace import read_member

    member = read_member(options.file)
    change = AdmitMember(
        organisation=member.organisation,
        name=member.name,
        roles=member.roles,  # type: ignore[arg-type]  # read_member has checked them against the same list
        root_keys=member.root_keys,
    )
    return _propose(options, change)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AboutOrganisation(Proposing):
    """Options of a proposal about a member."""

    organisation: OrganisationArgument


@command(app, "remove-member", examples=("cellvow vote propose remove-member carrier --voting 7d -w lab",))
def remove_member(options: AboutOrganisation) -> Answer:
    """Remove a member.

    Its keys end and its validators go; what it said stays valid.
    """
    from cellvow.core.contracts.change import RemoveMember

    return _propose(options, RemoveMember(organisation=options.organisation))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RolesToGive(AboutOrganisation):
    """Options of `vote propose roles`."""

    role: Annotated[list[str], typer.Option(metavar="ROLE", help="A role it has from then on; repeat it.")]


@command(app, "roles", examples=("cellvow vote propose roles carrier --role operator --role buyer -w lab",))
def change_roles(options: RolesToGive) -> Answer:
    """Give a member these roles, and no others."""
    from cellvow.core.contracts.change import ChangeRoles
    from cellvow.core.ledger.genesis import ROLES

    unknown = [role for role in options.role if role not in ROLES]
    if unknown:
        raise WrongUsage(f"{unknown[0]!r} is no role; roles are {', '.join(ROLES)}")
    roles = tuple(dict.fromkeys(options.role))
    return _propose(options, ChangeRoles(organisation=options.organisation, roles=roles))  # type: ignore[arg-type]  # checked above


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scopes(AboutOrganisation):
    """Options of `vote propose accredit`."""

    scope: Annotated[
        list[str],
        typer.Option(metavar="SCOPE", help="STANDARD:EDITION:QUANTITY,QUANTITY:YYYY-MM-DD; repeat it. Without: none."),
    ] = dataclasses.field(default_factory=list)


@command(
    app,
    "accredit",
    examples=('cellvow vote propose accredit lab --scope "IEC 62660-1:2018:capacity:2028-12-31" -w maker',),
)
def accredit(options: Scopes) -> Answer:
    """Record the accreditations of a member, and no others."""
    from cellvow.core.contracts.change import Accredit, Scope

    parsed = [parse_accreditation(one) for one in options.scope]
    scopes = tuple(
        Scope(standard=one.standard, edition=one.edition, quantities=one.quantities, valid_until_ms=one.valid_until_ms)
        for one in parsed
    )
    return _propose(options, Accredit(organisation=options.organisation, accreditations=scopes))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorToAdmit(AboutOrganisation):
    """Options of `vote propose admit-validator`."""

    key: KeyOption
    power: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Its voting power.")] = 10


_EXAMPLE_KEY = "9f1c" * 16


@command(
    app,
    "admit-validator",
    examples=(f"cellvow vote propose admit-validator lab --key {_EXAMPLE_KEY} --power 10 -w maker",),
)
def admit_validator(options: ValidatorToAdmit) -> Answer:
    """Admit a validator of a member, or change its power."""
    from cellvow.core.contracts.change import AdmitValidator

    change = AdmitValidator(organisation=options.organisation, public_key=options.key, power=options.power)
    return _propose(options, change)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorToRemove(Proposing):
    """Options of `vote propose remove-validator`."""

    key: KeyOption


@command(app, "remove-validator", examples=(f"cellvow vote propose remove-validator --key {_EXAMPLE_KEY} -w maker",))
def remove_validator(options: ValidatorToRemove) -> Answer:
    """Remove one validator; its organisation stays a member."""
    from cellvow.core.contracts.change import RemoveValidator

    return _propose(options, RemoveValidator(public_key=options.key))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParameterToSet(Proposing):
    """Options of `vote propose parameter`."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="Which parameter.")]
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A number, a time like 30d, or a share like 2/3.")]


@command(
    app,
    "parameter",
    examples=(
        "cellvow vote propose parameter threshold.member 3/4 -w maker",
        "cellvow vote propose parameter voting_ms_max 30d -w maker",
    ),
)
def set_parameter(options: ParameterToSet) -> Answer:
    """Set a parameter.

    Of a share like 2/3, more than two of three parts must approve from then on.
    """
    from cellvow.core.contracts.change import SetParameter
    from cellvow.core.contracts.parameter import DEFAULTS

    if options.name not in DEFAULTS:
        raise WrongUsage(f"{options.name!r} is no parameter; parameters are {', '.join(DEFAULTS)}")
    amount, out_of = _parse_setting(options.value)
    return _propose(options, SetParameter(name=options.name, amount=amount, out_of=out_of))  # type: ignore[arg-type]  # checked above


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RulesetToActivate(Proposing):
    """Options of `vote propose ruleset`."""

    ruleset: Annotated[int, typer.Argument(metavar="VERSION", help="The newer ruleset.", min=1)]


@command(app, "ruleset", examples=("cellvow vote propose ruleset 2 --from-block 1200 -w maker",))
def activate_ruleset(options: RulesetToActivate) -> Answer:
    """Judge by a newer ruleset.

    Members whose software does not know it stop at that block until they upgrade it.
    """
    from cellvow.core.contracts.change import ActivateRuleset
    from cellvow.core.protocol.ruleset import NEWEST, RULESETS

    if options.ruleset not in RULESETS:
        raise WrongUsage(f"this version of the software knows rulesets up to {NEWEST}: upgrade it, then propose")
    return _propose(options, ActivateRuleset(ruleset=options.ruleset))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyToDistrust(Proposing):
    """Options of `vote propose distrust`."""

    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's identifier: 32 hexadecimal digits.")]
    since: Annotated[str, typer.Option(metavar="TIME", help="From when on, like 2027-03-01 or 2027-03-01T14:30 (UTC).")]


@command(
    app, "distrust", examples=(f"cellvow vote propose distrust {_EXAMPLE_KEY[:32]} --since 2027-03-01T14:30 -w maker",)
)
def distrust(options: KeyToDistrust) -> Answer:
    """End anybody's key at once, in an emergency.

    What it signed since then is shown as suspect everywhere; nothing is deleted. Holds from the next block on.
    """
    from cellvow.core.contracts.change import Distrust

    return _propose(options, Distrust(kid=options.kid, since_ms=parse_moment(options.since)))


def _propose(options: Proposing, change: "Change") -> Answer:
    """Sign and submit the proposal; it says what would hold, and who must vote."""
    from cellvow.cli.vote_text import open_lines, proposal_document
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.governing import Draft, fetch_proposal, next_reference, propose

    closes_ms = now_ms() + parse_interval_ms(options.voting)
    with opened_workspace(options.workspace) as workspace:
        home = workspace.home()
        store = home.open_reader()
        try:
            reference = options.reference or next_reference(store, workspace.organisation)
        finally:
            store.close()
        draft = Draft(change=change, reference=reference, effective_height=options.from_block, closes_ms=closes_ms)
        receipted, published = submit_and_publish(workspace, lambda session, own: propose(session, own, draft))
        view, height = fetch_proposal(home, workspace.organisation, reference, now_ms())
    answer = answer_of(f"{view.name} is proposed:", receipted, published)
    sentence, *rest = answer.text
    lines = [sentence, *open_lines([view], height), *rest, "A proposal is no vote. Yours, and that of each member:"]
    document = {**answer.document, "proposal": proposal_document(view)}
    return Answer(document, [*lines, f"  cellvow vote cast {view.name} --approve --workspace {options.workspace}"])


def _parse_setting(text: str) -> tuple[int, int | None]:
    """(amount, None) of a number or a time, (amount, out of) of a share."""
    amount, slash, out_of = text.partition("/")
    if slash and amount.isdecimal() and out_of.isdecimal() and text.isascii():
        return int(amount), int(out_of)
    if text.isdecimal() and text.isascii() and len(text) <= 15:
        return int(text), None
    return parse_interval_ms(text), None
