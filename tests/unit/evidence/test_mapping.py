"""Any text table, read as a mapping says: units, sign, decimals and encoding are stated, never guessed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.evidence import (
    ColumnMapping,
    Reading,
    evaluate_measurement,
    import_measurement,
    parse_mapping,
    parse_measurement,
    read_mapping,
    suggest_mapping,
)
from cellvow.evidence.bounds import MAPPING_BYTES_MAX
from tests.unit.evidence.sheets import full_test

if TYPE_CHECKING:
    from pathlib import Path

GERMAN = """
mapping = 1
delimiter = ";"
decimal = ","
encoding = "latin-1"
header_row = 3
positive_current = "discharge"

[[column]]
heading = "Zeit (min)"
quantity = "time"
unit = "min"

[[column]]
heading = "Spannung (mV)"
quantity = "voltage"
unit = "mV"

[[column]]
heading = "Strom (A)"
quantity = "current"
unit = "A"
"""
STATED = """
[[column]]
heading = "Zustand"
quantity = "state"
charge = ["L"]
discharge = ["E"]
rest = ["P"]
"""
WORDS = {"CHRG": "L", "DCHG": "E", "REST": "P"}


def german(text: str = GERMAN) -> ColumnMapping:
    """The mapping of that text."""
    return parse_mapping(text.encode(), "m.toml")


def german_table(*, unsigned: bool = False, encoding: str = "latin-1") -> bytes:
    """A full test as a German laboratory would export it: minutes, millivolts, positive discharges."""
    lines = ["Prüfstand 3", "", "Zeit (min);Spannung (mV);Strom (A);Zustand"]
    for row in full_test(2).rows:
        current_a = abs(row.current_a) if unsigned else -row.current_a
        cells = [f"{row.t_s / 60:.6f}", f"{row.voltage_v * 1000:.3f}", f"{current_a:.6f}"]
        lines.append(";".join([*(cell.replace(".", ",") for cell in cells), WORDS[row.mode]]))
    return ("\n".join(lines) + "\n").encode(encoding)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-16"])
def test_a_table_with_commas_for_decimals_gives_the_known_capacity(encoding: str) -> None:
    """Three lines above the numbers, semicolons, another sign of the current: all of it is stated."""
    mapping = german(GERMAN.replace("latin-1", encoding))
    measurement = parse_measurement(german_table(encoding=encoding), "x.csv", reading=Reading(mapping))
    capacity = evaluate_measurement(measurement).full_discharges()[0].capacity_ah

    assert 10.0 == pytest.approx(capacity, rel=2e-3)
    assert 4 == int(measurement.row[0])


def test_a_column_of_states_gives_unsigned_current_its_sign() -> None:
    """The words are listed in the mapping."""
    mapping = german(GERMAN.replace('"discharge"\n', '"unsigned"\n', 1) + STATED)
    measurement = parse_measurement(german_table(unsigned=True), "x.csv", reading=Reading(mapping))

    assert measurement.phase is not None
    assert 2 == len(evaluate_measurement(measurement).full_discharges())
    assert measurement.current_a.min() < 0 < measurement.current_a.max()


def test_a_state_that_is_not_listed_names_its_row() -> None:
    """An unknown word is asked about, not taken by the sign."""
    mapping = german(GERMAN + STATED.replace('"P"', '"Q"'))

    with pytest.raises(Malformed, match=r"x\.csv, row 4, field 'Zustand': 'P' is no state that the mapping knows"):
        parse_measurement(german_table(), "x.csv", reading=Reading(mapping))


def test_a_current_against_its_state_shows_a_wrong_sign() -> None:
    """A mapping that turns the sign round cannot pass where the file has states."""
    mapping = german(GERMAN.replace('"discharge"\n', '"charge"\n', 1) + STATED)

    with pytest.raises(Malformed, match=r"the step is a charge, the current is -10 A"):
        parse_measurement(german_table(), "x.csv", reading=Reading(mapping))


def test_every_result_says_how_the_columns_were_read() -> None:
    """The digest of the mapping and its sentence go into whatever is signed."""
    mapping = german()
    evaluation = evaluate_measurement(parse_measurement(german_table(), "x.csv", reading=Reading(mapping)))
    said = f"columns read by a given mapping, SHA-256 {mapping.digest().hex()}: time from 'Zeit (min)' in min"

    assert evaluation.results
    assert all(result.caveats[0].startswith(said) for result in evaluation.results)
    assert all("positive current discharges" in result.caveats[0] for result in evaluation.results)
    assert ("mapping_sha256", mapping.digest().hex()) in evaluation.measurement.source.declared


def test_one_mapping_has_one_digest_in_toml_and_json() -> None:
    """Spelling, comments and the order of columns do not count; a unit does."""
    document = {
        "column": [
            {"heading": "Strom (A)", "quantity": "current", "unit": "A"},
            {"heading": "Zeit (min)", "quantity": "time", "unit": "min"},
            {"heading": "Spannung (mV)", "quantity": "voltage", "unit": "mV"},
        ],
        "mapping": 1,
        "delimiter": ";",
        "decimal": ",",
        "encoding": "latin-1",
        "header_row": 3,
        "positive_current": "discharge",
    }

    assert german().digest() == parse_mapping(json.dumps(document).encode(), "m.json").digest()
    assert german().digest() != german(GERMAN.replace('unit = "min"', 'unit = "h"')).digest()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("mapping = 1", "mapping = 2", "m.toml, mapping: write mapping = 1"),
        ("mapping = 1", "mapping = true", "write mapping = 1"),
        ('delimiter = ";"', 'delimiter = "x"', "m.toml, delimiter: 'x' is not known; one of ,, ;, tab, |"),
        ('delimiter = ";"', 'delimiter = ","', "the sign of decimals cannot be the delimiter"),
        ('encoding = "latin-1"', 'encoding = "utf-7"', "encoding: 'utf-7' is not known"),
        ("header_row = 3", "header_row = 0", "header_row: '0' is not a row"),
        ("header_row = 3", "colour = 3", "'colour': no such key"),
        (
            'positive_current = "discharge"',
            "",
            "positive_current: nothing is given; one of charge, discharge, unsigned",
        ),
        ('positive_current = "discharge"', 'positive_current = "?"', "positive_current: '?' is not known"),
        ('positive_current = "discharge"', 'positive_current = "unsigned"', "unsigned needs a [[column]]"),
        ('unit = "mV"', 'unit = "mA"', "column 2 ('Spannung (mV)'), unit: 'mA' is no unit of voltage; one of V, mV"),
        ('unit = "mV"', "", "unit: 'None' is no unit of voltage"),
        ('quantity = "voltage"', 'quantity = "tension"', "quantity: 'tension' is not known; one of time, voltage"),
        ('quantity = "voltage"', 'quantity = "time"', "'mV' is no unit of time"),
        ('heading = "Zeit (min)"', 'heading = ""', "column 1, heading: give a text"),
        ('heading = "Zeit (min)"', 'heading = "Strom (A)"', "the heading 'Strom (A)' occurs twice"),
        ('heading = "Zeit (min)"', 'heading = "Zeit (min)"\nfactor = 2', "'factor': no such key here"),
        ("[[column]]", "[[column", "neither TOML nor JSON"),
    ],
)
def test_a_mapping_that_is_not_sound_is_refused_where_it_is_wrong(old: str, new: str, said: str) -> None:
    """Each names the column, the key and what is accepted."""
    with pytest.raises(Malformed) as caught:
        german(GERMAN.replace(old, new, 1))

    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"mapping": 1}', "{" * 5000, "\x00", "column = 3\nmapping = 1"])
def test_rubbish_is_no_mapping(text: str) -> None:
    """Whatever is in the file, the answer is a refusal."""
    with pytest.raises(Malformed, match=r"m\.toml"):
        german(text)


def test_a_mapping_past_the_bound_is_refused(tmp_path: Path) -> None:
    """A megabyte of comments is no mapping."""
    path = tmp_path / "m.toml"
    path.write_bytes(GERMAN.encode().ljust(MAPPING_BYTES_MAX + 1, b"\n"))

    with pytest.raises(Malformed, match="at most 100000 bytes"):
        read_mapping(path)
    with pytest.raises(OperationalError, match="No such file"):
        read_mapping(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Zeit (min)", "Zeit", "heading 'Zeit (min)' occurs 0 times among 'Zeit, Spannung"),
        ("Spannung (mV);", "Zeit (min);", "heading 'Zeit (min)' occurs 2 times"),
        ("4,200000", "4.2", "field 'Strom (A)'"),
    ],
)
def test_a_file_that_the_mapping_does_not_fit_is_refused(old: str, new: str, said: str) -> None:
    """The heading or the field is named."""
    content = german_table().decode("latin-1").replace(";-10,000000;", ";4,200000;").replace(old, new, 1)

    with pytest.raises(Malformed) as caught:
        parse_measurement(content.encode("latin-1"), "x.csv", reading=Reading(german()))

    assert said in str(caught.value)


def test_a_suggestion_leaves_open_what_the_headings_do_not_say(tmp_path: Path) -> None:
    """Delimiter, decimals, rows and units are proposed; the sign of the current is for a person."""
    path = tmp_path / "x.csv"
    path.write_bytes(german_table())
    proposed = suggest_mapping(path)

    assert 'delimiter = ";"\ndecimal = ","\nencoding = "latin-1"\nheader_row = 3' in proposed
    assert '# not read: "Zustand"' in proposed
    with pytest.raises(Malformed, match=r"positive_current: '\?' is not known"):
        parse_mapping(proposed.encode(), "m.toml")


def test_a_suggestion_that_was_checked_reads_the_file(tmp_path: Path) -> None:
    """Once the person has said what the sign means, nothing else is missing."""
    path = tmp_path / "x.csv"
    path.write_bytes(german_table())
    mapping = parse_mapping(suggest_mapping(path).replace('"?"', '"discharge"').encode(), "m.toml")

    assert german().digest() == mapping.digest()
    assert 2 == len(evaluate_measurement(import_measurement(path, mapping=mapping)).full_discharges())


def test_nothing_is_suggested_for_what_is_no_table(tmp_path: Path) -> None:
    """A file without headings, or without text, is said to be one."""
    path = tmp_path / "x.csv"
    for content, said in ((b"1,2\n3,4\n", "no row of headings"), (b"a\0b", "this is no text")):
        path.write_bytes(content)
        with pytest.raises(Malformed, match=said):
            suggest_mapping(path)
