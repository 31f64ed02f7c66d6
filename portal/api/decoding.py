"""A request's query and body into their types; every fault becomes a pointer that a form can use."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from portal.api.problems import FieldFault, Problem, ProblemType, Told

Wanted = TypeVar("Wanted", bound=msgspec.Struct)

PATH_PART_CHARACTERS_MAX = 200
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")


def decode_body(content: bytes, wanted: type[Wanted]) -> Wanted:
    """Decode JSON strictly; raises Problem MALFORMED for what is no JSON, INVALID with a pointer for what does not fit.

    The character U+0000, which no text of the database can hold, is refused wherever it stands.
    """
    if _NUL.search(content):
        raise Problem(ProblemType.MALFORMED, Told("В тексте стоит знак U+0000", "A text holds the character U+0000"))
    try:
        return msgspec.json.decode(content, type=wanted)
    except msgspec.ValidationError as error:
        raise _invalid(error, "body") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(ProblemType.MALFORMED, Told("Тело запроса – не JSON", "The body is no JSON")) from error
    except RecursionError as error:
        raise Problem(ProblemType.MALFORMED, Told("Тело вложено слишком глубоко", "The body is nested too deeply")) from error


def decode_query(given: Mapping[str, list[str]], wanted: type[Wanted]) -> Wanted:
    """Convert query parameters; one given twice is a fault, an empty one is as good as absent."""
    twice = sorted(name for name, values in given.items() if len(values) > 1)
    if twice:
        detail = Told("Параметр повторён", "The parameter is given twice")
        raise Problem(ProblemType.INVALID, None, tuple([_fault("query", f"/{escaped(name)}", detail) for name in twice]))
    values = {name: texts[0] for name, texts in given.items() if texts and texts[0] != ""}
    try:
        return msgspec.convert(values, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error, "query") from error


def check_text(text: str, place: str, pointer: str) -> str:
    """Return a text that a database can hold and a page can show; control characters and excess are refused."""
    if len(text) > PATH_PART_CHARACTERS_MAX or not text.isprintable():
        detail = Told("Слишком длинно или нечитаемые знаки", "Too long, or characters that cannot be printed")
        raise Problem(ProblemType.INVALID, None, (_fault(place, pointer, detail),))
    return text


def escaped(name: str) -> str:
    """Return a name as a JSON pointer's part (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def field_problem(place: str, pointer: str, ru: str, en: str) -> Problem:
    """Say of one field why it is not valid."""
    return Problem(ProblemType.INVALID, None, (_fault(place, pointer, Told(ru, en)),))


def _invalid(error: msgspec.ValidationError, place: str) -> Problem:
    match = _AT.match(str(error))
    what, path = (match["what"], match["path"] or "$") if match else (str(error), "$")
    # "..." stands for a key of a mapping, which the decoder does not name: the pointer ends at the mapping.
    known = path.removeprefix("$").partition("[...]")[0]
    pointer = "".join(f"/{escaped(step['name'] or step['index'])}" for step in _STEP.finditer(known))
    for named in (_UNKNOWN.search(what), _MISSING.search(what)):
        if named is not None:
            pointer += f"/{escaped(named['name'])}"
    return Problem(ProblemType.INVALID, None, (_fault(place, pointer, Told(_russian(what), what)),))


def _russian(what: str) -> str:
    """Tell the decoder's words in Russian; what it says of types and limits stays as it is, after a colon."""
    if _UNKNOWN.search(what):
        return "Такого поля нет"
    if _MISSING.search(what):
        return "Поле обязательно"
    return f"Значение не подходит: {what}"


def _fault(place: str, pointer: str, detail: Told) -> FieldFault:
    return FieldFault(place=place, pointer=pointer, detail=detail)


def query_lists(items: Any) -> dict[str, list[str]]:
    """Group (name, value) pairs by name, in order."""
    found: dict[str, list[str]] = {}
    for name, value in items:
        found.setdefault(name, []).append(value)
    return found
