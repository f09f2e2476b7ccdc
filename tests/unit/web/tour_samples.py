"""Passports for the tour: of a battery in service, of one that became another, and of that other one at its end."""

from __future__ import annotations

from dataclasses import replace

from cellvow.passport.view import Audience, Ended, Fact, LifeStep, Passport, Relative, Relatives, UseFact
from tests.unit.web.samples import ACCEPTED, BATTERY, HIDDEN, LIFE, OWNER, source

SERVICED_BY, BEGUN_BY = (
    source("garage", "Garage (invented)", 12, 8),
    source("secondlife", "Secondlife (invented)", 13, 7),
)
RECYCLED_BY = source("recycler", "Recycler (invented)", 14, 2)
STORE = f"{BATTERY[:21]}STORE-0001"
GRADE = UseFact("grade", (("grade", "B"), ("applications", "grid_storage, home_storage")), None)
GRADE_OVER = UseFact("grade_over", (("grade", "B"), ("grade_state", "invalidated")), BEGUN_BY)
SERVED = replace(
    OWNER,
    attestations=(),
    life=(
        *LIFE,
        LifeStep("IncidentReported", (("reference", "HOT-1"),), ACCEPTED),
        LifeStep("SafetyAssessed", (), SERVICED_BY),
        LifeStep("SoftwareUpdated", (("release", "2.1"),), SERVICED_BY),
        LifeStep("WorkRecorded", (("reference", "WORK-1"),), SERVICED_BY),
    ),
    certificate_in_force=False,
)
SUCCEEDED = replace(
    SERVED,
    status="repurposed",
    life=(*SERVED.life, LifeStep("SecondLifeBegun", (), BEGUN_BY)),
    ended=Ended("succeeded", BEGUN_BY),
    relatives=Relatives(
        successors=(Relative(STORE, "repurpose", BEGUN_BY.time_ms, BEGUN_BY, GRADE),), successors_all=1
    ),
)
RECYCLED = replace(
    OWNER,
    use=(GRADE_OVER,),
    status="waste",
    identity=(Fact("maker", "Secondlife (invented)", None, BEGUN_BY),),
    life=(
        LifeStep("SecondLifeBegun", (), BEGUN_BY),
        LifeStep("UnitGraded", (), BEGUN_BY),
        LifeStep("WasteDeclared", (), BEGUN_BY),
        LifeStep("UnitRecycled", (), RECYCLED_BY),
    ),
    ended=Ended("recycled", RECYCLED_BY),
)
"""Three units further on in life: serviced, become another, and that other one at its end."""


def as_stranger(passport: Passport) -> Passport:
    """What of it everybody sees."""
    public = tuple(one for one in passport.registers if one.register == "responsibility")
    certificates = tuple(replace(one, measured=HIDDEN) for one in passport.attestations if one.is_certificate)
    shown = replace(passport, audience=Audience.PUBLIC, registers=public, attestations=certificates)
    became = tuple(replace(one, grading=None) for one in shown.relatives.successors)
    relatives = replace(shown.relatives, successors=became)
    return replace(shown, life=(), use=(), curve=None, coverage=None, relatives=relatives)
