"""Whether a reading can be true, before it counts: against the dial, the readings around it, and what was usual (п. 31, 33, 61).

Readings are judged one zone at a time, in order of their days. What cannot be is refused; what a person has to look at is parked;
what is only odd is accepted with a word about it, since a provider may not turn a consumer's reading away (п. 33 «к(1)»).
"""

from collections.abc import Sequence
from datetime import date
from enum import Enum

import msgspec

from services.billing.core.meters import Segment
from services.billing.core.periods import month_of_day, period_of
from services.billing.core.quantities import MICRO, Volume

HOURS = 24


class Verdict(Enum):
    ACCEPTED = "accepted"
    PARKED = "parked"
    REFUSED = "refused"


class Fault(Enum):
    """What is wrong with a reading; in the order in which it is looked for."""

    FUTURE = "future"
    BEFORE_INSTALLED = "before_installed"
    AFTER_END = "after_end"
    TOO_LONG = "too_long"
    RESTART_WITHOUT_ACT = "restart_without_act"
    SAME_DAY = "same_day"
    TOO_OLD = "too_old"
    LOWER = "lower"
    ABOVE_NEXT = "above_next"
    IMPOSSIBLE = "impossible"
    NOT_IN_ORDER = "not_in_order"
    JUMP = "jump"


REFUSED = (Fault.FUTURE, Fault.BEFORE_INSTALLED, Fault.AFTER_END, Fault.TOO_LONG, Fault.RESTART_WITHOUT_ACT)
NOTICES = (Fault.NOT_IN_ORDER, Fault.JUMP)
"""With these it is accepted."""
MESSAGES = {
    Fault.FUTURE: "показание снято позже дня, когда оно передано",
    Fault.BEFORE_INSTALLED: "показание снято раньше ввода прибора учёта в эксплуатацию",
    Fault.AFTER_END: "показание снято после снятия прибора учёта",
    Fault.TOO_LONG: "в показании больше цифр, чем на табло прибора учёта",
    Fault.RESTART_WITHOUT_ACT: "показание названо начальным, но акта ремонта или поверки этого дня нет",
    Fault.SAME_DAY: "на этот день уже принято другое показание: исправьте его, указав причину",
    Fault.TOO_OLD: "показание старше последних принятых: проверьте дату",
    Fault.LOWER: "показание меньше предыдущего",
    Fault.ABOVE_NEXT: "показание больше принятого за более поздний день",
    Fault.IMPOSSIBLE: "прибор учёта не мог насчитать столько за это время",
    Fault.NOT_IN_ORDER: "прибор учёта неисправен или не поверен: показание сохранено, но в расчёт не идёт",
    Fault.JUMP: "расход намного больше обычного: проверьте показание",
}
"""For those who give readings and those who check them."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A reading that counts."""

    value: Volume
    taken_on: date
    period: int
    rolled: bool = False
    restarts: bool = False


class Dial(msgspec.Struct, frozen=True, kw_only=True):
    """What a reading is judged by. ``maximum``: of an hour, millionths, 0 unknown. ``restarts``: days with an act of repair or
    verification. ``segments``: spells in which the meter is in order. ``is_cut``: earlier readings exist that are not given."""

    digits: int
    installed: date
    ended_on: date | None
    maximum: int
    restarts: frozenset[date]
    segments: tuple[Segment, ...]
    is_cut: bool = False


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A reading as it is given. ``restarts``: the dial was set anew that day."""

    value: Volume
    taken_on: date
    period: int
    restarts: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """``jump_times`` the usual and more than ``jump_least`` is a jump; a dial rolls from within its last ``1 / roll_part``."""

    jump_times: int = 5
    jump_least: int = 20 * MICRO
    roll_part: int = 10


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """``period``: for which it counts, between those of its neighbours. ``fault`` of an accepted one is a word about it."""

    verdict: Verdict
    fault: Fault | None
    rolled: bool
    period: int

    @property
    def message(self) -> str:
        """What is wrong, in Russian; empty where nothing is."""
        return "" if self.fault is None else MESSAGES[self.fault]


def counting_period(given_on: date, last_day: int) -> int:
    """Return the month that a reading given on a day counts for: the next one after the window's last day (п. 31 «ж», 33)."""
    month = month_of_day(given_on)
    return period_of(month + 1 if given_on.day > last_day else month)


def judge(given: Given, dial: Dial, counted: Sequence[Counted], given_on: date, limits: Limits) -> Judgement:
    """Judge one reading against those that count, which ascend by day."""
    fault = _against_dial(given, dial, given_on)
    before = [one for one in counted if one.taken_on < given.taken_on]
    after = [one for one in counted if one.taken_on > given.taken_on]
    period = max(given.period, before[-1].period) if before else given.period
    period = min(period, after[0].period) if after else period
    rolled = False
    if fault is None and any(one.taken_on == given.taken_on for one in counted):
        fault = Fault.SAME_DAY
    if fault is None and dial.is_cut and not before:
        fault = Fault.TOO_OLD
    if fault is None:
        rolled = bool(before) and _has_rolled(given, before[-1], dial, limits)
        fault = _against_neighbours(given, dial, before, after, rolled=rolled)
    if fault is None:
        fault = _notice(given, dial, before, limits) if not rolled else None
    return Judgement(verdict=_verdict(fault), fault=fault, rolled=rolled and fault is None, period=period)


def _verdict(fault: Fault | None) -> Verdict:
    if fault is None or fault in NOTICES:
        return Verdict.ACCEPTED
    return Verdict.REFUSED if fault in REFUSED else Verdict.PARKED


def _against_dial(given: Given, dial: Dial, given_on: date) -> Fault | None:
    if given.taken_on > given_on:
        return Fault.FUTURE
    if given.taken_on < dial.installed:
        return Fault.BEFORE_INSTALLED
    if dial.ended_on is not None and given.taken_on > dial.ended_on:
        return Fault.AFTER_END
    if given.value >= 10**dial.digits * MICRO:
        return Fault.TOO_LONG
    if given.restarts and given.taken_on not in dial.restarts:
        return Fault.RESTART_WITHOUT_ACT
    return None


def _has_rolled(given: Given, before: Counted, dial: Dial, limits: Limits) -> bool:
    """Tell whether a lower reading is a dial that passed zero: it stood near its end, and little was counted since."""
    whole: int = 10**dial.digits * MICRO
    if given.restarts or given.value >= before.value or before.value < whole - whole // limits.roll_part:
        return False
    moved = given.value - before.value + whole
    possible = dial.maximum * HOURS * _days(before, given)
    return moved <= (possible if dial.maximum else whole // limits.roll_part)


def _against_neighbours(
    given: Given, dial: Dial, before: Sequence[Counted], after: Sequence[Counted], *, rolled: bool
) -> Fault | None:
    if before and not given.restarts and not rolled and given.value < before[-1].value:
        return Fault.LOWER
    if after and not after[0].restarts and (rolled if after[0].rolled else given.value > after[0].value):
        return Fault.ABOVE_NEXT
    if before and dial.maximum and not given.restarts and not rolled:
        return Fault.IMPOSSIBLE if given.value - before[-1].value > dial.maximum * HOURS * _days(before[-1], given) else None
    return None


def _notice(given: Given, dial: Dial, before: Sequence[Counted], limits: Limits) -> Fault | None:
    if not any(one.since <= given.taken_on and (one.until is None or given.taken_on <= one.until) for one in dial.segments):
        return Fault.NOT_IN_ORDER
    if given.restarts or len(before) < 2 or any(one.rolled or one.restarts for one in before[1:]):
        return None
    moved, usual = given.value - before[-1].value, before[-1].value - before[0].value
    usual_days = (before[-1].taken_on - before[0].taken_on).days
    is_jump = moved > limits.jump_least and moved * usual_days > limits.jump_times * usual * _days(before[-1], given)
    return Fault.JUMP if is_jump else None


def _days(before: Counted, given: Given) -> int:
    return (given.taken_on - before.taken_on).days
