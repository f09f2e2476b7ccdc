"""The validators drawn as a ring: an arc for each, as long as its share of all power, solid where it has signed."""

from collections.abc import Sequence
from math import cos, pi, sin

from markupsafe import Markup

from cellvow.web.wording import Wording
from cellvow.workspace.network_view import ValidatorView

WIDTH, HEIGHT, RADIUS, NUMBERS = 320, 280, 100, 124
"""The picture's size, the ring's radius, and that of the numbers around it."""
GAP = 0.03
"""Radians left free between two arcs."""
NUMBERED_MAX = 24
"""Validators whose numbers fit around the ring; the table numbers all."""


def draw_ring(validators: Sequence[ValidatorView], wording: Wording) -> Markup:
    """The ring as inline SVG with a title and a description; at least one validator."""
    catalogue = wording.catalogue
    total = sum(one.power for one in validators)
    signed, is_known = sum(bool(one.has_signed) for one in validators), validators[0].has_signed is not None
    many = f"{wording.whole(signed)} / {wording.whole(len(validators))}" if is_known else wording.whole(len(validators))
    shapes: list[Markup] = []
    begun = 0.0
    for place, validator in enumerate(validators, start=1):
        share = validator.power / total
        shapes.append(_arc(validator, begun, begun + share))
        if len(validators) <= NUMBERED_MAX:
            shapes.append(_number(place, begun + share / 2))
        begun += share
    return Markup(
        '<svg class="ring" viewBox="0 0 {} {}" role="img" aria-labelledby="ring-title ring-text">'
        '<title id="ring-title">{}</title><desc id="ring-text">{}</desc>{}'
        '<text class="many" x="{}" y="{}">{}</text><text class="what" x="{}" y="{}">{}</text></svg>'
    ).format(
        WIDTH,
        HEIGHT,
        catalogue.plain("network.ring_title"),
        catalogue.plain("network.ring_text", count=wording.whole(len(validators)), signed=wording.whole(signed)),
        Markup("").join(shapes),
        WIDTH // 2,
        HEIGHT // 2 + 4,
        many,
        WIDTH // 2,
        HEIGHT // 2 + 28,
        catalogue.plain("network.ring_label" if is_known else "network.ring_unknown"),
    )


def _arc(validator: ValidatorView, begin: float, end: float) -> Markup:
    kind = "arc signed" if validator.has_signed else "arc"
    kind += " own" if validator.is_own else ""
    if end - begin > 1 - GAP / (2 * pi):
        return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(kind, WIDTH // 2, HEIGHT // 2, RADIUS)
    half = min(GAP / 2, (end - begin) * pi / 2)
    first, last = 2 * pi * begin + half, 2 * pi * end - half
    (x1, y1), (x2, y2) = _point(first, RADIUS), _point(last, RADIUS)
    is_long = int(last - first > pi)
    return Markup('<path class="{}" d="M{} {}A{} {} 0 {} 1 {} {}"/>').format(
        kind, x1, y1, RADIUS, RADIUS, is_long, x2, y2
    )


def _number(place: int, middle: float) -> Markup:
    x, y = _point(2 * pi * middle, NUMBERS)
    return Markup('<text class="no" x="{}" y="{}">{}</text>').format(x, f"{float(y) + 5:.1f}", place)


def _point(angle: float, radius: int) -> tuple[str, str]:
    """A point at an angle from twelve o'clock, clockwise."""
    return f"{WIDTH / 2 + radius * sin(angle):.1f}", f"{HEIGHT / 2 - radius * cos(angle):.1f}"
