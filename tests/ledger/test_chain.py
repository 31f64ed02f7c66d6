"""An account's chain of entries inside a batch, and the whole door against a model of a page (design W6)."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.journal import Append, append
from schemas.outcome import AppendStatus, Refusal
from tests.ledger.small_ledger import (
    BOOK,
    CONFLICT,
    DUPLICATE,
    RECORDED,
    REFUSED,
    SQL,
    STALE,
    SmallLedger,
    digest_at,
    offer,
    statuses,
)


def link(key: str, version: int, **more: object) -> Append:
    """A payment of account 1 made from the table of ``version``; the head stands at 1 unless a test moved it."""
    return offer(key, 1, version, **more)


BROKEN = {
    "a repeat between": ([link("old", 9), link("a", 1), link("old", 9), link("b", 3)], [DUPLICATE, STALE, DUPLICATE, STALE]),
    "repeat then a link past it": ([link("a", 1), link("old", 9), link("b", 3)], [RECORDED, DUPLICATE, STALE]),
    "repeat then the next link": ([link("a", 1), link("old", 9), link("b", 2)], [RECORDED, DUPLICATE, STALE]),
    "one version twice": ([link("a", 1), link("b", 1)], [RECORDED, STALE]),
    "one version twice, then the next": ([link("a", 1), link("b", 1), link("c", 2)], [RECORDED, STALE, STALE]),
    "one version left out": ([link("a", 1), link("b", 3)], [RECORDED, STALE]),
    "one key twice, then a third": ([link("a", 1), link("a", 2), link("b", 3)], [RECORDED, DUPLICATE, STALE]),
    "one key twice, then a third at its place": ([link("a", 1), link("a", 1), link("b", 2)], [RECORDED, DUPLICATE, STALE]),
    "starts behind": ([link("a", 0), link("b", 1), link("c", 2)], [STALE, STALE, STALE]),
    "starts ahead": ([link("a", 2), link("b", 1)], [STALE, STALE]),
    "another table": ([link("a", 1, before=digest_at(2, 1)), link("b", 2)], [STALE, STALE]),
    "no digest": ([link("a", 1, before=None), link("b", 2)], [STALE, STALE]),
    "not what the link before left": ([link("a", 1), link("b", 2, before=digest_at(1, 7))], [RECORDED, STALE]),
    "conflict between": ([link("a", 1), link("a", 2, amount=301), link("b", 3)], [RECORDED, CONFLICT, STALE]),
    "a refusal is no link": (
        [link("a", 1), link("r", 1, refusal=Refusal.ACCOUNT_CLOSED), link("b", 2)],
        [RECORDED, REFUSED, RECORDED],
    ),
    "whole": ([link("a", 1), link("b", 2), link("c", 3)], [RECORDED] * 3),
}


@pytest.mark.parametrize(("offers", "expected"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_link_is_recorded_only_after_its_predecessor(
    ledger: SmallLedger, offers: list[Append], expected: list[AppendStatus]
) -> None:
    await ledger.offer(offer("old", refusal=Refusal.ACCOUNT_UNKNOWN, written="1", kind=1))
    answers = await ledger.offer(*offers)
    assert statuses(answers) == expected
    rows = await ledger.journal()
    head = await ledger.owner.fetchrow(SQL["head"], 1, 1)
    assert [row["table_version"] for row in rows] == list(range(1, head["version"]))
    assert [row["previous"] for row in rows] == list(range(len(rows)))
    assert head["digest"] == digest_at(1, head["version"])


async def test_a_digest_after_of_null_is_never_stored(ledger: SmallLedger) -> None:
    for second in (link("b", 2), link("b", 2, before=digest_at(1, 1))):
        with pytest.raises(asyncpg.NotNullViolationError):
            await ledger.offer(link("a", 1, after=None), second)
    assert await ledger.journal() == []


EXPIRING = 3
"""The account whose table expires when a batch was drawn with its number."""


class Drawn(NamedTuple):
    """One offer to be: ``version`` counts from the account's head, account 0 is nobody, account 4 has no head."""

    key: int
    account: int
    version: int
    amount: int
    refusal: Refusal
    wrong_digest: bool


DRAWN = st.builds(
    Drawn,
    key=st.integers(1, 5),
    account=st.integers(0, 4),
    version=st.sampled_from((0, 0, 0, 1, 1, 2, -1)),
    amount=st.sampled_from((300, 300, 301)),
    refusal=st.sampled_from((Refusal.NONE, Refusal.NONE, Refusal.NONE, Refusal.ACCOUNT_CLOSED)),
    wrong_digest=st.sampled_from((False,) * 6 + (True,)),
)
BATCHES = st.lists(st.tuples(st.lists(DRAWN, min_size=1, max_size=7), st.integers(1, 5)), min_size=1, max_size=5)


class Stored(NamedTuple):
    fingerprint: bytes
    sequence: int | None
    refusal: Refusal


class Model:
    """The door in plain words: keys, heads and the number of entries."""

    def __init__(self) -> None:
        self.keys: dict[str, Stored] = {}
        self.heads = {1: 1, 2: 1, 3: 1}
        self.expired: set[int] = set()
        self.entries = 0

    def append(self, offers: Sequence[Append]) -> list[tuple[AppendStatus, int | None, Refusal]]:
        """Take the offers one after another; what a key held before the batch is what makes a chain's link old."""
        broken: set[int] = set()
        before = dict(self.heads)
        links: dict[int, int] = {}
        answers = []
        for one in offers:
            key, account, refusal = one.entry.external_id, one.entry.personal_account, one.refusal
            place = 0
            if account is not None and not refusal:
                place = links.get(account, 0)
                links[account] = place + 1
            fits = account is None or refusal or self._fits(one, before, place, account in broken)
            if fits and key not in self.keys and self._is_first(offers, one):
                answers.append(self._record(one))
                continue
            if account is not None and not refusal:
                broken.add(account)
            stored = self.keys.get(key)
            if stored is None:
                answers.append((STALE, None, Refusal.NONE))
            else:
                status = DUPLICATE if stored.fingerprint == one.fingerprint else CONFLICT
                answers.append((status, stored.sequence, stored.refusal))
        return answers

    def _is_first(self, offers: Sequence[Append], one: Append) -> bool:
        return next(other for other in offers if other.entry.external_id == one.entry.external_id) is one

    def _fits(self, one: Append, before: dict[int, int], place: int, broken: bool) -> bool:
        account = one.entry.personal_account
        if account is None or account not in before or account in self.expired or broken:
            return False
        return one.entry.table_version == before[account] + place and one.before == digest_at(account, before[account] + place)

    def _record(self, one: Append) -> tuple[AppendStatus, int | None, Refusal]:
        sequence = None
        if not one.refusal:
            self.entries += 1
            sequence = self.entries
            if one.entry.personal_account is not None:
                self.heads[one.entry.personal_account] += 1
        self.keys[one.entry.external_id] = Stored(one.fingerprint, sequence, one.refusal)
        return (REFUSED if one.refusal else RECORDED), sequence, one.refusal


def _offer_of(drawn: Drawn, model: Model) -> Append:
    account = drawn.account or None
    version = max(model.heads.get(drawn.account, 1) + drawn.version, 0) if account else 0
    more = {"before": digest_at(9, 9)} if account and drawn.wrong_digest else {}
    return offer(f"k{drawn.key}", account, version, amount=drawn.amount, refusal=drawn.refusal, **more)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
async def test_the_door_does_what_the_model_says(ledger: SmallLedger, batches: list[tuple[list[Drawn], int]]) -> None:
    """Each example plays in a transaction that is rolled back, so that all share one database."""
    played = ledger.owner.transaction()
    await played.start()
    try:
        model = Model()
        for drawn, expires in batches:
            await _play(ledger, model, [_offer_of(one, model) for one in drawn], expires)
        rows = await ledger.owner.fetch(SQL["journal"], BOOK)
        assert [row["sequence"] for row in rows] == list(range(1, model.entries + 1))
        assert [row["recorded_at"] for row in rows] == sorted(row["recorded_at"] for row in rows)
        for account, version in model.heads.items():
            head = await ledger.owner.fetchrow(SQL["head"], BOOK, account)
            assert (head["version"], head["digest"]) == (version, digest_at(account, version))
    finally:
        await played.rollback()


async def _play(ledger: SmallLedger, model: Model, offers: list[Append], expires: int) -> None:
    expected = model.append(offers)
    answers = await append(ledger.owner, BOOK, offers)
    assert [(answer.status, answer.sequence, answer.refusal) for answer in answers] == expected
    if expires == EXPIRING:
        model.expired.add(expires)
        await ledger.owner.execute(SQL["expire"], expires)
