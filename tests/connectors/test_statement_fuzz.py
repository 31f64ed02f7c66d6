"""Whatever bytes come as a statement: a statement whose sums agree, or StatementUnbelieved, and nothing else."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.sandbox.statements import StatementFault, write_1c, write_camt053
from connectors.sandbox.statements_alfa import write_alfa_pages, write_alfa_summary
from connectors.statements.agreement import DAYS_AHEAD_MAX, moscow_day
from connectors.statements.alfa import AskedDay, read_alfa_file, read_day, read_page, read_summary
from connectors.statements.alfa_hint import alfa_hint
from connectors.statements.believing import read_any
from connectors.statements.camt import read_camt
from connectors.statements.client_bank_1c import read_1c
from schemas.statement import BankStatement, StatementUnbelieved
from tests.connectors.statement_plans import ACCOUNT, NOW, PLAN

READERS = {"1c": read_1c, "camt": read_camt, "alfa": read_alfa_file, "any": read_any}
BODIES = {
    "1c in cp1251": write_1c(PLAN),
    "1c in UTF-8": write_1c(PLAN, frozenset({StatementFault.WRONG_ENCODING, StatementFault.LINE_FEEDS})),
    "1c filtered": write_1c(PLAN, frozenset({StatementFault.FILTERED})),
    "camt.053.001.05": write_camt053(PLAN),
    "camt.053.001.08": write_camt053(PLAN, version="08"),
    "alfa": write_alfa_pages(PLAN)[0],
}
DAY_PLAN = msgspec.structs.replace(PLAN, until=PLAN.since, entries=PLAN.entries[:1])
DAY_PAGE, DAY_SUMMARY = write_alfa_pages(DAY_PLAN)[0], write_alfa_summary(DAY_PLAN)
Cuts = list[tuple[int, int, bytes]]
PIECES = st.sampled_from(
    [
        b"",
        b"\r\n",
        b"\0",
        b"-",
        b".",
        b"=",
        b"0",
        b"9" * 20,
        b"\xff",
        b"<",
        b">",
        b'"',
        b"{",
        b"]",
        b"null",
        b"1e3",
        b"9999-12-31",
        b"0001-01-01",
        b"31.12.9999",
        b"PDNG",
        b"DBIT",
        b"USD",
        "\r\nСумма=1.00\r\n".encode("cp1251"),
        "\r\nДатаСписано=24.11.2026\r\n".encode("cp1251"),
        "\r\nКонецДокумента\r\n".encode("cp1251"),
    ]
)
FUZZED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read_or_refuse(read: Callable[[], BankStatement]) -> BankStatement | None:
    """A statement that was believed, None for one that was refused; any other error fails the test."""
    try:
        return read()
    except StatementUnbelieved as error:
        assert str(error)
        return None


def check(statement: BankStatement | None) -> None:
    """What holds for whatever was believed."""
    if statement is None:
        return
    credited = sum(one.amount_kopecks for one in statement.entries if one.is_credit)
    debited = sum(one.amount_kopecks for one in statement.entries if not one.is_credit)
    if not statement.filtered:
        assert statement.credited_kopecks in (None, credited) and statement.debited_kopecks in (None, debited)
        if statement.opening_kopecks is not None and statement.closing_kopecks is not None:
            assert statement.opening_kopecks + credited - debited == statement.closing_kopecks
    ids = [one.bank_id for one in statement.entries]
    assert len(set(ids)) == len(ids) and all(0 < len(one) <= 128 for one in ids)
    for entry in statement.entries:
        assert entry.amount_kopecks > 0 and statement.since <= entry.day <= statement.until
        assert (entry.day - moscow_day(NOW)).days <= DAYS_AHEAD_MAX
        texts = (entry.number, entry.purpose, entry.code, entry.operation, entry.counterparty.name, *entry.references)
        assert not any("\0" in text for text in texts)


def read_one_day(page: bytes, summary: bytes) -> BankStatement:
    """A day of one page."""
    operations = {one.uuid: one for one in read_page(page).transactions}
    return read_day(AskedDay(account=ACCOUNT, day=DAY_PLAN.since, now=NOW), operations, read_summary(summary))


def changed(body: bytes, cuts: Cuts) -> bytes:
    """A body with pieces of it replaced by others."""
    for place, length, piece in cuts:
        at = place % (len(body) + 1)
        body = body[:at] + piece + body[at + length :]
    return body


CUTS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=6) | PIECES), min_size=1, max_size=4)


@pytest.mark.parametrize("name", READERS)
@given(body=st.binary(max_size=400))
@example(b"<" * 400)
@example(b"{" + b"[" * 399)
@example(b'{"transactions":' + b"[" * 50_000)
@example(b"1CClientBankExchange\n")
@FUZZED
def test_arbitrary_bytes(name: str, body: bytes) -> None:
    check(read_or_refuse(lambda: READERS[name](body, ACCOUNT, NOW)))


@pytest.mark.parametrize("name", BODIES)
@given(cuts=CUTS)
@FUZZED
def test_a_valid_file_with_pieces_changed(name: str, cuts: Cuts) -> None:
    check(read_or_refuse(lambda: read_any(changed(BODIES[name], cuts), ACCOUNT, NOW)))


@pytest.mark.parametrize("name", BODIES)
@given(data=st.data())
@FUZZED
def test_a_valid_file_with_lines_lost_repeated_and_swapped(name: str, data: st.DataObject) -> None:
    body = BODIES[name]
    mark = b">" if b"<" in body else b"\n" if b"\n" in body else b","
    lines = [line + mark for line in body.split(mark)]
    places = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=3))
    for place in places:
        other = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["lost", "repeated", "swapped"])):
            case "lost":
                lines[place] = b""
            case "repeated":
                lines[place] *= 2
            case _:
                lines[place], lines[other] = lines[other], lines[place]
    check(read_or_refuse(lambda: read_any(b"".join(lines), ACCOUNT, NOW)))


@given(page=CUTS, summary=CUTS)
@FUZZED
def test_a_day_and_a_summary_with_pieces_changed(page: Cuts, summary: Cuts) -> None:
    check(read_or_refuse(lambda: read_one_day(changed(DAY_PAGE, page), changed(DAY_SUMMARY, summary))))


@given(body=st.binary(max_size=300) | CUTS.map(lambda cuts: changed(write_alfa_pages(PLAN)[0], cuts)))
@FUZZED
def test_a_hint_of_arbitrary_bytes(body: bytes) -> None:
    told = alfa_hint(body)
    assert told is None or isinstance(told, str)


def test_the_bodies_that_are_mutated_are_believed_as_they_are() -> None:
    for body in BODIES.values():
        check(read_any(body, ACCOUNT, NOW))
        assert read_any(body, ACCOUNT, NOW).entries
    assert read_one_day(DAY_PAGE, DAY_SUMMARY).closing_kopecks == DAY_PLAN.closing_kopecks


@pytest.mark.parametrize("name", BODIES)
def test_a_file_cut_anywhere_is_refused_or_whole(name: str) -> None:
    body = BODIES[name]
    whole = read_any(body, ACCOUNT, NOW)
    for end in range(0, len(body), 7):
        found = read_or_refuse(lambda end=end: read_any(body[:end], ACCOUNT, NOW))
        assert found is None or found == whole
