"""Numbers, dates and foreign texts as Russian papers print them; integers and strings only."""

import re
from datetime import date
from unicodedata import category

MICRO = 1_000_000
DECIMALS = 6
NARROW_SPACE = "\u202f"
BREAK_HERE = "\u200b"
"""Zero-width space: a line may end at it."""

_MONTHS = "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь"
_MONTHS_OF = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
_UNPRINTED = {"Cc", "Cf", "Co", "Cs", "Cn"}
"""Categories of controls, marks of direction and what is no character: they would turn round or hide what stands after them."""
_PICTURES = re.compile("[\U00010000-\U0010ffff\u2600-\u26ff\u2700-\u27bf\u2b00-\u2bff\ufe00-\ufe0f]")
"""Emoji, the marks that choose their looks, signs of later planes: no font of ours has them, and a box tells nobody anything."""


def decimal_text(millionths: int, *, decimals_min: int = 0) -> str:
    """Write millionths without needless zeros: 2_486_710_000 -> ``2 486,71``; at least ``decimals_min`` decimals are kept."""
    whole, rest = divmod(abs(millionths), MICRO)
    decimals = f"{rest:0{DECIMALS}d}".rstrip("0").ljust(decimals_min, "0")
    sign = "−" if millionths < 0 else ""
    return f"{sign}{whole:,}".replace(",", NARROW_SPACE) + (f",{decimals}" if decimals else "")


def day_text(day: date) -> str:
    """Write ``15.11.2026``."""
    return f"{day:%d.%m.%Y}"


def day_words(day: date) -> str:
    """Write ``15 ноября 2026 г.``, kept together."""
    return f"{day.day}\u00a0{_MONTHS_OF.split()[day.month - 1]} {day.year}\u00a0г."


def month_words(period: int) -> str:
    """Write a period ``yyyymm`` as ``октябрь 2026 г.``; ValueError when it is no month."""
    return f"{_MONTHS.split()[_month(period) - 1]} {period // 100}\u00a0г."


def month_mark(period: int) -> str:
    """Write a period for an axis: ``окт``."""
    return _MONTHS.split()[_month(period) - 1][:3]


def months_later(day: date, months: int) -> date:
    """Return the same day ``months`` later, or the last one of a shorter month."""
    years, month = divmod(day.month - 1 + months, 12)
    first_of_next = date(day.year + years + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = date.fromordinal(first_of_next.toordinal() - 1)
    return last.replace(day=min(day.day, last.day))


def plain(text: str, characters_max: int) -> str:
    """Return a foreign text as one line of printable characters, cut with «…» when it is longer than a page can take."""
    if not text.isprintable():
        text = "".join(" " if sign.isspace() else sign for sign in text if sign.isspace() or category(sign) not in _UNPRINTED)
    if not text.isascii():
        text = _PICTURES.sub("", text)
    line = " ".join(text.split())
    return line if len(line) <= characters_max else line[: characters_max - 1].rstrip() + "…"


def breakable(text: str, run: int) -> str:
    """Let a line end after every ``run`` characters of a word that is longer than that."""
    return text if len(text) <= run else re.sub(rf"\S{{{run}}}(?=\S)", rf"\g<0>{BREAK_HERE}", text)


def _month(period: int) -> int:
    if not 1 <= period % 100 <= 12:
        raise ValueError(f"{period} is no period yyyymm")
    return period % 100
