"""Temporary absence: law.md 2.6 and waste's п. 148(44), one case a clause."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.billing.core.absence import (
    AbsenceVerdict,
    Application,
    MeterSituation,
    absence_parts,
    absence_verdict,
    absences_of_month,
    absent_days,
)
from services.billing.core.lines import LineKind
from services.billing.core.month import Absence, Premises, Ratio, ServiceKind, ServiceTerms
from services.billing.core.parts import Part
from tests.billing.recalculated_house import charge, charged, flat, house, micro, terms

AWAY = Application(
    person="p",
    left_on=date(2026, 10, 5),
    returned_on=date(2026, 10, 16),
    applied_on=date(2026, 10, 20),
    documented_on=date(2026, 10, 20),
)
ADVANCE = replace(AWAY, applied_on=date(2026, 10, 1), documented_on=None)
TODAY = date(2026, 11, 1)
COLD, IMPOSSIBLE, VERDICT = ServiceKind.COLD_WATER, MeterSituation.IMPOSSIBLE, AbsenceVerdict

VERDICTS = [
    ("п. 86: no technical possibility", AWAY, COLD, IMPOSSIBLE, VERDICT.ADMITTED),
    ("п. 86: the meter failed", AWAY, COLD, MeterSituation.FAILED, VERDICT.ADMITTED),
    ("п. 86: a working meter", AWAY, COLD, MeterSituation.WORKING, VERDICT.METERED),
    ("п. 86: a meter could be installed", AWAY, COLD, MeterSituation.NOT_INSTALLED, VERDICT.METERED),
    ("п. 86: readings were not given", AWAY, COLD, MeterSituation.NO_READING, VERDICT.METERED),
    ("п. 86: hot water", AWAY, ServiceKind.HOT_WATER, IMPOSSIBLE, VERDICT.ADMITTED),
    ("п. 86: hot water of two components", AWAY, ServiceKind.HOT_WATER_TWO_PART, IMPOSSIBLE, VERDICT.ADMITTED),
    ("п. 86: sewage follows water", AWAY, ServiceKind.SEWAGE, IMPOSSIBLE, VERDICT.ADMITTED),
    ("п. 86: gas", AWAY, ServiceKind.GAS, IMPOSSIBLE, VERDICT.ADMITTED),
    ("п. 86: not heating", AWAY, ServiceKind.HEATING, IMPOSSIBLE, VERDICT.SERVICE_NOT_COVERED),
    ("п. 86: not electricity", AWAY, ServiceKind.ELECTRICITY, IMPOSSIBLE, VERDICT.SERVICE_NOT_COVERED),
    ("п. 88: not the common property", AWAY, ServiceKind.COMMON_COLD_WATER, IMPOSSIBLE, VERDICT.SERVICE_NOT_COVERED),
    ("п. 148(44): waste has no meter", AWAY, ServiceKind.WASTE, MeterSituation.WORKING, VERDICT.ADMITTED),
    (
        "п. 86: five full days are not enough",
        replace(AWAY, returned_on=date(2026, 10, 11)),
        COLD,
        IMPOSSIBLE,
        VERDICT.TOO_SHORT,
    ),
    ("п. 86: six full days are", replace(AWAY, returned_on=date(2026, 10, 12)), COLD, IMPOSSIBLE, VERDICT.ADMITTED),
    (
        "п. 91: the thirtieth day after returning",
        replace(AWAY, applied_on=date(2026, 11, 15), documented_on=date(2026, 11, 15)),
        COLD,
        IMPOSSIBLE,
        VERDICT.ADMITTED,
    ),
    ("п. 91: the thirty-first", replace(AWAY, applied_on=date(2026, 11, 16)), COLD, IMPOSSIBLE, VERDICT.APPLIED_LATE),
    ("п. 91: no documents yet", replace(AWAY, documented_on=None), COLD, IMPOSSIBLE, VERDICT.DOCUMENTS_AWAITED),
    ("п. 92: in advance, on trust", ADVANCE, COLD, IMPOSSIBLE, VERDICT.ADMITTED),
    ("п. 93: documents in time", replace(ADVANCE, documented_on=date(2026, 11, 15)), COLD, IMPOSSIBLE, VERDICT.ADMITTED),
    ("п. 93: documents late", replace(ADVANCE, documented_on=date(2026, 11, 16)), COLD, IMPOSSIBLE, VERDICT.DOCUMENTS_LATE),
]


@pytest.mark.parametrize(
    ("application", "kind", "situation", "expected"), [case[1:] for case in VERDICTS], ids=[case[0] for case in VERDICTS]
)
def test_who_is_recalculated(
    application: Application, kind: ServiceKind, situation: MeterSituation, expected: AbsenceVerdict
) -> None:
    assert absence_verdict(application, kind, situation, TODAY) is expected


def test_documents_that_never_came_restore_the_charge() -> None:
    verdicts = [absence_verdict(ADVANCE, COLD, IMPOSSIBLE, day) for day in (date(2026, 11, 15), date(2026, 11, 16))]
    assert verdicts == [AbsenceVerdict.ADMITTED, AbsenceVerdict.DOCUMENTS_LATE]


LONG = replace(AWAY, left_on=date(2026, 1, 31), returned_on=date(2026, 12, 10))
DAYS = [
    ("days of leaving and returning do not count", AWAY, 202610, 10),
    ("another month", AWAY, 202611, 0),
    ("from the middle of the month on", replace(AWAY, returned_on=date(2026, 12, 3)), 202610, 26),
    ("a whole month", replace(AWAY, returned_on=date(2026, 12, 3)), 202611, 30),
    ("up to the day before returning", replace(AWAY, returned_on=date(2026, 12, 3)), 202612, 2),
    ("left on the month's last day", replace(AWAY, left_on=date(2026, 9, 30)), 202609, 0),
    ("applied after: all of it", LONG, 202612, 9),
    ("п. 92: in advance six months", replace(LONG, applied_on=date(2026, 1, 20)), 202607, 31),
    ("п. 92: in advance no more than six months", replace(LONG, applied_on=date(2026, 1, 20)), 202608, 0),
]


@pytest.mark.parametrize(("application", "period", "expected"), [case[1:] for case in DAYS], ids=[case[0] for case in DAYS])
def test_full_days_in_the_month(application: Application, period: int, expected: int) -> None:
    assert absent_days(application, period) == expected


def test_person_days_of_a_month() -> None:
    situations = {
        "cold": (COLD, IMPOSSIBLE),
        "hot": (ServiceKind.HOT_WATER, MeterSituation.WORKING),
        "waste": (ServiceKind.WASTE, MeterSituation.WORKING),
    }
    two = (AWAY, replace(AWAY, person="q"), replace(AWAY, left_on=date(2026, 10, 4)))
    # 10 days of q; 11 of p, whose two applications overlap.
    assert absences_of_month(two, situations, 202610, TODAY) == (
        Absence(service="cold", person_days=21),
        Absence(service="waste", person_days=21),
    )


def absent(service: ServiceTerms, days: int, parts: tuple[Part, ...], **fields: object) -> list[int]:
    """Kopecks taken off a flat of two persons, 50 m², in October."""
    premises: Premises = flat("1", "50", absences=(Absence(service=service.service, person_days=days),), **fields)
    found = absence_parts(house((service,), (premises,)), service, premises, parts)
    assert all(part.kind is LineKind.ABSENCE for part in found)
    return [part.amount_kopecks for part in found]


WATER = terms(ServiceKind.COLD_WATER, "48.17")
GAS = terms(ServiceKind.GAS, "8", norm=micro("10"), norm_water_heating=micro("15"), norm_space_heating=micro("2"))
WASTE = terms(ServiceKind.WASTE, "612.35", by_area=True)
PARTS = [
    ("ΔP = P x 10 of 62 person-days", WATER, 10, (charge(41_715),), [-6_728]),
    ("everybody, the whole month", WATER, 62, (charge(41_715),), [-41_715]),
    ("no more than the charge", WATER, 90, (charge(41_715),), [-41_715]),
    ("the coefficient of a failed meter too", WATER, 31, (charge(10_000), charge(5_000, LineKind.RAISED)), [-7_500]),
    ("heat of two-part hot water too", WATER, 31, (charge(10_000), charge(30_000, LineKind.HEAT)), [-20_000]),
    ("not the common property", WATER, 31, (charge(10_000), charge(5_000, LineKind.COMMON)), [-5_000]),
    ("gas: not what heats rooms", GAS, 31, (charged("150", "8"),), [-20_000]),
    ("п. 148(44): waste by area", WASTE, 31, (charge(30_000),), [-15_000]),
    ("nobody away", WATER, 0, (charge(41_715),), []),
    ("heating is never recalculated", terms(ServiceKind.HEATING, "1"), 31, (charge(41_715),), []),
]


@pytest.mark.parametrize(("service", "days", "parts", "expected"), [case[1:] for case in PARTS], ids=[case[0] for case in PARTS])
def test_what_absence_takes_off(service: ServiceTerms, days: int, parts: tuple[Part, ...], expected: list[int]) -> None:
    assert absent(service, days, parts) == expected


def test_owners_who_are_charged_where_nobody_lives_may_be_absent() -> None:
    assert absent(WASTE, 31, (charge(30_000),), residents=Ratio(0), owners=1) == [-30_000]


@given(st.integers(0, 10**9), st.integers(1, 400), st.integers(1, 9_000_000))
def test_absence_never_exceeds_the_charge(amount: int, days: int, residents: int) -> None:
    assert 0 <= -sum(absent(WATER, days, (charge(amount),), residents=Ratio(residents))) <= amount
