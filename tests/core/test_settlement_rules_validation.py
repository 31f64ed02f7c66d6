"""Form 0401060: one case a rule, and the shared vectors of requisites; nothing a text holds makes the check raise."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.transfer import BankParty, BudgetFields, PurposeClass, Transfer, TransferBatch
from services.settlement.rules.validation import FormRules, batch_faults, order_faults
from tests.core.test_requisites import VECTORS

DAY = date(2026, 11, 24)
PAYER = BankParty(
    name="АО «Альфа-Банк»",
    inn="7707083893",
    kpp="770801001",
    account="40911810101850000000",
    bic="044525593",
    bank_name="АО «Альфа-Банк», г. Москва",
    correspondent="30101810200000000593",
)
PAYEE = BankParty(
    name="ООО «Тестовая УК»",
    inn="7707083893",
    kpp="773643001",
    account="40702810200000000001",
    bic="044525225",
    correspondent="30101810400000000225",
)
TREASURY = BankParty(name="УФК по г. Москве", inn="7707083893", kpp="770801001", account="03100643000000017300", bic="017003983")
BUDGET = BudgetFields(drawer_status="15", kbk="18210102010011000110", oktmo="45382000")
ORDER = Transfer(
    key="transfer-1",
    number="17",
    day=DAY,
    amount_kopecks=432_150,
    payer=PAYER,
    payee=PAYEE,
    purpose="Перевод платежей населения по договору № 15/ТС, реестр № 1-261124-3. НДС не облагается",
    purpose_class=PurposeClass.SERVICES,
)


def with_party(side: str, **changes: Any) -> Transfer:
    return replace(ORDER, **{side: replace(getattr(ORDER, side), **changes)})


def to_budget(budget: BudgetFields | None = BUDGET, payee: BankParty = TREASURY, **changes: Any) -> Transfer:
    return replace(ORDER, payee=payee, budget=budget, **changes)


def faulty(order: Transfer, rules: FormRules | None = None) -> list[str]:
    faults = order_faults(order, rules or FormRules())
    assert all(fault.message and fault.message[0].islower() for fault in faults)
    return [fault.field for fault in faults]


SOUND = [
    (ORDER, "an ordinary order"),
    (replace(ORDER, number="000123"), "a number with leading zeros"),
    (replace(ORDER, code="18801050123456789017"), "an УИП of digits without a budget block"),
    (replace(ORDER, code="1АБ45"), "an УИП with letters"),
    (replace(ORDER, purpose="д" * 210), "210 characters of purpose"),
    (with_party("payee", name="ИП " + "И" * 157, inn="500100732259", kpp=""), "a sole trader, 160 characters"),
    (with_party("payee", inn="500100732259", kpp="0"), "a sole trader, «0» for КПП"),
    (with_party("payee", correspondent=""), "the bank finds the correspondent account"),
    (replace(with_party("payee", inn="", kpp=""), purpose_class=PurposeClass.REFUND), "a refund to a person without ИНН"),
    (replace(with_party("payee", inn="0", kpp="0"), purpose_class=PurposeClass.REFUND), "the same with «0»"),
    (to_budget(), "to the budget"),
    (to_budget(code="18801050123456789017"), "to the budget with an УИН"),
    (to_budget(budget=replace(BUDGET, kbk="0", oktmo="0")), "«0» where there is nothing"),
    (to_budget(payee=replace(TREASURY, bic="004525988", correspondent="40102810545370000003")), "with the ЕКС"),
    (
        to_budget(budget=None, payee=replace(TREASURY, account="03224643000000017300")),
        "a budget institution's account without the block",
    ),
]


@pytest.mark.parametrize(("order", "clause"), SOUND, ids=[clause for _, clause in SOUND])
def test_sound_orders(order: Transfer, clause: str) -> None:
    assert faulty(order) == [], clause


FAULTY = [
    (replace(ORDER, key=""), "key"),
    (replace(ORDER, key="k" * 129), "key"),
    (replace(ORDER, key="a\nb"), "key"),
    (replace(ORDER, number=""), "number"),
    (replace(ORDER, number="1234567"), "number"),
    (replace(ORDER, number="1000"), "number"),
    (replace(ORDER, number="0"), "number"),
    (replace(ORDER, number="12а"), "number"),
    (replace(ORDER, amount_kopecks=0), "amount_kopecks"),
    (replace(ORDER, amount_kopecks=-1), "amount_kopecks"),
    (replace(ORDER, amount_kopecks=10**15 + 1), "amount_kopecks"),
    (replace(ORDER, priority=0), "priority"),
    (replace(ORDER, priority=6), "priority"),
    (replace(ORDER, payee=PAYER), "payee.account"),
    (with_party("payer", name=""), "payer.name"),
    (with_party("payee", name="  "), "payee.name"),
    (with_party("payee", name="Д" * 161), "payee.name"),
    (with_party("payee", name="ООО ‟Ромашка‟"), "payee.name"),
    (with_party("payee", name="ООО\n«Ромашка»"), "payee.name"),
    (with_party("payee", inn="7707083894"), "payee.inn"),
    (with_party("payee", inn="", kpp=""), "payee.inn"),
    (with_party("payee", inn="0", kpp=""), "payee.inn"),
    (with_party("payer", inn="", kpp=""), "payer.inn"),
    (with_party("payee", kpp=""), "payee.kpp"),
    (with_party("payee", kpp="0"), "payee.kpp"),
    (with_party("payee", kpp="000801001"), "payee.kpp"),
    (with_party("payee", inn="500100732259", kpp="770801001"), "payee.kpp"),
    (with_party("payee", account="40702810300000000001"), "payee.account"),
    (with_party("payee", account="4070281020000000000"), "payee.account"),
    (with_party("payee", account="", correspondent=""), "payee.account"),
    (with_party("payer", account="40911810201850000000"), "payer.account"),
    (with_party("payee", bank_name="Б" * 161), "payee.bank_name"),
    (with_party("payee", correspondent="30101810200000000593"), "payee.correspondent"),
    (with_party("payee", correspondent="40702810200000000001"), "payee.correspondent"),
    (to_budget(payee=replace(TREASURY, bic="004525988", correspondent="30101810400000000225")), "payee.correspondent"),
    (replace(ORDER, purpose=""), "purpose"),
    (replace(ORDER, purpose="   "), "purpose"),
    (replace(ORDER, purpose="д" * 211), "purpose"),
    (replace(ORDER, purpose="сумма 5 ₽"), "purpose"),
    (replace(ORDER, purpose="две\nстроки"), "purpose"),
    (replace(ORDER, code=""), "code"),
    (replace(ORDER, code="00000"), "code"),
    (replace(ORDER, code="1" * 26), "code"),
    (replace(ORDER, code="188 010"), "code"),
    (to_budget(code="18801050123456789018"), "code"),
    (to_budget(code="1880105"), "code"),
    (to_budget(budget=None), "budget"),
    (replace(ORDER, budget=BUDGET), "budget"),
    (to_budget(budget=replace(BUDGET, drawer_status="")), "budget.drawer_status"),
    (to_budget(budget=replace(BUDGET, drawer_status="115")), "budget.drawer_status"),
    (to_budget(budget=replace(BUDGET, kbk="")), "budget.kbk"),
    (to_budget(budget=replace(BUDGET, kbk="1821010201001100011")), "budget.kbk"),
    (to_budget(budget=replace(BUDGET, oktmo="453820001")), "budget.oktmo"),
    (to_budget(budget=replace(BUDGET, reason="")), "budget.reason"),
    (to_budget(budget=replace(BUDGET, reason="ТПП")), "budget.reason"),
    (to_budget(budget=replace(BUDGET, period="МС.10.20260")), "budget.period"),
    (to_budget(budget=replace(BUDGET, document_number="1" * 16)), "budget.document_number"),
    (to_budget(budget=replace(BUDGET, document_date="01.01.20260")), "budget.document_date"),
    (to_budget(budget=replace(BUDGET, kind="")), "budget.kind"),
]


@pytest.mark.parametrize(("order", "field"), FAULTY, ids=[f"{place} {field}" for place, (_, field) in enumerate(FAULTY)])
def test_faults_are_named_by_field(order: Transfer, field: str) -> None:
    assert faulty(order) == [field]


def test_a_currency_account_is_refused() -> None:
    assert faulty(with_party("payee", account=keyed("40702840%00000000001", "225"), correspondent="")) == ["payee.account"]


def keyed(template: str, prefix: str) -> str:
    """Put the key (position 9) into an account written with ``%`` there."""
    weighed = zip(prefix + template.replace("%", "0"), "71371371371371371371371", strict=True)
    return template.replace("%", str(sum(int(digit) * int(weight) % 10 for digit, weight in weighed) * 3 % 10))


def test_a_wrong_bic_spoils_what_hangs_on_it() -> None:
    assert faulty(with_party("payee", bic="144525225")) == ["payee.bic", "payee.account", "payee.correspondent"]
    assert faulty(with_party("payee", bic="044525593", correspondent="")) == ["payee.account"]


def test_every_fault_is_told_at_once() -> None:
    order = replace(ORDER, number="000", amount_kopecks=0, purpose="", code="", payee=replace(PAYEE, inn="1", kpp="2", name=""))
    assert faulty(order) == ["number", "amount_kopecks", "payee.name", "payee.inn", "payee.kpp", "purpose", "code"]


@pytest.mark.parametrize(
    ("after_days", "faults"),
    [(0, []), (10, []), (11, ["day"]), (-1, ["day"])],
)
def test_an_order_lives_ten_days(after_days: int, faults: list[str]) -> None:
    assert faulty(ORDER, FormRules(today=DAY + timedelta(days=after_days))) == faults


def test_a_bank_may_ask_for_the_correspondent_account() -> None:
    rules = FormRules(correspondent_required=True)
    assert faulty(with_party("payee", correspondent=""), rules) == ["payee.correspondent"]
    assert faulty(to_budget(), rules) == [] == faulty(ORDER, rules)


def test_messages_are_for_an_accountant_and_keep_secrets() -> None:
    (fault,) = order_faults(with_party("payee", name="Иванов\tИван", inn="500100732259", kpp=""))
    assert fault == ("payee.name", "поле 16: знаки вне кодировки cp1251 или лишние пробелы")
    (fault,) = order_faults(with_party("payer", account="40911810201850000000"))
    assert fault == ("payer.account", "поле 9: счёт – 20 знаков, контрольный ключ не сходится с БИК")


@pytest.mark.parametrize(("inn", "valid"), VECTORS["inn"], ids=[inn for inn, _ in VECTORS["inn"]])
def test_vectors_of_inn(inn: str, valid: bool) -> None:
    assert ("payee.inn" in faulty(with_party("payee", inn=inn))) is not valid


@pytest.mark.parametrize(("kpp", "valid"), VECTORS["kpp"])
def test_vectors_of_kpp(kpp: str, valid: bool) -> None:
    assert ("payee.kpp" in faulty(with_party("payee", kpp=kpp))) is not valid


@pytest.mark.parametrize(("uin", "valid"), VECTORS["uin"])
def test_vectors_of_uin(uin: str, valid: bool) -> None:
    assert ("code" in faulty(to_budget(code=uin))) is not valid


TEXT = st.text(max_size=40)


@given(
    st.builds(
        Transfer,
        key=TEXT,
        number=TEXT,
        day=st.dates(),
        amount_kopecks=st.integers(),
        payer=st.builds(BankParty, **{name: TEXT for name in BankParty.__struct_fields__}),
        payee=st.builds(BankParty, **{name: TEXT for name in BankParty.__struct_fields__}),
        purpose=st.text(max_size=300),
        purpose_class=st.sampled_from(PurposeClass),
        priority=st.integers(),
        code=TEXT,
        budget=st.none() | st.builds(BudgetFields, **{name: TEXT for name in BudgetFields.__struct_fields__}),
    ),
    st.booleans(),
)
def test_no_text_makes_it_raise(order: Transfer, correspondent_required: bool) -> None:
    rules = FormRules(today=DAY, correspondent_required=correspondent_required)
    assert {"payer.name", "payer.account"} & {fault.field for fault in order_faults(order, rules)}, "no random text is an account"
    assert batch_faults(batch(order), rules)


def batch(*orders: Transfer) -> TransferBatch:
    return TransferBatch(
        register="1-261124-3",
        transit_account=PAYER.account,
        day=DAY,
        transfers=orders,
        total_kopecks=sum(order.amount_kopecks for order in orders),
        count=len(orders),
    )


TWO = batch(ORDER, replace(ORDER, key="transfer-2", number="18"))


def test_a_sound_batch() -> None:
    assert batch_faults(TWO) == []


@pytest.mark.parametrize(
    ("register", "fields"),
    [
        (replace(TWO, register=""), ["register"]),
        (replace(TWO, count=3), ["count"]),
        (batch(), ["count"]),
        (replace(TWO, total_kopecks=864_299), ["total_kopecks"]),
        (batch(ORDER, replace(ORDER, number="18")), ["transfers[1].key"]),
        (batch(ORDER, replace(ORDER, key="transfer-2")), ["transfers[1].number"]),
        (replace(TWO, day=DAY + timedelta(days=1)), ["transfers[0].day", "transfers[1].day"]),
        (batch(with_party("payer", account=keyed("40911810%01850000001", "593"))), ["transfers[0].payer.account"]),
        (batch(ORDER, replace(ORDER, key="transfer-2", number="18", purpose="")), ["transfers[1].purpose"]),
    ],
)
def test_faults_of_a_batch(register: TransferBatch, fields: list[str]) -> None:
    assert [fault.field for fault in batch_faults(register)] == fields
