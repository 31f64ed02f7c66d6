"""The gateway's door: what it records, refuses, repeats and rolls back (design W2, W3, W5)."""

from typing import Any

import asyncpg
import msgspec
import pytest

from ledger.chart import AccountKind, ledger_account
from ledger.core.fingerprint import differing_field
from ledger.journal import Append, append, find_key
from schemas.ids import Book
from schemas.outcome import Refusal, SuspenseReason
from tests.ledger.small_ledger import (
    BOOK,
    CONFLICT,
    DAY,
    DUPLICATE,
    MOMENT,
    RECORDED,
    REFUSED,
    SPACE,
    SQL,
    STALE,
    SmallLedger,
    digest_at,
    offer,
    statuses,
)

UNBALANCED: dict[str, dict[str, Any]] = {
    "one posting": {"accounts": (1,), "amounts": (300,), "lines": (0,)},
    "no postings": {"accounts": (), "amounts": (), "lines": ()},
    "ragged amounts": {"amounts": (300, -300)},
    "ragged lines": {"lines": (0, 1)},
    "ragged accounts": {"accounts": (1, 2)},
    "does not sum to nought": {"amounts": (300, -299, -2)},
    "amount is not the debits": {"amount_kopecks": 299},
    "amount of zero": {"amount_kopecks": 0},
    "amount below zero": {"amount_kopecks": -300},
    "zero posting": {"amounts": (300, -300, 0)},
    "all zero": {"amounts": (0, 0, 0), "amount_kopecks": 0},
}
RAW = {
    "null account": (300, "{1,NULL}", "{300,-300}", "{0,1}"),
    "null amount": (300, "{1,2}", "{300,NULL}", "{0,1}"),
    "null line": (300, "{1,2}", "{300,-300}", "{0,NULL}"),
    "two dimensions": (300, "{{1,2}}", "{{300,-300}}", "{{0,1}}"),
    "two-dimensional lines": (300, "{1,2}", "{300,-300}", "{{0},{1}}"),
    "empty": (300, "{}", "{}", "{}"),
    "one posting": (300, "{1}", "{300}", "{0}"),
    "not the debits": (299, "{1,2}", "{300,-300}", "{0,1}"),
    "zero": (300, "{1,2,3}", "{300,-300,0}", "{0,1,2}"),
}


@pytest.mark.parametrize("fields", UNBALANCED.values(), ids=UNBALANCED.keys())
async def test_an_unbalanced_entry_is_refused_by_the_check(ledger: SmallLedger, fields: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await ledger.offer(offer("good", 1, 1), offer("bad", 2, 1, **fields))
    assert caught.value.constraint_name == "entry_balanced"
    assert await ledger.journal() == []
    assert await ledger.owner.fetch(SQL["keys"]) == []


@pytest.mark.parametrize("row", RAW.values(), ids=RAW.keys())
async def test_the_owner_cannot_put_in_an_unbalanced_row_either(ledger: SmallLedger, row: tuple[int, str, str, str]) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await ledger.owner.execute(SQL["raw_entry"], *row)
    assert caught.value.constraint_name == "entry_balanced"


async def test_columns_of_a_row_may_not_be_null(ledger: SmallLedger) -> None:
    for arguments in ((None, "{1,2}", "{3,-3}", "{0,0}"), (3, None, "{3,-3}", "{0,0}"), (3, "{1,2}", None, "{0,0}")):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await ledger.owner.execute(SQL["raw_entry"], *arguments)
    assert await ledger.journal() == []


async def test_sums_that_overflow_are_refused(ledger: SmallLedger) -> None:
    huge = 2**62
    with pytest.raises(asyncpg.NumericValueOutOfRangeError):
        await ledger.offer(offer("huge", 1, 1, accounts=(1, 2, 3, 4), amounts=(huge, huge, -huge, -huge), lines=(0, 0, 0, 0)))
    assert await ledger.journal() == []


async def test_an_entry_keeps_everything_it_was_offered_with(ledger: SmallLedger) -> None:
    given = offer("a", 1, 1, named='{"period":"2026-10"}')
    (answer,) = await ledger.offer(given)
    (row,) = await ledger.journal()
    assert (answer.status, answer.book, answer.sequence, answer.recorded_at) == (RECORDED, 1, 1, row["recorded_at"])
    entry = given.entry
    assert (row["accounts"], row["amounts"], row["lines"]) == (list(entry.accounts), list(entry.amounts), list(entry.lines))
    assert (row["designation"], row["event_at"], row["value_date"], row["bank_day"]) == (entry.designation, MOMENT, DAY, DAY)
    head = await ledger.owner.fetchrow(SQL["head"], 1, 1)
    assert (head["version"], head["digest"], head["last_sequence"]) == (2, digest_at(1, 2), 1)


async def test_a_repeat_is_answered_by_what_was_stored(ledger: SmallLedger) -> None:
    suspense = offer("s", written="uo/404")
    refusal = offer("r", refusal=Refusal.ACCOUNT_UNKNOWN)
    first = await ledger.offer(offer("a", 1, 1), suspense, refusal)
    assert statuses(first) == [RECORDED, RECORDED, REFUSED]
    again = await ledger.offer(refusal, offer("a", 1, 7), suspense, offer("r"))
    assert statuses(again) == [DUPLICATE] * 4
    assert [answer.refusal for answer in again] == [Refusal.ACCOUNT_UNKNOWN, Refusal.NONE, Refusal.NONE, Refusal.ACCOUNT_UNKNOWN]
    assert [answer.sequence for answer in again] == [None, 1, 2, None]
    assert [answer.recorded_at for answer in again[1:3]] == [answer.recorded_at for answer in first[:2]]
    assert again[2].reason is SuspenseReason.ACCOUNT_UNKNOWN
    assert len(await ledger.journal()) == 2


async def test_a_known_key_is_answered_by_its_payment_when_a_refusal_comes(ledger: SmallLedger) -> None:
    await ledger.offer(offer("a", 1, 1))
    (answer,) = await ledger.offer(offer("a", 1, 1, refusal=Refusal.ACCOUNT_CLOSED))
    assert (answer.status, answer.refusal, answer.sequence) == (DUPLICATE, Refusal.NONE, 1)
    stored = await find_key(ledger.gateway, SPACE, offer("a").entry.external_id)
    assert stored is not None
    assert (stored["outcome"], stored["sequence"], stored["recorded_at"]) == (0, 1, answer.recorded_at)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("account", {"written": "2"}),
        ("amount", {"amount": 301}),
        ("designation", {"named": '{"pool":"main"}'}),
        ("kind", {"kind": 2, "reason": SuspenseReason.ACCOUNT_UNKNOWN}),
    ],
)
async def test_a_conflict_gives_the_stored_fingerprint(ledger: SmallLedger, field: str, changed: dict[str, Any]) -> None:
    given = offer("a", 1, 1)
    other = offer("a", 1, 2, **changed)
    inside = await ledger.offer(given, other)
    after = await ledger.offer(other)
    for answer in (inside[1], after[0]):
        assert (answer.status, answer.sequence, answer.stored_fingerprint) == (CONFLICT, 1, given.fingerprint)
        assert differing_field(other.fingerprint, given.fingerprint) == field
    assert len(await ledger.journal()) == 1


async def test_a_repeat_of_what_was_not_recorded_is_stale(ledger: SmallLedger) -> None:
    answers = await ledger.offer(offer("a", 1, 5), offer("a", 1, 5), offer("a", 1, 6, amount=301))
    assert statuses(answers) == [STALE] * 3
    assert {answer.stored_fingerprint for answer in answers} == {None}
    assert await ledger.owner.fetch(SQL["keys"]) == []


async def test_without_a_head_or_after_the_table_expired_it_is_stale(ledger: SmallLedger) -> None:
    await ledger.owner.execute(SQL["expire"], 2)
    answers = await ledger.offer(offer("a", 77, 1), offer("b", 2, 1), offer("c", 3, 1, before=digest_at(3, 9)), offer("d", 1, 1))
    assert statuses(answers) == [STALE, STALE, STALE, RECORDED]
    assert [row["external_id"] for row in await ledger.journal()] == ["d"]


async def test_an_expired_table_still_answers_repeats_and_refusals(ledger: SmallLedger) -> None:
    await ledger.offer(offer("a", 1, 1))
    await ledger.owner.execute(SQL["expire"], 1)
    answers = await ledger.offer(offer("a", 1, 1), offer("r", 1, 2, refusal=Refusal.ACCOUNT_CLOSED), offer("b", 1, 2))
    assert statuses(answers) == [DUPLICATE, REFUSED, STALE]


async def test_entries_without_a_payer_have_no_entry_before_them(ledger: SmallLedger) -> None:
    await ledger.offer(offer("s1"), offer("a", 1, 1), offer("s2"), offer("s3"), offer("b", 1, 2))
    assert [row["previous"] for row in await ledger.journal()] == [0, 0, 0, 0, 2]


async def test_an_unknown_book_is_an_error_of_its_own(ledger: SmallLedger) -> None:
    with pytest.raises(asyncpg.PostgresError) as caught:
        await ledger.offer(offer("a", 1, 1), book=Book(9))
    assert caught.value.sqlstate == "KP001"


async def test_an_older_snapshot_than_the_lock_is_refused(ledger: SmallLedger) -> None:
    for isolation in ("repeatable_read", "serializable"):
        with pytest.raises(asyncpg.PostgresError) as caught:
            async with ledger.gateway.transaction(isolation=isolation):
                await ledger.offer(offer("a", 1, 1))
        assert caught.value.sqlstate == "KP006"
    assert await ledger.journal() == []


async def test_external_ids_over_the_limit_or_with_nul_are_refused(ledger: SmallLedger) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await ledger.offer(offer("я" * 64 + "x", 1, 1))
    assert caught.value.constraint_name == "payment_key_length"
    with pytest.raises(asyncpg.CheckViolationError):
        await ledger.offer(offer("", 1, 1))
    with pytest.raises(asyncpg.DataError):
        await ledger.offer(offer("a\x00b", 1, 1))
    assert statuses(await ledger.offer(offer("я" * 64, 1, 1))) == [RECORDED]


async def test_suspense_without_a_reason_is_refused(ledger: SmallLedger) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await ledger.offer(offer("s", reason=SuspenseReason.NONE))
    assert caught.value.constraint_name == "journal_suspense_reason"


@pytest.mark.parametrize("field", ["fingerprint", "refusal", "external_id", "space", "event_at", "transit"])
async def test_null_is_never_recorded(ledger: SmallLedger, field: str) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await ledger.offer(_without(offer("a", 1, 1), field))
    assert await ledger.journal() == []
    assert await ledger.owner.fetch(SQL["keys"]) == []


def _without(given: Append, field: str) -> Append:
    """The offer with None in a field of its own or of its entry."""
    if field in given.__struct_fields__:
        return msgspec.structs.replace(given, **{field: None})
    return msgspec.structs.replace(given, entry=msgspec.structs.replace(given.entry, **{field: None}))


async def test_time_in_a_book_never_runs_backwards(ledger: SmallLedger) -> None:
    (before,) = await ledger.offer(offer("a", 1, 1))
    ahead = await ledger.owner.fetchval(SQL["future_cut"])
    (after,) = await ledger.offer(offer("b", 1, 2))
    (later,) = await ledger.offer(offer("c", 1, 3))
    assert before.recorded_at is not None
    assert after.recorded_at is not None
    assert before.recorded_at < ahead <= after.recorded_at <= (later.recorded_at or before.recorded_at)


async def test_a_key_stored_in_another_book_is_answered_from_there(two_books: SmallLedger) -> None:
    await two_books.offer(offer("a", 1, 1))
    (answer,) = await two_books.offer(offer("a", 1, 1), book=Book(2))
    assert (answer.status, answer.book, answer.sequence) == (DUPLICATE, 1, 1)
    assert await two_books.journal(2) == []


async def test_a_session_opened_on_an_empty_ledger_reads_by_keys(ledger: SmallLedger) -> None:
    """The plans kept from the empty ledger neither scan a table nor read an index from end to end when it has grown."""
    for turn in range(8):
        await ledger.offer(offer(f"k{turn}", 1, turn + 1), offer(f"s{turn}"))
    crowd = range(1_000, 1_000 + 8 * 256)
    for first in crowd[::256]:
        await ledger.publish(*range(first, first + 256))
    for first in crowd[::64]:
        given = [offer(f"c{account}", account, 1) for account in range(first, first + 64)]
        assert statuses(await ledger.offer(*given)) == [RECORDED] * 64
        assert statuses(await ledger.offer(*given)) == [DUPLICATE] * 64
    for connection in (ledger.gateway, ledger.services):
        await connection.execute(SQL["flush_stats"])
    for table in ("journal", "payment_key", "account_head", "bank_day", "base_table"):
        assert (await ledger.owner.fetchrow(SQL["scans"], table))["seq_tup_read"] == 0, table
    for index in ("journal_key", "payment_key_key", "account_head_key"):
        assert await ledger.owner.fetchval(SQL["index_reads"], index) <= 5 * len(crowd), index


async def test_clearing_is_kept_by_space_and_transit(ledger: SmallLedger) -> None:
    await ledger.offer(offer("a", 1, 1))
    await append(ledger.services, BOOK, [offer("b", 1, 2)])
    debits = [row["accounts"][0] for row in await ledger.journal()]
    assert debits == [ledger_account(AccountKind.CLEARING, 1, 10)] * 2
