"""What a cover covers: which of the promises of its space, gross or net of the acquirer's fee, and what is left over and why.

Tried in this order: registers named by number, or by the bank order that brings their money; an operation's id; the channel's
days that the text names; a register of this very sum; days of this very sum, the oldest first. What nothing promised stays in
clearing as a surplus until a register explains it; what is promised and did not come, as a shortfall.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import msgspec

from services.clearing.core.verdict import Decision, Line, Rate

DAYS_TOGETHER_MAX = 11
"""So many days in a row may come in one sum: the longest holidays."""
AMOUNT_AGE_MAX = timedelta(days=35)
"""A promise older than that is not taken for a line by its sum alone."""
NEVER_PROMISED = "получено от плательщика этого пространства; что именно покрыто, пока не сказал ни реестр, ни человек"
UNTRUE_FEE = "; комиссия, названная в назначении, с обещанным не сходится и не учтена"
NO_BEARER = "; удержанную комиссию некому отнести: договором не задано, кто её несёт"


class RegisterPromise(msgspec.Struct, frozen=True, kw_only=True):
    """A register, kopecks. ``rest`` of what it promised is not covered yet, ``fee_rest`` of its fee not kept back yet.

    ``refused`` of its total was refused by us, ``repeated`` stood in an earlier register or twice in this one: nothing is
    promised for either, and sent anyway they are a surplus.
    """

    register: int
    number: str
    day: date | None
    rest: int
    fee_rest: int = 0
    order_number: str = ""
    order_day: date | None = None
    refused: int = 0
    refused_lines: int = 0
    repeated: int = 0
    repeated_lines: int = 0


class DayPromise(msgspec.Struct, frozen=True, kw_only=True):
    """A day of payers in a space: what of it no cover named yet."""

    day: date
    rest: int
    payments: int


class OperationPromise(msgspec.Struct, frozen=True, kw_only=True):
    """One booked payment that no cover named yet."""

    external_id: str
    day: date
    amount: int


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """What a space still promises; operations only those that the line names."""

    registers: tuple[RegisterPromise, ...] = ()
    days: tuple[DayPromise, ...] = ()
    operations: tuple[OperationPromise, ...] = ()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a cover: ``amount`` of the gross against what was ``promised``; the rest of either has its reason."""

    promised: int
    amount: int
    fee: int = 0
    register: int | None = None
    day: date | None = None
    operation: str = ""
    reason: str = ""


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """A cover matched: the columns of bank.cover and its parts. The gross is the line's amount and ``fee``."""

    by: str
    reference: str
    parts: tuple[Part, ...]
    fee: int
    reason: str = ""

    @property
    def promised(self) -> int:
        """What was still promised of all that it covers."""
        return sum(part.promised for part in self.parts)


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    """Promises taken together, and the fee that is to be expected of them."""

    by: str
    reference: str
    parts: tuple[Part, ...]
    fee: int
    tolerance: int = 0
    registers: tuple[RegisterPromise, ...] = ()

    @property
    def promised(self) -> int:
        return sum(part.promised for part in self.parts)


def match_cover(line: Line, decision: Decision, promises: Promises) -> Matched:
    """Match a cover; the parts always add up to the line's amount and the fee."""
    named = _named_registers(line, decision, promises) or _operation(decision, promises) or _named_days(decision, promises)
    if named is not None:
        return _settle(line, decision, named)
    for target in _of_this_sum(line, decision, promises):
        settled = _settle(line, decision, target)
        if settled.promised == line.amount + settled.fee:
            return settled
    return Matched(by="payer", reference="", parts=(Part(promised=0, amount=line.amount),), fee=0, reason=NEVER_PROMISED)


def expected_fee(rates: Sequence[Rate], day: date | None, gross: int, payments: int = 1) -> int:
    """Return the fee on a sum by the newest rate begun on the day, half-up once, at least the minimum a payment."""
    begun = [one for one in rates if day is not None and one.since <= day]
    if not begun:
        return 0
    rate = max(begun, key=lambda one: one.since)
    return max((gross * rate.rate * 2 + 100_000) // 200_000, rate.minimum_kopecks * payments)


def _named_registers(line: Line, decision: Decision, promises: Promises) -> _Target | None:
    hints = decision.hints
    named = [one for one in promises.registers if _number(one.number) in hints.registers and _timely(one, line)]
    if hints.since is not None and len({one.number for one in named}) < len(named):
        named = [one for one in named if one.day in (None, hints.since, hints.until)] or named
    if not named:
        orders = {*hints.orders, _number(line.number)}
        named = [one for one in promises.registers if one.order_number and _number(one.order_number) in orders]
        named = [one for one in named if one.order_day in (None, line.document_day, line.day)]
    return _registers(named, "register") if named else None


def _registers(found: Sequence[RegisterPromise], by: str) -> _Target:
    return _Target(
        by=by,
        reference=",".join(one.number or f"#{one.register}" for one in found),
        parts=tuple(
            [Part(promised=one.rest, amount=one.rest, fee=one.fee_rest, register=one.register, day=one.day) for one in found]
        ),
        fee=sum(one.fee_rest for one in found),
        registers=tuple(found),
    )


def _operation(decision: Decision, promises: Promises) -> _Target | None:
    found = promises.operations
    if not found:
        return None
    fee = sum(expected_fee(decision.rates, one.day, one.amount) for one in found)
    parts = tuple([Part(promised=one.amount, amount=one.amount, day=one.day, operation=one.external_id) for one in found])
    return _Target(
        by="operation", reference=",".join(one.external_id for one in found), parts=parts, fee=fee, tolerance=len(found)
    )


def _named_days(decision: Decision, promises: Promises) -> _Target | None:
    since, until = decision.hints.since, decision.hints.until
    if since is None or until is None:
        return None
    found = [one for one in promises.days if since <= one.day <= until and one.rest > 0]
    if not found:
        return None
    target = _days(found, decision)
    whole = since.isoformat() if since == until else f"{since.isoformat()}..{until.isoformat()}"
    return msgspec.structs.replace(target, reference=whole)


def _days(found: Sequence[DayPromise], decision: Decision) -> _Target:
    return _Target(
        by="day",
        reference=",".join(one.day.isoformat() for one in found),
        parts=tuple([Part(promised=one.rest, amount=one.rest, day=one.day) for one in found]),
        fee=sum(expected_fee(decision.rates, one.day, one.rest, one.payments) for one in found),
        tolerance=sum(one.payments for one in found),
    )


def _of_this_sum(line: Line, decision: Decision, promises: Promises) -> Iterator[_Target]:
    """Give a register of this sum when there is only one, then runs of days that end not after the line."""
    registers = [one for one in promises.registers if one.rest > 0 and _timely(one, line)]
    fitting = [one for one in registers if line.amount in (one.rest, one.rest - one.fee_rest)]
    if len(fitting) == 1:
        yield _registers(fitting, "amount")
    open_days = [one for one in promises.days if one.rest > 0 and line.day - AMOUNT_AGE_MAX <= one.day <= line.day]
    for start in range(len(open_days)):
        for end in range(start + 1, min(len(open_days), start + DAYS_TOGETHER_MAX) + 1):
            yield _days(open_days[start:end], decision)


def _settle(line: Line, decision: Decision, target: _Target) -> Matched:
    """Share the line's gross and the fee among the promises, the first first; what is too much stands in the last one."""
    fee = _fee(line, decision, target)
    amounts = _shared(line.amount + fee, [part.promised for part in target.parts])
    fees = _shared(fee, [part.fee for part in target.parts])
    difference = line.amount + fee - target.promised
    reason = _reason(line, decision, target, difference)
    parts = [
        msgspec.structs.replace(part, amount=amount, fee=kept, reason=reason if amount != part.promised and difference else "")
        for part, amount, kept in zip(target.parts, amounts, fees, strict=True)
    ]
    return Matched(by=target.by, reference=target.reference, parts=tuple(parts), fee=fee, reason=reason)


def _shared(whole: int, wanted: Sequence[int]) -> list[int]:
    """Give each what it wants while there is something left, and all the rest to the last."""
    shares = []
    for one in wanted:
        shares.append(min(one, whole))
        whole -= shares[-1]
    shares[-1] += whole
    return shares


def _fee(line: Line, decision: Decision, target: _Target) -> int:
    """Return what was kept back, 0 for a gross cover: the nearer of the two wins, and gross of two that are equally near.

    A fee by rate differs from what was kept by the roundings of so many payments: then what was kept is the fee. What the text
    tells counts no more than that: whoever wrote it may not charge a fee that the promises do not bear out.
    """
    if not decision.bearer:
        return 0
    hints, missing = decision.hints, target.promised - line.amount
    fee = hints.fee if hints.fee is not None else hints.gross - line.amount if hints.gross is not None else target.fee
    if fee <= 0:
        return 0
    if missing > 0 and abs(missing - fee) <= target.tolerance and hints.fee is None:
        return missing
    return fee if abs(missing - fee) < abs(missing) else 0


def _reason(line: Line, decision: Decision, target: _Target, difference: int) -> str:
    """Say why a cover differs from what was promised; empty when it does not."""
    if not difference:
        return ""
    refused, repeated = sum(one.refused for one in target.registers), sum(one.repeated for one in target.registers)
    told = []
    if refused:
        told.append(f"отказано нами строк: {sum(one.refused_lines for one in target.registers)}")
    if repeated:
        told.append(f"учтено раньше строк: {sum(one.repeated_lines for one in target.registers)}")
    if difference > 0 and difference in (refused, repeated, refused + repeated):
        return f"прислано всё равно: {', '.join(told)}"
    if difference > 0:
        return "; ".join(["пришло больше обещанного", *told])
    unborne = target.fee and not decision.bearer and line.amount + target.fee == target.promised
    untrue = decision.bearer and (decision.hints.fee or decision.hints.gross) and difference == line.amount - target.promised
    return "пришло меньше обещанного" + (NO_BEARER if unborne else UNTRUE_FEE if untrue else "")


def _timely(register: RegisterPromise, line: Line) -> bool:
    """Numbers begin anew every year: a register is of the line's time when it is not dated far from it."""
    return register.day is None or abs(line.day - register.day) <= AMOUNT_AGE_MAX


def _number(text: str) -> str:
    return text.strip().lstrip("0") or "0"
