"""Every upper bound on what is read from a measurement file; each is checked before the content it bounds."""

FILE_BYTES_MAX = 512_000_000
"""One measurement file: a year of one-second rows of one cell fits."""
ROWS_MAX = 20_000_000
"""Rows of one measurement; with seven 8-byte channels they fill about 1.1 GB."""
LINE_CHARACTERS_MAX = 10_000
"""One text line: keeps a file that is a single endless line from becoming one giant list of fields."""
MAGNITUDE_MAX = 1e9
"""Largest magnitude in a channel (A, V, degC, Ah): scaled by 10^6 it stays below 2^53."""
TIME_S_MAX = 1e12
"""Largest time of a row: scaled by 10^3 it stays below 2^53."""
DISTRIBUTION_BYTES_MAX = 64_000_000
"""A source distribution that holds reference measurements."""
MEMBERS_MAX = 10_000
"""Files inside such a distribution."""
MEMBER_BYTES_MAX = 64_000_000
"""Any one file inside such a distribution."""
CURVE_POINTS_MAX = 200
"""Points of a discharge curve meant for a chart."""
DATABASE_BYTES_MAX = 256_000_000
"""An Access database: about two million rows of an Arbin cycler."""
PAGE_LOOKUPS_MAX = 500
"""Pages followed from page to page in one database: its catalogue and one definition need a few dozen."""
ARCHIVE_MEMBERS_MAX = 200
"""Files inside a Neware .ndax: one for each auxiliary channel and a handful beside."""
UNPACKED_BYTES_MAX = 512_000_000
"""All files inside a Neware .ndax together, unpacked."""
XML_BYTES_MAX = 4_000_000
"""One XML file inside a Neware .ndax."""
MAPPING_BYTES_MAX = 100_000
"""A column mapping."""
MAPPED_COLUMNS_MAX = 100
"""Columns of a column mapping."""
HEADER_ROW_MAX = 10_000
"""Last row that can hold the headings."""
