"""The label of a battery, 62 by 40 mm: its code to scan, and in print what a person needs without a scanner."""

from dataclasses import dataclass

from markupsafe import Markup

from cellvow.passport.digital_link import draw_qr

WIDTH_MM, HEIGHT_MM = 62, 40
LINE_LENGTH_MAX = 22
"""Characters of the small print that fit beside the code."""
_HEAD_LENGTH_MAX = 15
_CUT = "\u2026"
_XMLNS = "http://www.w3.org/2000/svg"


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on a label: already in the reader's language, foreign text already cleaned."""

    link: str
    title: str
    head: str
    lines: tuple[str, ...]
    call: str


def draw_label_svg(label: Label) -> Markup:
    """The label as a picture of its real size; longer texts are cut, with a sign that they are."""
    rows = Markup().join(
        Markup('<text x="346" y="{y}" font-size="22" fill="#000">{line}</text>').format(
            y=112 + place * 32, line=cut(line, LINE_LENGTH_MAX)
        )
        for place, line in enumerate(label.lines[:6])
    )
    return Markup(
        '<svg xmlns="{xmlns}" class="label" role="img" width="{width}mm" height="{height}mm" viewBox="0 0 620 400" '
        'font-family="sans-serif"><title>{title}</title><path fill="#fff" d="M0 0h620v400H0z"/>'
        '<svg x="4" y="36" width="328" height="328">{qr}</svg>'
        '<text x="346" y="70" font-size="30" font-weight="bold" fill="#000">{head}</text>{rows}'
        '<text x="346" y="352" font-size="20" fill="#000">{call}</text></svg>'
    ).format(
        xmlns=_XMLNS,
        width=WIDTH_MM,
        height=HEIGHT_MM,
        title=label.title,
        qr=draw_qr(label.link, title=label.link),
        head=cut(label.head, _HEAD_LENGTH_MAX),
        rows=rows,
        call=cut(label.call, LINE_LENGTH_MAX + 2),
    )


def draw_standing_qr(link: str) -> str:
    """A code as an SVG document that stands alone, for documents that embed pictures."""
    return str(draw_qr(link, title=link)).replace("<svg ", f'<svg xmlns="{_XMLNS}" ', 1)


def cut(text: str, length: int) -> str:
    """The text, or its beginning with a sign that more follows."""
    return text if len(text) <= length else text[: length - 1] + _CUT
