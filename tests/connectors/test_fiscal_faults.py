"""Receipts through bad networks and slow tills: whatever happens on the way, each payment has one registered receipt."""

import asyncio
from collections import Counter
from typing import Literal

import msgspec
import pytest

from connectors.sandbox.atol import AtolSandbox, AtolSandboxOptions
from connectors.sandbox.faults import FaultProfile
from connectors.sandbox.ferma import FermaSandbox, FermaSandboxOptions
from connectors.sandbox.till import TillOptions
from schemas.delivery import Counterparty, Done, Outgoing, Refused
from schemas.receipt import FiscalSign
from tests.connectors.fiscal_samples import (
    Clock,
    atol,
    atol_config,
    connection,
    deliver,
    ferma,
    ferma_config,
    item,
    of_items,
    order_of,
)

ORDERS = 150
STORM = FaultProfile(refused=80, lost_before=80, lost_after=120, broken=80, busy=80)
SLOW = TillOptions(seed=5, queue_ms=3_000, queue_spread_ms=30_000, timeouts_permille=150)
Sandbox = AtolSandbox | FermaSandbox


def connected(kind: str, clock: Clock, till: TillOptions, seed: int) -> tuple[Sandbox, Counterparty]:
    """A fake whose tokens end far sooner than it says, and a connector to it through the storm."""
    if kind == "ferma":
        tills = FermaSandbox(FermaSandboxOptions(token_life_s=900, till=till))
        return tills, ferma(ferma_config(), connection(tills, clock, STORM, seed), clock)
    protocol: Literal["v4", "v5"] = "v4" if kind == "v4" else "v5"
    # Longer than the first wait, so that reports are asked for before there is anything to report (34).
    options = AtolSandboxOptions(token_life_s=900, unseen_ms=5_000, till=till, protocol=protocol)
    sandbox = AtolSandbox(options)
    return sandbox, atol(atol_config(protocol=kind), connection(sandbox, clock, STORM, seed), clock)


def orders(kind: str) -> list[Outgoing]:
    """Receipts of payments 1, 2 … whose totals differ, so that a mixed-up one shows."""
    version = "1.05" if kind == "v4" else "1.2"
    contents = (msgspec.json.encode(of_items(item("Отопление", number))) for number in range(1, ORDERS + 1))
    raw = (content.replace(b'"format":"1.2"', f'"format":"{version}"'.encode()) for content in contents)
    return [
        Outgoing(number=order_of(of_items(item("a", 1))).number, key=f"p{number}:receipt:1", content=content)
        for number, content in enumerate(raw, start=1)
    ]


def payment_of(key: str) -> str:
    return key.partition(":")[0]


def check_once_each(sandbox: Sandbox, ends: list[tuple[Outgoing, object]]) -> None:
    """Each payment has exactly one registered receipt, with the sign that delivery was told and its own total."""
    assert Counter(payment_of(one.receipt.key) for one in sandbox.registered) == {f"p{n}": 1 for n in range(1, ORDERS + 1)}
    assert Counter(one.receipt.key for one in sandbox.registered).most_common(1)[0][1] == 1
    by_key = {one.receipt.key: one for one in sandbox.registered}
    for order, end in ends:
        assert isinstance(end, Done), end
        sign, registered = msgspec.json.decode(end.content, type=FiscalSign), by_key[order.key]
        assert (sign.fd, sign.fpd, sign.fn) == (str(registered.fd), str(registered.fpd), registered.fn)
        assert sign.registered_at == registered.local
        assert f"p{sign.total_kopecks}" == payment_of(order.key)
        assert f"fp={sign.fpd}" in sign.link


@pytest.mark.parametrize("kind", ["v4", "v5", "ferma"])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_every_receipt_is_registered_once_through_a_storm(kind: str, seed: int) -> None:
    clock = Clock()
    sandbox, party = connected(kind, clock, msgspec.structs.replace(SLOW, seed=seed), seed)
    ends: list[tuple[Outgoing, object]] = [await deliver(party, order, clock) for order in orders(kind)]
    clock.go(3_600_000)
    sandbox.till.advance(clock())
    check_once_each(sandbox, ends)
    assert sandbox.till.repeats > 0
    assert sandbox.till.failed and all(one.timeout for one in sandbox.till.failed)
    assert sandbox.logins > 2
    assert any(not order.key.endswith(":1") for order, _ in ends)


@pytest.mark.parametrize("kind", ["v5", "ferma"])
async def test_every_receipt_is_registered_once_when_many_are_under_way(kind: str) -> None:
    clock = Clock()
    sandbox, party = connected(kind, clock, SLOW, 7)
    gate = asyncio.Semaphore(8)

    async def one(order: Outgoing) -> tuple[Outgoing, object]:
        async with gate:
            return await deliver(party, order, clock)

    ends = list(await asyncio.gather(*(one(order) for order in orders(kind))))
    clock.go(3_600_000)
    sandbox.till.advance(clock())
    check_once_each(sandbox, ends)


async def test_a_broken_till_ends_a_receipt_of_atol_for_a_person() -> None:
    clock = Clock()
    till = TillOptions(breakages_permille=1_000)
    sandbox, party = connected("v5", clock, till, 1)
    _, end = await deliver(party, orders("v5")[0], clock)
    assert end == Refused(code="-3897", reason="code -3897: Ошибка драйвера ККТ")
    assert sandbox.registered == ()


@pytest.mark.parametrize("kind", ["v5", "ferma"])
async def test_fiscal_documents_are_numbered_in_the_order_of_registration(kind: str) -> None:
    clock = Clock()
    sandbox, party = connected(kind, clock, SLOW, 3)
    for order in orders(kind)[:40]:
        await deliver(party, order, clock)
    numbers = [one.fd for one in sandbox.registered]
    moments = [one.registered_at for one in sandbox.registered]
    assert numbers == list(range(1, len(numbers) + 1))
    assert moments == sorted(moments)
    assert len({one.fpd for one in sandbox.registered}) == len(numbers)
