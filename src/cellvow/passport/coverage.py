"""How much of a battery's expected life is on the record: stage by stage, what is missing, and who could supply it.

A stage is due once the life has passed it: from birth on what comes before birth, and every stage that lies before
one that is recorded. What is not due is neither counted nor held against anybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.passport.view import Coverage, Source, StageName, StageSeen


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the life of a battery: by which messages it is recorded, and the roles that could sign them."""

    name: StageName
    messages: tuple[str, ...]
    suppliers: tuple[str, ...]
    is_always_due: bool = False
    makes_due: bool = True
    """Whether its record shows that the stages before it have passed: a test may come at any time."""


STAGES = (
    Stage("materials", ("ConsumeLot",), ("manufacturer",), is_always_due=True),
    Stage("cells", ("InstallPart", "ReplacePart"), ("manufacturer",), is_always_due=True, makes_due=False),
    Stage("birth", ("RegisterBattery", "BeginSecondLife"), ("manufacturer", "importer"), is_always_due=True),
    Stage("test", ("IssueAttestation",), ("laboratory", "manufacturer"), is_always_due=True, makes_due=False),
    Stage("handover", ("AcceptHandover",), ("manufacturer", "importer")),
    Stage("use", ("InstallBattery",), ("vehicle_maker", "operator")),
    Stage("service", ("RecordWork", "UpdateSoftware", "ResetSoftware"), ("workshop", "operator")),
    Stage("second_life", ("BeginSecondLife",), ("second_life_operator",)),
    Stage("end", ("DeclareWaste", "RecordRecycling", "RecordDestruction"), ("recycler",)),
)
"""The stages in the order of a life. Nobody is expected to give a battery a second life, and none must have ended."""
_OPTIONAL = ("second_life", "end")


@dataclass(frozen=True, slots=True)
class Signed:
    """One accepted message about the battery: its type, and where it stands."""

    message: str
    source: Source


def derive_coverage(signed: Sequence[Signed], *, is_successor: bool = False) -> Coverage:
    """The coverage of a life from its accepted messages, in their order.

    A reconstructed birth is recorded as a birth; of a successor the birth is the operation that made it, which does
    not give itself a second life.
    """
    found = {stage.name: _records_of(stage, signed, is_successor=is_successor) for stage in STAGES}
    passed = max(place for place, stage in enumerate(STAGES) if found[stage.name] and stage.makes_due)
    return Coverage(tuple(_seen(stage, found[stage.name], is_due=place < passed) for place, stage in enumerate(STAGES)))


def _records_of(stage: Stage, signed: Sequence[Signed], *, is_successor: bool) -> list[Signed]:
    found = [one for one in signed if one.message in stage.messages]
    if stage.name == "second_life" and is_successor:
        return found[1:]  # the first of them is the birth
    if stage.name == "birth":
        return found[:1]
    return found


def _seen(stage: Stage, records: Sequence[Signed], *, is_due: bool) -> StageSeen:
    if records:
        return StageSeen(stage.name, "recorded", stage.suppliers, len(records), records[0].source)
    expected = stage.is_always_due or (is_due and stage.name not in _OPTIONAL)
    return StageSeen(stage.name, "missing" if expected else "not_due", stage.suppliers)
