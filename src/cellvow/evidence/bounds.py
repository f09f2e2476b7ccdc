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
