"""What every protocol says about an outcome, before its own codes: the refusal's words and our id of a payment."""

import hashlib
from typing import assert_never

from schemas.ids import ExternalId, Space
from schemas.outcome import Answer, PaymentOutcome, Refusal

PROVIDER_TRANSACTIONS = 10**18
"""Provider ids are below this, so that they fit a signed 64-bit integer and 18 decimal digits."""


def provider_txn(space: Space, external_id: ExternalId) -> int:
    """Return our decimal id of a payment, derived from its key so that neither a repeat nor a restore can change it.

    The first eight bytes, big-endian, of SHA-256 of ``<space>/<external id>``, modulo 10**18.
    """
    digest = hashlib.sha256(f"{space}/{external_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % PROVIDER_TRANSACTIONS


def refusal_of(outcome: PaymentOutcome) -> Refusal:
    """Return the refusal that a final outcome carries, NONE when the payment is booked.

    A success without a place in the journal, or a refusal without a reason, would tell the payer an untruth: ValueError.
    """
    if outcome.refusal is not Refusal.NONE:
        return outcome.refusal
    if outcome.answer is Answer.REFUSED:
        raise ValueError("a refused payment has no refusal")
    if outcome.sequence is None:
        raise ValueError("a booked payment has no place in the journal")
    return Refusal.NONE


def refusal_words(refusal: Refusal) -> str:
    """Return the Russian words shown to the payer."""
    match refusal:
        case Refusal.NONE:
            return "Платёж принят"
        case Refusal.MALFORMED_ACCOUNT:
            return "Неверный формат лицевого счёта"
        case Refusal.MALFORMED_AMOUNT:
            return "Неверный формат суммы"
        case Refusal.AMOUNT_TOO_SMALL:
            return "Сумма слишком мала"
        case Refusal.AMOUNT_TOO_LARGE:
            return "Сумма слишком велика"
        case Refusal.MALFORMED_DATE:
            return "Неверный формат даты платежа"
        case Refusal.ACCOUNT_UNKNOWN:
            return "Лицевой счёт не найден"
        case Refusal.ACCOUNT_AMBIGUOUS:
            return "Лицевой счёт определяется неоднозначно"
        case Refusal.NO_CONTRACT:
            return "Приём платежей по этому лицевому счёту запрещён"
        case Refusal.ACCOUNT_CLOSED:
            return "Лицевой счёт закрыт"
        case Refusal.ADVANCE_NOT_TAKEN:
            return "Сумма больше задолженности, аванс не принимается"
        case _ as unreachable:
            assert_never(unreachable)


CONFLICT_WORDS = "Платёж с этим номером уже был с другими данными"
TRY_AGAIN_WORDS = "Временная ошибка, повторите запрос позже"
CHECKED_WORDS = "Лицевой счёт найден"
