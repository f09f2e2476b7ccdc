"""Changes that members vote on, in words: the same for the network's page and for the command line."""

from markupsafe import Markup

from cellvow.core.contracts.change import (
    Accredit,
    ActivateRuleset,
    AdmitMember,
    AdmitValidator,
    Change,
    ChangeRoles,
    Distrust,
    RemoveMember,
    RemoveValidator,
    Scope,
    SetParameter,
)
from cellvow.core.protocol.ruleset import RULESETS
from cellvow.web.catalogue import isolate_foreign
from cellvow.web.wording import Wording
from cellvow.workspace.governing import ProposalView

KEY_DIGITS = 16
"""So many digits name a key where the whole of it stands elsewhere."""
_DAY_MS = 86_400_000


def word_change(change: Change, wording: Wording) -> Markup:
    """What a change does, as the end of a sentence that begins with when it holds."""
    text = wording.catalogue.text
    match change:
        case AdmitMember(organisation=organisation, name=name, roles=roles):
            return text("decision.AdmitMember", organisation=organisation, name=name, roles=word_roles(roles, wording))
        case RemoveMember(organisation=organisation):
            return text("decision.RemoveMember", organisation=organisation)
        case ChangeRoles(organisation=organisation, roles=roles):
            return text("decision.ChangeRoles", organisation=organisation, roles=word_roles(roles, wording))
        case Accredit():
            return _word_accreditation(change, wording)
        case AdmitValidator(organisation=organisation, public_key=key, power=power):
            words = {"organisation": organisation, "public_key": _key(key), "power": wording.whole(power)}
            return text("decision.AdmitValidator", **words)
        case RemoveValidator(public_key=key):
            return text("decision.RemoveValidator", public_key=_key(key))
        case SetParameter():
            return _word_parameter(change, wording)
        case ActivateRuleset(ruleset=ruleset):
            return _word_ruleset(ruleset, wording)
        case Distrust(kid=kid, since_ms=since_ms):
            return text("decision.Distrust", public_key=_code(kid), moment=wording.moment(since_ms))


def word_proposal(proposal: ProposalView, height: int, wording: Wording) -> Markup:
    """What holds from which block on, or would; `height` is the newest block."""
    change, text = word_change(proposal.change, wording), wording.catalogue.text
    block = wording.whole(proposal.effective_height)
    if proposal.state == "effective":
        return text("decision.since", height=block, change=change)
    if proposal.state == "adopted":
        return text("decision.from", height=block, change=change)
    if proposal.effective_height > height + 1 and not isinstance(proposal.change, Distrust):
        return text("decision.if_adopted", height=block, change=change)
    return text("decision.if_adopted_at_once", change=change)


def word_roles(roles: tuple[str, ...], wording: Wording) -> Markup:
    """Roles of an organisation in a row."""
    return Markup(", ").join(wording.catalogue.term("role", role) for role in roles)


def _word_accreditation(change: Accredit, wording: Wording) -> Markup:
    text = wording.catalogue.text
    if not change.accreditations:
        return text("decision.NoAccreditation", organisation=change.organisation)
    scopes = Markup("; ").join(_scope(scope, wording) for scope in change.accreditations)
    return text("decision.Accredit", organisation=change.organisation, scopes=scopes)


def _scope(scope: Scope, wording: Wording) -> Markup:
    return wording.catalogue.text(
        "decision.scope",
        standard=scope.standard,
        edition=scope.edition,
        quantities=Markup(", ").join(wording.catalogue.term("quantity", one) for one in scope.quantities),
        day=wording.day(scope.valid_until_ms),
    )


def _word_parameter(change: SetParameter, wording: Wording) -> Markup:
    text, name = wording.catalogue.text, wording.catalogue.term("parameter", change.name)
    if change.out_of is not None:
        parts, out_of = wording.whole(change.amount), wording.whole(change.out_of)
        return text("decision.threshold", parameter=name, parts=parts, out_of=out_of)
    if change.name == "voting_ms_max":
        return text("decision.days", parameter=name, days=wording.whole(change.amount // _DAY_MS))
    return text("decision.amount", parameter=name, amount=wording.whole(change.amount))


def _word_ruleset(ruleset: int, wording: Wording) -> Markup:
    text, number = wording.catalogue.text, wording.whole(ruleset)
    if ruleset not in RULESETS:
        return text("decision.unknown_ruleset", ruleset=number)
    return text("decision.ActivateRuleset", ruleset=number, adds=wording.catalogue.term("adds", str(ruleset)))


def _key(public_key: str) -> Markup:
    return _code(public_key[:KEY_DIGITS])


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(isolate_foreign(text))
