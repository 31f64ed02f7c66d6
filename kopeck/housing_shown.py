"""How a house's facts look at a terminal: its services with prices and norms, its premises with accounts."""

import sys

from rich.console import Console
from rich.table import Table

from services.billing.core.facts import HouseFacts, PremisesFacts
from services.billing.core.month import ServiceTerms, Zone
from services.billing.stock.missing import square

WIDTH_CHARACTERS = 140
"""Width where there is no terminal to ask."""


def print_facts(facts: HouseFacts) -> None:
    """Print the house, its services and its premises."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH_CHARACTERS)
    console.print(
        f"House {facts.house}, {facts.period // 100}-{facts.period % 100:02d}: provider {facts.provider}, region {facts.region}, "
        f"{facts.time_zone}; {square(facts.area_all)} m² of premises, {square(facts.area_common)} m² of common property; "
        f"{len(facts.premises)} premises, {sum(len(one.accounts) for one in facts.premises)} accounts",
        highlight=False,
        markup=False,
    )
    console.print(_services(facts.services))
    console.print(_premises(facts.premises))


def _services(services: tuple[ServiceTerms, ...]) -> Table:
    table = Table("service", "kind", "recipient", "creditor", "price, roubles", "norm", title="Services")
    for terms in services:
        prices = _prices(terms.zones)
        prices += [f"over {square(one.above)}: {', '.join(_prices(one.zones))}" for one in terms.ranges]
        prices += [f"heat {square(terms.heat_price)}"] if terms.heat_price else []
        prices += [f"cold {square(terms.cold_price)}"] if terms.cold_price else []
        kind = terms.kind.name.lower()
        table.add_row(terms.service, kind, terms.recipient, terms.creditor, "\n".join(prices), square(terms.norm))
    return table


def _prices(zones: tuple[Zone, ...]) -> list[str]:
    return [square(zone.price) if not zone.zone else f"zone {zone.zone} {square(zone.price)}" for zone in zones]


def _premises(premises: tuple[PremisesFacts, ...]) -> Table:
    table = Table("premises", "kind", "flat", "area, m²", "residents", "owners", "accounts", title="Premises")
    for one in premises:
        accounts = [f"{account.account} {account.numerator}/{account.denominator}" for account in one.accounts]
        kind = one.kind.name.lower() + (", without heating" if one.is_without_heating else "")
        figures = (square(one.area), square(one.residents), str(one.owners))
        table.add_row(one.premises, kind, one.flat, *figures, "\n".join(accounts))
    return table
