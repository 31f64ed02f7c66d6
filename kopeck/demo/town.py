"""The demo town: houses, flats, payers and their old debts, drawn from a seed.

What it is charged for the months of its own billing is calculated from its housing stock (kopeck/demo/stock.py, meters.py).
"""

from collections.abc import Iterator, Mapping
from random import Random

import msgspec

from kopeck.demo.names import FIRMS, OFFICES, STREETS, TOWN, invent_person
from kopeck.demo.recipients import MAINTENANCE_M2, MANAGERS, PAID_TO
from kopeck.demo.tariffs import INSURANCE_M2, Flat, month_charges, rounded

NAMESPACE = "epd"
"""Namespace of the numbers printed on the town's single payment document (ЕПД)."""
ACCOUNTS_MIN = 20
ACCOUNTS_MAX = 99_999_999
FLATS_IN_HOUSE = (60, 110)
DIRECT_SERVICES = frozenset({"heating", "hot_water", "waste"})
"""Services whose supplier is itself the creditor in houses with direct contracts (ЖК ст. 157.2)."""
OWN_CREDITORS = frozenset({"capital_repair", "rent", "insurance"})
"""Services whose recipient is the creditor in every house."""

PERIODS = (202608, 202609, 202610)
"""Months of the town's own billing: the last is open."""
CURRENT = PERIODS[-1]
OLD_DEBT, COURT_DEBT, BARRED_DEBT, PENALTIES = 202605, 202602, 202301, 202607
"""Periods of an earlier billing: what it left unpaid, and its last penalties."""
PENALTY_RATE_E4 = 950
"""9.5 % a year, the cap of ПП 474; a day costs 1/300 of it from the 31st day (ЖК ст. 155 ч. 14)."""
PENALTY_DAYS = 62


class House(msgspec.Struct, frozen=True, kw_only=True):
    """One house; ``manager`` is the code of its УО or ТСЖ, ``direct`` says that suppliers are creditors themselves."""

    number: int
    address: str
    manager: str
    flats: int
    floors: int
    electric_stove: bool
    central_hot_water: bool
    direct: bool

    @property
    def code(self) -> str:
        """Its name in the housing stock."""
        return f"{self.number:05d}"


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
    """A line of a payment document of an earlier billing or another creditor's; amounts in kopecks.

    ``paid`` was paid elsewhere before the town was loaded.
    """

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


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """An account, its premises, and charges of earlier billings; ``pays`` is in percent of a document, by its period.

    An account that is not open is that of a former owner: its premises have an open one as well.
    """

    account: Account
    house: House
    premises: str
    flat: Flat
    charges: tuple[Charge, ...]
    pays: Mapping[int, int]

    @property
    def is_business(self) -> bool:
        """Whether the premises are no dwelling."""
        return self.account.payer_kind != "person"


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
        before: Resident | None = None
        for flat_number in range(1, min(house.flats, accounts - made) + 1):
            made += 1
            resident = _draw_resident(house, (flat_number, made), before, chance)
            before = resident if resident.account.state == "open" else before
            yield resident


def _draw_house(number: int, chance: Random) -> House:
    floors = chance.choice((5, 5, 9, 9, 10, 16))
    turn, street = divmod(number - 1, len(STREETS))
    return House(
        number=number,
        address=f"{TOWN}, {STREETS[street]}, д. {2 + turn * 2 + chance.randrange(2)}",
        manager=MANAGERS[2] if number % 13 == 3 else MANAGERS[number % 2],
        flats=chance.randint(*FLATS_IN_HOUSE),
        floors=floors,
        electric_stove=floors > 10,
        central_hot_water=chance.random() < 0.85 or floors > 10,
        direct=number % 5 == 4,
    )


def _draw_resident(house: House, place: tuple[int, int], before: Resident | None, chance: Random) -> Resident:
    """Draw the account at a ``place`` of the house and of the town; ``before`` is the open one before it in the house."""
    flat_number, ordinal = place
    business = flat_number <= 2 and chance.random() < 0.5
    payer_kind = ("budget" if chance.random() < 0.3 else "organisation") if business else "person"
    fate = chance.random()
    state = "closed" if fate < 0.01 else "debts_only" if fate < 0.02 else "open"
    if before is None or business or before.is_business:
        state = "open"
    premises = before.premises if before is not None and state != "open" else f"{flat_number}Н" if business else str(flat_number)
    name = chance.choice(OFFICES if payer_kind == "budget" else FIRMS) if business else invent_person(chance).full
    account = Account(
        number=f"80{house.number:05d}{flat_number:03d}",
        els=f"80АВ{ordinal:06d}" if ordinal < 1_000_000 else "",
        state=state,
        payer_kind=payer_kind,
        provider=house.manager,
        name=name,
        address=f"{house.address}, {'пом.' if business else 'кв.'} {premises}",
    )
    flat = _draw_flat(house, business, chance)
    fate = chance.random()
    charges = tuple(_old_charges(account, flat, house, (fate, chance)))
    pays = _drawn_pays(fate, chance) if state == "open" else {}
    return Resident(account=account, house=house, premises=premises, flat=flat, charges=charges, pays=pays)


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


def _drawn_pays(fate: float, chance: Random) -> dict[int, int]:
    """Most pay everything; six in a hundred a part of August, twelve nothing of September and three half of it."""
    august = chance.randint(30, 70) if fate < 0.06 else 100
    return {202608: august, 202609: 0 if fate < 0.18 else 50 if fate < 0.21 else 100}


def _old_charges(account: Account, flat: Flat, house: House, drawn: tuple[float, Random]) -> Iterator[Charge]:
    """What an earlier billing left: nothing of a closed account, a court case of a debts-only one, some debts of the rest."""
    fate, chance = drawn
    if account.state == "closed":
        return
    if account.state == "debts_only":
        yield from _court_case(account, flat, house, chance)
        return
    if fate < 0.01:
        yield from _period(account, flat, house, (BARRED_DEBT, chance))
    if fate < 0.06:
        yield from _paid_in_part(_period(account, flat, house, (OLD_DEBT, chance)), chance.randint(30, 70))
        yield _penalty(account, flat)


def _period(account: Account, flat: Flat, house: House, of: tuple[int, Random]) -> Iterator[Charge]:
    period, chance = of
    for service, amount in month_charges(flat, chance).items():
        recipient = PAID_TO.get(service, house.manager)
        own_creditor = service in OWN_CREDITORS or (house.direct and service in DIRECT_SERVICES)
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
        period=PENALTIES,
        service="penalty",
        recipient=account.provider,
        kind="penalty",
        pool="main",
        amount=max(1, rounded(debt * PENALTY_RATE_E4 * (PENALTY_DAYS - 30), 10_000 * 300)),
    )


def _court_case(account: Account, flat: Flat, house: House, chance: Random) -> Iterator[Charge]:
    order = f"2-{chance.randint(100, 4999)}/2026"
    for charge in _period(account, flat, house, (COURT_DEBT, chance)):
        if charge.pool == "main":
            yield msgspec.structs.replace(charge, court_order=order if charge.creditor == account.provider else "")
    yield Charge(
        number=account.number,
        creditor=account.provider,
        period=COURT_DEBT,
        service="court_costs",
        recipient=account.provider,
        kind="costs",
        pool="main",
        amount=200_000,
        court_order=order,
    )


def insurance_charge(resident: Resident, period: int) -> Charge | None:
    """Return what the insurer charges a month: by its own billing, on the same document; None for who is not insured."""
    if resident.account.state != "open" or not resident.flat.insured:
        return None
    insurer = PAID_TO["insurance"]
    return Charge(
        number=resident.account.number,
        creditor=insurer,
        period=period,
        service="insurance",
        recipient=insurer,
        kind="principal",
        pool="voluntary",
        amount=rounded(resident.flat.area_e2 * INSURANCE_M2, 100),
    )


def printed_totals(charges: tuple[Charge, ...]) -> dict[tuple[int, str], int]:
    """What the newest document prints as «к оплате», by (period, pool): the principal of the pool that is not yet paid."""
    newest = max((charge.period for charge in charges if charge.kind == "principal"), default=0)
    totals: dict[tuple[int, str], int] = {}
    for charge in charges:
        if charge.kind == "principal" and charge.pool in ("main", "capital_repair"):
            totals[(newest, charge.pool)] = totals.get((newest, charge.pool), 0) + charge.amount - charge.paid
    return totals
