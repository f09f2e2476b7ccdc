"""Phases that a cycler names, held against the sign of its current."""

import numpy as np

from cellvow.evidence.measurement import CHARGE, Floats, Integers
from cellvow.evidence.recorded import Recorded
from cellvow.evidence.refusal import refuse_field

_SIGN_TOLERANCE = 0.01
"""Part of the largest current below which a current of the wrong sign is noise around zero."""


def check_signs(name: str, recorded: Recorded, phase: Integers) -> None:
    """Raise `Malformed` at the first row whose current runs against its phase."""
    current_a: Floats = recorded.channels["current_a"]
    if not len(current_a):
        return
    against = current_a * phase < -_SIGN_TOLERANCE * float(np.nanmax(np.abs(current_a))) * np.abs(phase)
    if against.any():
        first = int(np.argmax(against))
        mode = "charge" if phase[first] == CHARGE else "discharge"
        refuse_field(
            (name, int(recorded.row[first]), recorded.layout.label("current_a")),
            f"the step is a {mode}, the current is {current_a[first]:g} A",
            "export signed currents: + charges, - discharges",
        )
