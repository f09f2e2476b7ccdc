"""How a command is made: a dataclass of options, a function from it to an `Answer`, examples, and `--json`.

@command(app, "list", examples=("cellvow key list --workspace lab",))
def list_keys(options: WorkspaceOptions) -> Answer:
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any, TypeVar, get_type_hints

import typer
from typer.core import TyperGroup

from cellvow.cli.answer import Answer, present
from cellvow.cli.failures import failures_translated

EXAMPLE_WIDTH = 70
CONTEXT = {"max_content_width": 80, "help_option_names": ["--help", "-h"]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What every command takes."""

    as_json: Annotated[bool, typer.Option("--json", help="Everything as one JSON document.")] = False


OptionsType = TypeVar("OptionsType", bound=Options)
Run = Callable[[OptionsType], Answer]


def command(app: typer.Typer, name: str, *, examples: Sequence[str]) -> Callable[[Run[OptionsType]], Run[OptionsType]]:
    """Register a function from an options dataclass to an `Answer` as a command; its docstring is the help text."""

    def register(run: Run[OptionsType]) -> Run[OptionsType]:
        options_type: type[OptionsType] = get_type_hints(run)["options"]
        app.command(name, help=inspect.getdoc(run), epilog=_epilog(examples), context_settings=CONTEXT)(
            _entry(run, options_type)
        )
        return run

    return register


def make_app(text: str, *, default: str | None = None) -> typer.Typer:
    """A group of commands; with `default`, what names no command of the group is that one's argument."""
    return typer.Typer(
        help=text,
        cls=_group_with_default(default) if default else TyperGroup,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=CONTEXT,
    )


def _entry(run: Run[OptionsType], options_type: type[OptionsType]) -> Callable[..., None]:
    def entry(**values: Any) -> None:  # noqa: ANN401 - typer has checked them against the signature below
        as_json = bool(values["as_json"])
        with failures_translated(as_json=as_json):
            answer = run(options_type(**values))
            if answer.stay_up is None:
                present(answer, as_json=as_json)
            else:
                # It stays up until somebody has seen enough: an end, not a failure.
                with suppress(KeyboardInterrupt):
                    answer.stay_up(lambda: present(answer, as_json=as_json))
        raise typer.Exit(answer.exit_code)

    parameters = _parameters(options_type)
    entry.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect.signature
    entry.__annotations__ = {one.name: one.annotation for one in parameters}
    return entry


def _parameters(options_type: type[Options]) -> list[inspect.Parameter]:
    """The fields of the dataclass as parameters, its own before those it inherits."""
    hints = get_type_hints(options_type, include_extras=True)
    inherited = [field.name for base in options_type.__mro__[1:] for field in _fields_of(base)]
    fields = dataclasses.fields(options_type)
    own = [field for field in fields if field.name not in inherited]
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name]
        )
        for field in (*own, *(field for field in reversed(fields) if field not in own))
    ]


def _fields_of(kind: type) -> Sequence["dataclasses.Field[Any]"]:
    return dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()


def _default(field: "dataclasses.Field[Any]") -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty


def fold_example(example: str) -> str:
    """An example that can be copied from 80 columns: broken before options, each line but the last ended by a mark."""
    lines = [""]
    for part in re.split(r" (?=-)", example):
        longer = f"{lines[-1]} {part}".lstrip() if lines[-1].strip() else f"{lines[-1]}{part}"
        if len(longer) > EXAMPLE_WIDTH and lines[-1].strip():
            lines.append(f"    {part}")
        else:
            lines[-1] = longer if len(lines) == 1 else f"    {longer.lstrip()}"
    return " \\\n".join(lines)


def _epilog(examples: Sequence[str]) -> str:
    folded = [f"  {line}" for example in examples for line in fold_example(example).splitlines()]
    # The mark \b keeps a paragraph's lines as they are.
    return "\n".join(["\b", "Examples:", *folded])


def _group_with_default(default: str) -> type[TyperGroup]:
    class GroupWithDefault(TyperGroup):
        """Takes what is no name of a command as the beginning of its default command."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own context class moved
            if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
                args = [default, *args]
            return super().parse_args(ctx, args)

    return GroupWithDefault
