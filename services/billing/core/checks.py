"""Checks of a drafted house and of a drafted run: a table of small functions over figures, each yielding what it found.

Nothing is corrected here. An error stops approval until a person has acknowledged it (docs/billing-months.md).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from schemas.money import roubles_for_people
from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.month import HouseMonth, ServiceKind, VolumeSource

REDUCING = (LineKind.ABSENCE, LineKind.QUALITY, LineKind.CORRECTION, LineKind.FINE)
"""Kinds whose lines may be below zero."""
METERED = (
    ServiceKind.COLD_WATER,
    ServiceKind.HOT_WATER,
    ServiceKind.HOT_WATER_TWO_PART,
    ServiceKind.HOT_WATER_OWN,
    ServiceKind.ELECTRICITY,
    ServiceKind.GAS,
)


class Severity(StrEnum):
    """How much a finding is in the way."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Found(NamedTuple):
    """What a check found, of which account and service; ``message`` is Russian, for the accountant."""

    message: str
    account: str = ""
    service: str = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on a difference is told of: percent of last month's sum, and kopecks below which nobody is asked."""

    jump_percent: int = 50
    jump_kopecks: int = 50_000
    volume_tolerance: int = 1_000
    """Millionths a premises by which a house's lines may miss the house's volume, for rounding."""


class HouseFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A drafted house; ``previous``: what (account, service) was charged the month before, in kopecks.

    ``accounts``: the accounts of the run, empty for all of the house.
    """

    house: HouseMonth
    lines: tuple[ChargeLine, ...]
    previous: Mapping[tuple[str, str], int]
    limits: Limits
    accounts: frozenset[str] = frozenset()

    def is_asked(self, account: str) -> bool:
        """Tell whether the account belongs to the run."""
        return not self.accounts or account in self.accounts


class ServiceTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A control total of a run: one service of one recipient, and what the month before came to, in kopecks."""

    service: str
    recipient: str
    lines: int
    accounts: int
    amount_kopecks: int
    previous_kopecks: int


class Check(NamedTuple):
    """A row of the table: its name as findings carry it, how grave it is, and the function."""

    name: str
    severity: Severity
    find: Callable[[HouseFigures], Iterator[Found]]


def _negative_lines(figures: HouseFigures) -> Iterator[Found]:
    for line in figures.lines:
        if line.amount_kopecks < 0 and line.kind not in REDUCING:
            message = f"начисление меньше нуля: {roubles_for_people(line.amount_kopecks)}"
            yield Found(message, line.account, line.service)


def _negative_services(figures: HouseFigures) -> Iterator[Found]:
    for (account, service), amount in _by_service(figures).items():
        if amount < 0:
            yield Found(f"итог услуги меньше нуля: {roubles_for_people(amount)}", account, service)


def _negative_totals(figures: HouseFigures) -> Iterator[Found]:
    for account, amount in _by_account(figures).items():
        if amount < 0:
            yield Found(f"итог лицевого счёта меньше нуля: {roubles_for_people(amount)}", account)


def _jumps(figures: HouseFigures) -> Iterator[Found]:
    before: dict[str, int] = defaultdict(int)
    for (account, _service), amount in figures.previous.items():
        before[account] += amount
    for account, amount in _by_account(figures).items():
        if account in before and is_jump(amount, before[account], figures.limits):
            told = f"{roubles_for_people(before[account])} → {roubles_for_people(amount)}"
            yield Found(f"начислено иначе, чем месяц назад: {told}", account)


def _without_readings(figures: HouseFigures) -> Iterator[Found]:
    services = {terms.service for terms in figures.house.services if terms.kind in METERED}
    individual = [one for premises in figures.house.premises for one in premises.individual if one.service in services]
    if individual and not any(one.source is VolumeSource.METER for one in individual):
        yield Found("ни одного показания индивидуальных приборов за месяц")


def _accounts_without_lines(figures: HouseFigures) -> Iterator[Found]:
    charged = {line.account for line in figures.lines}
    known = {share.account for premises in figures.house.premises for share in premises.accounts}
    for account in sorted(known - charged):
        if figures.is_asked(account):
            yield Found("лицевой счёт без начислений", account)


def _premises_without_accounts(figures: HouseFigures) -> Iterator[Found]:
    for premises in figures.house.premises:
        if not premises.accounts and not figures.accounts:
            yield Found(f"помещение {premises.premises} без лицевого счёта: его доля никому не начислена")


def _house_volumes(figures: HouseFigures) -> Iterator[Found]:
    """Lines that charge more of a service than the house took: its meter, or a reading in it, is wrong."""
    if figures.accounts:
        return
    sums: dict[str, int] = defaultdict(int)
    for line in figures.lines:
        if line.kind in (LineKind.CHARGE, LineKind.COMMON) and not line.of_period:
            sums[line.service] += line.volume
    tolerance = figures.limits.volume_tolerance * len(figures.house.premises)
    for known in figures.house.house_volumes:
        if known.volume is not None and sums[known.service] > known.volume + tolerance:
            message = f"начислено {sums[known.service]}, а дом потребил {known.volume} (миллионных долей единицы)"
            yield Found(message, service=known.service)


def _wrong_volumes(figures: HouseFigures) -> Iterator[Found]:
    """A charge's volume × price is its sum, wherever one price was charged (п. 38): what is printed can be multiplied."""
    for line in figures.lines:
        product = line.volume * line.price
        if line.kind is LineKind.CHARGE and line.price and abs(product - line.amount_kopecks * 10**10) > 10**10:
            message = f"объём × цена не равны сумме {roubles_for_people(line.amount_kopecks)}"
            yield Found(message, line.account, line.service)


CHECKS = (
    Check("negative_line", Severity.ERROR, _negative_lines),
    Check("premises_without_accounts", Severity.ERROR, _premises_without_accounts),
    Check("negative_service", Severity.WARNING, _negative_services),
    Check("negative_total", Severity.WARNING, _negative_totals),
    Check("jump", Severity.WARNING, _jumps),
    Check("account_without_lines", Severity.WARNING, _accounts_without_lines),
    Check("house_without_readings", Severity.WARNING, _without_readings),
    Check("house_volume", Severity.WARNING, _house_volumes),
    Check("line_product", Severity.WARNING, _wrong_volumes),
)
"""The checks of a house, gravest first."""


def check_house(figures: HouseFigures) -> list[tuple[Check, Found]]:
    """Run the table over one house."""
    return [(check, found) for check in CHECKS for found in check.find(figures)]


def check_totals(totals: tuple[ServiceTotal, ...], limits: Limits) -> list[tuple[str, Severity, Found]]:
    """Hold a run's control totals against the month before: a service that jumped, appeared or is gone."""
    found = []
    for total in totals:
        told = f"{roubles_for_people(total.previous_kopecks)} → {roubles_for_people(total.amount_kopecks)}"
        if total.amount_kopecks < 0:
            found.append(("service_below_zero", Severity.ERROR, Found(f"итог услуги: {told}", service=total.service)))
        elif total.previous_kopecks and is_jump(total.amount_kopecks, total.previous_kopecks, limits):
            found.append(("service_jump", Severity.WARNING, Found(f"итог услуги: {told}", service=total.service)))
    return found


def is_jump(amount: int, before: int, limits: Limits) -> bool:
    """Tell whether a sum differs from last month's by more than the limits allow."""
    difference = abs(amount - before)
    return difference > limits.jump_kopecks and difference * 100 > limits.jump_percent * abs(before)


def _by_service(figures: HouseFigures) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for line in figures.lines:
        sums[line.account, line.service] += line.amount_kopecks
    return sums


def _by_account(figures: HouseFigures) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for line in figures.lines:
        sums[line.account] += line.amount_kopecks
    return sums
