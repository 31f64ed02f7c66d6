"""Fake counterparties that send registers of payments: every shipped format, and what goes wrong with such files in life."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date, datetime
from enum import StrEnum

import msgspec

from connectors.registers.writing import EmittedLine, EmittedRegister, write_register
from connectors.sandbox.register_files import DbfColumn, write_dbf, write_xlsx
from schemas.ids import ExternalId
from schemas.money import roubles_from_kopecks


class RegisterFault(StrEnum):
    """What is wrong with the file."""

    NONE = "none"
    HALF = "half"  # the connection broke: the second half is missing
    WRONG_FOOTER = "wrong_footer"  # a total that the payments do not make
    WRONG_ENCODING = "wrong_encoding"  # another program saved it
    DUPLICATES = "duplicates"  # every third payment stands twice, totals as if they were more
    REORDERED = "reordered"  # the same payments in another order


class SentPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as the counterparty knows it. ``moment`` is local, whole seconds; ``period`` year * 100 + month, 0 for none."""

    operation: str
    account: str
    amount_kopecks: int
    moment: datetime
    fee_kopecks: int = 0
    period: int = 0
    payer: str = "Иванов Иван Иванович"
    address: str = "ул. Мира, 5, 125"

    @property
    def passed_on_kopecks(self) -> int:
        """What comes to the transit account."""
        return self.amount_kopecks - self.fee_kopecks


class SentRegister(msgspec.Struct, frozen=True, kw_only=True):
    """What the counterparty sends of a day, in one order of money."""

    number: str
    day: date
    payments: tuple[SentPayment, ...]
    order_number: str = "512"

    @property
    def total_kopecks(self) -> int:
        """Paid by the payers."""
        return sum(one.amount_kopecks for one in self.payments)

    @property
    def fee_kopecks(self) -> int:
        """Kept by the counterparty."""
        return sum(one.fee_kopecks for one in self.payments)


def write_sent(format_name: str, sent: SentRegister, fault: RegisterFault = RegisterFault.NONE) -> bytes:
    """Write the register in a shipped format, with a fault; raises KeyError for a format that nobody sends."""
    given = sent
    if fault is RegisterFault.DUPLICATES:
        doubled = [one for place, one in enumerate(sent.payments) for _ in range(1 + (place % 3 == 0))]
        given = msgspec.structs.replace(sent, payments=tuple(doubled))
    elif fault is RegisterFault.REORDERED:
        given = msgspec.structs.replace(sent, payments=tuple(reversed(sent.payments)))
    off_by = 1 if fault is RegisterFault.WRONG_FOOTER else 0
    content = WRITERS[format_name](given, off_by)
    if fault is RegisterFault.HALF:
        return content[: len(content) // 2]
    if fault is RegisterFault.WRONG_ENCODING:
        return _saved_wrong(content)
    return content


def _saved_wrong(content: bytes) -> bytes:
    """What a text editor of the wrong system makes of the file."""
    for known, other in (("utf-8", "utf-16"), ("cp1251", "utf-16"), ("cp866", "utf-16")):
        try:
            return content.decode(known).encode(other)
        except UnicodeDecodeError:
            continue
    return content[::-1]


def _kopeck(sent: SentRegister, off_by: int) -> bytes:
    lines = tuple(
        EmittedLine(
            operation=ExternalId(one.operation),
            account=one.account,
            amount_kopecks=one.amount_kopecks,
            fee_kopecks=one.fee_kopecks,
            event_at=one.moment,
            period=one.period,
        )
        for one in sent.payments
    )
    emitted = EmittedRegister(number=sent.number, day=sent.day, lines=lines, order_number=sent.order_number, order_day=sent.day)
    content = write_register(emitted)
    told = f"\r\n={len(lines)};".encode()
    return content.replace(told, f"\r\n={len(lines) + off_by};".encode())


def _sber(sent: SentRegister, off_by: int) -> bytes:
    rows = [
        ";".join(
            (
                f"{one.moment:%d-%m-%Y};{one.moment:%H-%M-%S};8601/0155;АС 201",
                one.operation,
                one.account,
                one.payer,
                one.address,
                _month(one.period, "{month:02d}{short:02d}"),
                *_three(one),
            )
        )
        for one in sent.payments
    ]
    totals = (sent.total_kopecks + off_by, sent.total_kopecks - sent.fee_kopecks, sent.fee_kopecks)
    money = ";".join(map(roubles_from_kopecks, totals))
    footer = f"={len(sent.payments)};{money};{sent.order_number};{sent.day:%d-%m-%Y}"
    return "".join(f"{row}\r\n" for row in (*rows, footer)).encode("cp1251")


def _three(one: SentPayment) -> tuple[str, str, str]:
    amounts = (one.amount_kopecks, one.passed_on_kopecks, one.fee_kopecks)
    return roubles_from_kopecks(amounts[0]), roubles_from_kopecks(amounts[1]), roubles_from_kopecks(amounts[2])


def _sber_tagged(sent: SentRegister, off_by: int) -> bytes:
    head = "8601;0155;{day:%d/%m/%Y};1;{amount};{fee}"
    rows = []
    for place, one in enumerate(sent.payments):
        plain = head.format(
            day=one.moment, amount=roubles_from_kopecks(one.amount_kopecks), fee=roubles_from_kopecks(one.fee_kopecks)
        )
        rows.append(
            f"{plain};method_pay:{place % 4};CLIENTNO:{one.account};CLIENTDOCNO:{place};CounterVal_1:{place}.5;ФИО:{one.payer}"
        )
    rows.append(f"8601;0155;{sent.day:%d/%m/%Y};0;0.00;0.00;method_pay:итог")
    return "".join(f"{row}\r\n" for row in rows).encode("cp1251")[: -off_by * 60 or None]


def _lanbilling(sent: SentRegister, off_by: int) -> bytes:
    rows = [
        f"{one.account};{one.operation};{one.moment:%Y-%m-%d};{roubles_from_kopecks(one.amount_kopecks)};;{one.payer};;1"
        for one in sent.payments
    ]
    return "".join(f"{row}\n" for row in ("40702810138250123017", *rows, *(["итого"] * off_by))).encode()


def _payment_batch(sent: SentRegister, off_by: int) -> bytes:
    middle = max(1, len(sent.payments) // 2)
    batches = [part for part in (sent.payments[:middle], sent.payments[middle:]) if part]
    rows: list[str] = []
    for place, payments in enumerate(batches, start=1):
        total = sum(one.amount_kopecks for one in payments) + off_by
        fee = sum(one.fee_kopecks for one in payments)
        sums = f"{roubles_from_kopecks(total)};{roubles_from_kopecks(fee)}"
        told = f"{len(payments)};{sums};{sent.order_number};{sent.day:%d.%m.%Y}"
        rows.append(f"#;{sent.number}/{place};{sent.day:%d.%m.%Y};{told}")
        for one in payments:
            money = f"{roubles_from_kopecks(one.amount_kopecks)};{roubles_from_kopecks(one.fee_kopecks)}"
            period = _month(one.period, "{month:02d}{short:02d}")
            rows.append(f"{one.account};{period};{money};{one.moment:%d.%m.%Y};{one.moment:%H:%M:%S};{one.operation}")
    return ("".join(f"{row}\r\n" for row in rows) + "\x1a").encode("cp866")


def _yookassa(sent: SentRegister, off_by: int) -> bytes:
    names = ("Идентификатор платежа", "Сумма платежа", "Валюта платежа", "Сумма за вычетом комиссии и НДС", "Время платежа")
    rows = [
        (
            one.operation,
            roubles_from_kopecks(one.amount_kopecks),
            "RUB",
            roubles_from_kopecks(one.passed_on_kopecks),
            f"{one.moment:%Y-%m-%d %H:%M:%S}",
            one.account,
        )
        for one in sent.payments
    ]
    table = _csv((*names, "Номер заказа"), rows)
    head = f"РЕЕСТР ПЛАТЕЖЕЙ ПО ДОГОВОРУ НБО.1 (506751)\r\nДата платежей: {sent.day.isoformat()}\r\n"
    total = roubles_from_kopecks(sent.total_kopecks + off_by)
    tail = f"\r\nСумма принятых платежей: {total} RUB\r\nЧисло платежей: {len(sent.payments)}\r\nСумма комиссии: 0.00 RUB\r\n"
    return (head + table + tail).encode()


def _bank_csv(sent: SentRegister, off_by: int) -> bytes:
    names = ("Номер операции", "Дата операции", "Время операции", "Лицевой счет", "Сумма операции", "Комиссия", "Период", "ФИО")
    rows = [
        (
            one.operation,
            f"{one.moment:%d.%m.%Y}",
            f"{one.moment:%H:%M:%S}",
            one.account,
            _comma(one.amount_kopecks),
            _comma(one.fee_kopecks),
            _month(one.period, "{month:02d}.{year:04d}"),
            one.payer,
        )
        for one in sent.payments
    ]
    return (_csv(names, rows) + f"Итого;{len(rows)};{_comma(sent.total_kopecks + off_by)}\r\n").encode("cp1251")


def _fixed_width(sent: SentRegister, off_by: int) -> bytes:
    rows = [f"H{sent.number:<10}{sent.day:%d%m%Y}"]
    for one in sent.payments:
        when = f"{one.moment:%d%m%Y%H%M%S}"
        money = f"{one.amount_kopecks:012d}{one.fee_kopecks:010d}"
        rows.append(f"P{one.operation:<20}{when}{one.account:<20}{money}{_month(one.period, '{month:02d}{year:04d}'):<6}")
    rows.append(f"T{len(sent.payments):08d}{sent.total_kopecks + off_by:015d}{sent.fee_kopecks:012d}")
    return "".join(f"{row}\r\n" for row in rows).encode("cp866")


def _xlsx(sent: SentRegister, off_by: int) -> bytes:
    rows: list[tuple[str | int | None, ...]] = [("Реестр принятых платежей",), ()]
    rows.append(("Дата платежа", "Время платежа", "Лицевой счет", "ФИО", "Сумма платежа", "Комиссия", "Период", "Номер операции"))
    for one in sent.payments:
        moment = (f"{one.moment:%d.%m.%Y}", f"{one.moment:%H:%M:%S}")
        period = _month(one.period, "{month:02d}.{year:04d}")
        rows.append((*moment, one.account, one.payer, one.amount_kopecks, one.fee_kopecks, period, one.operation))
    rows.append(("Итого", None, None, None, sent.total_kopecks + off_by))
    return write_xlsx(rows)


def _dbf(sent: SentRegister, off_by: int) -> bytes:
    columns = (
        DbfColumn(name="ID", kind="C", length=36),
        DbfColumn(name="DATE_OPL", kind="D", length=8),
        DbfColumn(name="TIME", kind="C", length=8),
        DbfColumn(name="LS", kind="C", length=20),
        DbfColumn(name="FIO", kind="C", length=40),
        DbfColumn(name="SUMMA", kind="N", length=12, decimals=2),
        DbfColumn(name="KOMISS", kind="N", length=10, decimals=2),
        DbfColumn(name="PERIOD", kind="C", length=6),
    )
    records = [
        (
            one.operation,
            f"{one.moment:%Y%m%d}",
            f"{one.moment:%H:%M:%S}",
            one.account,
            one.payer,
            roubles_from_kopecks(one.amount_kopecks),
            roubles_from_kopecks(one.fee_kopecks),
            _month(one.period, "{month:02d}{year:04d}"),
        )
        for one in sent.payments
    ]
    gone = ("удалено", "20260101", "", "0", "", "1.00", "0.00", "")
    content = write_dbf(columns, [*records, gone], "cp866", frozenset({len(records)}))
    return content[: -off_by * 3 or None]


def _csv(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue()


def _comma(amount_kopecks: int) -> str:
    return roubles_from_kopecks(amount_kopecks).replace(".", ",")


def _month(period: int, form: str) -> str:
    return form.format(year=period // 100, short=period // 100 % 100, month=period % 100) if period else ""


WRITERS: dict[str, Callable[[SentRegister, int], bytes]] = {
    "bank-csv": _bank_csv,
    "dbf": _dbf,
    "fixed-width": _fixed_width,
    "kopeck": _kopeck,
    "lanbilling": _lanbilling,
    "payment-batch": _payment_batch,
    "sber": _sber,
    "sber-tagged": _sber_tagged,
    "xlsx": _xlsx,
    "yookassa": _yookassa,
}
"""Format -> what writes it; the number is how far its total is off."""
