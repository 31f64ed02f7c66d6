"""The month's consolidated receipt of an issuer for advances that were offset (54-ФЗ ст. 1.2 п. 2.1; law.md 4.2).

No money moves: means of payment «зачёт аванса», items «полный расчёт» added up over all payers; the client is the company itself.
Items of which more was given back than offset (reversals of an earlier month's offsets) stand in a receipt of «возврат прихода».
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.allocation import PayerKind
from schemas.receipt import RECEIPT_ITEMS_MAX, MeansOfPayment, Operation
from services.fiscal.core.drafts import MOSCOW, Draft, Place, Settlement, deadline_of, item_of, receipt_of
from services.fiscal.core.reference import HOUSE, Deadline
from services.fiscal.core.templates import IssuerTemplate, ItemTemplate, LegTemplate, Situation, Templates
from services.fiscal.registers import Registers
from services.fiscal.writing import add_receipts

SQL = load_statements("services/fiscal/offsets.sql")

NO_SPACE = 0


class Consolidated(msgspec.Struct, frozen=True, kw_only=True):
    """What was made: numbers of receipts and their total; ``missing`` says why some issuers' offsets still wait."""

    receipts: tuple[int, ...]
    total: int
    missing: tuple[str, ...]


async def consolidate_until(connection: Connection, registers: Registers, month: int, moment: datetime) -> Consolidated:
    """Make the receipts of every month up to ``month`` that has offsets in none yet: a document may be published late."""
    months = [row["month"] for row in await connection.fetch(SQL["list_open_months"], month)]
    made = [await consolidate_offsets(connection, registers, one, moment) for one in months]
    return Consolidated(
        receipts=tuple([number for one in made for number in one.receipts]),
        total=sum([one.total for one in made]),
        missing=tuple([told for one in made for told in one.missing]),
    )


async def consolidate_offsets(connection: Connection, registers: Registers, month: int, moment: datetime) -> Consolidated:
    """Make the receipts of ``month`` (year * 100 + month) for the offsets that stand in none yet; again for late ones.

    One snapshot: what is added up is exactly what is put into the receipts.
    """
    receipts: list[int] = []
    missing: list[str] = []
    total = 0
    async with connection.transaction(isolation="repeatable_read"):
        templates = await registers.templates(connection)
        rows = await connection.fetch(SQL["list_open_offsets"], month)
        for issuer in sorted({row["issuer"] for row in rows}):
            mine = [row for row in rows if row["issuer"] == issuer]
            legs = [_template(row, templates, month) for row in mine]
            lacking = next((leg.missing or "no company" for leg in legs if leg.item is None or leg.company is None), "")
            if lacking:
                missing.append(lacking)
                continue
            drafts = await _drafts(connection, issuer, list(zip(mine, legs, strict=True)), (month, moment))
            if not drafts:
                continue
            numbers = await add_receipts(connection, drafts, {})
            put = await connection.fetchval(SQL["assign_offsets"], month, issuer, numbers[0])
            assert put == sum(_worth(draft) for draft in drafts), "a consolidated receipt is worth its offsets"
            receipts += numbers
            total += put
    return Consolidated(receipts=tuple(receipts), total=total, missing=tuple(missing))


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """One consolidation of one issuer."""

    place: Place
    issuer: int
    company: IssuerTemplate
    last_day: date
    moment: datetime


async def _drafts(
    connection: Connection, issuer: int, legs: Sequence[tuple[Mapping[str, Any], LegTemplate]], term: tuple[int, datetime]
) -> list[Draft]:
    month, moment = term
    external_id = f"offset/{month}"
    runs = await connection.fetchval(SQL["count_runs"], external_id, issuer)
    place = Place(
        book=0,
        sequence=0,
        space=NO_SPACE,
        external_id=external_id,
        personal_account=None,
        correction=str(runs) if runs else "",
    )
    company = legs[0][1].company
    assert company is not None
    run = _Run(place=place, issuer=issuer, company=company, last_day=_last_day(month), moment=moment)
    sums = _sums(legs)
    used = [(item, amount) for item, amount in sums if amount > 0]
    given_back = [(item, -amount) for item, amount in sums if amount < 0]
    return [
        _draft(run, (operation, part), some[start : start + RECEIPT_ITEMS_MAX])
        for operation, some in ((Operation.SELL, used), (Operation.SELL_REFUND, given_back))
        for part, start in enumerate(range(0, len(some), RECEIPT_ITEMS_MAX))
    ]


def _worth(draft: Draft) -> int:
    """Kopecks of offsets that a receipt tells of, below nought for one that gives back."""
    return sum(draft.amounts) if draft.operation is Operation.SELL else -sum(draft.amounts)


def _sums(legs: Sequence[tuple[Mapping[str, Any], LegTemplate]]) -> list[tuple[ItemTemplate, int]]:
    """Items that read the same are one item."""
    sums: dict[ItemTemplate, int] = {}
    for row, leg in legs:
        assert leg.item is not None
        sums[leg.item] = sums.get(leg.item, 0) + row["amount"]
    return list(sums.items())


def _draft(run: _Run, which: tuple[Operation, int], sums: Sequence[tuple[ItemTemplate, int]]) -> Draft:
    operation, part = which
    month_end = datetime.combine(run.last_day, time(12), MOSCOW).astimezone(UTC)
    items = tuple([item_of(item, amount) for item, amount in sums])
    return Draft(
        place=run.place,
        issuer=run.issuer,
        operation=operation,
        part=part,
        lines=(0,) * len(sums),
        amounts=tuple([amount for _, amount in sums]),
        settled_at=run.moment,
        deadline=deadline_of(Deadline.TEN_DAYS_AFTER_MONTH, month_end),
        receipt=receipt_of(operation, run.company, items, Settlement(MeansOfPayment.OFFSET, run.moment, False)),
        operator=run.company.operator,
    )


def _template(row: Mapping[str, Any], templates: Templates, month: int) -> LegTemplate:
    """Decided as on the last day of the month."""
    situation = Situation(HOUSE, PayerKind(row["payer_kind"]), row["provider"], _last_day(month))
    line = row["creditor"], row["payee"], row["period"], row["kind"]
    return templates.of(situation).get(line) or templates.make(situation, line)


def _last_day(month: int) -> date:
    year, number = divmod(month, 100)
    return (date(year, number, 1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
