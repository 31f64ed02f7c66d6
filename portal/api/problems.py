"""Problems by RFC 9457: a stable type, a title, a detail in the caller's language, and a pointer for each field at fault.

A type's name never changes once it is published: integrators branch on it. Details may. What a problem says never holds a secret,
another organisation's data, or the text of an internal error.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

import msgspec

PROBLEM_CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "/problems/"
_QUALITY = re.compile(r"(?:q=(?:1(?:\.0{0,3})?|0\.?(?P<less>[0-9]{0,3})))?")
RUSSIAN, ENGLISH = "ru", "en"


class Told(NamedTuple):
    """One text in both languages."""

    ru: str
    en: str

    def by(self, language: str) -> str:
        """Return the text in ``ru`` or ``en``."""
        return self.en if language == ENGLISH else self.ru


class ProblemType(Enum):
    """Every type there is: (HTTP status, title). The name of a type is its member's, in lower case with hyphens."""

    MALFORMED = 400, Told("Запрос не читается", "The request cannot be read")
    CURSOR_INVALID = 400, Told("Курсор не от этого списка", "The cursor is not of this list")
    IDEMPOTENCY_KEY_MISSING = 400, Told("Нет заголовка Idempotency-Key", "The Idempotency-Key header is missing")
    UNAUTHENTICATED = 401, Told("Нет действительного ключа", "No valid credential was given")
    SCOPE_MISSING = 403, Told("У ключа нет этого права", "The credential lacks the scope")
    NOT_FOUND = 404, Told("Не найдено", "Not found")
    METHOD_NOT_ALLOWED = 405, Told("Метод здесь не применяется", "The method is not allowed here")
    NOT_ACCEPTABLE = 406, Told("Такой вид ответа не выдаётся", "The answer cannot be given in that form")
    CONFLICT = 409, Told("Состояние уже другое", "The state does not allow it")
    IN_PROGRESS = 409, Told("Такой же запрос ещё выполняется", "The same request is still being carried out")
    PRECONDITION_FAILED = 412, Told("Данные изменились", "The data have changed")
    TOO_LARGE = 413, Told("Запрос слишком велик", "The request is too large")
    UNSUPPORTED_MEDIA_TYPE = 415, Told("Нужен application/json", "application/json is needed")
    INVALID = 422, Told("Поля заполнены неверно", "Fields are not valid")
    IDEMPOTENCY_KEY_REUSED = 422, Told("Ключ уже был у другого запроса", "The key was used by another request")
    REFUSED = 422, Told("Так сделать нельзя", "It cannot be done as asked")
    TOO_MANY_REQUESTS = 429, Told("Слишком много запросов", "Too many requests")
    INTERNAL = 500, Told("Внутренняя ошибка", "Internal error")
    UNAVAILABLE = 503, Told("Сейчас недоступно, повторите позже", "Not available now, try again later")

    @property
    def status(self) -> int:
        """The HTTP status of every problem of the type."""
        return self.value[0]

    @property
    def title(self) -> Told:
        """What the type says, the same for every occurrence."""
        return self.value[1]

    @property
    def uri(self) -> str:
        """The type's reference, relative to the API."""
        return TYPE_BASE + self.name.lower().replace("_", "-")


class FieldFault(msgspec.Struct, frozen=True, kw_only=True):
    """One field that is wrong. ``place``: body, query, path or header; ``pointer``: a JSON pointer (RFC 6901) inside of it."""

    place: str
    pointer: str
    detail: Told


class Problem(Exception):
    """A refusal on its way to the caller; raised anywhere below a request."""

    def __init__(
        self,
        kind: ProblemType,
        detail: Told | None = None,
        faults: tuple[FieldFault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail.en if detail else kind.title.en)
        self.kind, self.detail, self.faults, self.headers = kind, detail, faults, dict(headers or {})


class FieldFaultBody(msgspec.Struct, frozen=True, kw_only=True):
    """A field at fault, as the body shows it."""

    place: str
    pointer: str
    detail: str


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer of 400 and above. ``request_id`` finds the request in the operator's log."""

    type: str
    title: str
    status: int
    request_id: str
    detail: str = ""
    errors: tuple[FieldFaultBody, ...] = ()


def problem_body(problem: Problem, language: str, request_id: str) -> bytes:
    """Encode the problem in ``ru`` or ``en``."""
    faults = [FieldFaultBody(place=one.place, pointer=one.pointer, detail=one.detail.by(language)) for one in problem.faults]
    body = ProblemBody(
        type=problem.kind.uri,
        title=problem.kind.title.by(language),
        status=problem.kind.status,
        request_id=request_id,
        detail=problem.detail.by(language) if problem.detail else "",
        errors=tuple(faults),
    )
    return msgspec.json.encode(body)


def language_of(accept_language: str) -> str:
    """Return ``en`` where the header prefers English to Russian, else ``ru`` (RFC 9110 §12.5.4)."""
    weights: dict[str, int] = {}
    for part in accept_language.split(",")[:20]:
        tag, _, rest = part.strip().partition(";")
        weights.setdefault(tag.lower().split("-")[0], _weight(rest))
    return ENGLISH if weights.get(ENGLISH, 0) > weights.get(RUSSIAN, weights.get("*", 0)) else RUSSIAN


def _weight(parameter: str) -> int:
    """Return a quality value in thousandths; one that is none counts for nothing (RFC 9110 §12.4.2)."""
    match = _QUALITY.fullmatch(parameter.strip())
    if match is None:
        return 0
    return 1_000 if match["less"] is None else int(match["less"].ljust(3, "0"))


def not_found(what: Told | None = None) -> Problem:
    """What does not exist and what belongs to somebody else are one answer: nobody learns which."""
    return Problem(ProblemType.NOT_FOUND, what)


def refused(ru: str, en: str) -> Problem:
    """A rule of the house stands against it; nothing was done."""
    return Problem(ProblemType.REFUSED, Told(ru, en))
