"""Every way a bank feed's message can be refused, as RFC 9457 problems (design §1, station 2)."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from connectors.answers import refusal_words
from connectors.banks.standard_webhooks import Verdict
from schemas.outcome import Refusal

PROBLEM_CONTENT_TYPE = "application/problem+json"


class Problem(StrEnum):
    """The closed set of problems, in the order checked; the value is the slug of ``type``."""

    BODY_TOO_LARGE = "body-too-large"
    SIGNATURE_MISSING = "signature-missing"
    SIGNATURE_MALFORMED = "signature-malformed"
    SIGNATURE_WRONG = "signature-wrong"
    KEY_MISSING = "key-missing"
    KEY_MALFORMED = "key-malformed"
    KEY_NOT_SIGNED = "key-not-signed"
    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    DUPLICATE_KEY = "duplicate-key"
    UNEXPECTED_SHAPE = "unexpected-shape"
    INVALID_FIELD = "invalid-field"
    REFUSED = "refused"
    CONFLICT = "conflict"
    STALE_TIMESTAMP = "stale-timestamp"
    COVERED_ELSEWHERE = "covered-elsewhere"
    TRY_AGAIN = "try-again"


class FeedError(msgspec.Struct, frozen=True, kw_only=True):
    """One problem; ``field`` is a path like ``designation.period``, empty when the problem is not in one field."""

    type_slug: str
    status: int
    title: str
    detail_ru: str
    detail_en: str
    field: str = ""


class _Words(NamedTuple):
    status: int
    title: str
    detail_ru: str
    detail_en: str


_WORDS = {
    Problem.BODY_TOO_LARGE: _Words(
        413, "Body too large", "Тело сообщения больше допустимого", "The body is over the channel's limit"
    ),
    Problem.SIGNATURE_MISSING: _Words(
        401,
        "Signature missing",
        "Нет заголовков webhook-id, webhook-timestamp, webhook-signature",
        "The headers webhook-id, webhook-timestamp and webhook-signature must be present",
    ),
    Problem.SIGNATURE_MALFORMED: _Words(
        401,
        "Signature malformed",
        "Заголовки подписи не в форме Standard Webhooks",
        "The signature headers are not in the form of Standard Webhooks v1",
    ),
    Problem.SIGNATURE_WRONG: _Words(
        401, "Signature wrong", "Подпись не соответствует сообщению", "No signature matches the message"
    ),
    Problem.KEY_MISSING: _Words(
        400, "Idempotency-Key missing", "Нет заголовка Idempotency-Key", "The header Idempotency-Key must be present"
    ),
    Problem.KEY_MALFORMED: _Words(
        400,
        "Idempotency-Key malformed",
        "Idempotency-Key: нужны печатные знаки, не более 128 байтов UTF-8",
        "Idempotency-Key must be printable and at most 128 bytes of UTF-8",
    ),
    Problem.KEY_NOT_SIGNED: _Words(
        401,
        "Idempotency-Key not signed",
        "Idempotency-Key не равен подписанному webhook-id",
        "Idempotency-Key must equal webhook-id, which the signature covers",
    ),
    Problem.NOT_UTF8: _Words(
        400,
        "Not UTF-8",
        "Тело сообщения не в кодировке UTF-8 (возможно, windows-1251)",
        "The body is not UTF-8 (windows-1251 perhaps)",
    ),
    Problem.NOT_JSON: _Words(
        400, "Not JSON", "Тело сообщения не является JSON или обрывается", "The body is not JSON or is truncated"
    ),
    Problem.DUPLICATE_KEY: _Words(
        400, "Duplicate key", "Имя поля повторяется в одном объекте JSON", "A name comes twice in one JSON object"
    ),
    Problem.UNEXPECTED_SHAPE: _Words(
        422, "Unexpected shape", "Поле отсутствует, лишнее или другого типа", "A field is missing, unknown or of another type"
    ),
    Problem.INVALID_FIELD: _Words(422, "Invalid field", "Недопустимое значение поля", "A field has a value that is not allowed"),
    Problem.REFUSED: _Words(422, "Payment refused", "Платёж не принят", "The payment is refused for good"),
    Problem.CONFLICT: _Words(
        409,
        "Conflict",
        "Операция с этим Idempotency-Key уже была с другим содержанием; ничего не проведено",
        "This Idempotency-Key came before with other content; nothing was booked",
    ),
    Problem.STALE_TIMESTAMP: _Words(
        409,
        "Stale timestamp",
        "Время подписи вне допустимого окна; сообщение сохранено для разбора",
        "The signed timestamp is outside the window; the message is kept for a person to see",
    ),
    Problem.COVERED_ELSEWHERE: _Words(
        409,
        "Covered elsewhere",
        "Покрытия этого транзитного счёта учитываются по его выписке; по этому сообщению ничего не проведено",
        "Covers of this transit account are believed from its statement; nothing was booked for this message",
    ),
    Problem.TRY_AGAIN: _Words(
        503, "Try again", "Временная ошибка, повторите с тем же ключом", "A temporary error; repeat with the same key"
    ),
}

FIELD_CHARACTERS_MAX = 100


def feed_error(problem: Problem, field: str = "") -> FeedError:
    """Return the problem with its words; a field's name from outside is cut to FIELD_CHARACTERS_MAX."""
    status, title, detail_ru, detail_en = _WORDS[problem]
    return FeedError(
        type_slug=problem.value,
        status=status,
        title=title,
        detail_ru=detail_ru,
        detail_en=detail_en,
        field=field[:FIELD_CHARACTERS_MAX],
    )


def refused_error(refusal: Refusal) -> FeedError:
    """Return the problem of a refusal remembered by its key, in the refusal's words."""
    status, title, _, detail_en = _WORDS[Problem.REFUSED]
    return FeedError(
        type_slug=Problem.REFUSED.value,
        status=status,
        title=title,
        detail_ru=refusal_words(refusal),
        detail_en=f"{detail_en}: {refusal.name.lower()}",
    )


SIGNATURE_ERRORS = {
    Verdict.MISSING: feed_error(Problem.SIGNATURE_MISSING),
    Verdict.MALFORMED: feed_error(Problem.SIGNATURE_MALFORMED),
    Verdict.WRONG_SIGNATURE: feed_error(Problem.SIGNATURE_WRONG),
    Verdict.STALE: feed_error(Problem.STALE_TIMESTAMP),
}
"""What to answer to a verdict other than VALID; STALE only when the key is not known."""


def encode_problem(error: FeedError) -> bytes:
    """Write an RFC 9457 problem; ``detail`` is Russian, ``detail_en`` an extension member, ``field`` only when there is one."""
    problem: dict[str, str | int] = {
        "type": f"/problems/{error.type_slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail_ru,
        "detail_en": error.detail_en,
    }
    if error.field:
        problem["field"] = error.field
    return msgspec.json.encode(problem)
