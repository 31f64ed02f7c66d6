"""Temporary absence (разд. VIII, п. 86–97 ПП 354; waste: п. 148(44)): who is recalculated, for which days, and by how much.

An application is judged once (``absence_verdict``); what it gives a month is person-days (``absences_of_month``), which stand in
the month as ``Absence`` rows; ``absence_parts`` turns them into money.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum, IntEnum

import msgspec

from services.billing.core.common_property import counted_persons
from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import Absence, HouseMonth, Premises, ServiceKind, ServiceTerms
from services.billing.core.parts import Part
from services.billing.core.quantities import MICRO, divide_half_up, share_of, times

WATER = (ServiceKind.COLD_WATER, ServiceKind.HOT_WATER, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN)
SERVICES = (*WATER, ServiceKind.SEWAGE, ServiceKind.GAS, ServiceKind.WASTE)
"""Not heating, electricity, or the common property; of gas, what is not burnt to heat rooms."""
REDUCED = (LineKind.CHARGE, LineKind.RAISED, LineKind.HEAT)


class MeterSituation(IntEnum):
    """Why the premises is or is not charged by a meter of the service (п. 86)."""

    WORKING = 0
    FAILED = 1
    """Broken, lost, or its verification expired."""
    IMPOSSIBLE = 2
    """No technical possibility to install one, by an act."""
    NOT_INSTALLED = 3
    """Possible and not installed."""
    NO_READING = 4
    """A working meter whose readings were not given, or were refused to the inspector."""


class AbsenceVerdict(Enum):
    """What becomes of an application for one service; in the order in which it is checked."""

    SERVICE_NOT_COVERED = "услуга не пересчитывается за время отсутствия"
    METERED = "помещение оборудовано прибором учёта или может быть им оборудовано"
    TOO_SHORT = "отсутствие не более пяти полных календарных дней подряд"
    APPLIED_LATE = "заявление подано позже 30 дней после возвращения"
    DOCUMENTS_LATE = "документы не представлены в срок: начисление восстанавливается"
    DOCUMENTS_AWAITED = "заявление подано без документов: ожидаются документы"
    ADMITTED = "перерасчёт производится"


class AbsenceRules(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of п. 86, 91–93; days are calendar days."""

    full_days_over: int = 5
    application_days: int = 30
    """After returning."""
    advance_months: int = 6
    """An application made before leaving is good for so many months of absence."""
    documents_days: int = 30
    """After returning, where the application was made before leaving."""


RULES = AbsenceRules()


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A resident's application: one person away from ``left_on`` to ``returned_on``, both days not counted.

    An application before leaving names the day of return it expects. ``documented_on`` is None until documents are brought.
    """

    person: str
    left_on: date
    returned_on: date
    applied_on: date
    documented_on: date | None = None


def full_days(application: Application) -> int:
    """Return the full calendar days of absence; the days of leaving and of return do not count (п. 86, 91)."""
    return max((application.returned_on - application.left_on).days - 1, 0)


def absence_verdict(
    application: Application, kind: ServiceKind, situation: MeterSituation, today: date, rules: AbsenceRules = RULES
) -> AbsenceVerdict:
    """Judge an application for one service as of ``today``. Waste has no meters and is not asked for one.

    Sewage without its own meter has the situation of the water that it follows. An application in advance is admitted on trust,
    and turns into DOCUMENTS_LATE when its documents are not there in time: then the charge is restored.
    """
    if kind not in SERVICES:
        return AbsenceVerdict.SERVICE_NOT_COVERED
    if kind is not ServiceKind.WASTE and situation not in (MeterSituation.FAILED, MeterSituation.IMPOSSIBLE):
        return AbsenceVerdict.METERED
    if full_days(application) <= rules.full_days_over:
        return AbsenceVerdict.TOO_SHORT
    if application.applied_on > application.returned_on + timedelta(days=rules.application_days):
        return AbsenceVerdict.APPLIED_LATE
    documents_until = max(application.returned_on, application.applied_on) + timedelta(days=rules.documents_days)
    if (application.documented_on or today) > documents_until:
        return AbsenceVerdict.DOCUMENTS_LATE
    if application.documented_on is None and application.applied_on >= application.left_on:
        # After leaving an application comes with its documents (п. 91); until they come nothing is recalculated.
        return AbsenceVerdict.DOCUMENTS_AWAITED
    return AbsenceVerdict.ADMITTED


def absent_days(application: Application, period: int, rules: AbsenceRules = RULES) -> int:
    """Return the full days of absence within the month; in advance no more than six months of it (п. 92)."""
    first = application.left_on + timedelta(days=1)
    last = application.returned_on - timedelta(days=1)
    if application.applied_on < application.left_on:
        last = min(last, _months_later(application.left_on, rules.advance_months))
    begins = date(period // 100, period % 100, 1)
    ends = begins.replace(day=monthrange(begins.year, begins.month)[1])
    return max((min(last, ends) - max(first, begins)).days + 1, 0)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def absences_of_month(
    applications: Iterable[Application],
    situations: Mapping[str, tuple[ServiceKind, MeterSituation]],
    period: int,
    today: date,
) -> tuple[Absence, ...]:
    """Return the month's Absence rows of one premises: admitted person-days a service, in the services' order.

    ``situations`` are (kind, situation) by service code. Applications of one person for the same days count once.
    """
    given = tuple(applications)
    found = []
    for service, (kind, situation) in situations.items():
        days: set[tuple[str, date]] = set()
        for application in given:
            if absence_verdict(application, kind, situation, today) is AbsenceVerdict.ADMITTED:
                days |= _days_away(application, period)
        if days:
            found.append(Absence(service=service, person_days=len(days)))
    return tuple(found)


def _days_away(application: Application, period: int) -> set[tuple[str, date]]:
    begins = max(date(period // 100, period % 100, 1), application.left_on + timedelta(days=1))
    return {(application.person, begins + timedelta(days=day)) for day in range(absent_days(application, period))}


def absence_parts(house: HouseMonth, terms: ServiceTerms, premises: Premises, charged: Sequence[Part]) -> tuple[Part, ...]:
    """Return one ABSENCE part, negative: ΔP = P × absent person-days / (n × days of the month), no more than P.

    ``charged`` are the service's parts of the premises. P is what was charged for persons: of gas without what heats rooms. Waste
    by area goes by the same part of persons and days (ПП 2076). Nothing without persons to be absent.
    """
    days = sum(row.person_days for row in premises.absences if row.service == terms.service)
    persons = counted_persons(terms, premises)
    if days <= 0 or persons <= 0 or terms.kind not in SERVICES:
        return ()
    part, whole = min(days * MICRO, persons * house.days), persons * house.days
    rows = [row for row in charged if row.kind in REDUCED]
    amount, volume = sum(_personal(terms, premises, row)[0] for row in rows), 0
    for row in rows:
        volume += _personal(terms, premises, row)[1] if row.kind is LineKind.CHARGE else 0
    reduced = divide_half_up(amount * part, whole)
    if reduced <= 0:
        return ()
    inputs = (("P", amount), ("person_days", days), ("n", persons), ("days", house.days))
    explanation = Explanation(formula="отсутствие", inputs=inputs, note="временное отсутствие")
    lost = share_of(volume, part, whole)
    return (Part(kind=LineKind.ABSENCE, volume=-lost, price=0, amount_kopecks=-reduced, explanation=explanation),)


def _personal(terms: ServiceTerms, premises: Premises, row: Part) -> tuple[int, int]:
    """Return (kopecks, volume) of a part that were charged for persons."""
    heating = times(premises.area, terms.norm_space_heating) if terms.kind is ServiceKind.GAS else 0
    if not heating or row.volume <= 0:
        return row.amount_kopecks, row.volume
    personal = max(row.volume - heating, 0)
    return divide_half_up(row.amount_kopecks * personal, row.volume), personal
