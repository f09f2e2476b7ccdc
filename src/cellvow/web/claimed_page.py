"""A number that is claimed and not registered: that there is no passport, and by whose word there should be one."""

from collections.abc import Callable

from cellvow.core.primitives.encoding import Json
from cellvow.passport.claimed import Claimed
from cellvow.web.error_page import Problem, problem_document
from cellvow.web.rendering import render_page


def render_claimed(
    claimed: Claimed,
    *,
    locale: str,
    home: str,
    languages: tuple[tuple[str, str], ...],
    block_of: Callable[[int], str],
) -> str:
    """The page, the same for everybody; `block_of` is the address of the block at a height."""
    return render_page(
        "claimed.html",
        locale,
        status=Problem.CLAIMED.status,
        claimed=claimed,
        home=home,
        languages=languages,
        block_of=block_of,
    )


def claimed_document(claimed: Claimed, *, locale: str, instance: str) -> dict[str, Json]:
    """The same for programs: problem details (RFC 9457), with the claims beside them."""
    claims: list[Json] = [
        {
            "claimed_ms": one.claimed_ms,
            "height": one.height,
            "name": one.name,
            "organisation": one.organisation,
            "reference": one.reference,
            "statement": one.statement,
            "topic": one.topic,
        }
        for one in claimed.claims
    ]
    problem: dict[str, Json] = {**problem_document(Problem.CLAIMED, locale=locale, instance=instance)}
    return {**problem, "battery": claimed.battery, "claims": claims, "maker": claimed.maker, "model": claimed.model}
