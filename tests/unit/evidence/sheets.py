"""Cycler files with known answers, written row by row: constant currents and straight voltage lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from cellvow.evidence import Measurement, parse_measurement

BITRODE_HEADER = (
    "Exclude,Time(s),Cycle,Loop,Loop,Loop,Step,StepTime(s),Current(A),Voltage(V),"
    "Power(W),Capacity(Ah),Energy(Wh),Mode,Data,"
)
BDF_HEADER = "Test Time / s,Voltage / V,Current / A"


class SheetRow(NamedTuple):
    """One row as a cycler would log it."""

    t_s: float
    cycle: int
    step: int
    step_time_s: float
    current_a: float
    voltage_v: float
    counted_ah: float
    mode: str


@dataclass
class Sheet:
    """Rows of one test, in order."""

    rows: list[SheetRow] = field(default_factory=list)
    cycle: int = 1
    step: int = 0

    def add(
        self, mode: str, current_a: float, volts: tuple[float, float], seconds: float, every_s: float = 10.0
    ) -> Sheet:
        """Append one step that keeps its current while the voltage runs straight from one value to the other."""
        return self.ramp(mode, (current_a, current_a), volts, seconds, every_s)

    def ramp(
        self, mode: str, amperes: tuple[float, float], volts: tuple[float, float], seconds: float, every_s: float
    ) -> Sheet:
        """Append one step whose current runs straight as well."""
        start_s = self.rows[-1].t_s if self.rows else 0.0
        self.step += 1
        counted = 0.0
        for number in range(1, round(seconds / every_s) + 1):
            part = number * every_s / seconds
            current_a = amperes[0] + part * (amperes[1] - amperes[0])
            voltage_v = volts[0] + part * (volts[1] - volts[0])
            counted += current_a * every_s / 3600
            self.rows.append(
                SheetRow(
                    start_s + number * every_s,
                    self.cycle,
                    self.step,
                    number * every_s,
                    round(current_a, 6),
                    round(voltage_v, 6),
                    round(counted, 6),
                    mode,
                )
            )
        return self

    def charge(self) -> Sheet:
        """Append a full charge: 10 A to 4.2 V, then a taper to 0.5 A."""
        self.add("CHRG", 10.0, (3.2, 4.2), 3600)
        return self.ramp("CHRG", (10.0, 0.5), (4.2, 4.2), 600, 10.0)

    def discharge(self, current_a: float = 10.0, *, end_v: float = 3.0, seconds: float = 3600) -> Sheet:
        """Append ten minutes of rest and a discharge from 4.1 V."""
        self.add("REST", 0.0, (4.19, 4.19), 600)
        return self.add("DCHG", -current_a, (4.1, end_v), seconds)

    def bitrode(self, *, header: bool = True) -> bytes:
        """The rows as a Bitrode file."""
        lines = [BITRODE_HEADER] if header else []
        lines += [
            f"No,{r.t_s:.1f},{r.cycle},1,1,1,{r.step},{r.step_time_s:.1f},{r.current_a},{r.voltage_v},"
            f"{r.current_a * r.voltage_v:.3f},{r.counted_ah},0.0,{r.mode}, ,"
            for r in self.rows
        ]
        return ("\n".join(lines) + "\n").encode()

    def bdf(self, header: str = BDF_HEADER) -> bytes:
        """Time, voltage and current as Battery Data Format."""
        lines = [header, *(f"{r.t_s!r},{r.voltage_v!r},{r.current_a!r}" for r in self.rows)]
        return ("\n".join(lines) + "\n").encode()

    def measurement(self) -> Measurement:
        """The measurement that the Bitrode file holds."""
        return parse_measurement(self.bitrode(), "sheet.csv")


def full_test(discharges: int = 3, current_a: float = 10.0) -> Sheet:
    """A test with that many full discharges of 3600 s, the charges between them, and a last rest."""
    sheet = Sheet().add("REST", 0.0, (3.2, 3.2), 600).charge()
    for _ in range(discharges):
        sheet.discharge(current_a)
        sheet.add("REST", 0.0, (3.1, 3.2), 600).charge()
    return sheet.add("REST", 0.0, (4.19, 4.19), 600)
