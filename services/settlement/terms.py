"""What is agreed: how a transit account pays, contracts, commission, stop lists and limits, given by people.

What a cut has used must not change afterwards, or its registers could not be read again: contracts and terms begin after the
transit accounts' last cuts, and are ended by a date, never changed.
"""

import csv
from collections.abc import Iterable, Mapping
from datetime import date, time

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from services.settlement.rules.purpose import PurposeTemplate
from services.settlement.rules.screening import LegalLimit, StopEntry

_SQL = load_statements("services/settlement/terms.sql")


class TermsRefused(ValueError):
    """What was given was not taken; nothing was changed."""


class TransitTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How a transit account pays: the connection registers leave by, the bank as the payer, when cuts are made."""

    transit: Transit
    payer_inn: str
    payer_kpp: str
    payer_name: str = ""
    payer_bank_name: str = ""
    payer_correspondent: str = ""
    counterparty: str = "bank"
    contracts_required: bool = False
    cut_times: tuple[time, ...] = (time(20, 30),)
    time_zone: str = "Europe/Moscow"


class ContractRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contract as a file gives it (JSON Lines); ``creditor`` and ``recipient`` are codes, an empty creditor is anybody.

    See settlement.contract; ``purpose`` is a template of rules/purpose.py, empty for the default wording.
    """

    code: str
    recipient: str
    number: str
    signed_on: date
    valid_from: date
    creditor: str = ""
    valid_to: date | None = None
    defers_small: bool = False
    nets_debts: bool = False
    bears_commission: bool = False
    vat_percent: int | None = None
    purpose: str = ""
    priority: int = 5


class CommissionRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Commission terms as a file gives them; ``creditor`` and ``earner`` are codes, ``rate`` thousandths of a percent."""

    creditor: str
    earner: str
    valid_from: date
    rate: int
    minimum_kopecks: int = 0
    maximum_kopecks: int | None = None
    principal_weight: int = 1
    recipients_weight: int = 0
    invoiced: bool = False


async def set_transit_terms(connection: Connection, terms: TransitTerms) -> None:
    """Set how a transit account pays from now on."""
    values = msgspec.structs.asdict(terms)
    names = ("counterparty", "payer_name", "payer_inn", "payer_kpp", "payer_bank_name", "payer_correspondent")
    columns = [values[name] for name in names]
    last = (terms.contracts_required, list(terms.cut_times), terms.time_zone)
    await connection.execute(_SQL["set_transit_terms"], terms.transit, *columns, *last)


async def set_service_names(connection: Connection, names: Mapping[str, str]) -> None:
    """Set how services are called in the purposes of orders, by their codes."""
    await connection.executemany(_SQL["set_service_name"], sorted(names.items()))


class ServiceName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a service is called in the purposes of orders, as a file gives it."""

    service: str
    name: str


def read_csv(text: str, kind: type[msgspec.Struct]) -> tuple[msgspec.Struct, ...]:
    """Read CSV with a heading: columns as of the JSON, an empty cell for a default. Raises TermsRefused naming the line."""
    reader = csv.DictReader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise TermsRefused(f"строка {reader.line_num}: столбцов не столько, сколько в заголовке")
        told = {name.strip(): value.strip() for name, value in row.items() if value.strip()}
        try:
            rows.append(msgspec.convert(told, kind, strict=False))
        except msgspec.ValidationError as error:
            raise TermsRefused(f"строка {reader.line_num}: {error}") from error
    return tuple(rows)


def read_rows(lines: Iterable[bytes], kind: type[msgspec.Struct]) -> tuple[msgspec.Struct, ...]:
    """Read JSON Lines of contracts or commission terms; raises TermsRefused naming the line."""
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(msgspec.json.decode(line, type=kind))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TermsRefused(f"строка {number}: {error}") from error
    return tuple(rows)


async def add_contracts(connection: Connection, rows: Iterable[ContractRow]) -> int:
    """Add contracts that are not known by their code yet, all or none; how many were added. Raises TermsRefused."""
    added = 0
    async with connection.transaction():
        for row in rows:
            if row.purpose:
                _check_purpose(row)
            await _check_day(connection, row.code, row.valid_from)
            recipient = await _recipient(connection, row.code, row.recipient)
            creditor = await _recipient(connection, row.code, row.creditor) if row.creditor else None
            options = (row.defers_small, row.nets_debts, row.bears_commission, row.vat_percent, row.purpose, row.priority)
            dates = (row.signed_on, row.valid_from, row.valid_to)
            added += bool(
                await connection.fetchval(_SQL["add_contract"], row.code, creditor, recipient, row.number, *dates, *options)
            )
    return added


async def add_commission(connection: Connection, rows: Iterable[CommissionRow]) -> int:
    """Add commission terms of days to come, all or none; how many were added. Raises TermsRefused."""
    added = 0
    async with connection.transaction():
        for row in rows:
            await _check_day(connection, row.creditor, row.valid_from)
            creditor = await _recipient(connection, row.creditor, row.creditor)
            earner = await _recipient(connection, row.creditor, row.earner)
            sums = (row.rate, row.minimum_kopecks, row.maximum_kopecks)
            bearers = (row.principal_weight, row.recipients_weight, row.invoiced)
            added += bool(await connection.fetchval(_SQL["add_commission"], creditor, row.valid_from, earner, *sums, *bearers))
    return added


async def add_stop_entries(connection: Connection, entries: Iterable[StopEntry]) -> None:
    """Add entries of stop lists; known ones get the last day that they have now."""
    async with connection.transaction():
        for entry in entries:
            until = None if entry.until == date.max else entry.until
            since = max(entry.since, date(1900, 1, 1))
            await connection.execute(
                _SQL["add_stop_entry"], entry.list_code, entry.reference, entry.name, entry.inn, since, until
            )


async def add_legal_limit(connection: Connection, limit: LegalLimit) -> None:
    """Add a dated limit of 115-ФЗ."""
    await connection.execute(
        _SQL["add_legal_limit"], limit.operation, limit.since, limit.amount_kopecks, limit.inclusive, limit.source
    )


async def set_approval_limit(connection: Connection, since: date, amount_kopecks: int, by: str) -> None:
    """Set from which amount on two people approve an order, from a day on."""
    await connection.execute(_SQL["add_approval_limit"], since, amount_kopecks, by)


def _check_purpose(row: ContractRow) -> None:
    try:
        PurposeTemplate(text=row.purpose)
    except ValueError as error:
        raise TermsRefused(f"{row.code}: {error}") from error


async def _check_day(connection: Connection, code: str, first: date) -> None:
    last = await connection.fetchval(_SQL["find_last_cut_day"])
    if last is not None and first <= last:
        raise TermsRefused(f"{code}: действует с {first}, а по {last} поручения уже составлены")


async def _recipient(connection: Connection, what: str, code: str) -> int:
    number = await connection.fetchval(_SQL["find_recipient"], code)
    if number is None:
        raise TermsRefused(f"{what}: получатель {code} не загружен")
    return int(number)
