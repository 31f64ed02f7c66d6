"""A month closed whole: published, tables that changed meanwhile built, agreement of everything checked, then closed for good."""

import msgspec

from kopeck.month_agreement import Agreement, check_agreement
from kopeck.month_steps import SQL, MonthMeans, MonthStopped, MonthWish, month_providers, publish_month
from ledger.publication import publish_due
from schemas.money import roubles_for_people
from services.billing.runs.keeping import Person, close_month

PUBLISHER = "month"


class MonthClosed(msgspec.Struct, frozen=True, kw_only=True):
    """How a month ended: whom it was closed for (nobody when it was before), and what agreed."""

    period: int
    closed: tuple[str, ...]
    agreement: Agreement


async def close_whole_month(means: MonthMeans, wish: MonthWish) -> MonthClosed:
    """Do every step of the month that is left; a disagreement leaves it open. Raises MonthStopped where a person is needed."""
    runs = await publish_month(means, wish)
    async with means.pool.acquire() as connection:
        providers = await month_providers(connection, wish)
        accounts = [row["account"] for row in await connection.fetch(SQL["list_accounts"], wish.period, list(providers))]
        paid = await connection.fetchrow(SQL["paid_since"], accounts, [run.run for run in runs])
        means.told(f"платежей с начала расчёта: {paid['payments']} на {roubles_for_people(paid['amount'])} ₽")
        built = await publish_due(connection, means.clock(), PUBLISHER)
        if built.failed:
            first = built.failed[0]
            raise MonthStopped(f"таблицы не построены: {len(built.failed)}, первая: {first}")
        means.told(f"таблиц разнесения построено заново: {built.published}")
        agreement = await check_agreement(connection, wish.period, providers, accounts, with_saldo=wish.with_saldo)
        closed: tuple[str, ...] = ()
        if agreement.agrees and not await connection.fetchval(SQL["is_closed"], wish.period, list(providers)):
            by = Person(name=wish.by, at=means.clock())
            closed = await close_month(connection, wish.period, by, wish.provider)
    return MonthClosed(period=wish.period, closed=closed, agreement=agreement)
