"""By what ``kopeck billing`` calculates: the housing stock, the plain engine, the law's due dates."""

from concurrent.futures import Executor
from datetime import date

from services.billing.core.engine import calculate_house
from services.billing.law.reading import read_law
from services.billing.reading import StockReading
from services.billing.runs.drafting import Drafting
from services.billing.runs.keeping import RunRefused, list_providers
from services.billing.runs.sources import Connection, DueDate


async def plain_drafting(connection: Connection, executor: Executor, today: date) -> Drafting:
    """Return the real doors to a draft made on ``today``; ``executor`` runs the calculation."""
    reading = StockReading(await read_law(connection), today)
    return Drafting(reading=reading, calculating=calculate_house, executor=executor)


async def fetch_due_date(connection: Connection) -> DueDate:
    """Return the law's last day of payment by period (ЖК 155 ч. 1)."""
    return (await read_law(connection)).due_date


async def find_provider(connection: Connection, code: str | None, period: int) -> str:
    """Return the provider asked for, or the only one that has houses in the period."""
    if code is not None:
        return code
    known = await list_providers(connection, period)
    if len(known) != 1:
        raise RunRefused(f"назовите исполнителя (--provider): {', '.join(known) or 'домов ни у кого нет'}")
    return known[0]
