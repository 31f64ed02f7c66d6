"""Premises and accounts of many houses as frames: the statements of ``stock/facts.sql``, read by columns."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import polars as pl

from ledger.statements import load_statements
from services.billing.columnar.copying import array_of, copy_frame
from services.billing.columnar.frames import EXCLUDED, PREMISES, SERVED, SHARES, Schema
from services.billing.core.absence import Application
from services.billing.core.quantities import MICRO
from services.billing.runs.sources import Connection
from services.billing.stock.facts import TEMPORARY_DAYS_OVER, application_of, month_days

_SQL = load_statements("services/billing/stock/facts.sql")

_PREMISES: Schema = {
    "house": pl.Int64,
    "premises": pl.Int64,
    "name": pl.String,
    "kind": pl.Int8,
    "flat": pl.String,
    "is_without_heating": pl.Boolean,
}
_AREAS: Schema = {"premises": pl.Int64, "area": pl.Int64, "living_area": pl.Int64}
_OWNERS: Schema = {"premises": pl.Int64, "owners": pl.Int64}
_RESIDENTS: Schema = {"premises": pl.Int64, "person_days": pl.Int64}
_SERVICES: Schema = {"premises": pl.Int64, "services": pl.String}
_ACCOUNTS: Schema = {
    "premises": pl.Int64,
    "share": pl.Int64,
    "namespace": pl.String,
    "number": pl.String,
    "numerator": pl.Int64,
    "denominator": pl.Int64,
    "excluded": pl.String,
    "only": pl.String,
}


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of ``frames.py``; ``services``: of premises not served with all, by premises; ``applications`` likewise."""

    premises: pl.DataFrame
    served: pl.DataFrame
    shares: pl.DataFrame
    excluded: pl.DataFrame
    services: dict[int, tuple[str, ...]]
    applications: dict[int, list[Application]]


async def read_stock(connection: Connection, houses: Sequence[int], period: int, terms: pl.DataFrame) -> Stock:
    """Read the premises of houses that are in force; ``terms`` are columns house, term and service of their services."""
    first, last = month_days(period)
    served = await _copy(connection, "premises_services", (houses, first, None), _SERVICES)
    services = {key: tuple(array_of(text)) for key, text in served.iter_rows()}
    premises = await _read_premises(connection, houses, (first, last), list(services))
    shares = await _copy(connection, "accounts", (houses, first), _ACCOUNTS)
    shares = shares.join(premises.select("premises", "house"), on="premises")
    applications: dict[int, list[Application]] = {}
    for row in await connection.fetch(_SQL["applications"], houses, first, last):
        applications.setdefault(row["premises"], []).append(application_of(row))
    account = pl.concat_str(pl.col("namespace"), pl.lit(":"), pl.col("number")).alias("account")
    return Stock(
        premises=premises,
        served=_served(services, premises, terms),
        shares=shares.with_columns(account).select(list(SHARES)),
        excluded=_excluded(shares, terms),
        services=services,
        applications=applications,
    )


async def _copy(connection: Connection, name: str, arguments: tuple[Any, ...], columns: Schema) -> pl.DataFrame:
    return await copy_frame(connection, _SQL[name], arguments, columns)


async def _read_premises(
    connection: Connection, houses: Sequence[int], days: tuple[date, date], partly: Sequence[int]
) -> pl.DataFrame:
    """Return PREMISES; ``partly`` are premises that have their own services. What nobody loaded is nought."""
    first, last = days
    premises = await _copy(connection, "premises", (houses, first, None), _PREMISES)
    areas = await _copy(connection, "areas", (houses, first, None), _AREAS)
    owners = await _copy(connection, "owners", (houses, first, None), _OWNERS)
    residents = await _copy(connection, "residents", (houses, first, last, TEMPORARY_DAYS_OVER, None), _RESIDENTS)
    joined = premises.join(areas, on="premises", how="left").join(owners, on="premises", how="left")
    joined = joined.join(residents, on="premises", how="left")
    filled = joined.with_columns(pl.col("area", "living_area", "owners", "person_days").fill_null(0))
    return filled.with_columns(
        residents=(2 * MICRO * pl.col("person_days") + last.day) // (2 * last.day),
        has_all_services=~pl.col("premises").is_in(list(partly)),
    ).select(list(PREMISES))


def _served(services: dict[int, tuple[str, ...]], premises: pl.DataFrame, terms: pl.DataFrame) -> pl.DataFrame:
    """Return SERVED: a row a service, those that the house has."""
    rows = [(key, service) for key, codes in services.items() for service in codes]
    told = pl.DataFrame(rows, schema={"premises": pl.Int64, "service": pl.String}, orient="row")
    placed = told.join(premises.select("premises", "house"), on="premises")
    return placed.join(terms, on=("house", "service")).select(list(SERVED))


def _excluded(shares: pl.DataFrame, terms: pl.DataFrame) -> pl.DataFrame:
    """Return EXCLUDED: what an account excludes, or of an account with services of its own all others of the house."""
    own = shares.filter(pl.col("only").is_not_null())
    others = shares.filter(pl.col("only").is_null() & (pl.col("excluded") != "{}"))
    left_out = _exploded(others, "excluded").join(terms, on=("house", "service"))
    named = _exploded(own, "only")
    rest = own.select("share", "house").join(terms, on="house").join(named, on=("share", "service"), how="anti")
    return pl.concat([left_out.select(list(EXCLUDED)), rest.select(list(EXCLUDED))])


def _exploded(shares: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return share, house and service, a row an element of the arrays in a column."""
    known = [(text, array_of(text)) for text in shares[column].unique()]
    arrays = pl.DataFrame(known, schema={column: pl.String, "services": pl.List(pl.String)}, orient="row")
    told = shares.select("share", "house", column).join(arrays, on=column)
    return told.explode("services").select("share", "house", service="services")
