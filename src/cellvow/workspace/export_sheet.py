"""The two members of an export package that people read: both follow from its index alone, and prove nothing."""

from collections.abc import Iterable, Mapping
from html import escape

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.quantity import UNITS
from cellvow.verify import describe_time
from cellvow.workspace.export_words import Words, term_key

_AMOUNTS = {"mass_g": "g", "nominal_voltage_mv": "mV", "rated_capacity_mah": "mAh"}
_FACTS = ("model", "category", "chemistry", "maker_name", "manufactured_on", "status")
_TERMS = ("category", "status")
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "h1,p{overflow-wrap:anywhere}table{border-collapse:collapse;width:100%;table-layout:fixed}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #999;overflow-wrap:anywhere}"
    "th{width:40%}"
    ".lack{border-left:.3rem solid;padding-left:.7rem}@media(prefers-color-scheme:dark)"
    "{body{background:#111;color:#eee}}"
)


def draw_sheet(index: Mapping[str, Json], words: Words) -> str:
    """The page: no scripts, nothing from elsewhere. Every text of others is escaped and kept to its place."""
    unit, as_of, ledger = _map(index["unit"]), _map(index["as_of"]), _map(index["ledger"])
    battery, moment = str(index["battery"]), describe_time(int(str(as_of["time_ms"])))
    registers = [
        (words.text(f"register.{one['register']}"), _text(describe_register(one, words)))
        for one in _maps(index["registers"])
    ]
    papers = [_draw_paper(one, words) for one in _maps(index["papers"])]
    lacks = [_draw_lack(one, words) for one in _maps(index["missing"])]
    said = {"moment": _text(moment), "chain": _text(ledger["chain_id"]), "leaves": _text(as_of["leaves"])}
    command = "<code>cellvow export verify</code>"
    parts = [
        f"<h1>{words.text('sheet.battery', battery=_text(battery))}</h1>",
        f"<p>{words.text('sheet.as_of', **said)}</p>",
        f"<p>{words.text('sheet.no_proof', command=command)}</p>",
        *(f'<p class="lack"><b>{_text(one)}</b></p>' for one in describe_disputes(index, words)),
        *([f"<h2>{escape(words.text('sheet.missing'))}</h2>", *lacks] if lacks else []),
        f"<h2>{escape(words.text('sheet.who'))}</h2>",
        _table(registers),
        *papers,
        f"<h2>{escape(words.text('sheet.unit'))}</h2>",
        _table(_describe_unit(unit, words)),
        f"<p><small>{words.text('sheet.genesis', digest=_text(ledger['genesis']))}</small></p>",
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    title = f"<title>{escape(words.text('sheet.title', battery=battery))}</title>"
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="{words.tag}"><head>{head}{title}</head><body>\n{body}\n</body></html>\n'


def describe_paper(paper: Mapping[str, Json], words: Words) -> list[tuple[str, str]]:
    """What one paper says, as (label, words)."""
    standing = words.term("standing", paper["standing"])
    if paper["suspect"]:
        standing = words.text("row.suspect", standing=standing)
    said = [
        ("standing", standing),
        ("signed_by", f"{paper['issuer_name']} ({paper['issuer']})"),
        ("signed_on", describe_time(int(str(paper["signed_ms"])))),
        ("number", str(paper["reference"])),
    ]
    if "verdict" in paper:
        said += [("verdict", words.term("verdict", paper["verdict"])), ("on_the_day", str(paper["as_of"]))]
    else:
        said += _describe_attestation(paper, words)
    said += [("shown_value", _value(one, words)) for one in _maps(paper["disclosed"])]
    return [(words.text(f"row.{name}"), text) for name, text in said]


def describe_register(register: Mapping[str, Json], words: Words) -> str:
    """Who stands in a register, since when, and who signed that."""
    said = {name: str(register[name]) for name in ("name", "organisation", "offered_by", "accepted_by")}
    said["since"] = describe_time(int(str(register["since_ms"])))
    sentence = words.text("register.birth" if register["offer"] is None else "register.handover", **said)
    return f"{sentence}; {words.text('register.suspect')}" if register["suspect"] else sentence


def describe_disputes(index: Mapping[str, Json], words: Words) -> list[str]:
    """One sentence where the unit's record names disputes, else nothing."""
    named = index["disputes"]
    if not isinstance(named, list) or not named:
        return []
    return [words.text("sheet.disputed", names=", ".join(str(one) for one in named))]


def describe_lack(lack: Mapping[str, Json], words: Words) -> tuple[str, str]:
    """Which paper is missing and why, and who can supply it."""
    reason, _, standing = str(lack["why"]).partition(": ")
    why = words.text(term_key("why", reason), standing=words.term("standing", standing))
    title = words.text(f"paper.{lack['paper']}")
    return f"{title}: {why}", words.text(f"remedy.{lack['paper']}")


def _describe_unit(unit: Mapping[str, Json], words: Words) -> list[tuple[str, str]]:
    """What is known of the unit; a model need not state everything."""
    facts = [(f"fact.{name}", name, unit.get(name)) for name in _FACTS]
    said = {
        key: words.term(name, value) if name in _TERMS else value for key, name, value in facts if value is not None
    }
    amounts = [(f"amount.{name}", unit.get(name), sign) for name, sign in _AMOUNTS.items()]
    said |= {key: words.amount(value, sign) for key, value, sign in amounts if value is not None}
    return [(words.text(key), _text(value)) for key, value in said.items()]


def _describe_attestation(paper: Mapping[str, Json], words: Words) -> list[tuple[str, str]]:
    standard, age = _map(paper["standard"]), paper["age_days"]
    came_about = {"class": words.term("class", paper["class"]), "age": str(age)}
    said = [("came_about", words.text("row.age.one" if age == 1 else "row.age.other", **came_about))]
    if standard:
        named = {name: str(standard.get(name)) for name in ("name", "edition")}
        said.append(("standard", words.text("row.edition", **named)))
    if paper["valid_until_ms"] is not None:
        said.append(("valid_until", describe_time(int(str(paper["valid_until_ms"])))))
    said += [("signed_for", _predicate(one, words)) for one in _maps(paper["predicates"])]
    quantities = paper["quantities"]
    if isinstance(quantities, list):
        said.append(("about", ", ".join(words.term("quantity", one) for one in quantities)))
    return said


def _predicate(one: Mapping[str, Json], words: Words) -> str:
    threshold = words.amount(one.get("threshold"), UNITS.get(str(one.get("quantity"))))
    quantity, comparison = words.term("quantity", one.get("quantity")), words.term("comparison", one.get("comparison"))
    return f"{quantity} {comparison} {threshold}"


def _value(one: Mapping[str, Json], words: Words) -> str:
    quantity, unit = words.term("quantity", one.get("quantity")), one.get("unit")
    if "value" not in one:
        return words.text("row.document", quantity=quantity, sha256=str(one["sha256"])) if "sha256" in one else quantity
    value = f"{quantity} {words.amount(one['value'], unit)}"
    if "low" not in one or "high" not in one:
        return value
    bounds = {name: words.amount(one[name], unit) for name in ("low", "high")}
    return words.text("row.interval", value=value, **bounds)


def _draw_paper(paper: Mapping[str, Json], words: Words) -> str:
    rows = [(label, _text(text)) for label, text in describe_paper(paper, words)]
    proof = (words.text("row.proof"), f"<code>{_text(paper['file'])}</code>")
    title = words.text(f"paper.{paper['paper']}")
    return f"<h2>{escape(title)}</h2>\n{_table([*rows, proof])}"


def _draw_lack(one: Mapping[str, Json], words: Words) -> str:
    what, remedy = describe_lack(one, words)
    return f'<p class="lack"><b>{_text(what)}</b><br>{_text(remedy)}</p>'


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
