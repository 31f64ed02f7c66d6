"""The fake bank's client: a folder out of which it takes 1c_to_kl files, and statements as kl_to_1c (protocols.md §5).

It deduplicates nothing: a file that is left again after it was picked up is paid again.
"""

from datetime import date, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509

from connectors.sandbox.bank_orders import BankBooks, BankOptions, Posting
from connectors.statements.exchange_1c import (
    BALANCE,
    BALANCE_END,
    DOCUMENT,
    DOCUMENT_END,
    FIRST_LINE,
    LAST_LINE,
    Section,
    encode_exchange,
    read_exchange,
    spelt_1251,
)
from connectors.transfers.cms import verify_detached
from connectors.transfers.orders_1c import DAY_FORMAT, FORMAT_VERSION, ORDER_KIND
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.money import kopecks_from_roubles, roubles_from_kopecks
from schemas.transfer import BankParty, PurposeClass, Transfer

PICK_UP_MS = 1_000
BANK = BankParty(name="Банк песочницы", inn="7728168971", kpp="", account="", bic="")


class FolderDoor:
    """Files by name until they are picked up."""

    def __init__(self, options: BankOptions, books: BankBooks) -> None:
        self._books = books
        self._trusted = tuple(x509.load_pem_x509_certificate(pem.encode()) for pem in options.certificates)
        self._files: dict[str, tuple[datetime, bytes]] = {}
        self._signatures: dict[str, bytes] = {}
        self.not_believed: list[str] = []

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Take a file, tell whether it lies there, or write a statement."""
        parts = urlsplit(request.url)
        if parts.path == "/statement":
            return self._statement({name: values[0] for name, values in parse_qs(parts.query).items()})
        name = unquote(parts.path.removeprefix("/folder/"))
        if request.method != "PUT":
            return HttpAnswer(status=200 if name in self._files else 404)
        if name.endswith(".p7s"):
            self._signatures[name.removesuffix(".p7s")] = request.body
            return HttpAnswer(status=201)
        if name in self._files and ("if-none-match", "*") in request.headers:
            return HttpAnswer(status=412)
        self._files[name] = (now, request.body)
        return HttpAnswer(status=201)

    def pick_up(self, now: datetime) -> None:
        """Take in the files that have lain long enough; one whose signature is wrong is thrown away and named."""
        ripe = [name for name, (left, _) in self._files.items() if now - left >= timedelta(milliseconds=PICK_UP_MS)]
        for name in ripe:
            left, content = self._files.pop(name)
            try:
                verify_detached(self._signatures.get(name, b""), content, self._trusted)
                transfers = [_transfer(document) for document in read_exchange(content).documents]
            except ValueError:
                # A wrong signature, form, date or sum: a bank client shows such a file to its user and pays nothing of it.
                self.not_believed.append(name)
                continue
            for transfer in transfers:
                if transfer.payer.account in self._books.balances:
                    self._books.take(transfer.key, transfer, left + timedelta(milliseconds=PICK_UP_MS))

    def _statement(self, asked: dict[str, str]) -> HttpAnswer:
        account = asked.get("account", "")
        if account not in self._books.balances:
            return HttpAnswer(status=404)
        try:
            first, last = date.fromisoformat(asked.get("from", "")), date.fromisoformat(asked.get("to", ""))
        except ValueError:
            return HttpAnswer(status=400)
        return HttpAnswer(status=200, body=write_statement(account, self._books.postings[account], first, last))


def write_statement(account: str, postings: list[Posting], first: date, last: date) -> bytes:
    """Write the days from ``first`` to ``last`` with a balance section each; it opens with what was before them."""
    lines = [
        FIRST_LINE,
        f"ВерсияФормата={FORMAT_VERSION}",
        "Кодировка=Windows",
        "Отправитель=Банк песочницы",
        "Получатель=Kopeck",
        f"ДатаНачала={first.strftime(DAY_FORMAT)}",
        f"ДатаКонца={last.strftime(DAY_FORMAT)}",
        f"РасчСчет={account}",
    ]
    balance = sum(one.amount_kopecks if one.is_credit else -one.amount_kopecks for one in postings if one.day < first)
    for later in range((last - first).days + 1):
        day = first + timedelta(days=later)
        received = sum(one.amount_kopecks for one in postings if one.day == day and one.is_credit)
        written_off = sum(one.amount_kopecks for one in postings if one.day == day and not one.is_credit)
        lines += _balance(account, day, (balance, received, written_off))
        balance += received - written_off
    for posting in postings:
        if first <= posting.day <= last:
            lines += _document(account, posting)
    return encode_exchange([*lines, LAST_LINE])


def _balance(account: str, day: date, sums: tuple[int, int, int]) -> list[str]:
    opening, received, written_off = sums
    return [
        BALANCE,
        f"ДатаНачала={day.strftime(DAY_FORMAT)}",
        f"ДатаКонца={day.strftime(DAY_FORMAT)}",
        f"РасчСчет={account}",
        f"НачальныйОстаток={roubles_from_kopecks(opening)}",
        f"ВсегоПоступило={roubles_from_kopecks(received)}",
        f"ВсегоСписано={roubles_from_kopecks(written_off)}",
        f"КонечныйОстаток={roubles_from_kopecks(opening + received - written_off)}",
        BALANCE_END,
    ]


def _document(account: str, posting: Posting) -> list[str]:
    own = BankParty(name=BANK.name, inn=BANK.inn, kpp="", account=account, bic="")
    payer, payee = (posting.other, own) if posting.is_credit else (own, posting.other)
    day = posting.day.strftime(DAY_FORMAT)
    return [
        f"{DOCUMENT}={ORDER_KIND}",
        f"Номер={posting.number}",
        f"Дата={posting.document_day.strftime(DAY_FORMAT)}",
        f"Сумма={roubles_from_kopecks(posting.amount_kopecks)}",
        f"ПлательщикСчет={payer.account}",
        f"ДатаСписано={'' if posting.is_credit else day}",
        f"Плательщик1={spelt_1251(payer.name)}",
        f"ПлательщикИНН={payer.inn}",
        f"ПолучательСчет={payee.account}",
        f"ДатаПоступило={day if posting.is_credit else ''}",
        f"Получатель1={spelt_1251(payee.name)}",
        f"ПолучательИНН={payee.inn}",
        f"НазначениеПлатежа={spelt_1251(posting.purpose)}",
        DOCUMENT_END,
    ]


def _transfer(document: Section) -> Transfer:
    day = datetime.strptime(document.get("Дата"), DAY_FORMAT).date()
    return Transfer(
        key=file_order_key(document.get("ПлательщикСчет"), document.get("Номер"), day),
        number=document.get("Номер"),
        day=day,
        amount_kopecks=kopecks_from_roubles(document.get("Сумма")),
        payer=_party(document, "Плательщик"),
        payee=_party(document, "Получатель"),
        purpose=document.get("НазначениеПлатежа"),
        purpose_class=PurposeClass.SERVICES,
    )


def file_order_key(account: str, number: str, day: date) -> str:
    """What identifies an order of a file, which carries no key of the sender's."""
    return f"{account} {number} {day.isoformat()}"


def _party(document: Section, side: str) -> BankParty:
    return BankParty(
        name=document.get(f"{side}1"),
        inn=document.get(f"{side}ИНН"),
        kpp=document.get(f"{side}КПП"),
        account=document.get(f"{side}Счет"),
        bic=document.get(f"{side}БИК"),
    )
