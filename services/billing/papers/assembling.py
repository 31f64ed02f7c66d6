"""A payment document from the rows of its account: sections by creditor, contents of п. 69, what is asked checked. Pure.

Printing asserts sums within a document (services/paper); here the document is held to what billing published: what its sections
ask for is ``billing.document.main`` and ``capital_repair`` to the kopeck, or there is no document.
"""

from collections.abc import Sequence

from schemas.allocation import PayerKind, Pool
from schemas.payment_document import DocumentLine, Payee, PaymentDocument, Section
from services.billing.core.month import PremisesKind
from services.billing.papers.amounts import Amounts, due_of_pool
from services.billing.papers.rows import AccountRows, Home, Unprintable

CATEGORY = "ЖКУ"
PAYER_KINDS = {PayerKind.PERSON: "", PayerKind.ORGANISATION: "организация", PayerKind.BUDGET: "бюджетное учреждение"}
PREMISES_KINDS = {PremisesKind.FLAT: "", PremisesKind.COMMUNAL_ROOM: "комн. ", PremisesKind.NON_RESIDENTIAL: "пом. "}
MAIN_TITLE, REPAIR_TITLE = "Жильё и коммунальные услуги", "Капитальный ремонт"


class NotPrintable(ValueError):
    """The document cannot be printed; the message is Russian and says why."""


def assemble_document(rows: AccountRows) -> PaymentDocument | Unprintable:
    """Return the document, or why there is none: sums that are not the published ones, or a payee without bank details."""
    try:
        return _document(rows)
    except NotPrintable as error:
        return Unprintable(account=rows.document.account_name, reason=str(error))


def _document(rows: AccountRows) -> PaymentDocument:
    row, home, provider = rows.document, rows.home, rows.companies[rows.provider]
    _check_published(rows)
    return PaymentDocument(
        number=row.number,
        period=row.period,
        issued_on=row.issued_on,
        due_on=row.due_on,
        account=row.name,
        els=row.els or "",
        izhku=home.izhku if home is not None else "",
        payer=", ".join(home.owners) if home is not None and home.owners else row.masked_name,
        payer_kind=PAYER_KINDS[PayerKind(row.payer_kind)],
        address=home.address if home is not None and home.address else row.masked_address,
        postcode="",
        flat=flat_of(home),
        area=home.premises.area if home is not None else 0,
        living_area=home.premises.living_area if home is not None else 0,
        residents=home.premises.residents if home is not None else 0,
        registered=home.registered if home is not None else 0,
        owners=home.premises.owners if home is not None else 0,
        provider=provider.payee,
        dispatch_phone=provider.dispatch_phone,
        working_hours=provider.working_hours,
        sections=_sections(rows),
        meters=home.meters if home is not None else (),
        house=rows.house,
        recalculations=tuple(rows.priced.recalculations),
        history=rows.history,
        notices=_notices(rows),
    )


def _check_published(rows: AccountRows) -> None:
    row = rows.document
    for pool, published in ((Pool.MAIN, row.main), (Pool.CAPITAL_REPAIR, row.capital_repair)):
        due = due_of_pool(rows.amounts, pool)
        if due != (published or 0):
            raise NotPrintable(f"{pool.name.lower()}: опубликовано к оплате {published} коп., по начислениям и оплатам {due}")


def flat_of(home: Home | None) -> str:
    """Return the flat, room or premises as an address ends with it; empty where the stock knows none."""
    if home is None:
        return ""
    premises = home.premises
    kind = PREMISES_KINDS[premises.kind]
    return f"{premises.flat}, {kind}{premises.premises}" if premises.flat else f"{kind}{premises.premises}"


def _sections(rows: AccountRows) -> tuple[Section, ...]:
    """One a creditor and pool, the provider's first and capital repair last; nothing charged, owed or paid makes none."""
    places = sorted(rows.amounts, key=lambda place: (place[1], place[0] != rows.provider, place[0]))
    sections = [
        _section(rows, place, rows.amounts[place], tuple(rows.priced.rows.get(place, ())))
        for place in places
        if rows.priced.rows.get(place) or any((rows.amounts[place].charged, rows.amounts[place].before, rows.amounts[place].paid))
    ]
    if not sections:
        raise NotPrintable("ничего не начислено и не оплачено: печатать нечего")
    return tuple(sections)


def _section(rows: AccountRows, place: tuple[int, Pool], amounts: Amounts, lines: Sequence[DocumentLine]) -> Section:
    creditor, pool = place
    row, company = rows.document, rows.companies[creditor]
    title = REPAIR_TITLE if pool is Pool.CAPITAL_REPAIR else MAIN_TITLE
    if pool is Pool.MAIN and creditor != rows.provider:
        title = f"Прямой договор: {company.payee.name}"
    month = f"{row.period % 100:02d}.{row.period // 100}"
    return Section(
        title=title,
        payee=with_bank(company.payee, company.code),
        lines=tuple(lines),
        charged_kopecks=amounts.charged,
        debt_kopecks=max(0, amounts.before),
        advance_kopecks=max(0, -amounts.before),
        paid_kopecks=amounts.paid,
        paid_on=row.issued_on if amounts.paid else None,
        debt_on=row.issued_before or row.issued_on,
        due_kopecks=amounts.due,
        purpose=f"{title} за {month}, л/с {row.name}, документ {row.number}",
        category=CATEGORY,
    )


def with_bank(payee: Payee, code: str) -> Payee:
    """Refuse a payee that nobody could pay: a page without a code and requisites helps no resident."""
    if not payee.bank_account:
        raise NotPrintable(f"у получателя {code} нет утверждённых реквизитов")
    if not payee.bank_name or not payee.correspondent_account:
        raise NotPrintable(f"банк получателя {code} (БИК {payee.bic}) не загружен: kopeck documents load banks")
    return payee


def _notices(rows: AccountRows) -> tuple[str, ...]:
    row = rows.document
    return (f"Исправленный документ: заменяет № {row.replaces}.",) if row.replaces else ()
