"""`cellvow sign`: a second signature inside an organisation - its rule, what waits, and giving or refusing it."""

import dataclasses
import json
import re
from typing import Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import WorkspaceOptions, opened_workspace
from cellvow.cli.wording import moment
from cellvow.cli.writing import perform

app = make_app("A second signature, where your organisation asks for it.")
HeldArgument = Annotated[
    str,
    typer.Argument(
        metavar="STATEMENT[/INDEX]", help="What waits, or the start of its name; all of it without a place."
    ),
]
KeyOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="The key that signs. Without: the one the workspace works with.")
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule(WorkspaceOptions):
    """Options of `sign rule`."""

    message: Annotated[
        list[str],
        typer.Option(metavar="MESSAGE", help="A message type that needs two signatures from now on; repeat it."),
    ] = dataclasses.field(default_factory=list)
    none: Annotated[bool, typer.Option("--none", help="No message needs two signatures from now on.")] = False


@command(
    app,
    "rule",
    examples=(
        "cellvow sign rule --workspace maker",
        "cellvow sign rule --message OfferHandover --message AcceptHandover --workspace maker",
        "cellvow sign rule --none --workspace maker",
    ),
)
def rule(options: Rule) -> Answer:
    """Show or set which messages need two signatures.

    Only the root key sets it; it counts from the next block on. What waits already goes on waiting.
    """
    from cellvow.workspace import countersigning

    if options.message and options.none:
        raise WrongUsage("say --message or --none, not both")
    if options.message or options.none:
        named = ", ".join(sorted(options.message)) or "nothing"
        return perform(
            options.workspace,
            f"From the next block on a second signature is needed for: {named}.",
            lambda session, workspace: countersigning.set_rule(session, workspace, options.message),
        )
    with opened_workspace(options.workspace) as workspace:
        store = workspace.home().open_reader()
        try:
            messages = countersigning.read_rule(store, workspace.organisation)
        finally:
            store.close()
    lines = [f"A second signature is needed for: {', '.join(messages)}."] if messages else ["One signature does."]
    return Answer({"messages": list(messages)}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AsKey(WorkspaceOptions):
    """Options of `sign waiting`."""

    key: KeyOption = None


@command(app, "waiting", examples=("cellvow sign waiting --workspace maker",))
def list_waiting(options: AsKey) -> Answer:
    """List what waits for a second signature.

    What it orders, about what, who signed first, until when it waits, and whether your key can sign it.
    """
    from cellvow.workspace.countersigning import waiting

    with opened_workspace(options.workspace) as workspace:
        names = {workspace.key(name).kid.hex(): name for name in workspace.keystore.names()}
        store = workspace.home().open_reader()
        try:
            found = waiting(store, workspace.organisation, workspace.key(options.key).kid)
        finally:
            store.close()
    document = []
    lines = [] if found else ["Nothing waits for a second signature."]
    for one in found:
        refusal = None if one.refusal is None else {"code": int(one.refusal.reason), "rule": one.refusal.rule}
        document.append({**dataclasses.asdict(dataclasses.replace(one, refusal=None)), "refusal": refusal})
        first = names.get(one.first_kid, one.first_kid) + (", a key that has ended since" if one.first_ended else "")
        order = {name: value for name, value in one.order.items() if name != "type"}
        lines += [
            f"{one.message} about {one.about}",
            f"  {json.dumps(order, sort_keys=True)}",
            f"  signed by {first} at {moment(one.since_ms)}; waits until {moment(one.lapses_ms)}",
            f"  {'your key can sign it' if one.refusal is None else f'not for your key: {one.refusal.rule}'}",
            f"  {one.name}",
        ]
    return Answer({"waiting": document}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held(AsKey):
    """Options of `sign second` and `sign withdraw`."""

    held: HeldArgument


_EXAMPLE = "9f1c72d04be1/0"


@command(app, "second", examples=(f"cellvow sign second {_EXAMPLE} --key operational-2 --workspace maker",))
def second(options: Held) -> Answer:
    """Give the second signature.

    What waited is then done as if it were ordered now, or refused by a rule it breaks by now.
    """
    from cellvow.workspace.countersigning import give_second

    statement, index = _parse_held(options.held)
    return perform(
        options.workspace,
        "The second signature is given, and what waited is done.",
        lambda session, workspace: give_second(session, workspace, statement, index, options.key),
    )


@command(app, "withdraw", examples=(f"cellvow sign withdraw {_EXAMPLE} --workspace maker",))
def withdraw(options: Held) -> Answer:
    """Let something wait no longer.

    Any key of the organisation that may do so, also the one that signed first.
    """
    from cellvow.workspace.countersigning import withdraw_held

    statement, index = _parse_held(options.held)
    return perform(
        options.workspace,
        "It waits no longer, and nothing was done.",
        lambda session, workspace: withdraw_held(session, workspace, statement, index, options.key),
    )


def _parse_held(text: str) -> tuple[str, int | None]:
    """(start of the statement, index) of `STATEMENT/INDEX`; no index where all of the statement is meant."""
    digest, slash, index = text.partition("/")
    if re.match(r"^[0-9a-f]{8,64}\Z", digest) is None:
        raise WrongUsage(f"{digest[:70]!r} names no statement: its first 8 hexadecimal digits or more do")
    if slash and not (index.isascii() and index.isdecimal() and len(index) <= 3):
        raise WrongUsage(f"{index[:20]!r} is no place in a statement: a number is")
    return digest, int(index) if slash else None
