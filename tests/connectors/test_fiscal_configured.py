"""Tables of the counterparties' file: what they make, and what is wrong in them, without their secrets."""

import asyncio
from typing import Any

import pytest

from connectors.fiscal.atol import Atol
from connectors.fiscal.configured import KINDS, FiscalConfigError, connector_of
from connectors.fiscal.ferma import Ferma
from schemas.delivery import Accepted
from tests.connectors.fiscal_samples import INN, Clock, Script, json_answer, order_of, receipt

ATOL: dict[str, Any] = {"login": "l", "password": "s3cret", "group_code": "g", "inn": INN}
FERMA: dict[str, Any] = {"login": "l", "password": "s3cret", "inn": INN}


def test_a_table_makes_a_connector_of_its_kind() -> None:
    table = ATOL | {
        "base_url": "https://testonline.atol.ru/possystem",
        "protocol": "v4",
        "zone": "Asia/Omsk",
        "callback_url": "https://kopeck.example.ru/atol",
        "polling": {"first_ms": 500, "at_most_ms": 5_000},
        "agent": {"operation": "Приём", "phones": ["+74950000002"]},
    }
    assert isinstance(connector_of("atol", table, Script(), Clock(), asyncio.Lock()), Atol)
    account = FERMA | {"format": "1.05", "agent_types": {"attorney": "ATTORNEY"}, "token_codes": [1001, 1002]}
    assert isinstance(connector_of("ferma", account, Script(), Clock(), asyncio.Lock()), Ferma)
    assert KINDS == ("atol", "ferma")


async def test_the_tables_values_are_used() -> None:
    script = Script(json_answer({"token": "t"}), json_answer({"uuid": "u", "status": "wait"}))
    table = ATOL | {"base_url": "https://example.test/p", "polling": {"first_ms": 700}}
    connector = connector_of("atol", table, script, Clock(), asyncio.Lock())
    assert await connector.send(order_of(receipt())) == Accepted(reference="u", ask_after_ms=700)
    assert script.requests[1].url == "https://example.test/p/v5/g/sell"


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("robot", ATOL, "kind: 'robot' is none of atol, ferma"),
    ("atol", FERMA, "group_code"),
    ("atol", ATOL | {"colour": 1}, "colour"),
    ("atol", ATOL | {"protocol": "v3"}, "protocol"),
    ("atol", ATOL | {"base_url": "ftp://x"}, "base_url"),
    ("atol", ATOL | {"base_url": "https://x/"}, "base_url"),
    ("atol", ATOL | {"inn": "77"}, "inn"),
    ("atol", ATOL | {"zone": "Europe/Atlantis"}, "zone"),
    ("atol", ATOL | {"zone": "../etc/passwd"}, "zone"),
    ("atol", ATOL | {"login": "l" * 101}, "login"),
    ("atol", ATOL | {"password": ""}, "password"),
    ("atol", ATOL | {"callback_url": "kopeck"}, "callback_url"),
    ("atol", ATOL | {"callback_url": "https://x/" + "a" * 250}, "callback_url"),
    ("atol", ATOL | {"timeout_ms": 0}, "timeout_ms"),
    ("atol", ATOL | {"token_life_s": 300}, "token_life_s"),
    ("atol", ATOL | {"polling": {"first": 1}}, "polling"),
    ("atol", ATOL | {"agent": {"operation": "я" * 25}}, "agent"),
    ("atol", ATOL | {"agent": {"phones": ["8 495"]}}, "agent"),
    ("ferma", FERMA | {"format": "1.1"}, "format"),
    ("ferma", FERMA | {"base_url": "https://x?y"}, "base_url"),
    ("ferma", FERMA | {"inn": ""}, "inn"),
    ("ferma", FERMA | {"zone": "Moscow"}, "zone"),
    ("ferma", FERMA | {"agent_types": {"robot": "X"}}, "agent_types"),
    ("ferma", FERMA | {"correction_date": "yyyy"}, "correction_date"),
    ("ferma", FERMA | {"group_code": "g"}, "group_code"),
]


@pytest.mark.parametrize(("kind", "table", "named"), FAULTS)
def test_a_fault_is_named_and_no_secret_is(kind: str, table: dict[str, Any], named: str) -> None:
    with pytest.raises(FiscalConfigError) as caught:
        connector_of(kind, table, Script(), Clock(), asyncio.Lock())
    assert named in str(caught.value)
    assert "s3cret" not in str(caught.value)
