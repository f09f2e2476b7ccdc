"""The two members of an export package that people read: both follow from its index alone, and prove nothing."""

from collections.abc import Iterable, Mapping
from html import escape

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.quantity import UNITS
from cellvow.verify import describe_time

TITLES = {
    "certificate": "Certificate",
    "verdict": "Verdict of an acceptance policy",
    "un38_3": "UN 38.3 reference",
    "state_of_charge": "State of charge for transport",
}
"""What each paper of a package is called."""
_REGISTERS = {"custody": "Holds it", "ownership": "Owns it", "responsibility": "Answers for it"}
_AMOUNTS = {
    "mass_g": ("g", "Mass"),
    "nominal_voltage_mv": ("mV", "Nominal voltage"),
    "rated_capacity_mah": ("mAh", "Rated capacity"),
}
_SHOWN = {
    "g": ("kg", 3),
    "mAh": ("Ah", 3),
    "mV": ("V", 3),
    "mWh": ("Wh", 3),
    "permille": ("%", 1),
    "ppm": ("%", 4),
    "uohm": ("mOhm", 3),
}
"""Unit of a scaled integer -> the unit people read, and by how many decimal places the point moves."""
_FACTS = {
    "model": "Model",
    "category": "Category",
    "chemistry": "Chemistry",
    "maker_name": "Made by",
    "manufactured_on": "Made on",
    "status": "Status",
}
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "h1,p{overflow-wrap:anywhere}table{border-collapse:collapse;width:100%;table-layout:fixed}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #999;overflow-wrap:anywhere}"
    "th{width:34%}"
    ".lack{border-left:.3rem solid;padding-left:.7rem}@media(prefers-color-scheme:dark)"
    "{body{background:#111;color:#eee}}"
)
README = """\
An export package of a battery.

  index.json     what is inside, for which unit, from which ledger, as of when
  passport.html  the same for people to read
  *.cvb          the proofs: each is a bundle of one signed statement

Only the proofs prove anything. index.json, passport.html and this text follow
from them, and the check below refuses a package in which they say anything
else. A package from which somebody took a proof says that it is missing.

To check it, with no network and no ledger:

  cellvow export verify PACKAGE --trust trust.json

To check one proof with Python alone, unpack it with any tool for ZIP files:

  python3 cellvow-verify.pyz certificate.cvb --trust trust.json

Neither the verifier nor the trust file is inside, on purpose: whoever could
forge a package could forge those as well. Get the verifier from where the
software comes from, and trust.json from somebody you know: it names the ledger
and the keys that vouch for it.

"missing" means: not in this package, or not to be relied on any more. What
whoever made it kept out, a package cannot show: no paper beside these, and no
dispute that it does not name. What happened after its moment it cannot know.

Whether a rule of transport is met is for the consignor to say: the package
holds what was signed, by whom, how it came about (measured, estimated,
simulated or declared) and how old it was.
"""
"""The text beside every package."""


def draw_sheet(index: Mapping[str, Json]) -> str:
    """The page: no scripts, nothing from elsewhere. Every text of others is escaped and kept to its place."""
    unit, as_of, ledger = _map(index["unit"]), _map(index["as_of"]), _map(index["ledger"])
    rows = [(label, _text(unit.get(name))) for name, label in _FACTS.items()]
    rows += [(label, _text(_amount(unit.get(name), sign))) for name, (sign, label) in _AMOUNTS.items()]
    registers = [(_REGISTERS[str(one["register"])], _register(one)) for one in _maps(index["registers"])]
    papers = [_draw_paper(one) for one in _maps(index["papers"])]
    lacks = [_draw_lack(one) for one in _maps(index["missing"])]
    moment = describe_time(int(str(as_of["time_ms"])))
    parts = [
        f"<h1>Battery {_text(index['battery'])}</h1>",
        f"<p>As of {_text(moment)}, ledger {_text(ledger['chain_id'])}, {_text(as_of['leaves'])} leaves.</p>",
        "<p>This page proves nothing by itself: <code>cellvow export verify</code> holds it against the proofs.</p>",
        *(f'<p class="lack"><b>{_text(one)}</b></p>' for one in describe_disputes(index)),
        *(["<h2>Missing</h2>", *lacks] if lacks else []),
        "<h2>Who holds, owns and answers</h2>",
        _table(registers),
        *papers,
        "<h2>The unit</h2>",
        _table(rows),
        f"<p><small>Genesis {_text(ledger['genesis'])}</small></p>",
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    title = f"<title>Export package of {escape(str(index['battery']))}</title>"
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}{title}</head><body>\n{body}\n</body></html>\n'


def describe_paper(paper: Mapping[str, Json]) -> list[tuple[str, str]]:
    """What one paper says, as (label, words)."""
    standing = str(paper["standing"]) + (" - beware, its signer's key is suspect" if paper["suspect"] else "")
    rows = [
        ("Standing", standing),
        ("Signed by", f"{paper['issuer_name']} ({paper['issuer']})"),
        ("Signed on", describe_time(int(str(paper["signed_ms"])))),
        ("Number", str(paper["reference"])),
    ]
    if "verdict" in paper:
        rows += [("Verdict", _spoken(paper["verdict"])), ("On the day", str(paper["as_of"]))]
    else:
        rows += _describe_attestation(paper)
    rows += [("Shown value", _value(one)) for one in _maps(paper["disclosed"])]
    return rows


def describe_register(register: Mapping[str, Json]) -> str:
    """Who stands in a register, since when, and who signed that."""
    since = describe_time(int(str(register["since_ms"])))
    signed = "signed at its registration"
    if register["offer"] is not None:
        signed = f"signed by both sides: {register['offered_by']} offered, {register['accepted_by']} accepted"
    beware = "; beware, a signer's key is suspect" if register["suspect"] else ""
    return f"{register['name']} ({register['organisation']}) since {since}, {signed}{beware}"


def describe_disputes(index: Mapping[str, Json]) -> list[str]:
    """One sentence where the unit's record names disputes, else nothing."""
    named = index["disputes"]
    if not isinstance(named, list) or not named:
        return []
    return [f"Disputed: {', '.join(str(one) for one in named)}; `cellvow dispute show` has the file"]


def _describe_attestation(paper: Mapping[str, Json]) -> list[tuple[str, str]]:
    standard, age = _map(paper["standard"]), paper["age_days"]
    rows = [("Came about", f"{paper['class']}, {age} {'day' if age == 1 else 'days'} before this package")]
    if standard:
        rows.append(("Standard", f"{standard.get('name')}, {standard.get('edition')}"))
    if paper["valid_until_ms"] is not None:
        rows.append(("Valid until", describe_time(int(str(paper["valid_until_ms"])))))
    rows += [("Signed for", _predicate(one)) for one in _maps(paper["predicates"])]
    quantities = paper["quantities"]
    if isinstance(quantities, list):
        rows.append(("Is about", ", ".join(_spoken(one) for one in quantities)))
    return rows


def _predicate(one: Mapping[str, Json]) -> str:
    threshold = _amount(one.get("threshold"), UNITS.get(str(one.get("quantity"))))
    return f"{_spoken(one.get('quantity'))} {_spoken(one.get('comparison'))} {threshold}"


def _value(one: Mapping[str, Json]) -> str:
    quantity, unit = _spoken(one.get("quantity")), one.get("unit")
    if "value" not in one:
        return f"{quantity}, document {one['sha256']}" if "sha256" in one else quantity
    bounds = ""
    if "low" in one and "high" in one:
        bounds = f", from {_amount(one['low'], unit)} to {_amount(one['high'], unit)}"
    return f"{quantity} {_amount(one['value'], unit)}{bounds}"


def _amount(value: Json, unit: Json) -> str:
    """A scaled integer in the unit people read, exact: 280 permille are 28.0 %."""
    shown, places = _SHOWN.get(str(unit), ("" if unit is None else str(unit), 0))
    if not isinstance(value, int) or not places:
        return f"{value} {shown}".rstrip()
    sign, digits = "-" if value < 0 else "", f"{abs(value):0{places + 1}}"
    return f"{sign}{digits[:-places]}.{digits[-places:]} {shown}"


def _spoken(word: Json) -> str:
    return str(word).replace("_", " ")


def _register(one: Mapping[str, Json]) -> str:
    return _text(describe_register(one))


def _draw_paper(paper: Mapping[str, Json]) -> str:
    rows = [(label, _text(words)) for label, words in describe_paper(paper)]
    proof = ("Proof", f"<code>{_text(paper['file'])}</code>")
    return f"<h2>{escape(TITLES[str(paper['paper'])])}</h2>\n{_table([*rows, proof])}"


def _draw_lack(one: Mapping[str, Json]) -> str:
    title = escape(TITLES[str(one["paper"])])
    return f'<p class="lack"><b>{title}: {_text(one["why"])}</b><br>{_text(one["remedy"])}</p>'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    drawn = "\n".join(f'<tr><th scope="row">{escape(label)}</th><td>{words}</td></tr>' for label, words in rows)
    return f"<table>\n{drawn}\n</table>"


def _text(value: Json) -> str:
    """Somebody's text in a place of its own: nothing in it is markup, and nothing in it turns its neighbours."""
    words = "".join(one if one.isprintable() else "?" for one in str(value))
    return f"<bdi>{escape(words)}</bdi>"


def _map(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _maps(value: Json) -> list[Mapping[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
