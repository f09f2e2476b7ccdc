"""An evaluation for people: one line a step, indented under what it leads to."""

from cellvow.core.contracts.contract import Provenance
from cellvow.core.contracts.policy.evaluation import Evaluation, Step
from cellvow.core.contracts.policy.facts import Stated, render_value


def explain_evaluation(evaluation: Evaluation) -> tuple[str, ...]:
    """The verdict, then each clause, condition and fact with what it is, from which statement, and why unknown."""
    lines = [f"{evaluation.verdict.value}: policy {evaluation.policy}"]
    for clause in evaluation.clauses:
        lines += _lines(clause, 1)
    return tuple(lines)


def _lines(step: Step, depth: int) -> list[str]:
    reason = f" ({step.reason})" if step.reason else ""
    lines = [f"{'  ' * depth}{_finding(step)}{_origin(step)}{reason}"]
    for part in step.parts:
        lines += _lines(part, depth + 1)
    return lines


def _finding(step: Step) -> str:
    if step.sources is None and step.kind == "boolean" and not step.fact:
        return f"{'unknown' if step.value is None else 'met' if step.value else 'missed'}: {step.text}"
    if step.value is None:
        return f"unknown: {step.text}"
    if step.kind == "list":
        return f"{step.text} has {step.value} value{'' if step.value == 1 else 's'}"
    return f"{step.text} is {render_value(step.value, step.kind)}"


def _origin(step: Step) -> str:
    if not step.sources or step.kind == "list":
        return ""
    return ", from " + " and ".join(_source(stated) for stated in step.sources)


def _source(stated: Stated) -> str:
    source: Provenance | None = stated.provenance
    return f"statement {source.statement} message {source.index}" if source else "whoever asks"
