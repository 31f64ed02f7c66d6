"""Logging in: passwords, codes, sessions, locks."""

from datetime import datetime, timedelta

import asyncpg
import pyotp
import pytest

from kopeck.clock import utc_now
from portal.access.credentials import hash_of
from portal.access.passwords import WeakPassword, hash_password, make_totp_secret, totp_address, totp_step_of
from portal.access.people import (
    FAILURES_MAX,
    LOCKED_FOR,
    LoginRefused,
    NewPerson,
    Started,
    add_person,
    change_password,
    give_code,
    log_in,
    log_out,
    rotate,
    set_totp,
)
from services.sealing import Sealer
from tests.portal.conftest import SQL, PortalHouse

PASSWORD = "почта лошадь скрепка"
SEALER = Sealer((b"k" * 32,))


@pytest.fixture
async def services(house: PortalHouse):  # type: ignore[no-untyped-def]
    """The services' connection, which log-ins are made on."""
    connection = await asyncpg.connect(house.database.services_dsn)
    yield connection
    await connection.close()


async def _person(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    person = NewPerson(organisation="heat", login=" Anna@heat.example ", name="Анна", role="accountant", password=PASSWORD)
    return await add_person(connection, person, "test")


async def _enters(house: PortalHouse, started: Started) -> str | None:
    """Return the login that a cookie enters as, by the portal's role."""
    portal = await asyncpg.connect(house.database.portal_dsn)
    try:
        row = await portal.fetchrow(SQL["enter_session"], hash_of(started.cookie))
        return None if row is None else row["login"]
    finally:
        await portal.close()


async def test_a_password_starts_a_session(house: PortalHouse, services: "asyncpg.Connection[asyncpg.Record]") -> None:
    await _person(services)
    started = await log_in(services, "ANNA@heat.example", PASSWORD, utc_now())
    assert not started.needs_code
    assert await _enters(house, started) == "anna@heat.example"
    await log_out(services, started.cookie, utc_now())
    assert await _enters(house, started) is None


@pytest.mark.parametrize(
    ("login", "password"), [("anna@heat.example", "wrong"), ("nobody", PASSWORD), ("", ""), ("x" * 900, "y" * 900)]
)
async def test_wrong_tries_are_one_refusal(services: "asyncpg.Connection[asyncpg.Record]", login: str, password: str) -> None:
    await _person(services)
    with pytest.raises(LoginRefused) as refused:
        await log_in(services, login, password, utc_now())
    assert str(refused.value) == ""


async def test_wrong_tries_lock_the_login_for_a_while(services: "asyncpg.Connection[asyncpg.Record]") -> None:
    await _person(services)
    now = utc_now()
    for _ in range(FAILURES_MAX):
        with pytest.raises(LoginRefused):
            await log_in(services, "anna@heat.example", "wrong", now)
    with pytest.raises(LoginRefused):
        await log_in(services, "anna@heat.example", PASSWORD, now + LOCKED_FOR - timedelta(seconds=1))
    later = await log_in(services, "anna@heat.example", PASSWORD, now + 2 * LOCKED_FOR)
    assert not later.needs_code


async def test_the_second_factor_finishes_a_session_once(
    house: PortalHouse, services: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    person, secret, now = await _person(services), make_totp_secret(), utc_now()
    await set_totp(services, person, secret, SEALER)
    half = await log_in(services, "anna@heat.example", PASSWORD, now)
    assert half.needs_code and await _enters(house, half) is None
    with pytest.raises(LoginRefused):
        await give_code(services, half.cookie, "000000", now + timedelta(days=400), SEALER)
    with pytest.raises(LoginRefused):
        await give_code(services, half.cookie, "nonsense", now, SEALER)
    code = pyotp.TOTP(secret).at(now)
    done = await give_code(services, half.cookie, code, now, SEALER)
    assert await _enters(house, done) == "anna@heat.example"
    assert await _enters(house, half) is None, "the cookie of before the second factor opens nothing"
    again = await log_in(services, "anna@heat.example", PASSWORD, now)
    with pytest.raises(LoginRefused):
        await give_code(services, again.cookie, code, now, SEALER)


async def test_a_rotated_cookie_is_dead(house: PortalHouse, services: "asyncpg.Connection[asyncpg.Record]") -> None:
    await _person(services)
    first = await log_in(services, "anna@heat.example", PASSWORD, utc_now())
    second = await rotate(services, first.cookie, utc_now())
    assert (await _enters(house, first), await _enters(house, second)) == (None, "anna@heat.example")
    with pytest.raises(LoginRefused):
        await rotate(services, first.cookie, utc_now())


async def test_another_password_ends_every_session(house: PortalHouse, services: "asyncpg.Connection[asyncpg.Record]") -> None:
    person = await _person(services)
    sessions = [await log_in(services, "anna@heat.example", PASSWORD, utc_now()) for _ in range(2)]
    await change_password(services, person, "совсем другая фраза", utc_now())
    assert [await _enters(house, one) for one in sessions] == [None, None]


async def test_refusals_are_in_the_audit_trail(house: PortalHouse, services: "asyncpg.Connection[asyncpg.Record]") -> None:
    await _person(services)
    with pytest.raises(LoginRefused):
        await log_in(services, "anna@heat.example", "wrong", utc_now())
    actions = [row["action"] for row in await house.owner.fetch(SQL["audit"])]
    assert actions == ["person.added", "login.refused"]
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await house.owner.execute(SQL["forget_audit"])


@pytest.mark.parametrize("password", ["short", "x" * 201, "aaaaaaaaaaaaaa", "anna@heat.example!"])
def test_weak_passwords_are_not_taken(password: str) -> None:
    with pytest.raises(WeakPassword):
        hash_password(password, "anna@heat.example")


@pytest.mark.parametrize(("drift_s", "accepted"), [(0, True), (-30, True), (30, True), (-90, False), (90, False)])
def test_a_phone_may_be_half_a_minute_off(drift_s: int, accepted: bool) -> None:
    secret, now = make_totp_secret(), datetime.fromisoformat("2026-11-24T12:00:10+00:00")
    code = pyotp.TOTP(secret).at(now + timedelta(seconds=drift_s))
    assert (totp_step_of(secret, code, now) is not None) == accepted
    assert secret in totp_address(secret, "anna")
