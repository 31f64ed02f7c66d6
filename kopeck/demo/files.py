"""The demo town as files for ``kopeck load``: recipients, accounts, debts of an earlier billing, the insurer's own charges."""

import csv
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from kopeck.demo.recipients import BANKS, list_recipients
from kopeck.demo.town import NAMESPACE, PERIODS, Account, Charge, Resident, insurance_charge, printed_totals
from services.billing.papers.companies import BANK_COLUMNS, CONTACT_COLUMNS

DUE_DATES = {
    202301: "2023-02-10",
    202602: "2026-03-16",
    202605: "2026-06-15",
    202607: "2026-08-17",
    202608: "2026-09-15",
    202609: "2026-10-15",
    202610: "2026-11-16",
}
"""Period -> due date, shifted off days of rest (ЖК ст. 155 ч. 1: the 15th from March 2026, the 10th before)."""
LIMITATION_UNTIL = {202301: "2026-02-10"}

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


class TownFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The town as files for ``kopeck load``: ``debts`` of an earlier billing, ``insurance`` by period.

    ``banks`` and ``contacts`` are for ``kopeck documents load``: where payment documents say to pay and to ask.
    """

    recipients: Path
    banks: Path
    contacts: Path
    accounts: Path
    debts: Path
    insurance: Mapping[int, Path]


def write_town(folder: Path, residents: Iterable[Resident]) -> TownFiles:
    """Write the town's files in the columns of their loaders (docs/loading.md, docs/billing-documents.md)."""
    folder.mkdir(mode=0o700, exist_ok=True)
    files = TownFiles(
        recipients=folder / "recipients.csv",
        banks=folder / "banks.csv",
        contacts=folder / "contacts.csv",
        accounts=folder / "accounts.csv",
        debts=folder / "debts.csv",
        insurance={period: folder / f"insurance-{month_text(period)}.csv" for period in PERIODS},
    )
    with files.recipients.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictWriter(out, _RECIPIENT_COLUMNS)
        rows.writeheader()
        rows.writerows({**msgspec.structs.asdict(one), "valid_from": "2026-01-01"} for one in list_recipients())
    _write_companies(files)
    with ExitStack() as opened:
        accounts = open_rows(opened, files.accounts, _ACCOUNT_COLUMNS)
        debts = open_rows(opened, files.debts, _CHARGE_COLUMNS)
        insurance = {period: open_rows(opened, path, _CHARGE_COLUMNS) for period, path in files.insurance.items()}
        for resident in residents:
            accounts.writerow(_account_row(resident.account))
            printed = printed_totals(resident.charges)
            debts.writerows(_charge_row(charge, printed) for charge in resident.charges)
            for period, rows_of in insurance.items():
                charge = insurance_charge(resident, period)
                if charge is not None:
                    rows_of.writerow(_charge_row(charge, {}))
    return files


def _write_companies(files: TownFiles) -> None:
    """Write the banks, and an invented office, telephone and hours of each recipient."""
    with ExitStack() as opened:
        open_rows(opened, files.banks, BANK_COLUMNS).writerows(BANKS)
        rows = open_rows(opened, files.contacts, CONTACT_COLUMNS)
        for number, one in enumerate(list_recipients(), start=1):
            phones = f"+7 (800) 555-{number:02d}-00"
            dispatch = f"+7 (800) 555-{number:02d}-01" if one.kind == "management" else ""
            address = f"г. Верхнереченск, пл. Ленина, д. {number}"
            rows.writerow(
                (one.code, address, phones, f"info@{one.code}.example", f"{one.code}.example", dispatch, "пн–пт 9:00–18:00")
            )


def month_text(period: int) -> str:
    """Return the period as files name it: 202610 is 2026-10."""
    return f"{period // 100}-{period % 100:02d}"


def open_rows(opened: ExitStack, path: Path, columns: Iterable[str]) -> Any:
    """Open a CSV file until ``opened`` closes, with its header written; its writer."""
    rows = csv.writer(opened.enter_context(path.open("w", encoding="utf-8", newline="")))
    rows.writerow(columns)
    return rows


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


def _charge_row(charge: Charge, printed: Mapping[tuple[int, str], int]) -> tuple[object, ...]:
    total = printed.get((charge.period, charge.pool)) if charge.kind == "principal" else None
    return (
        NAMESPACE,
        charge.number,
        charge.creditor,
        month_text(charge.period),
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
