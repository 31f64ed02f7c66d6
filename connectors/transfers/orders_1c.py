"""Orders for a bank client: the file 1c_to_kl.txt of 1CClientBankExchange 1.03 (protocols.md §5)."""

from datetime import timedelta, timezone

from connectors.statements.exchange_1c import DOCUMENT, DOCUMENT_END, FIRST_LINE, LAST_LINE, PURPOSE, encode_exchange, spelt_1251
from schemas.money import roubles_from_kopecks
from schemas.transfer import PURPOSE_CHARACTERS_MAX, BankParty, BudgetFields, Transfer, TransferBatch

FORMAT_VERSION = "1.03"
ORDER_KIND = "Платежное поручение"
SENDER = "Kopeck"
MOSCOW = timezone(timedelta(hours=3))
DAY_FORMAT = "%d.%m.%Y"


class UnwritableOrder(ValueError):
    """An order's field does not fit the file once it is spelt in its code page; the message names order and field."""


def write_orders(batch: TransferBatch) -> bytes:
    """Write a batch whose faults were looked for before; raises Exchange1CError or UnwritableOrder.

    The same batch gives the same bytes at every attempt: the file is dated by the register's day, so that a signature left beside
    it by one attempt fits the file left by another.
    """
    days = [one.day for one in batch.transfers]
    lines = [FIRST_LINE]
    lines += _pairs(
        ("ВерсияФормата", FORMAT_VERSION),
        ("Кодировка", "Windows"),
        ("Отправитель", SENDER),
        ("Получатель", ""),
        ("ДатаСоздания", batch.day.strftime(DAY_FORMAT)),
        ("ВремяСоздания", "00:00:00"),
        ("ДатаНачала", min(days).strftime(DAY_FORMAT)),
        ("ДатаКонца", max(days).strftime(DAY_FORMAT)),
        ("РасчСчет", batch.transit_account),
        ("Документ", ORDER_KIND),
    )
    for transfer in batch.transfers:
        lines += _order(transfer)
    return encode_exchange([*lines, LAST_LINE])


def _order(transfer: Transfer) -> list[str]:
    purpose = spelt_1251(transfer.purpose)
    if len(purpose) > PURPOSE_CHARACTERS_MAX:
        raise UnwritableOrder(f"transfer {transfer.number}: the purpose has {len(purpose)} characters in this file's letters")
    return [
        f"{DOCUMENT}={ORDER_KIND}",
        *_pairs(
            ("Номер", transfer.number),
            ("Дата", transfer.day.strftime(DAY_FORMAT)),
            ("Сумма", roubles_from_kopecks(transfer.amount_kopecks)),
            *_party("Плательщик", transfer.payer),
            *_party("Получатель", transfer.payee),
            ("ВидПлатежа", ""),
            ("ВидОплаты", "01"),
            *_budget(transfer),
            ("Код", transfer.code),
            ("Очередность", str(transfer.priority)),
            (PURPOSE, purpose),
        ),
        DOCUMENT_END,
    ]


def _party(side: str, party: BankParty) -> tuple[tuple[str, str], ...]:
    return (
        (f"{side}Счет", party.account),
        (side, party.name),
        (f"{side}ИНН", party.inn),
        (f"{side}1", party.name),
        (f"{side}РасчСчет", party.account),
        (f"{side}Банк1", party.bank_name),
        (f"{side}БИК", party.bic),
        (f"{side}Корсчет", party.correspondent),
    )


def _budget(transfer: Transfer) -> tuple[tuple[str, str], ...]:
    """Fields 101–110. A КПП stands with any order; the others only, and then all of them, with a payment to the budget."""
    kpp = (("ПлательщикКПП", transfer.payer.kpp), ("ПолучательКПП", transfer.payee.kpp))
    fields: BudgetFields | None = transfer.budget
    if fields is None:
        return kpp
    return (
        ("СтатусСоставителя", fields.drawer_status),
        # To the budget a party without a КПП has a zero: no field of the block is empty.
        *((key, value or "0") for key, value in kpp),
        ("ПоказательКБК", fields.kbk),
        ("ОКАТО", fields.oktmo),
        ("ПоказательОснования", fields.reason),
        ("ПоказательПериода", fields.period),
        ("ПоказательНомера", fields.document_number),
        ("ПоказательДаты", fields.document_date),
        ("ПоказательТипа", fields.kind),
    )


def _pairs(*pairs: tuple[str, str]) -> list[str]:
    return [f"{key}={spelt_1251(value)}" for key, value in pairs]
