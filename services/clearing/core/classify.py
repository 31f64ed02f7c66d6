"""One class a line, by an ordered list of rules each of which can say why (design §4 «One class per statement line»).

First ``read_line`` takes from a line's text what there is to look up; then ``classify`` decides from the line, its reading and
what was found. The order: our own orders and their return, the bank's moves to 47416 and back, debts, the bank's own mistakes
(before whatever their text names: a storno names the payment's account), operations that are known already, covers, payments
of one account, unknown. A debit that nothing explains is never guessed: it waits for a person.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import msgspec

from services.clearing.core.patterns import CODE, found_in, hints_of
from services.clearing.core.rules import RuleReady
from services.clearing.core.verdict import Decision, Hints, Line, LineClass, Verdict

C = LineClass
Name = tuple[str, str]
"""(namespace, number) of a personal account."""

NO_CODE = frozenset({"", "0"})
OWN_ORDER = "исполнено наше поручение: совпали номер, сумма и счёт получателя"
RETURNED = "вернулось наше поручение: совпали номер, сумма и счёт получателя"
NO_ACCOUNT = "плательщик не назвал лицевого счёта, и ни одно правило не подошло"
NOT_FOUND = "назван лицевой счёт {}, такого нет"
SEVERAL = "подходят несколько лицевых счетов: {}"
ELSEWHERE = "лицевой счёт найден по номеру {}, но в пространстве имён выписки номера у него нет"
DEBIT_UNKNOWN = "списание: не наше поручение, и ни одно правило не подошло"
STORNO = "банк отменяет свою прежнюю строку (сторно)"
FEED_AWAITED = "покрытиям этого счёта верят по извещениям банка: извещения об этой строке ещё нет"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a line's text gives: the first rule of each class that fits, with a cover's hints, and accounts named, in order."""

    rules: Mapping[LineClass, RuleReady]
    hints: Hints = Hints()
    names: tuple[Name, ...] = ()


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of this very sum that is booked under an id of the line; ``covered_by``: a feed's entry that covered it."""

    space: int
    external_id: str
    day: date
    covered_by: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked up for a line. ``accounts``: personal accounts by the names read; ``numbers``: of each the number in the
    statement channel's namespace. ``mistake``: the other line of a pair of the bank's mistake and its storno. ``own``: settlement
    recognised the line as an order's.
    """

    own: bool = False
    heard: tuple[Heard, ...] = ()
    accounts: Mapping[Name, tuple[int, ...]] = {}
    numbers: Mapping[int, str] = {}
    mistake: int | None = None
    from_feed: bool = False


def read_line(line: Line, rules: Sequence[RuleReady]) -> Reading:
    """Try every rule on a line."""
    first: dict[LineClass, RuleReady] = {}
    hints = Hints()
    names: dict[Name, None] = {}
    for one in rules:
        line_class = one.rule.line_class
        if not one.fits(line) or (line_class in first and line_class is not C.PAYMENT):
            continue
        found = found_in(one.pattern, line.purpose) if one.pattern is not None else ()
        if line_class is C.PAYMENT:
            told = [*(found or ()), *([(CODE, line.code)] if line.code not in NO_CODE else [])]
            names |= {(one.rule.namespaces[group], value): None for group, value in told if group in one.rule.namespaces}
            first.setdefault(C.PAYMENT, one)
        elif found is not None:
            first[line_class] = one
            if line_class is C.COVER:
                said = found_in(one.says, line.purpose) if one.says is not None else None
                hints = hints_of((*found, *(said or ())))
    return Reading(rules=first, hints=hints, names=tuple(names))


def classify(line: Line, reading: Reading, found: Found) -> Verdict:
    """Decide; the first rule that speaks is right."""
    for rule in _ORDER:
        verdict = rule(line, reading, found)
        if verdict is not None:
            return verdict
    if not line.is_credit:
        return Verdict(line_class=None, why=DEBIT_UNKNOWN)
    return Verdict(line_class=C.UNKNOWN, why=_unknown_because(reading, found), decision=Decision(account=_written(reading)))


def storno_pairs(lines: Sequence[tuple[Line, Reading]]) -> dict[int, int]:
    """Return the pairs among lines not booked yet, both ways: a line that a technical rule takes and the one it undoes.

    They move the same sum of the same counterparty in opposite directions, and only one line can be meant.
    """
    pairs: dict[int, int] = {}
    for line, reading in lines:
        if not (line.is_reversal or C.TECHNICAL in reading.rules) or line.line in pairs:
            continue
        meant = [other for other, _ in lines if other.line not in pairs and _undoes(line, other)]
        numbered = [other for other in meant if other.number and other.number in line.purpose.replace("№", " ").split()]
        meant = numbered or meant
        if len(meant) == 1:
            pairs |= {line.line: meant[0].line, meant[0].line: line.line}
    return pairs


def _undoes(line: Line, other: Line) -> bool:
    same = (line.transit, line.amount) == (other.transit, other.amount) and line.is_credit is not other.is_credit
    return same and (line.account == other.account or not line.account or not other.account)


def _own(line: Line, reading: Reading, found: Found) -> Verdict | None:
    if not found.own:
        return None
    return (
        Verdict(line_class=C.RETURNED_ORDER, why=RETURNED) if line.is_credit else Verdict(line_class=C.OWN_ORDER, why=OWN_ORDER)
    )


def _ruled(*classes: LineClass) -> Callable[[Line, Reading, Found], Verdict | None]:
    """Return the rule that gives a class as its file says."""

    def decide(line: Line, reading: Reading, found: Found) -> Verdict | None:
        for line_class in classes:
            if one := reading.rules.get(line_class):
                decision = Decision(rule=one.rule.name, party=one.party)
                return Verdict(line_class=line_class, why=f"правило «{one.rule.name}»", decision=decision)
        return None

    return decide


def _mistake(line: Line, reading: Reading, found: Found) -> Verdict | None:
    if found.mistake is not None:
        return Verdict(line_class=C.TECHNICAL, why=f"пара к строке {found.mistake}: ошибка банка и её сторно")
    return Verdict(line_class=C.TECHNICAL, why=STORNO) if line.is_reversal else None


def _heard(line: Line, reading: Reading, found: Found) -> Verdict | None:
    """A payment told of already, by whatever way: the line covers it (and where a feed is believed, has been covered by it)."""
    if len({(one.space, one.external_id) for one in found.heard}) != 1:
        return None
    heard = found.heard[0]
    decision = Decision(space=heard.space, hints=Hints(operations=(heard.external_id,)), covered_by=heard.covered_by)
    how = "извещение банка" if heard.covered_by else "операция"
    return Verdict(line_class=C.COVER, why=f"{how} {heard.external_id}: учтено ранее на ту же сумму", decision=decision)


def _feed_awaited(line: Line, reading: Reading, found: Found) -> Verdict | None:
    return Verdict(line_class=None, why=FEED_AWAITED) if found.from_feed and line.is_credit else None


def _cover(line: Line, reading: Reading, found: Found) -> Verdict | None:
    one = reading.rules.get(C.COVER)
    if one is None:
        return None
    decision = Decision(rule=one.rule.name, space=one.space, hints=reading.hints, rates=one.rule.rates, bearer=one.bearer)
    return Verdict(line_class=C.COVER, why=f"правило «{one.rule.name}»: покрытие {one.rule.space}", decision=decision)


def _payment(line: Line, reading: Reading, found: Found) -> Verdict | None:
    accounts = _accounts(reading, found)
    if len(accounts) != 1:
        return None
    (account,) = accounts
    number = found.numbers.get(account)
    if not number:
        return None
    written = next(number for _, number in reading.names if account in found.accounts.get((_, number), ()))
    rule = reading.rules[C.PAYMENT].rule.name
    return Verdict(
        line_class=C.PAYMENT,
        why=f"правило «{rule}»: назван лицевой счёт {written}",
        decision=Decision(rule=rule, account=number),
    )


_ORDER = (
    _own,
    _ruled(C.TO_HOLD, C.FROM_HOLD),
    _ruled(C.DEBT),
    _ruled(C.TECHNICAL),
    _mistake,
    _heard,
    _feed_awaited,
    _cover,
    _payment,
)


def _accounts(reading: Reading, found: Found) -> set[int]:
    return {account for name in reading.names for account in found.accounts.get(name, ())}


def _written(reading: Reading) -> str:
    """The number that was written, when it is only one: whoever looks for the payer begins with it."""
    numbers = list(dict.fromkeys(number for _, number in reading.names))
    return numbers[0] if len(numbers) == 1 else ""


def _unknown_because(reading: Reading, found: Found) -> str:
    accounts = _accounts(reading, found)
    written = ", ".join(_told(reading))
    if len(accounts) > 1:
        return SEVERAL.format(written)
    if accounts:
        return ELSEWHERE.format(written)
    return NOT_FOUND.format(written) if written else NO_ACCOUNT


def _told(reading: Reading) -> Iterator[str]:
    return iter(dict.fromkeys(number for _, number in reading.names))
