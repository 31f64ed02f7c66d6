"""Plans of statements for the tests: made-up lines of one transit account, by hand and by chance."""

from datetime import UTC, date, datetime, timedelta

import msgspec
from hypothesis import strategies as st

from connectors.sandbox.statements import StatementPlan
from connectors.statements.exchange_1c import spelt_1251
from schemas.ids import ExternalId
from schemas.statement import BankStatement, StatementEntry, StatementParty

ACCOUNT = "40911810101850000000"
OTHER_ACCOUNT = "40911810401850000001"
FIRST = date(2026, 11, 23)
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
PAYER = StatementParty(
    name="Иванов Пётр Сидорович//г Москва, ул Тверская, д 1//",
    inn="500100732259",
    account="40817810200000000001",
    bic="044525225",
)
PAYEE = StatementParty(name="ООО «Тепло»", inn="7707083893", kpp="770801001", account="40702810400000000002", bic="044525225")
COVER = StatementEntry(
    bank_id=ExternalId("7d6ec193-50af-31d7-b650-9b233d891f29"),
    day=FIRST,
    is_credit=True,
    amount_kopecks=120_050,
    number="77",
    document_day=FIRST,
    operation="01",
    code="18801050123456789017",
    counterparty=PAYER,
    purpose="Покрытие по реестру № 8 за 22.11.2026; НДС = не облагается",
)
PAID = StatementEntry(
    bank_id=ExternalId("7d6ec193-50af-31d7-b650-9b233d891f30"),
    day=FIRST + timedelta(days=1),
    is_credit=False,
    amount_kopecks=35_000,
    number="1",
    document_day=FIRST,
    operation="17",
    counterparty=PAYEE,
    purpose="За тепло по реестру 12. НДС не облагается",
)
PLAN = StatementPlan(
    account=ACCOUNT,
    since=FIRST,
    until=FIRST + timedelta(days=1),
    entries=(COVER, PAID),
    opening_kopecks=7,
    made_on=date(2026, 11, 25),
)


def without_ids(statement: BankStatement) -> tuple[StatementEntry, ...]:
    """A statement's entries as a plan has them: ids and references are the reader's."""
    return tuple(plain(one) for one in statement.entries)


def plain(entry: StatementEntry) -> StatementEntry:
    """An entry without what only some formats carry."""
    return msgspec.structs.replace(entry, bank_id=ExternalId(""), references=())


def _is_written_as_it_is(text: str) -> bool:
    return text == text.strip() and spelt_1251(text) == text


texts = st.text(st.characters(codec="cp1251", exclude_categories=["Cc"]), max_size=210).filter(_is_written_as_it_is)
digits = st.text("0123456789", min_size=20, max_size=20).filter(lambda one: one != ACCOUNT)
parties = st.builds(
    StatementParty,
    name=texts,
    inn=st.sampled_from(["", "7707083893", "500100732259"]),
    kpp=st.just(""),
    account=digits,
    bic=st.sampled_from(["", "044525225"]),
)
entries = st.builds(
    StatementEntry,
    bank_id=st.uuids().map(lambda one: ExternalId(str(one))),
    day=st.sampled_from([FIRST + timedelta(days=later) for later in range(3)]),
    is_credit=st.booleans(),
    amount_kopecks=st.integers(1, 10**13),
    number=st.integers(1, 999_999).map(str),
    document_day=st.none() | st.dates(date(2026, 1, 1), FIRST),
    operation=st.sampled_from(["01", "06", "09", "16", "17"]),
    code=st.sampled_from(["", "18801050123456789017"]),
    counterparty=parties,
    purpose=texts,
)


def _plan(found: list[StatementEntry], opening: int) -> StatementPlan:
    lines = tuple(sorted(found, key=lambda one: one.day))
    return StatementPlan(account=ACCOUNT, since=FIRST, until=FIRST + timedelta(days=2), entries=lines, opening_kopecks=opening)


plans = st.builds(_plan, st.lists(entries, max_size=8, unique_by=lambda one: one.bank_id), st.integers(-(10**9), 10**12))
