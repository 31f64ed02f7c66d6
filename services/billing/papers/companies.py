"""Recipients as paper shows them: approved requisites, their bank, and where people find them; loaded from small files.

Neither the directory of banks («Справочник БИК») nor contacts stand in the reference data: a line of each recipient's bank and of
each recipient is loaded by hand, checked by the keys of the numbers, and the newest load counts.
"""

import csv
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

from ledger.statements import load_statements
from schemas.payment_document import Payee
from services.billing.papers.rows import Company
from services.billing.runs.keeping import Person, RunRefused, person_name
from services.billing.runs.sources import Connection
from services.requisites import account_key_is_valid, bic_is_valid

_READING = load_statements("services/billing/papers/reading.sql")
_SQL = load_statements("services/billing/papers/companies.sql")

BANK_COLUMNS = ("bic", "name", "correspondent_account")
CONTACT_COLUMNS = ("code", "address", "phones", "email", "site", "dispatch_phone", "working_hours")
ROWS_MAX = 10_000
CHARACTERS_MAX = 300


async def read_companies(connection: Connection, recipients: Collection[int], day: date) -> Mapping[int, Company]:
    """Return recipients by number with the requisites that were approved and in force on the day."""
    rows = await connection.fetch(_READING["payees"], sorted(recipients), day)
    return {
        row["recipient"]: Company(
            code=row["code"],
            payee=Payee(
                bank_account=row["bank_account"] or "",
                bic=row["bic"] or "",
                **{name: row[name] for name in ("name", "inn", "kpp", "bank_name", "correspondent_account")},
                **{name: row[name] for name in ("address", "phones", "email", "site")},
            ),
            dispatch_phone=row["dispatch_phone"],
            working_hours=row["working_hours"],
        )
        for row in rows
    }


async def load_banks(connection: Connection, path: Path, by: Person) -> int:
    """Load a CSV file of BANK_COLUMNS whole or not at all; how many rows. Raises RunRefused naming the first bad row."""
    rows = read_rows(path, BANK_COLUMNS)
    for line, (bic, name, account) in enumerate(rows, start=2):
        if not bic_is_valid(bic) or not name:
            raise RunRefused(f"строка {line}: нужны БИК из девяти цифр и название банка")
        if not account_key_is_valid(account, bic):
            raise RunRefused(f"строка {line}: корреспондентский счёт {account} не подходит к БИК {bic}")
    await connection.execute(_SQL["store_banks"], *_columns(rows), person_name(by.name), by.at)
    return len(rows)


async def load_contacts(connection: Connection, path: Path, by: Person) -> int:
    """Load a CSV file of CONTACT_COLUMNS whole or not at all; how many rows. Raises RunRefused for codes of no recipient."""
    rows = read_rows(path, CONTACT_COLUMNS)
    unknown = await connection.fetch(_SQL["unknown_recipients"], [row[0] for row in rows])
    if unknown:
        raise RunRefused(f"получателей нет в справочнике: {', '.join(row['code'] for row in unknown)}")
    await connection.execute(_SQL["store_contacts"], *_columns(rows), person_name(by.name), by.at)
    return len(rows)


def read_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Read a small CSV file (comma or semicolon, UTF-8) whose head has these columns and no others; RunRefused otherwise."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunRefused(f"файл {path.name} не в UTF-8") from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=";" if ";" in head else ",", strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise RunRefused(f"файл {path.name} не читается как CSV: {error}") from error
    named = set(reader.fieldnames or ())
    if columns[0] not in named or not named <= set(columns):
        raise RunRefused(f"колонки файла: {', '.join(columns)}; найдены {', '.join(sorted(named))}")
    found = [tuple([(row.get(name) or "").strip() for name in columns]) for row in rows]
    keys = [row[0] for row in found]
    if not found or len(found) > ROWS_MAX or len(set(keys)) < len(keys) or not all(keys):
        raise RunRefused(f"в файле от 1 до {ROWS_MAX} строк, {columns[0]} не пустой и не повторяется")
    if any(None in row or len(value) > CHARACTERS_MAX for row, values in zip(rows, found, strict=True) for value in values):
        raise RunRefused(f"в строке лишние колонки или значение длиннее {CHARACTERS_MAX} знаков")
    return found


def _columns(rows: Sequence[tuple[str, ...]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]
