"""The demo town: houses, flats, payers and what they owe, drawn from a seed and written as files for the real loader."""

import csv
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec

from kopeck.demo.names import FIRMS, OFFICES, STREETS, TOWN, invent_person
from kopeck.demo.recipients import MAINTENANCE_M2, MANAGERS, PAID_TO, list_recipients
from kopeck.demo.tariffs import Flat, month_charges, rounded

NAMESPACE = "epd"
"""Namespace of the numbers printed on the town's single payment document (ЕПД)."""
ACCOUNTS_MIN = 20
ACCOUNTS_MAX = 99_999_999
FLATS_IN_HOUSE = (60, 110)
DIRECT_SERVICES = frozenset({"heating", "hot_water", "waste"})
"""Services whose supplier is itself the creditor in houses with direct contracts (ЖК ст. 157.2)."""

CURRENT = 202610
DUE_DATES = {202301: "2023-02-10", 202602: "2026-03-16", 202608: "2026-09-15", 202609: "2026-10-15", CURRENT: "2026-11-16"}
"""Period -> due date, shifted off days of rest (ЖК ст. 155 ч. 1: the 15th from March 2026, the 10th before)."""
LIMITATION_UNTIL = {202301: "2026-02-10"}
PENALTY_RATE_E4 = 950
"""9.5 % a year, the cap of ПП 474; a day costs 1/300 of it from the 31st day (ЖК ст. 155 ч. 14)."""
PENALTY_DAYS = 39


_RECIPIENT_COLUMNS = ("code", "kind", "name", "inn", "kpp", "bank_account", "bic", "kbk", "oktmo", "valid_from")
_ACCOUNT_COLUMNS = ("namespace", "number", "els", "izhku", "state", "payer_kind", "provider", "name", "address")
_CHARGE_COLUMNS = (
    "namespace",
    "number",
    "creditor",
    "period",
    "service",
    "recipient",
    "kind",
    "pool",
    "amount_kopecks",
    "due_date",
    "limitation_until",
    "court_order",
    "paid_kopecks",
    "printed_total_kopecks",
)


class House(msgspec.Struct, frozen=True, kw_only=True):
    """One house; ``manager`` is the code of its УО or ТСЖ, ``direct`` says that suppliers are creditors themselves."""

    address: str
    manager: str
    flats: int
    floors: int
    electric_stove: bool
    central_hot_water: bool
    direct: bool


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A personal account: ``state`` is open, debts_only or closed; ``payer_kind`` person, organisation or budget."""

    number: str
    els: str
    state: str
    payer_kind: str
    provider: str
    name: str
    address: str


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a payment document; amounts in kopecks. ``paid`` was paid elsewhere before the town was loaded."""

    number: str
    creditor: str
    period: int
    service: str
    recipient: str
    kind: str
    pool: str
    amount: int
    paid: int = 0
    court_order: str = ""


class TownFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The town as files for ``kopeck load``."""

    recipients: Path
    accounts: Path
    charges: Path


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """An account with its charges."""

    account: Account
    charges: tuple[Charge, ...]


def list_residents(accounts: int, seed: int) -> Iterator[Resident]:
    """Draw exactly ``accounts`` personal accounts, house by house; the same seed gives the same town."""
    if not ACCOUNTS_MIN <= accounts <= ACCOUNTS_MAX:
        raise ValueError(f"a town has {ACCOUNTS_MIN} … {ACCOUNTS_MAX} accounts")
    chance = Random(seed)
    made = 0
    house_number = 0
    while made < accounts:
        house_number += 1
        house = _draw_house(house_number, chance)
        for flat_number in range(1, min(house.flats, accounts - made) + 1):
            made += 1
            yield _draw_resident(house, house_number, flat_number, made, chance)


def _draw_house(number: int, chance: Random) -> House:
    floors = chance.choice((5, 5, 9, 9, 10, 16))
    turn, street = divmod(number - 1, len(STREETS))
    return House(
        address=f"{TOWN}, {STREETS[street]}, д. {2 + turn * 2 + chance.randrange(2)}",
        manager=MANAGERS[2] if number % 13 == 3 else MANAGERS[number % 2],
        flats=chance.randint(*FLATS_IN_HOUSE),
        floors=floors,
        electric_stove=floors > 10,
        central_hot_water=chance.random() < 0.85,
        direct=number % 5 == 4,
    )


def _draw_resident(house: House, house_number: int, flat_number: int, ordinal: int, chance: Random) -> Resident:
    business = flat_number <= 2 and chance.random() < 0.5
    payer_kind = ("budget" if chance.random() < 0.3 else "organisation") if business else "person"
    fate = chance.random()
    state = "closed" if fate < 0.01 else "debts_only" if fate < 0.02 else "open"
    number = f"80{house_number:05d}{flat_number:03d}"
    if business:
        name, place = chance.choice(OFFICES if payer_kind == "budget" else FIRMS), f"пом. {flat_number}Н"
    else:
        name, place = invent_person(chance).full, f"кв. {flat_number}"
    account = Account(
        number=number,
        els=f"80АВ{ordinal:06d}" if ordinal < 1_000_000 else "",
        state=state,
        payer_kind=payer_kind,
        provider=house.manager,
        name=name,
        address=f"{house.address}, {place}",
    )
    flat = _draw_flat(house, business, chance)
    return Resident(account=account, charges=tuple(_charges(account, flat, house, chance)))


def _draw_flat(house: House, business: bool, chance: Random) -> Flat:
    area_e2 = (
        chance.randint(6_000, 24_000)
        if business
        else chance.choice((3_140, 4_370, 5_420, 6_480, 7_850)) + chance.randrange(-90, 90)
    )
    return Flat(
        area_e2=area_e2,
        persons=1 if business else chance.choice((1, 1, 2, 2, 3, 3, 4, 5)),
        maintenance_m2=MAINTENANCE_M2[house.manager],
        electric_stove=house.electric_stove,
        central_hot_water=house.central_hot_water,
        water_meters=business or chance.random() < 0.9,
        lift=house.floors > 5,
        intercom=not business,
        antenna=not business and chance.random() < 0.6,
        insured=not business and chance.random() < 0.1,
        municipal=not business and chance.random() < 0.05,
    )


def _charges(account: Account, flat: Flat, house: House, chance: Random) -> Iterator[Charge]:
    """What is owed: nothing by a closed account, old debts by a debts-only one, this month and some debts by the rest."""
    if account.state == "closed":
        return
    if account.state == "debts_only":
        yield from _court_case(account, flat, house, chance)
        return
    fate = chance.random()
    if fate < 0.01:
        yield from _period(account, flat, house, 202301, chance)
    if fate < 0.06:
        yield from _paid_in_part(_period(account, flat, house, 202608, chance), chance.randint(30, 70))
        yield _penalty(account, flat)
    if fate < 0.18:
        yield from _period(account, flat, house, 202609, chance)
    current = _period(account, flat, house, CURRENT, chance)
    yield from _paid_in_part(current, 50) if 0.18 <= fate < 0.21 else current


def _period(account: Account, flat: Flat, house: House, period: int, chance: Random) -> Iterator[Charge]:
    for service, amount in month_charges(flat, period, chance).items():
        recipient = PAID_TO.get(service, house.manager)
        own_creditor = service in ("capital_repair", "rent", "insurance") or (house.direct and service in DIRECT_SERVICES)
        yield Charge(
            number=account.number,
            creditor=recipient if own_creditor else house.manager,
            period=period,
            service=service,
            recipient=recipient,
            kind="principal",
            pool={"capital_repair": "capital_repair", "insurance": "voluntary"}.get(service, "main"),
            amount=amount,
        )


def _paid_in_part(charges: Iterator[Charge], percent: int) -> Iterator[Charge]:
    for charge in charges:
        voluntary = charge.pool == "voluntary"
        yield charge if voluntary else msgspec.structs.replace(charge, paid=rounded(charge.amount * percent, 100))


def _penalty(account: Account, flat: Flat) -> Charge:
    debt = flat.area_e2 * flat.maintenance_m2 // 100
    return Charge(
        number=account.number,
        creditor=account.provider,
        period=202608,
        service="penalty",
        recipient=account.provider,
        kind="penalty",
        pool="main",
        amount=max(1, rounded(debt * PENALTY_RATE_E4 * (PENALTY_DAYS - 30), 10_000 * 300)),
    )


def _court_case(account: Account, flat: Flat, house: House, chance: Random) -> Iterator[Charge]:
    order = f"2-{chance.randint(100, 4999)}/2026"
    for charge in _period(account, flat, house, 202602, chance):
        if charge.pool == "main":
            yield msgspec.structs.replace(charge, court_order=order if charge.creditor == account.provider else "")
    yield Charge(
        number=account.number,
        creditor=account.provider,
        period=202602,
        service="court_costs",
        recipient=account.provider,
        kind="costs",
        pool="main",
        amount=200_000,
        court_order=order,
    )


def write_town(folder: Path, accounts: int, seed: int) -> TownFiles:
    """Write the town as recipients.csv, accounts.csv and charges.csv, in the columns of docs/loading.md."""
    folder.mkdir(mode=0o700, exist_ok=True)
    files = TownFiles(recipients=folder / "recipients.csv", accounts=folder / "accounts.csv", charges=folder / "charges.csv")
    with files.recipients.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictWriter(out, _RECIPIENT_COLUMNS)
        rows.writeheader()
        rows.writerows({**msgspec.structs.asdict(one), "valid_from": "2026-01-01"} for one in list_recipients())
    with (
        files.accounts.open("w", encoding="utf-8", newline="") as accounts_out,
        files.charges.open("w", encoding="utf-8", newline="") as charges_out,
    ):
        account_rows, charge_rows = csv.writer(accounts_out), csv.writer(charges_out)
        account_rows.writerow(_ACCOUNT_COLUMNS)
        charge_rows.writerow(_CHARGE_COLUMNS)
        for resident in list_residents(accounts, seed):
            account_rows.writerow(_account_row(resident.account))
            printed = printed_totals(resident.charges)
            charge_rows.writerows(_charge_row(charge, printed) for charge in resident.charges)
    return files


def printed_totals(charges: tuple[Charge, ...]) -> dict[tuple[int, str], int]:
    """What the newest document prints as «к оплате», by (period, pool): the principal of the pool that is not yet paid."""
    newest = max((charge.period for charge in charges), default=0)
    totals: dict[tuple[int, str], int] = {}
    for charge in charges:
        if charge.kind == "principal" and charge.pool in ("main", "capital_repair"):
            totals[(newest, charge.pool)] = totals.get((newest, charge.pool), 0) + charge.amount - charge.paid
    return totals


def _account_row(account: Account) -> tuple[str, ...]:
    izhku = f"{account.els}-01" if account.els else ""
    return (
        NAMESPACE,
        account.number,
        account.els,
        izhku,
        account.state,
        account.payer_kind,
        account.provider,
        account.name,
        account.address,
    )


def _charge_row(charge: Charge, printed: dict[tuple[int, str], int]) -> tuple[object, ...]:
    total = printed.get((charge.period, charge.pool)) if charge.kind == "principal" else None
    return (
        NAMESPACE,
        charge.number,
        charge.creditor,
        f"{charge.period // 100}-{charge.period % 100:02d}",
        charge.service,
        charge.recipient,
        charge.kind,
        charge.pool,
        charge.amount,
        DUE_DATES[charge.period],
        LIMITATION_UNTIL.get(charge.period, ""),
        charge.court_order,
        charge.paid or "",
        "" if total is None else total,
    )
