"""The code on a battery: its GS1 Digital Link as path, address and QR, and back to the battery it names.

https://passports.example/01/09506000134376/21/DEMO-0001
"""

import re
from urllib.parse import urlsplit

import segno
from markupsafe import Markup

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import BatteryId, parse_battery_id

LINK_LENGTH_MAX = 1_024
"""Longest address that is read: a QR code of the largest size holds little more in a printable form."""
QUIET_MODULES = 4
"""Empty modules around a code (ISO/IEC 18004): scanners need them."""
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_TYPED = re.compile(r"(?:\(01\)|01/)?\s*([0-9]{14})(?:\s*\(21\)\s*|/21/|[\s/,;]+)([!-~]{1,40})")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*?/(01/[^/]*/21/[^/]*)\Z")


def derive_path(battery: BatteryId) -> str:
    """The path of a battery's Digital Link: the identifier itself, from the root of a resolver."""
    return f"/{battery}"


def parse_origin(text: str) -> str:
    """Scheme, host and port of a resolver without a trailing slash, or `Malformed`."""
    if _ORIGIN.match(text) is None:
        raise Malformed(f"{text[:60]!r} is not the origin of a site: write https://HOST or https://HOST:PORT")
    return text


def encode_digital_link(battery: BatteryId, origin: str) -> str:
    """The address that a code on the battery carries. `origin` is checked."""
    return parse_origin(origin) + derive_path(battery)


def parse_digital_link(text: str) -> BatteryId:
    """The battery that an address or a path names, or `Malformed` with what is wrong.

    A resolver may put a path of its own before the identifier, and a query behind it; our identifiers need no
    percent-encoding, so an encoded one is refused rather than read in two ways.
    """
    if re.match(r"[!-~]+\Z", text) is None or len(text) > LINK_LENGTH_MAX:
        raise Malformed(f"a Digital Link has 1 to {LINK_LENGTH_MAX} printable ASCII characters and no space")
    path = _PATH.match(_path_of(text))
    if path is None:
        raise Malformed(f"{text[:60]!r} is not a Digital Link of a battery: it ends in /01/GTIN/21/SERIAL")
    return parse_battery_id(path[1])


def find_identifier(text: str) -> str | None:
    """`01/GTIN/21/SERIAL` in what somebody typed, pasted or scanned, not checked further; None where it has none.

    Read are an address that ends in it, the GS1 element string that is printed beside a code (`(01)GTIN(21)SERIAL`),
    and a model number followed by a serial number. What is typed may be in small letters.
    """
    typed = text.strip()
    if len(typed) > LINK_LENGTH_MAX:
        return None
    named = _TYPED.fullmatch(typed)
    if named is not None:
        return f"01/{named[1]}/21/{named[2].upper()}"
    try:
        path = _PATH.match(_path_of(typed if "://" in typed else f"/{typed.lstrip('/')}"))
    except Malformed:
        return None
    return None if path is None else path[1]


def draw_qr(link: str, *, title: str) -> Markup:
    """A QR code (error correction M) as inline SVG, dark on light in every colour scheme; `title` is its text."""
    code = segno.make(link, error="m", micro=False, boost_error=False)
    width, _ = code.symbol_size(border=QUIET_MODULES)
    rows = (_runs(bytes(row)) for row in code.matrix_iter(border=QUIET_MODULES))
    drawn = "".join(f"M0 {place}.5{runs}" for place, runs in enumerate(rows) if runs)
    return Markup(
        '<svg class="qr" role="img" viewBox="0 0 {width} {width}"><title>{title}</title>'
        '<path fill="#fff" d="M0 0h{width}v{width}H0z"/><path stroke="#000" d="{runs}"/></svg>'
    ).format(width=width, title=title, runs=drawn)


def _runs(row: bytes) -> str:
    """Moves and lines along one row of modules, which are 0 or 1."""
    drawn, end = [], 0
    for run in re.finditer(rb"\x01+", row):
        drawn.append(f"m{run.start() - end} 0h{run.end() - run.start()}")
        end = run.end()
    return "".join(drawn)


def _path_of(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise Malformed(f"{text[:60]!r} is not an address") from error
    is_path = not parts.scheme and not parts.netloc and text.startswith("/")
    if not is_path:
        parse_origin(f"{parts.scheme}://{parts.netloc}")
    return parts.path
