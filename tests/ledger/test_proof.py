"""The bench's proof: it holds on an honest ledger and names every kind of damage to answers or ledger."""

from array import array
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from gateway.decide import Decided, Objection, decide_booking, decide_objection, request_of
from kopeck.channels import parse_channels, register_channels
from ledger.journal import append, create_ledger
from ledger.statements import ROOT, load_statements
from loadtests.channels import CHANNELS
from loadtests.fixture import make_town
from loadtests.generator import LoadReport, Verdict
from loadtests.proof import Claim, Claimed, Claims, claims_of, prove
from loadtests.town import FIRST_NUMBER, Town, table_of
from loadtests.traffic import Expected, Plan, Planned, Source, payments_of
from schemas.allocation import AllocationTable, digest_of, pack_table
from schemas.channel import Channel
from schemas.ids import Book, ExternalId
from schemas.notification import PaymentNotification
from tests.conftest import LedgerDatabase

AT = datetime(2026, 9, 1, 12, tzinfo=UTC)
TOWN = Town(seed=3, accounts=12, lines=5)
PLAN = Plan(town=TOWN, phase=0, count=60, repeats=1_500, unknown=1_500, bank=4_000)
DAMAGE = load_statements("tests/statements/proof.sql")


def _report(planned: list[Planned]) -> LoadReport:
    """The answers of a gateway that does what it should; the last payment was not sent."""
    verdicts = [Verdict.REFUSED if one.expected is Expected.REFUSED else Verdict.ACCEPTED for one in planned[:-1]]
    return LoadReport(
        verdicts=bytes([*verdicts, Verdict.UNSENT]),
        latencies=array("Q", [100] * len(planned)),
        checksums=array("Q", [one.first for one in planned]),
        answered=len(planned) - 1,
        elapsed_us=1_000_000,
        cpu_us=1_000,
        samples=(),
    )


def _decided(payment: Planned, channel: Channel, tables: dict[int, AllocationTable]) -> Decided:
    request = request_of(
        channel,
        PaymentNotification(
            external_id=ExternalId(payment.key),
            account_number=payment.account,
            amount_kopecks=payment.amount_kopecks,
            raw_amount="",
            event_at=AT,
        ),
    )
    if payment.expected is not Expected.BOOKED:
        return decide_objection(request, Objection.UNKNOWN)
    account = int(payment.account) - FIRST_NUMBER
    table = tables.get(account) or table_of(TOWN, account)
    decided = decide_booking(request, table, digest_of(pack_table(table)), {})
    assert isinstance(decided, Decided) and decided.table is not None
    tables[account] = decided.table
    return decided


async def _book(connection: "asyncpg.Connection[Any]", planned: list[Planned], channels: tuple[Channel, ...]) -> None:
    tables: dict[int, AllocationTable] = {}
    for index, payment in enumerate(planned[:-1]):
        if payment.first == index:
            channel = channels[0] if payment.source is Source.TERMINAL else channels[1]
            await append(connection, Book(1), [_decided(payment, channel, tables).offer])


@pytest.fixture
async def ledger(ledger_database: LedgerDatabase) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(ledger_database.owner_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def claims(ledger: "asyncpg.Connection[Any]") -> Claims:
    """The claims of a plan that was booked honestly."""
    await create_ledger(ledger, 1)
    file = parse_channels(CHANNELS, folder=ROOT, environ={})
    channels = await register_channels(ledger, file, today=AT.date())
    await make_town(ledger, TOWN, 1, None)
    planned = payments_of(PLAN)
    await _book(ledger, planned, channels)
    spaces = {Source.TERMINAL: int(channels[0].space), Source.BANK: int(channels[1].space)}
    return claims_of(planned, _report(planned), spaces)


async def _named(connection: "asyncpg.Connection[Any]", claims: tuple[Claim, ...]) -> set[str]:
    proof = await prove(connection, claims, await_consumers=False)
    return {difference.partition(":")[0] for difference in proof.differences if ":" in difference}


async def test_an_honest_ledger_is_proved_and_damage_is_named(ledger: "asyncpg.Connection[Any]", claims: Claims) -> None:
    assert not claims.faults and claims.repeats > 0
    proof = await prove(ledger, claims.claims, await_consumers=False)
    assert proof.differences == () and proof.debits == proof.credits >= proof.answered > 0
    assert {claim.claimed for claim in claims.claims} == {Claimed.BOOKED, Claimed.SUSPENSE, Claimed.REFUSED}
    for damage, check in (
        ("lose_entry", "missing"),
        ("lose_first_entry", "gaps"),
        ("forget_key", "keys"),
        ("book_twice", "doubled"),
        ("change_amount", "unbalanced"),
        ("change_amount", "content"),
        ("move_head", "heads"),
        ("turn_time_back", "time"),
        ("break_chain", "chains"),
    ):
        transaction = ledger.transaction()
        await transaction.start()
        await ledger.execute(DAMAGE[damage])
        assert check in await _named(ledger, claims.claims), damage
        await transaction.rollback()


async def test_false_claims_are_named(ledger: "asyncpg.Connection[Any]", claims: Claims) -> None:
    by_claimed = {claim.claimed: claim for claim in claims.claims}
    booked, refused, suspense = (by_claimed[kind] for kind in (Claimed.BOOKED, Claimed.REFUSED, Claimed.SUSPENSE))
    for one, other, check in (
        (booked, booked._replace(external_id="never-booked"), "missing"),
        (booked, booked._replace(amount=booked.amount + 1), "content"),
        (booked, booked._replace(claimed=Claimed.SUSPENSE), "content"),
        (suspense, suspense._replace(claimed=Claimed.BOOKED), "content"),
        (booked, booked._replace(claimed=Claimed.REFUSED), "refused"),
        (refused, refused._replace(claimed=Claimed.BOOKED), "missing"),
        (refused, refused._replace(external_id="never-refused"), "refused"),
        (booked, None, "unasked"),
    ):
        changed = tuple(claim for claim in claims.claims if claim is not one)
        assert check in await _named(ledger, changed if other is None else (*changed, other)), (one, other)


def test_answers_that_contradict_the_plan_or_the_first_answer() -> None:
    planned = payments_of(PLAN)
    report = _report(planned)
    spaces = {Source.TERMINAL: 101, Source.BANK: 102}
    repeat = next(index for index, one in enumerate(planned[:-1]) if one.first != index)
    other_bytes = array("Q", report.checksums)
    other_bytes[repeat] += 10_000
    faults = claims_of(planned, msgspec.structs.replace(report, checksums=other_bytes), spaces).faults
    assert len(faults) == 1 and "answered in two ways" in faults[0]
    booked = next(index for index, one in enumerate(planned) if one.expected is Expected.BOOKED)
    refused = bytearray(report.verdicts)
    refused[booked] = Verdict.REFUSED
    faults = claims_of(planned, msgspec.structs.replace(report, verdicts=bytes(refused)), spaces).faults
    assert any("expected booked" in fault for fault in faults)


def test_a_key_without_a_final_answer_is_unknown() -> None:
    planned = payments_of(msgspec.structs.replace(PLAN, count=3, repeats=0))
    report = msgspec.structs.replace(_report(planned), verdicts=bytes([Verdict.TRY_AGAIN, Verdict.CUT, Verdict.UNSENT]))
    claims = claims_of(planned, report, {Source.TERMINAL: 101, Source.BANK: 102}).claims
    assert [claim.claimed for claim in claims] == [Claimed.UNKNOWN, Claimed.UNKNOWN]
