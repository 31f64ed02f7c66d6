"""``kopeck access`` on a real ledger."""

import asyncio
import os

import pytest
from click.testing import CliRunner, Result

from kopeck.commands.access import access
from tests.portal.conftest import PortalHouse


@pytest.fixture
def run(house: PortalHouse, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Run the command on the house's database."""
    for name in [name for name in os.environ if name.startswith("KOPECK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KOPECK_POSTGRES_DSN", house.database.owner_dsn)
    monkeypatch.setenv("KOPECK_POSTGRES_SERVICES_DSN", house.database.services_dsn)
    monkeypatch.setenv("KOPECK_REDIS_URL", house.database.redis_url)

    def invoke(*arguments: str, said: str = "") -> Result:
        return CliRunner().invoke(access, [*arguments], input=said)

    return invoke


async def test_a_key_is_made_shown_once_and_revoked(house: PortalHouse, run) -> None:  # type: ignore[no-untyped-def]
    made = await asyncio.to_thread(run, "key", "heat", "accounting", "--scope", "provider:read", "--by", "op")
    assert made.exit_code == 0, made.output
    headers = {"Authorization": f"Bearer {made.output.strip()}"}
    assert (await house.client.get("/v1/me", headers=headers)).status == 200
    listed = await asyncio.to_thread(run, "list", "--json")
    assert "accounting" in listed.output and made.output.strip() not in listed.output
    assert (await asyncio.to_thread(run, "revoke", "accounting", "--by", "op")).exit_code == 0
    assert (await house.client.get("/v1/me", headers=headers)).status == 401
    again = await asyncio.to_thread(run, "revoke", "accounting", "--by", "op")
    assert again.exit_code == 2 and "нет" in again.output
    audit = await asyncio.to_thread(run, "audit", "--json")
    assert "key.added" in audit.output and "key.revoked" in audit.output


@pytest.mark.parametrize(
    ("arguments", "said", "told"),
    [
        (("organisation", "heat", "Тепло", "--kind", "supplier", "--by", "op"), "", "уже есть"),
        (("organisation", "Bad Code", "Тепло", "--kind", "supplier", "--by", "op"), "", "код"),
        (("organisation", "new", "Новая", "--kind", "supplier", "--recipient", "heat", "--by", "op"), "", "принадлежит"),
        (("organisation", "new", "Новая", "--kind", "supplier", "--recipient", "nobody", "--by", "op"), "", "не все"),
        (("key", "nobody", "some-key", "--scope", "provider:read", "--by", "op"), "", "нет"),
        (("key", "heat", "heat-key", "--scope", "provider:read", "--by", "op"), "", "не повторяются"),
        (("person", "heat", "anna", "Анна", "--role", "viewer", "--by", "op"), "short\n", "знаков"),
        (("person", "nobody", "anna", "Анна", "--role", "viewer", "--by", "op"), "длинная фраза пароля\n", "nobody"),
    ],
)
async def test_what_cannot_be_done_is_one_line(run, arguments: tuple[str, ...], said: str, told: str) -> None:  # type: ignore[no-untyped-def]
    refused = await asyncio.to_thread(lambda: run(*arguments, said=said))
    assert refused.exit_code == 2
    assert told in refused.output


async def test_people_and_organisations_are_added(run) -> None:  # type: ignore[no-untyped-def]
    added = await asyncio.to_thread(run, "organisation", "bank", "Банк", "--kind", "bank", "--by", "op")
    assert added.exit_code == 0, added.output
    person = await asyncio.to_thread(
        lambda: run("person", "bank", "Olga", "Ольга", "--role", "approver", "--by", "op", said="длинная фраза пароля\n")
    )
    assert person.exit_code == 0, person.output
    listed = await asyncio.to_thread(run, "list")
    assert "olga" in listed.output and "Банк" in listed.output
