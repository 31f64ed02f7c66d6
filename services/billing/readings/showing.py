"""What people look at: meters without a reading for a month, and an account's readings with what became of them."""

from datetime import date, datetime

import msgspec

from ledger.statements import load_statements
from services.billing.core.periods import days_of, month_number
from services.billing.readings.intake import fault_named
from services.reference.loading import Connection

_SQL = load_statements("services/billing/readings/showing.sql")

READINGS_MAX = 200


class MissingReading(msgspec.Struct, frozen=True, kw_only=True):
    """A meter without a reading for the period. ``missed``: months since its last one, None where it never had any."""

    house: str
    premises: str
    flat: str
    service: str
    meter: str
    number: str
    last_on: date | None
    last_value: int | None
    missed: int | None


class ShownReading(msgspec.Struct, frozen=True, kw_only=True):
    """One reading as it is kept; ``message`` is what was said of it, in Russian."""

    reading: int
    meter: str
    number: str
    service: str
    zone: int
    value: int
    taken_on: date
    period: int
    verdict: str
    message: str
    rolled: bool
    source: str
    received_at: datetime
    received_by: str
    why: str
    is_replaced: bool


class AccountPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account stands: numbers and names of its house and premises, and the communal flat of a room."""

    house: int
    code: str
    premises: int
    number: str
    flat: str


async def list_missing(connection: Connection, period: int, house: str = "") -> list[MissingReading]:
    """Return meters on the wall that have no reading for the period, of one house (its code) or of all."""
    rows = await connection.fetch(_SQL["missing"], period, house, days_of(month_number(period))[1])
    return [
        MissingReading(
            house=row["house"],
            premises=row["premises"],
            flat=row["flat"],
            service=row["service"],
            meter=row["meter"],
            number=row["number"],
            last_on=row["taken_on"],
            last_value=row["value"],
            missed=None if row["period"] is None else month_number(period) - month_number(row["period"]),
        )
        for row in rows
    ]


async def find_place(connection: Connection, account: str, day: date) -> AccountPlace | None:
    """Return where an account (namespace:number) stands on a day, None where it stands nowhere."""
    namespace, _, number = account.partition(":")
    row = await connection.fetchrow(_SQL["find_account"], namespace, number, day)
    if row is None:
        return None
    return AccountPlace(house=row["house"], code=row["code"], premises=row["premises"], number=row["number"], flat=row["flat"])


async def list_readings(connection: Connection, place: AccountPlace, limit: int = READINGS_MAX) -> list[ShownReading]:
    """Return the last readings of the meters of a premises and of its communal flat, the newest first."""
    rows = await connection.fetch(_SQL["readings_of_premises"], place.premises, place.house, place.flat, limit)
    return [
        ShownReading(
            **{name: row[name] for name in ShownReading.__struct_fields__ if name != "message"}, message=fault_named(row["fault"])
        )
        for row in rows
    ]
