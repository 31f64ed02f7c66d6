"""PostgreSQL refuses to append whoever asks how often: the channels are told to try again at once, and it is left alone."""

import asyncio
import time

import asyncpg
import pytest
from structlog.testing import capture_logs

from ledger.core.books import book_of
from ledger.statements import load_statements
from tests.pipeline.bank import payment, send
from tests.pipeline.conftest import SQL, Gateway, Town
from tests.pipeline.proof import (
    BOOKED,
    TRY_AGAIN,
    Terminal,
    assert_sound,
    assert_told_truly,
    booked_keys,
    counted,
    with_deadline,
)

FAULTS = load_statements("tests/pipeline/faults.sql")
PATIENT_S = 60.0
"""A channel's deadline far beyond what "at once" takes on the slowest machine."""
AT_ONCE_S = 20.0
ROUNDS = 10


@pytest.mark.parametrize(
    ("broken", "mended", "sqlstate"),
    [
        ("take_door_away", "give_door_back", "42501"),
        ("rename_door", "name_door_back", "42883"),
        ("isolate_sessions", "join_sessions", "KP006"),
    ],
)
async def test_what_cannot_succeed_is_not_repeated(
    town: Town, owner: asyncpg.Connection, redis_url: str, broken: str, mended: str, sqlstate: str
) -> None:
    await owner.execute(FAULTS[broken])
    refused = counted("kopeck_append_refused_total", sqlstate=sqlstate)
    unknown = counted("kopeck_append_unknown_total")
    async with Gateway(with_deadline(town, PATIENT_S).settings(redis_url)) as gateway:
        terminal = Terminal(gateway.session)
        began = time.monotonic()
        with capture_logs() as lines:
            for turn in range(ROUNDS):
                codes = await asyncio.gather(*(terminal.pay_once(f"{turn}{key}", "1001", "1.00") for key in range(4)))
                assert codes == [TRY_AGAIN] * 4
            told = await send(gateway, "op-1", payment("1001", 1000))
        took = time.monotonic() - began
        assert (told.status, told.headers["Retry-After"]) == (503, "5")
        async with gateway.session.get("/readyz") as response:
            assert response.status == 503
        assert took < AT_ONCE_S
        errors = [line for line in lines if line["event"] == "append.hopeless"]
        assert {(line["log_level"], line["sqlstate"], line["book"]) for line in errors} == {("error", sqlstate, 1)}
        assert counted("kopeck_append_refused_total", sqlstate=sqlstate) - refused == len(errors) <= 1 + took
        assert counted("kopeck_append_unknown_total") == unknown
        assert await booked_keys(owner) == []
        await owner.execute(FAULTS[mended])
        assert {await terminal.pay(key, "1001", "1.00") for key in list(terminal.answers)} == {BOOKED}
        async with gateway.session.get("/readyz") as response:
            assert response.status == 200
    assert sorted(await booked_keys(owner)) == sorted(terminal.answers)
    await assert_told_truly(owner, terminal.answers)
    await assert_sound(owner, town)


async def test_a_book_the_ledger_does_not_have_does_not_stop_the_others(
    town: Town, owner: asyncpg.Connection, redis_url: str
) -> None:
    number_in = {book_of(town.channels[0].namespace, f"x{number}", 2): f"x{number}" for number in range(64)}
    assert set(number_in) == {1, 2}
    for number in number_in.values():
        await owner.execute(SQL["add_alias"], number, town.accounts["1001"])
    refused = counted("kopeck_append_refused_total", sqlstate="KP001")
    async with Gateway(with_deadline(town, PATIENT_S).settings(redis_url, books=2)) as gateway:
        terminal = Terminal(gateway.session)
        began = time.monotonic()
        for turn in range(ROUNDS):
            both = (terminal.pay_once(f"{turn}{book}", number, "1.00") for book, number in sorted(number_in.items()))
            assert await asyncio.gather(*both) == [BOOKED, TRY_AGAIN]
        assert time.monotonic() - began < AT_ONCE_S
    assert counted("kopeck_append_refused_total", sqlstate="KP001") > refused
    assert sorted(await booked_keys(owner)) == sorted(f"{turn}1" for turn in range(ROUNDS))
    await assert_told_truly(owner, terminal.answers)
