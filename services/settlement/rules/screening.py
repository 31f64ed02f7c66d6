"""Screening of payers and payees against loaded stop lists, and the dated limits of 115-ФЗ.

Only an exact ИНН or an exact name stops; whatever is merely alike is for a person to check. Names are compared without case,
ё, quotes, punctuation and the spelling of legal forms; Latin letters drawn like Russian ones count as Russian.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from enum import IntEnum

import msgspec

from services.settlement.rules.name_keys import NameKey, is_shortened, name_key, one_edit


class Verdict(IntEnum):
    """CHECK: a person decides. STOP: nothing is sent."""

    CLEAR = 0
    CHECK = 1
    STOP = 2


class StopEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One name of one entry of a stop list, valid from ``since`` to ``until`` inclusive; aliases are entries of their own.

    ``reference`` is the entry's number in its list; ``inn`` is empty where the list has none.
    """

    list_code: str
    reference: str
    name: str
    inn: str = ""
    since: date = date.min
    until: date = date.max


class StopMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Why an entry was hit; the reason is for the operator, in Russian."""

    verdict: Verdict
    entry: StopEntry
    reason: str


class Screening(msgspec.Struct, frozen=True, kw_only=True):
    """The gravest verdict and every match, gravest first; CLEAR without a match."""

    verdict: Verdict
    matches: tuple[StopMatch, ...] = ()


class LegalLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of 115-ФЗ from ``since`` on: ``operation`` names what it is of, ``source`` the clause and how far it was read.

    ``inclusive``: a sum equal to the limit already reaches it.
    """

    since: date
    operation: str
    amount_kopecks: int
    inclusive: bool
    source: str


class StopLists:
    """Stop lists indexed once; a look takes time by the words of a name, not by the length of the lists."""

    def __init__(self, entries: Iterable[StopEntry]) -> None:
        self._by_inn: dict[str, list[StopEntry]] = defaultdict(list)
        self._by_words: dict[tuple[str, ...], list[tuple[NameKey, StopEntry]]] = defaultdict(list)
        self._by_rest: dict[tuple[str, ...], list[tuple[str, StopEntry]]] = defaultdict(list)
        self._by_surname: dict[tuple[str, str], list[tuple[NameKey, StopEntry]]] = defaultdict(list)
        for entry in entries:
            if entry.inn:
                self._by_inn[entry.inn].append(entry)
            key = name_key(entry.name)
            if not key.words:
                continue
            self._by_words[tuple(sorted(key.words))].append((key, entry))
            for word, rest in key.without_each():
                self._by_rest[rest].append((word, entry))
            if len(key.words) > 1:
                self._by_surname[key.words[0], key.words[1][0]].append((key, entry))

    def screen(self, name: str, inn: str, day: date) -> Screening:
        """Look a party up on a day. ``inn`` is empty when it is not known; an empty name is looked up by ИНН alone.

        The same ИНН stops, whatever the name. The same name stops, unless both ИНН are known and differ: a namesake, to check.
        A name that is only alike is to check, and nothing at all when both ИНН are known and differ.
        """
        found: dict[tuple[str, str], StopMatch] = {}
        for match in self._matches(name_key(name), inn):
            entry = match.entry
            place = entry.list_code, entry.reference
            known = found.get(place)
            if entry.since <= day <= entry.until and (known is None or known.verdict < match.verdict):
                found[place] = match
        matches = sorted(found.values(), key=lambda match: (-match.verdict, match.entry.list_code, match.entry.reference))
        return Screening(verdict=matches[0].verdict if matches else Verdict.CLEAR, matches=tuple(matches))

    def _matches(self, key: NameKey, inn: str) -> Iterator[StopMatch]:
        if inn:
            yield from [StopMatch(verdict=Verdict.STOP, entry=entry, reason="совпал ИНН") for entry in self._by_inn.get(inn, ())]
        if not key.words:
            return
        for listed, entry in self._by_words.get(tuple(sorted(key.words)), ()):
            yield _same_words(key, listed, entry, _other_inn(inn, entry))
        for entry, reason in self._alike(key):
            if not _other_inn(inn, entry):
                yield StopMatch(verdict=Verdict.CHECK, entry=entry, reason=reason)

    def _alike(self, key: NameKey) -> Iterator[tuple[StopEntry, str]]:
        for word, rest in key.without_each():
            for listed, entry in self._by_rest.get(rest, ()):
                if one_edit(word, listed):
                    yield entry, "наименование отличается одной буквой"
        if len(key.words) > 1:
            for other, entry in self._by_surname.get((key.words[0], key.words[1][0]), ()):
                if is_shortened(key.words, other.words):
                    yield entry, "то же наименование короче или с инициалами"


def limit_on(limits: Sequence[LegalLimit], operation: str, day: date) -> LegalLimit | None:
    """Return the limit of an operation that holds on a day: the newest begun, None when the table has none."""
    begun = [limit for limit in limits if limit.operation == operation and limit.since <= day]
    return max(begun, key=lambda limit: limit.since, default=None)


def reaches_limit(amount_kopecks: int, limit: LegalLimit | None) -> bool:
    """Whether a sum is one that the limit is about; no limit is never reached."""
    if limit is None:
        return False
    return amount_kopecks >= limit.amount_kopecks if limit.inclusive else amount_kopecks > limit.amount_kopecks


def _other_inn(inn: str, entry: StopEntry) -> bool:
    return bool(inn and entry.inn and inn != entry.inn)


def _same_words(key: NameKey, listed: NameKey, entry: StopEntry, other_inn: bool) -> StopMatch:
    if key.words != listed.words:
        return StopMatch(verdict=Verdict.CHECK, entry=entry, reason="те же слова в другом порядке")
    if key.form and listed.form and key.form != listed.form:
        return StopMatch(verdict=Verdict.CHECK, entry=entry, reason="то же наименование, другая правовая форма")
    if other_inn:
        return StopMatch(verdict=Verdict.CHECK, entry=entry, reason="то же наименование, другой ИНН")
    return StopMatch(verdict=Verdict.STOP, entry=entry, reason="совпало наименование")
