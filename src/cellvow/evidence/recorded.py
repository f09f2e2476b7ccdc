"""What was read from a file, channel by channel, and the checks that make it a measurement."""

from dataclasses import dataclass, replace

import numpy as np

from cellvow.evidence.bounds import MAGNITUDE_MAX, TIME_S_MAX
from cellvow.evidence.layout import CHANNELS, Layout
from cellvow.evidence.measurement import Floats, Integers, Measurement, Source
from cellvow.evidence.refusal import printable, refuse_field, refuse_file

WHOLE_NUMBERS = ("step", "cycle")
"""Channels that count something."""


KEPT_FRACTION_MAX = 0.001
"""Part of the largest value up to which a smallest difference is taken for a resolution."""


@dataclass(frozen=True, slots=True)
class Words:
    """A column of words: `vocabulary[code]` a row."""

    codes: Integers
    vocabulary: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Columns as read, already in our units; NaN only where an optional field was empty."""

    layout: Layout
    row: Integers
    channels: dict[str, Floats]
    words: dict[str, Words]
    steps: dict[str, float]
    """Channel -> smallest step that its text can express, in our units; none for binary numbers."""

    def select(self, keep: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> "Recorded":
        """The rows where `keep` is true."""
        return Recorded(
            self.layout,
            self.row[keep],
            {channel: values[keep] for channel, values in self.channels.items()},
            {name: Words(words.codes[keep], words.vocabulary) for name, words in self.words.items()},
            self.steps,
        )


def build_measurement(source: Source, recorded: Recorded, phase: Integers | None = None) -> Measurement:
    """Check what was read and make it a `Measurement`; raise `Malformed` naming file, row and field."""
    check_values(source.name, recorded)
    _check_time(source.name, recorded)
    channels, remarks = _without_unusable(recorded)
    source = replace(source, remarks=tuple(map(printable, (*source.remarks, *recorded.layout.remarks, *remarks))))
    return Measurement(
        source=source,
        t_s=channels["t_s"],
        current_a=channels["current_a"],
        voltage_v=channels["voltage_v"],
        row=recorded.row,
        step=_whole(channels.get("step")),
        cycle=_whole(channels.get("cycle")),
        phase=phase,
        step_time_s=channels.get("step_time_s"),
        temperature_c=channels.get("temperature_c"),
        counted_ah=channels.get("counted_ah"),
        current_step_a=resolution(channels["current_a"], recorded.steps.get("current_a", 0.0)),
        voltage_step_v=resolution(channels["voltage_v"], recorded.steps.get("voltage_v", 0.0)),
    )


def check_values(name: str, recorded: Recorded) -> None:
    """Raise `Malformed` where there is no row, or a value that nothing measures."""
    if not len(recorded.row):
        refuse_file(name, "there is no row of data", "export the measurement again")
    _check_magnitudes(name, recorded)


def resolution(values: Floats, written: float) -> float:
    """Resolution of a channel: the step that its text expresses, or a coarser one that its values keep.

    Values that are rounded more coarsely than they are written show it by their smallest difference - as long
    as that is small: a current of 0 and 30 A alone has no resolution of 30 A.
    """
    distinct = np.unique(values)
    if len(distinct) < 2:
        return written
    # Six digits: the difference of two decimals carries binary dust.
    kept = float(f"{np.diff(distinct).min():.6g}")
    return max(written, kept) if kept <= KEPT_FRACTION_MAX * float(np.abs(values).max()) else written


def _check_magnitudes(name: str, recorded: Recorded) -> None:
    for channel, values in recorded.channels.items():
        bound = TIME_S_MAX if CHANNELS[channel].dimension == "time" else MAGNITUDE_MAX
        bad = np.isinf(values) | (np.abs(values) > bound)
        if CHANNELS[channel].is_required:
            bad |= np.isnan(values)
        if bad.any():
            first = int(np.argmax(bad))
            refuse_field(
                (name, int(recorded.row[first]), recorded.layout.label(channel)),
                f"{float(values[first])!r} is no measured value",
                "correct it or remove the row",
            )


def _check_time(name: str, recorded: Recorded) -> None:
    t_s = recorded.channels["t_s"]
    back = np.diff(t_s) < 0
    if back.any():
        before = int(np.argmax(back))
        refuse_field(
            (name, int(recorded.row[before + 1]), recorded.layout.label("t_s")),
            f"time steps backwards from {t_s[before]:.10g} s to {t_s[before + 1]:.10g} s"
            f" ({int(back.sum())} such row(s) in the file)",
            "export the test again with a time that only grows, or ask for its time to be repaired (--repair-time)",
        )


def _without_unusable(recorded: Recorded) -> tuple[dict[str, Floats], list[str]]:
    """Channels that make sense, and a sentence for each optional one that does not."""
    channels, remarks = dict(recorded.channels), []
    for channel in WHOLE_NUMBERS:
        values = channels.get(channel)
        if values is not None and not (np.isfinite(values) & (values == np.rint(values))).all():
            odd = float(values[np.argmax(~(values == np.rint(values)))])
            label = recorded.layout.label(channel)
            remarks.append(f"column '{label}' is not used: {odd!r} is not a whole number")
            del channels[channel]
    step = channels.get("step")
    # The format's text calls a step index the place of a row within its step; the files number steps by it.
    if step is not None and np.count_nonzero(np.diff(step)) > len(step) // 2 > 1:
        remarks.append(f"column '{recorded.layout.label('step')}' is not used: it numbers rows, not steps")
        del channels["step"]
    temperature = channels.get("temperature_c")
    if temperature is not None and not np.nan_to_num(temperature).any():
        label = recorded.layout.label("temperature_c")
        remarks.append(f"column '{label}' is not used: it holds nothing but 0, like a sensor not connected")
        del channels["temperature_c"]
    return channels, remarks


def _whole(values: Floats | None) -> Integers | None:
    return None if values is None else values.astype(np.int64)
