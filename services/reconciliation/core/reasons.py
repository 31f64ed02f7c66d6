"""Reasons of reconciliation in the accountant's words; what to do about each stands in docs/reconciliation.md."""

from schemas.journal import EntryKind
from services.reconciliation.core.words import BankLine, Verdict

BOOKED = "проведена в этот операционный день"
BOOKED_LATER = "проведена следующим операционным днём"
BOOKED_EARLIER = "строка другого дня, чем проводка"
STANDS_ON_STATEMENT = "есть на выписке"
TOLD_BY_FEED = "выписка по счёту не требуется: подтверждено сообщением банка"
REVERSED_AND_BACK = "проводка и её сторно: строка исчезла из выписки"
ORDER_ENDED = "поручение завершено"
COVERED = "покрыто или сторнировано"
NOT_CLASSIFIED = "строка не разобрана"
NOT_BOOKED = "строка разобрана, но не проведена"
ORDER_UNKNOWN = "поручение этой строки не опознано"
VANISHED_UNBOOKED = "строка исчезла из итоговой выписки до проводки"
VANISHED_REVERSED = "строка исчезла из итоговой выписки, проводка сторнирована"
VANISHED_STANDS = "строка исчезла из итоговой выписки, проводка не сторнирована"
NO_LINE = "движение счёта без строки выписки"
NO_LINE_OF_ORDER = "поручение исполнено по сообщению банка, строки выписки нет"
NO_LINE_OF_RETURN = "возврат поручения по сообщению банка, строки выписки нет"
OTHER_AMOUNT = "сумма или сторона проводки не та, что в строке выписки"
NO_ORDER = "исполнено поручение, которого нет"
COVER_REVERSED = "покрытие сторнировано: деньги снова обещаны"
COVER_ABOVE = "пришло больше обещанного"
CREDIT_OF_NOTHING = "списано с клиринга больше обещанного"
CLOSING_DIFFERS = "остаток выписки и остаток книг расходятся необъяснённо"
TECHNICAL_STANDS = "технические строки банка не сошлись в ноль"
NO_STATEMENT = "нет итоговой выписки за день"
BALANCE_UNTOLD = "итоговая выписка не называет остатка, и вывести его не из чего"
TURNOVER_DIFFERS = "обороты итоговой выписки не равны сумме её строк"
FILTERED = "итоговая выписка отобрана по виду документов: по ней день не закрыть"

_WITHOUT_LINE = {EntryKind.ORDER_EXECUTED: NO_LINE_OF_ORDER, EntryKind.ORDER_RETURNED: NO_LINE_OF_RETURN}
VERDICTS = {
    Verdict.MATCHED: "сошлось",
    Verdict.MISSING: "нет у банка",
    Verdict.SURPLUS: "нет в книгах",
    Verdict.PROMISED: "обещано",
}


def without_line(kind: EntryKind) -> str:
    """Say why an entry that moves the transit account stands alone."""
    return _WITHOUT_LINE.get(kind, NO_LINE)


def unbooked(line: BankLine) -> str:
    """Say why a line has no entry."""
    if line.held_back:
        return f"{NOT_BOOKED}: {line.held_back}"
    if line.line_class is None:
        return NOT_CLASSIFIED
    return ORDER_UNKNOWN if line.line_class in ("own_order", "returned_order") else NOT_BOOKED


def vanished(*, stands: bool, was_booked: bool) -> str:
    """Say what became of the entry of a line that vanished."""
    if not was_booked:
        return VANISHED_UNBOOKED
    return VANISHED_STANDS if stands else VANISHED_REVERSED
