"""A HouseMonth put together: facts of the stock, meters with their readings, and the law. Pure; ``reading.py`` reads them.

Services that people have meters of their own for climb the ladder; absences and breaks are made of applications and acts; the
law's coefficients are those in force on the first day of the period, as everything of the stock is.
"""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from services.billing.core.absence import MeterSituation, absences_of_month
from services.billing.core.consumption import LadderTerms
from services.billing.core.facts import AccountFacts, HouseFacts, PremisesFacts
from services.billing.core.ladder import Cause, Rung, averages_run_out, rung_of
from services.billing.core.law import Law
from services.billing.core.meters import Possibility, Supply
from services.billing.core.month import (
    AccountShare,
    HeatingWay,
    HouseMonth,
    HouseVolume,
    Individual,
    Premises,
    PremisesKind,
    ServiceKind,
    ServiceTerms,
    VolumeSource,
)
from services.billing.core.periods import MONTHS, days_of, month_number
from services.billing.core.quality import breaks_of_month
from services.billing.core.quantities import MICRO, Area, Price, Ratio, Volume, divide_half_up, times

WATERS = (ServiceKind.COLD_WATER, ServiceKind.HOT_WATER, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN)
RAISED = (*WATERS, ServiceKind.ELECTRICITY)
"""Where no meter means the norm, raised if a meter can be installed (п. 42)."""
METERED = (*RAISED, ServiceKind.SEWAGE, ServiceKind.GAS, ServiceKind.HEATING, ServiceKind.HEATING_OWN)
HEATING = (ServiceKind.HEATING, ServiceKind.HEATING_OWN)
MEASURED = (VolumeSource.METER, VolumeSource.AVERAGE)

NOTHING_TOLD: Mapping[int, Volume] = {}

Norms = Mapping[int, int]
"""n × N by period."""


class OwnSupply(msgspec.Struct, frozen=True, kw_only=True):
    """One service's meters of one premises, communal flat or house, and the norms of earlier periods to settle with."""

    supply: Supply
    norms: Mapping[int, int] = {}


class Metering(msgspec.Struct, frozen=True, kw_only=True):
    """What meters of a house are, by service: of premises by their key, of communal flats by name, of the house itself.

    ``possibilities``: (premises key, service) where no meter stands. ``volumes``: (service, resource) -> (volume, price) that
    acts and bills say of the month; resource is empty for the house's own volume. ``year``: of the year before, by service and
    period.
    """

    premises: Mapping[tuple[int, str], OwnSupply]
    flats: Mapping[tuple[str, str], OwnSupply]
    house: Mapping[str, OwnSupply]
    possibilities: Mapping[tuple[int, str], Possibility]
    volumes: Mapping[tuple[str, str], tuple[Volume, Price]]
    year: Mapping[str, Mapping[int, Volume]]


class Assembly(msgspec.Struct, frozen=True, kw_only=True):
    """By what a house is assembled. ``known``: readings up to that period count; 0: the month's. ``today`` judges absences."""

    law: Law
    today: date
    known: int = 0


def assemble(facts: HouseFacts, metering: Metering, assembly: Assembly) -> HouseMonth:
    """Return the month; raises UncoveredAct of ``quality.py`` for an act that no rule speaks of."""
    first = days_of(month_number(facts.period))[0]
    law = assembly.law.in_region(facts.region)
    house = _House(facts, metering, assembly, law)
    return HouseMonth(
        house=facts.house,
        period=facts.period,
        days=facts.days,
        area_all=facts.area_all,
        area_common=facts.area_common,
        services=tuple(
            [msgspec.structs.replace(terms, coefficient=law.coefficient(terms.kind, first)) for terms in facts.services]
        ),
        premises=tuple([house.premises(one) for one in facts.premises]),
        house_volumes=tuple([volume for terms in facts.services if (volume := house.house_volume(terms)) is not None]),
    )


def premises_rungs(facts: HouseFacts, metering: Metering, assembly: Assembly, key: int) -> dict[str, Rung]:
    """Return the rungs of one premises (its number) by service, in the order of the house's services; for showing why."""
    house = _House(facts, metering, assembly, assembly.law.in_region(facts.region))
    return {service: rung for one in facts.premises if one.key == key for service, rung in house.rungs(one).items()}


def ladder_terms(law: Law, day: date, key: str, kind: ServiceKind) -> LadderTerms:
    """Return the ladder's terms of a day; ``key`` is one of the table ``ladder`` of the law."""
    base = law.fetch("average_base", "", day)
    return LadderTerms(
        averaged_max=law.ladder_periods(key, day),
        average_months=base.figure("months"),
        average_months_min=base.figure("months_min"),
        is_seasonal=kind in HEATING,
    )


def ladder_key(premises: PremisesKind | None, kind: ServiceKind) -> str:
    """Return the key of the law's table ``ladder``: of a premises' kind, or of the house's meter (None)."""
    if premises is None:
        return "house_heat" if kind in HEATING else "average_residential"
    return "average_non_residential" if premises is PremisesKind.NON_RESIDENTIAL else "average_residential"


def norm_volume(terms: ServiceTerms, premises: PremisesFacts, services: Iterable[ServiceTerms] = ()) -> Volume:
    """Return what a month by the norm charged a premises, without the coefficient (formulas 2, 4, 5).

    Sewage has the norms of the waters that it takes, of the house's ``services``. Heating by a house meter is charged by area
    too; S × N is the nearest to it that is known without that meter.
    """
    is_shop = premises.kind is PremisesKind.NON_RESIDENTIAL
    absent = 0 if not terms.is_payable_by_absent_owners else premises.owners * MICRO
    persons = 0 if is_shop else premises.residents or absent
    if terms.kind in HEATING:
        is_heated = terms.is_heating_month and not premises.is_without_heating
        return Volume(times(premises.area, terms.norm) if is_heated else 0)
    if terms.kind is ServiceKind.GAS:
        by_persons = times(persons, terms.norm) + times(persons, terms.norm_water_heating)
        return Volume(by_persons + times(premises.area, terms.norm_space_heating))
    waters = [one for one in services if one.service in terms.base and _is_served(one, premises)]
    if terms.kind is ServiceKind.SEWAGE and waters:
        return Volume(sum(norm_volume(water, premises) for water in waters))
    return Volume(times(persons, terms.norm))


def _is_served(terms: ServiceTerms, premises: PremisesFacts) -> bool:
    return premises.services is None or terms.service in premises.services


def with_departed(month: HouseMonth, gone: Iterable[tuple[str, str]]) -> HouseMonth:
    """Return the month with accounts (premises, account) that left the house and have sums in it: nothing else is theirs.

    They stand in premises of no area and nobody, served with nothing, so that the house's sums stay what they are.
    """
    added = [
        Premises(
            premises=premises,
            kind=PremisesKind.FLAT,
            area=Area(0),
            residents=Ratio(0),
            owners=0,
            accounts=(AccountShare(account=account),),
            is_without_heating=True,
            services=(),
        )
        for premises, account in gone
    ]
    return msgspec.structs.replace(month, premises=(*month.premises, *added))


class _House:
    """One house while it is assembled."""

    def __init__(self, facts: HouseFacts, metering: Metering, assembly: Assembly, law: Law) -> None:
        self._facts, self._metering, self._assembly, self._law = facts, metering, assembly, law
        self._day = days_of(month_number(facts.period))[0]
        self._kinds = {terms.service: terms.kind for terms in facts.services}
        self._terms = {terms.service: terms for terms in facts.services}
        self._flats: dict[tuple[str, str], Rung] = {}

    def premises(self, facts: PremisesFacts) -> Premises:
        """Return one premises of the month."""
        rungs = self.rungs(facts)
        individual = [self._individual(facts, self._terms[service], rung) for service, rung in rungs.items()]
        return Premises(
            premises=facts.premises,
            kind=facts.kind,
            area=facts.area,
            residents=facts.residents,
            owners=facts.owners,
            accounts=tuple([_share(account) for account in facts.accounts]),
            living_area=facts.living_area,
            flat=facts.flat,
            is_without_heating=facts.is_without_heating,
            services=facts.services,
            individual=tuple([one for one in individual if one is not None]),
            absences=absences_of_month(
                facts.applications, self._situations(self._served(facts), rungs), self._facts.period, self._assembly.today
            ),
            breaks=breaks_of_month((*self._facts.acts, *facts.acts), self._kinds, self._facts.period),
        )

    def rungs(self, facts: PremisesFacts) -> dict[str, Rung]:
        """Return the rungs of a premises by service."""
        return {terms.service: rung for terms in self._served(facts) if (rung := self._rung(facts, terms)) is not None}

    def _served(self, facts: PremisesFacts) -> list[ServiceTerms]:
        return [terms for terms in self._facts.services if _is_served(terms, facts)]

    def _rung(self, facts: PremisesFacts, terms: ServiceTerms) -> Rung | None:
        """Return the rung of a service with meters of its own, None of another; a room goes by its flat's meter."""
        if terms.kind not in METERED:
            return None
        own = self._metering.premises.get((facts.key, terms.service))
        if facts.kind is PremisesKind.COMMUNAL_ROOM:
            own = self._metering.flats.get((facts.flat, terms.service))
            if own is not None and (facts.flat, terms.service) not in self._flats:
                self._flats[facts.flat, terms.service] = self._climb(own, terms, facts.kind)
        if own is None:
            possibility = self._metering.possibilities.get((facts.key, terms.service), Possibility.UNKNOWN)
            own = OwnSupply(supply=Supply(places=(), possibility=possibility))
        return self._flats.get((facts.flat, terms.service)) or self._climb(own, terms, facts.kind)

    def _climb(self, own: OwnSupply, terms: ServiceTerms, kind: PremisesKind | None) -> Rung:
        ladder = ladder_terms(self._law, self._day, ladder_key(kind, terms.kind), terms.kind)
        return rung_of(own.supply, self._facts.period, ladder, own.norms, self._assembly.known or None)

    def _individual(self, facts: PremisesFacts, terms: ServiceTerms, rung: Rung) -> Individual | None:
        if terms.kind in HEATING and terms.heating_way is HeatingWay.EVEN:
            own = self._metering.premises.get((facts.key, terms.service))
            return None if own is None else self._evenly(own, terms, facts.kind)
        measured = rung.source in MEASURED
        if not measured and terms.kind not in RAISED:
            return None
        individual = rung.individual(terms.service)
        room = self._metering.premises.get((facts.key, terms.service))
        if not measured or facts.kind is not PremisesKind.COMMUNAL_ROOM or room is None:
            return individual
        mine = self._climb(room, terms, facts.kind)
        return msgspec.structs.replace(individual, room_zones=mine.zones) if mine.source in MEASURED else individual

    def _evenly(self, own: OwnSupply, terms: ServiceTerms, kind: PremisesKind) -> Individual | None:
        """Return the monthly average of the year before (п. 42(1)); None where a month of it is not by the meter."""
        average = self._year_average(own, terms, kind)
        if average is None:
            return None
        return Individual(service=terms.service, source=VolumeSource.METER, zones=((0, average),))

    def _year_average(
        self, own: OwnSupply, terms: ServiceTerms, kind: PremisesKind | None, told: Mapping[int, Volume] = NOTHING_TOLD
    ) -> Volume | None:
        last = self._facts.period // 100 * 100 - 100 + MONTHS
        ladder = ladder_terms(self._law, self._day, ladder_key(kind, terms.kind), terms.kind)
        rungs = [
            rung_of(own.supply, period, ladder, averages_run_out(own.supply, period, ladder, last), last)
            for period in range(last - MONTHS + 1, last + 1)
            if period not in told
        ]
        if any(rung.source not in MEASURED for rung in rungs):
            return None
        read = sum(volume for rung in rungs for _, volume in rung.zones)
        return Volume(divide_half_up(read + sum(told.values()), MONTHS))

    def _house_year(self, own: OwnSupply | None, terms: ServiceTerms) -> Volume | None:
        """Return the house's monthly average of the year before: by acts and bills; its meter tells months that they do not.

        Without a meter they must tell the heating period, or a part of a year would be taken for all of it.
        """
        told = self._metering.year.get(terms.service, {})
        if told and len(told) >= terms.heating_months:
            return Volume(divide_half_up(sum(told.values()), MONTHS))
        return None if own is None else self._year_average(own, terms, None, told)

    def house_volume(self, terms: ServiceTerms) -> HouseVolume | None:
        """Return what the house took of a service: by an act or bill, else its meter or the average; None where nobody knows."""
        told = self._metering.volumes
        volume: Volume | None = told[terms.service, ""][0] if (terms.service, "") in told else None
        own = self._metering.house.get(terms.service)
        if terms.kind is ServiceKind.HEATING and terms.heating_way is HeatingWay.EVEN:
            volume = self._house_year(own, terms)
        elif volume is None and own is not None:
            ladder = ladder_terms(self._law, self._day, ladder_key(None, terms.kind), terms.kind)
            norms = averages_run_out(own.supply, self._facts.period, ladder, self._assembly.known or None)
            rung = self._climb(msgspec.structs.replace(own, norms=norms), terms, None)
            volume = Volume(sum(each for _, each in rung.zones)) if rung.source in MEASURED else None
        fuel = tuple([figures for (service, resource), figures in sorted(told.items()) if service == terms.service and resource])
        return HouseVolume(service=terms.service, volume=volume, fuel=fuel) if volume is not None or fuel else None

    def _situations(
        self, services: Iterable[ServiceTerms], rungs: Mapping[str, Rung]
    ) -> dict[str, tuple[ServiceKind, MeterSituation]]:
        """Return what absences are judged by; sewage without a meter goes by the waters that it takes."""
        found = {}
        for terms in services:
            rung = rungs.get(terms.service)
            situation = MeterSituation.WORKING if rung is None else situation_of(rung)
            if terms.kind is ServiceKind.SEWAGE and rung is not None and rung.cause in WITHOUT_METER:
                waters = [situation_of(rungs[base]) for base in terms.base if base in rungs]
                # A part by a working meter falls away by itself when nobody is there.
                situation = MeterSituation.WORKING if MeterSituation.WORKING in waters else next(iter(waters), situation)
            found[terms.service] = terms.kind, situation
        return found


WITHOUT_METER = (Cause.NO_METER, Cause.NO_POSSIBILITY, Cause.POSSIBILITY_UNKNOWN)


def situation_of(rung: Rung) -> MeterSituation:
    """Return why the premises is or is not charged by a meter, as absences ask it (п. 86)."""
    match rung.cause:
        case Cause.READING | Cause.FIRST_MONTH:
            return MeterSituation.WORKING
        case Cause.NO_READING | Cause.NO_ACCESS:
            return MeterSituation.NO_READING
        case Cause.FAULTY:
            return MeterSituation.FAILED
        case Cause.NO_POSSIBILITY:
            return MeterSituation.IMPOSSIBLE
        case Cause.NO_METER | Cause.POSSIBILITY_UNKNOWN:
            return MeterSituation.NOT_INSTALLED


def _share(account: AccountFacts) -> AccountShare:
    return AccountShare(
        account=account.account, numerator=account.numerator, denominator=account.denominator, excluded=account.excluded
    )
