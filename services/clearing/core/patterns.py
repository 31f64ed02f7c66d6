"""What a purpose says, by patterns with named groups: numbers of registers, days, sums, personal accounts.

Purposes are written by people and programs of a hundred banks: a value that cannot be read is not there.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date

from schemas.money import MoneyError, kopecks_from_roubles
from services.clearing.core.verdict import Hints

PURPOSE_CHARACTERS_MAX = 1_000
"""A purpose has 210 (поле 24); what is longer is cut before patterns run over it."""
COVER_GROUPS = frozenset({"register", "order", "operation", "day", "since", "until", "fee", "gross"})
CODE = "code"
"""In ``namespaces`` of a rule: the line's УИН or УИП (поле 22), which needs no pattern."""
ACCOUNT_PATTERN = (
    r"(?:персональн\w*\s+сч[её]т\w*|лицев\w*\s+сч[её]т\w*|(?<!\w)(?<!е)л\.?\s?/?\s?с(?:ч[её]т)?\.?|PersAcc)(?!\w)\s*(?:№|N|номер)?"
    r"\s*[:=]?\s*(?P<account>(?=[A-ZА-Я]{0,4}[0-9])[0-9A-ZА-Я][0-9A-ZА-Я/_-]*)"
    r"|(?<!\w)(?P<izhku>[0-9]{2}[A-ZА-Я]{2}[0-9]{6}-[0-9]{2})(?!\w)"
    r"|(?<!\w)(?P<els>[0-9]{2}[A-ZА-Я]{2}[0-9]{6})(?![\w-])"
)
"""Of a payment rule without a pattern: «л/с 0001001», «лицевой счёт № …», a QR's PersAcc; an ЕЛС or ИЖКУ wherever it stands.

A word is no account: «лицевой счёт Ивановой» is a name, which must not be kept in clear text.
"""

_DAYS = (
    (re.compile(r"([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{4})", re.ASCII), (3, 2, 1)),
    (re.compile(r"([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{2})", re.ASCII), (3, 2, 1)),
    (re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII), (1, 2, 3)),
)
_BETWEEN = re.compile(r"[\s,;]+")
_SPACES = re.compile(r"[\s'_]")


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern as rules use it; raises re.error."""
    return re.compile(pattern, re.IGNORECASE)


def found_in(pattern: re.Pattern[str], text: str) -> tuple[tuple[str, str], ...] | None:
    """Return (group, value) of every match, in order; None when nothing matches."""
    matches = list(pattern.finditer(text[:PURPOSE_CHARACTERS_MAX]))
    if not matches:
        return None
    return tuple(
        (group, value.strip()) for match in matches for group, value in match.groupdict().items() if value and value.strip()
    )


def hints_of(found: Iterable[tuple[str, str]]) -> Hints:
    """Turn what a cover's pattern found into hints. Of several days the first and the last are the ends of a period."""
    values: dict[str, list[str]] = {}
    for group, value in found:
        values.setdefault(group, []).append(value)
    days = sorted(day for group in ("day", "since", "until") for day in map(day_of, values.get(group, ())) if day is not None)
    return Hints(
        registers=tuple(_numbers(values.get("register", ()))),
        orders=tuple(_numbers(values.get("order", ()))),
        operations=tuple(dict.fromkeys(values.get("operation", ()))),
        since=days[0] if days else None,
        until=days[-1] if days else None,
        fee=_sum_of(values.get("fee", ())),
        gross=_sum_of(values.get("gross", ())),
    )


def day_of(text: str) -> date | None:
    """Read a day as purposes write it: 24.11.2026, 24.11.26, 2026-11-24; None for anything else."""
    for pattern, places in _DAYS:
        match = pattern.fullmatch(text.strip())
        if match is not None:
            year, month, day = (int(match.group(place)) for place in places)
            try:
                return date(year if year >= 100 else 2000 + year, month, day)
            except ValueError:
                return None
    return None


def _numbers(texts: Iterable[str]) -> Iterator[str]:
    seen = [one.lstrip("0") or "0" for text in texts for one in _BETWEEN.split(text) if one]
    return iter(dict.fromkeys(seen))


def _sum_of(texts: Iterable[str]) -> int | None:
    """Return the sum of roubles as written («1 234,56», «1234-56»); None when none, or one of them, can be read."""
    total = None
    for text in texts:
        written = re.sub(r"[,=-]", ".", _SPACES.sub("", text))
        try:
            total = (total or 0) + kopecks_from_roubles(written)
        except MoneyError:
            return None
    return total
