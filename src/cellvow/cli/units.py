"""The units of an organisation on the command line: a page of them, or all as CSV."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cellvow.cli.answer import Answer, Table, progress_shown
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import opened_workspace

if TYPE_CHECKING:
    from cellvow.cli.batteries import Listing
    from cellvow.workspace.desk_units import Units
    from cellvow.workspace.holdings_pages import Unit, Wish

_REPORT_EVERY = 1_000


def list_units(options: "Listing") -> Answer:
    """One page of the units that are the workspace's, or a file with all of them."""
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.desk_units import Units, unit_document
    from cellvow.workspace.holdings_pages import Wish

    if options.workspace is None or not options.mine:
        raise WrongUsage("--find and --csv are for your own units: give --mine and --workspace")
    wish = Wish(serial=options.find.strip().upper())
    with opened_workspace(options.workspace) as workspace:
        units = Units(workspace, now_ms)
        if options.csv is not None:
            return _write(options, units, wish)
        page = units.page(wish, options.after, options.limit).page
    document = {
        "after": page.after,
        "batteries": [unit_document(one) for one in page.units],
        "is_last": page.after is None,
    }
    if not page.units and page.after is None:
        return Answer(document, ["You have no unit like that." if options.find else "You have no unit yet."])
    more = [] if page.after is None else [f"There may be more: --after {page.after}"]
    rows = tuple((one.battery, _standing(one), _state(one)) for one in page.units)
    return Answer(document, [Table(("battery", "your registers since", "state"), rows), *more])


def _write(options: "Listing", units: "Units", wish: "Wish") -> Answer:
    count = -1  # the first line names the columns
    with progress_shown("writing", as_json=options.as_json) as progress:
        path = options.csv
        if path is None:
            raise WrongUsage("name a file")
        with path.open("wb") as out:
            for count, row in enumerate(units.sheet(wish)):
                out.write(row)
                if count % _REPORT_EVERY == 0:
                    progress(count, count)
    return Answer({"file": str(path), "units": count}, [f"{count:,} units are in {path}."])


def _standing(unit: "Unit") -> str:
    days = {register: datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d") for register, ms in unit.since_ms}
    if len(days) == 3 and len(dict.fromkeys(days.values())) == 1:
        return f"all three, {next(iter(days.values()))}"
    return ", ".join(f"{register} {day}" for register, day in days.items())


def _state(unit: "Unit") -> str:
    words = [unit.status, f"offer {unit.offer}" if unit.offer else "", "disputed" if unit.is_disputed else ""]
    return ", ".join(word for word in words if word)
