"""From files to measurements, from measurements to results with an interval, and the archive that proves a row."""

from cellvow.evidence.accuracy import ASSUMED_ACCURACY, SensorAccuracy
from cellvow.evidence.archive import Archive, write_archive
from cellvow.evidence.cell_kind import CellKind
from cellvow.evidence.discharge import Discharge
from cellvow.evidence.evaluation import Evaluation, evaluate_measurement, with_reference_resistance
from cellvow.evidence.fullness import Judgement
from cellvow.evidence.health_results import DEFINITIONS, HealthSpread
from cellvow.evidence.importing import ACCEPTED, Reading, import_measurement, parse_measurement
from cellvow.evidence.mapping import ColumnMapping, parse_mapping, read_mapping
from cellvow.evidence.measurement import Measurement, Progress, Source
from cellvow.evidence.reference import (
    CITATION,
    RATED_MAH,
    REFERENCE_MEASUREMENTS,
    ReferenceMeasurement,
    find_measurement,
    open_reference_measurement,
)
from cellvow.evidence.resistance import Pulse
from cellvow.evidence.result import Conditions, Result, Undetermined
from cellvow.evidence.row_proof import RowProof, parse_row_proof, prove_row, verify_row
from cellvow.evidence.simulate import SimulatedCell, simulate_measurement
from cellvow.evidence.suggestion import suggest_mapping
from cellvow.evidence.uncertainty import Contribution
from cellvow.evidence.window import Window

__all__ = [
    "ACCEPTED",
    "ASSUMED_ACCURACY",
    "Archive",
    "CITATION",
    "CellKind",
    "ColumnMapping",
    "Conditions",
    "Contribution",
    "DEFINITIONS",
    "Discharge",
    "Evaluation",
    "HealthSpread",
    "Judgement",
    "Measurement",
    "Progress",
    "Pulse",
    "RATED_MAH",
    "REFERENCE_MEASUREMENTS",
    "Reading",
    "ReferenceMeasurement",
    "Result",
    "RowProof",
    "SensorAccuracy",
    "SimulatedCell",
    "Source",
    "Undetermined",
    "Window",
    "evaluate_measurement",
    "find_measurement",
    "import_measurement",
    "open_reference_measurement",
    "parse_mapping",
    "parse_measurement",
    "parse_row_proof",
    "prove_row",
    "read_mapping",
    "simulate_measurement",
    "suggest_mapping",
    "verify_row",
    "with_reference_resistance",
    "write_archive",
]
