"""Classification as tables: one line a case; matching as tables and as properties."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clearing.core.ageing import OpenDay, age_promises
from services.clearing.core.classify import Found, Heard, classify, read_line, storno_pairs
from services.clearing.core.matching import DayPromise, OperationPromise, Promises, RegisterPromise, expected_fee, match_cover
from services.clearing.core.patterns import ACCOUNT_PATTERN, compiled, day_of, found_in, hints_of
from services.clearing.core.rules import Numbers, Rule, read_rules, ready
from services.clearing.core.verdict import Decision, Hints, Line, LineClass, Rate

C = LineClass
DAY = date(2026, 11, 24)
TRANSIT = "40911810000000000001"
NUMBERS = Numbers(transits={TRANSIT: 1}, spaces={"acq": 101, "terminals": 102}, recipients={"uk": 7, "heat": 8})
RULES = tuple(
    ready(msgspec.convert({"transit": TRANSIT, **rule}, Rule), NUMBERS)
    for rule in (
        {"name": "47416", "class": "to_hold", "payer_account": ["47416*"]},
        {"name": "47416 назад", "class": "from_hold", "payer_account": ["47416*"]},
        {"name": "долг", "class": "debt", "purpose": "погашение долга", "party": "heat"},
        {"name": "ошибки", "class": "technical", "operation": ["09", "16"], "purpose": "ошибочно|сторно"},
        {"name": "эквайер", "class": "cover", "payer_inn": ["7700000001"], "says": r"реестр\s*(?P<register>\d+)", "space": "acq"},
        {"name": "сеть", "class": "cover", "payer_bic": ["044525111"], "purpose": r"терминал", "space": "terminals"},
        {"name": "счета", "class": "payment", "namespaces": {"account": "epd", "els": "els", "code": "uip"}},
    )
)
FOUND = Found(
    accounts={("epd", "1001"): (1,), ("epd", "1002"): (2,), ("els", "75DA533315"): (1,)}, numbers={1: "1001", 2: "1002"}
)


def credit(purpose: str = "", **told: Any) -> Line:
    """A credit of 1 000 kopecks, changed as given."""
    given: dict[str, Any] = {"line": 1, "transit": 1, "bank_id": "b1", "day": DAY, "is_credit": True, "amount": 1_000, **told}
    return Line(purpose=purpose, **given)


def debit(purpose: str = "", **told: Any) -> Line:
    """A debit."""
    return credit(purpose, is_credit=False, **told)


HEARD = Heard(space=101, external_id="op-1", day=DAY)
OTHER = Heard(space=101, external_id="op-2", day=DAY)
FED = Heard(space=101, external_id="op-1", day=DAY, covered_by=5)
UNNUMBERED = Found(accounts={("epd", "1001"): (1,)})
CASES: tuple[tuple[str, Line, Found, LineClass | None, str], ...] = (
    ("our order before everything", debit("сторно", operation="09"), Found(own=True), C.OWN_ORDER, "исполнено наше поручение"),
    ("its return", credit("л/с 1001"), Found(own=True), C.RETURNED_ORDER, "вернулось наше поручение"),
    ("to 47416", debit("л/с 1001", account="47416810000000000001"), FOUND, C.TO_HOLD, "47416"),
    ("from 47416", credit("л/с 1001", account="47416810000000000001"), FOUND, C.FROM_HOLD, "47416 назад"),
    ("a debt", credit("Погашение долга, л/с 1001"), FOUND, C.DEBT, "долг"),
    ("a debt is no debit", debit("погашение долга"), FOUND, None, "списание"),
    ("a mistake", credit("Ошибочно зачислено л/с 1001", operation="16"), FOUND, C.TECHNICAL, "ошибки"),
    ("the words alone are no mistake", credit("ошибочно л/с 1001", operation="01"), FOUND, C.PAYMENT, "1001"),
    ("the bank's own mark", debit("л/с 1001", is_reversal=True), FOUND, C.TECHNICAL, "сторно"),
    ("a pair", credit("л/с 1001"), Found(mistake=9), C.TECHNICAL, "пара к строке 9"),
    ("heard before", credit("л/с 1001"), Found(heard=(HEARD,)), C.COVER, "операция op-1"),
    ("heard twice under other ids", credit("л/с 1001"), Found(heard=(HEARD, OTHER)), C.UNKNOWN, ""),
    ("told by the feed", credit("л/с 1001"), Found(heard=(FED,), from_feed=True), C.COVER, "извещение банка op-1"),
    ("the feed is awaited", credit("л/с 1001", inn="7700000001"), Found(from_feed=True), None, "по извещениям банка"),
    ("a cover by its payer", credit("реестр 12, л/с 1001", inn="7700000001"), FOUND, C.COVER, "эквайер"),
    ("a cover by bank and words", credit("терминалы", bic="044525111"), FOUND, C.COVER, "сеть"),
    ("the bank without the words", credit("л/с 1001", bic="044525111"), FOUND, C.PAYMENT, "1001"),
    ("an account", credit("ЖКУ л/с 1001"), FOUND, C.PAYMENT, "назван лицевой счёт 1001"),
    ("the same account twice", credit("л/с 1001 ЕЛС 75DA533315"), FOUND, C.PAYMENT, "1001"),
    ("one of two numbers is somebody's", credit("л/с 1001, договор л/с 555"), FOUND, C.PAYMENT, "1001"),
    ("two accounts", credit("л/с 1001 и л/с 1002"), FOUND, C.UNKNOWN, "несколько"),
    ("nobody's number", credit("л/с 555"), FOUND, C.UNKNOWN, "лицевой счёт 555, такого нет"),
    ("no number", credit("за квартиру"), FOUND, C.UNKNOWN, "не назвал"),
    ("by УИП", credit("", code="uip-1"), Found(accounts={("uip", "uip-1"): (2,)}, numbers={2: "1002"}), C.PAYMENT, "uip-1"),
    ("no УИП", credit("", code="0"), Found(accounts={("uip", "0"): (2,)}, numbers={2: "1002"}), C.UNKNOWN, "не назвал"),
    ("no number in the statement's namespace", credit("л/с 1001"), UNNUMBERED, C.UNKNOWN, "номера у него нет"),
    ("an unknown debit", debit("Комиссия банка"), FOUND, None, "списание"),
    ("another transit account's rules", credit("л/с 1001", transit=2), FOUND, C.UNKNOWN, "не назвал"),
)  # fmt: skip


@pytest.mark.parametrize(("line", "found", "line_class", "why"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_one_class_a_line(line: Line, found: Found, line_class: LineClass | None, why: str) -> None:
    verdict = classify(line, read_line(line, RULES), found)
    assert verdict.line_class is line_class
    assert why in verdict.why


def test_hints_and_numbers_stand_in_the_decision() -> None:
    line = credit("реестр 012", inn="7700000001")
    decision = classify(line, read_line(line, RULES), FOUND).decision
    assert (decision.space, decision.hints.registers, decision.rule) == (101, ("12",), "эквайер")
    unknown = credit("л/с 555")
    assert classify(unknown, read_line(unknown, RULES), FOUND).decision.account == "555"


PAIRS: tuple[tuple[str, tuple[Line, ...], dict[int, int]], ...] = (
    ("a mistake and its storno", (credit(line=1), debit("сторно", line=2, operation="09")), {1: 2, 2: 1}),
    ("another sum", (credit(line=1, amount=999), debit("сторно", line=2, operation="09")), {}),
    ("the same direction", (credit(line=1), credit("сторно", line=2, operation="09")), {}),
    ("another payer", (credit(line=1, account="1"), debit("сторно", line=2, operation="09", account="2")), {}),
    ("two that it may mean", (credit(line=1), credit(line=3), debit("сторно", line=2, operation="09")), {}),
    (
        "two, and one is named",
        (credit(line=1, number="5"), credit(line=3, number="6"), debit("сторно п/п № 6", line=2, operation="09")),
        {3: 2, 2: 3},
    ),
)


@pytest.mark.parametrize(("lines", "pairs"), [case[1:] for case in PAIRS], ids=[case[0] for case in PAIRS])
def test_storno_pairs(lines: tuple[Line, ...], pairs: dict[int, int]) -> None:
    assert storno_pairs([(line, read_line(line, RULES)) for line in lines]) == pairs


NAMED = (
    ("Оплата ЖКУ л/с 0001001 за 10.2026", {"account": "0001001"}),
    ("ЛС: 0001001;Иванов", {"account": "0001001"}),
    ("лицевой счет № 12-34/5", {"account": "12-34/5"}),
    ("PersAcc=1001|Sum=1", {"account": "1001"}),
    ("ЖКУ 75da533315", {"els": "75da533315"}),
    ("75da533315-01", {"izhku": "75da533315-01"}),
    ("класс 5", None),
    ("плс 5", None),
    ("ЕЛС75DA533315", None),
)


@pytest.mark.parametrize(("purpose", "groups"), NAMED)
def test_accounts_in_purposes(purpose: str, groups: dict[str, str] | None) -> None:
    found = found_in(compiled(ACCOUNT_PATTERN), purpose)
    assert (dict(found) if found is not None else None) == groups


@pytest.mark.parametrize(
    ("text", "day"),
    [("24.11.2026", DAY), ("24.11.26", DAY), ("2026-11-24", DAY), ("24/11/2026", DAY), ("31.02.2026", None), ("вчера", None)],
)
def test_days_in_purposes(text: str, day: date | None) -> None:
    assert day_of(text) == day


def test_hints_of_a_purpose() -> None:
    pattern = compiled(r"реестр\w*\s*№?\s*(?P<register>[0-9, ]+)|(?P<day>[0-9.]{10})|комиссия (?P<fee>[0-9 ,-]+)")
    hints = hints_of(found_in(pattern, "Реестры № 012, 13 за 20.11.2026 по 22.11.2026, комиссия 1 234,50") or ())
    assert hints == Hints(registers=("12", "13"), since=date(2026, 11, 20), until=date(2026, 11, 22), fee=123_450)
    assert hints_of([("fee", "много")]) == Hints()


R12 = RegisterPromise(register=1, number="0012", day=DAY, rest=10_000, fee_rest=150)
R13 = RegisterPromise(register=2, number="13", day=DAY, rest=4_000, fee_rest=0, order_number="55", order_day=DAY)
OLD = RegisterPromise(register=3, number="12", day=DAY - timedelta(days=365), rest=9_000)
OVER = msgspec.structs.replace(R12, refused=500, refused_lines=2)
DAYS = tuple(DayPromise(day=DAY - timedelta(days=back), rest=100 * back, payments=back) for back in (3, 2, 1))
RATE = (Rate(since=date(2026, 1, 1), rate=1_500),)
ALL = Promises(registers=(R12, R13), days=DAYS)

NET = Decision(hints=Hints(registers=("12",)), bearer=7)
GROSS = Decision(hints=Hints(registers=("12",)))
D3 = DAY - timedelta(days=3)


def with_hints(decision: Decision, **changed: Any) -> Decision:
    """A decision with other hints."""
    return msgspec.structs.replace(decision, hints=msgspec.structs.replace(decision.hints, **changed))


def of_12(fee: int, reason: str) -> tuple[str, str, int, int, str]:
    """Matched with register 12, which promised 10 000 kopecks."""
    return ("register", "0012", 10_000, fee, reason)


MATCHES: tuple[tuple[str, int, Decision, Promises, tuple[str, str, int, int, str]], ...] = (
    ("gross", 10_000, GROSS, ALL, of_12(0, "")),
    ("net", 9_850, NET, ALL, of_12(150, "")),
    ("net that nobody bears", 9_850, GROSS, ALL, of_12(0, "договором не задано")),
    ("net and short", 9_800, NET, ALL, of_12(150, "меньше")),
    ("gross and short", 9_990, NET, ALL, of_12(0, "меньше")),
    ("the text names the fee", 9_900, with_hints(NET, fee=100), ALL, of_12(100, "")),
    ("the text names the gross", 9_900, with_hints(NET, gross=10_000), ALL, of_12(100, "")),
    ("a surplus", 10_100, GROSS, ALL, of_12(0, "больше")),
    ("refused, sent anyway", 10_500, GROSS, Promises(registers=(OVER,)), of_12(0, "строк: 2")),
    ("two registers", 13_850, with_hints(NET, registers=("12", "13")), ALL, ("register", "0012,13", 14_000, 150, "")),
    ("last year's of this number", 10_000, GROSS, Promises(registers=(OLD, R12)), of_12(0, "")),
    ("by the bank order", 4_000, Decision(hints=Hints(orders=("55",))), ALL, ("register", "13", 4_000, 0, "")),
    ("a named day", 300, with_hints(GROSS, registers=(), since=D3, until=D3), ALL, ("day", "2026-11-21", 300, 0, "")),
    ("named days", 600, with_hints(GROSS, registers=(), since=D3, until=DAY), ALL, ("day", "2026-11-21..2026-11-24", 600, 0, "")),
    ("a register of this sum", 4_000, Decision(), ALL, ("amount", "13", 4_000, 0, "")),
    ("days of this sum", 300, Decision(), Promises(days=DAYS), ("day", "2026-11-21", 300, 0, "")),
    ("days in a row", 500, Decision(), Promises(days=DAYS), ("day", "2026-11-21,2026-11-22", 500, 0, "")),
    ("nothing of this sum", 77, Decision(), ALL, ("payer", "", 0, 0, "пока не сказал")),
    ("an operation net by rate", 985, Decision(hints=Hints(operations=("o",)), rates=RATE, bearer=7),
     Promises(operations=(OperationPromise(external_id="o", day=DAY, amount=1_000),)), ("operation", "o", 1_000, 15, "")),
    ("an operation, rounded otherwise", 984, Decision(hints=Hints(operations=("o",)), rates=RATE, bearer=7),
     Promises(operations=(OperationPromise(external_id="o", day=DAY, amount=1_000),)), ("operation", "o", 1_000, 16, "")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "decision", "promises", "wanted"), [case[1:] for case in MATCHES], ids=[case[0] for case in MATCHES]
)
def test_covers_are_matched(amount: int, decision: Decision, promises: Promises, wanted: tuple[str, str, int, int, str]) -> None:
    matched = match_cover(credit(amount=amount, document_day=DAY), decision, promises)
    by, reference, promised, fee, reason = wanted
    assert (matched.by, matched.reference, matched.promised, matched.fee) == (by, reference, promised, fee)
    assert reason in matched.reason and bool(matched.reason) == (amount + fee != promised)
    assert sum(part.amount for part in matched.parts) == amount + fee


PROMISES = st.lists(
    st.builds(
        RegisterPromise,
        register=st.integers(1, 9),
        number=st.sampled_from(["1", "2", "3"]),
        day=st.just(DAY),
        rest=st.integers(0, 10_000),
        fee_rest=st.integers(0, 300),
        refused=st.integers(0, 100),
    ),
    max_size=4,
)
HINTS = st.builds(Hints, registers=st.sampled_from([(), ("1",), ("1", "2")]), fee=st.one_of(st.none(), st.integers(0, 500)))


@given(st.integers(1, 30_000), PROMISES, HINTS, st.sampled_from([0, 7]))
def test_parts_always_add_up(amount: int, registers: list[RegisterPromise], hints: Hints, bearer: int) -> None:
    matched = match_cover(credit(amount=amount), Decision(hints=hints, bearer=bearer), Promises(registers=tuple(registers)))
    assert sum(part.amount for part in matched.parts) == amount + matched.fee
    assert sum(part.fee for part in matched.parts) == matched.fee >= 0
    assert matched.promised == sum(part.promised for part in matched.parts)
    assert bool(matched.reason) == (matched.promised != amount + matched.fee)
    assert bearer or not matched.fee


@pytest.mark.parametrize(
    ("day", "gross", "fee"), [(date(2025, 12, 31), 10_000, 0), (DAY, 10_000, 150), (DAY, 33, 0), (DAY, 100, 2), (None, 100, 0)]
)
def test_fees_by_date(day: date | None, gross: int, fee: int) -> None:
    assert expected_fee(RATE, day, gross) == fee


@given(st.lists(st.integers(-500, 1_000), max_size=6), st.integers(-3_000, 6_000))
def test_ages_add_up_to_the_balance(rests: list[int], balance: int) -> None:
    days = [OpenDay(day=DAY - timedelta(days=back), rest=rest, payments=1) for back, rest in enumerate(rests)]
    owed = age_promises(days, balance, DAY)
    assert sum(one.amount_kopecks for one in owed) == balance


FAULTS = (
    ('{"name": "x"}', "missing required field"),
    ("{", "строка 1"),
    ('{"name": "x", "transit": "1", "class": "debt", "purpose": "a", "party": "uk"}', "счёт 1 не заведён"),
    ('{"name": "x", "transit": "T", "class": "own_order", "purpose": "a"}', "правилами не назначается"),
    ('{"name": "x", "transit": "T", "class": "cover", "space": "acq"}', "нет ни одного условия"),
    ('{"name": "x", "transit": "T", "class": "cover", "purpose": "a"}', "space задаётся"),
    ('{"name": "x", "transit": "T", "class": "cover", "purpose": "a", "space": "nowhere"}', "пространство nowhere"),
    ('{"name": "x", "transit": "T", "class": "cover", "purpose": "(?P<who>a)", "space": "acq"}', "неизвестные группы who"),
    ('{"name": "x", "transit": "T", "class": "cover", "purpose": "(", "space": "acq"}', "не регулярное выражение"),
    ('{"name": "x", "transit": "T", "class": "debt", "purpose": "a"}', "party задаётся"),
    ('{"name": "x", "transit": "T", "class": "technical", "purpose": "a"}', "нужен вид операции"),
    ('{"name": "x", "transit": "T", "class": "payment"}', "namespaces задаётся"),
    ('{"name": "x", "transit": "T", "class": "payment", "namespaces": {"flat": "a"}}', "нет групп flat"),
    ('{"name": "x", "transit": "T", "class": "debt", "purpose": "a", "party": "uk", "says": "a"}', "бывают только у покрытий"),
    ('{"name": "x", "transit": "T", "class": "debt", "purpose": "a", "party": "uk", "more": 1}', "unknown field"),
    ('{"transit": "1", "since": "2026-11-24", "believed": "feed"}', "счёт 1 не заведён"),
    ('{"transit": "T", "since": "2026-11-24", "believed": "nobody"}', "строка 1"),
)


@pytest.mark.parametrize(("row", "fault"), FAULTS)
def test_every_fault_of_a_file_is_told_with_its_line(row: str, fault: str) -> None:
    _, _, faults = read_rules([row.replace('"T"', f'"{TRANSIT}"').encode()], NUMBERS)
    assert any(fault in one for one in faults), faults
    assert all(one.startswith("строка 1: ") for one in faults)


def test_a_name_stands_once_in_a_file() -> None:
    row = f'{{"name": "x", "transit": "{TRANSIT}", "class": "debt", "purpose": "a", "party": "uk"}}'.encode()
    rules, believed, faults = read_rules([row, b"", row], NUMBERS)
    assert faults == ["строка 3: имя x уже есть"]
    assert len(rules) == 2 and not believed
