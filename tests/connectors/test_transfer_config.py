"""Tables of transfer counterparties: what builds which connector, every fault named, no secret shown."""

from typing import Any

import pytest

from connectors.transfers.alfa_link import AlfaLink
from connectors.transfers.alfa_payments import AlfaPayments
from connectors.transfers.client_bank import ClientBank
from connectors.transfers.configured import KINDS, Edges, TransferConfigError, transfer_connector
from connectors.transfers.distribution_register import DistributionRegister
from tests.connectors.transfer_desk import Clock, Told, sign

EDGES = Edges(exchange=Told(), now=Clock(), sign=sign)
URL = "https://bank.example"
STATEMENT_URL = f"{URL}/statement?account={{account}}&from={{from}}&to={{to}}"
GOOD: dict[str, tuple[dict[str, Any], type, tuple[bool, bool]]] = {
    "distribution_register": ({"url": URL, "token": "s3cret"}, DistributionRegister, (True, True)),
    "client_bank": (
        {"folder_url": URL, "statement_url": STATEMENT_URL, "authorization": "Basic s3cret"},
        ClientBank,
        (False, True),
    ),
    "alfa_payments": ({"url": URL, "authorization": "ApiKey s3cret", "statuses": {"X": "held"}}, AlfaPayments, (True, True)),
    "alfa_link": ({"url": URL, "user": "u", "password": "s3cret"}, AlfaLink, (False, True)),
}


def test_every_kind_is_tried() -> None:
    assert tuple(GOOD) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_builds_its_connector(kind: str) -> None:
    table, expected, (deduplicates, can_be_asked) = GOOD[kind]
    made = transfer_connector(kind, table, EDGES)
    assert type(made) is expected and (made.deduplicates, made.can_be_asked) == (deduplicates, can_be_asked)
    assert "s3cret" not in repr(made) + repr(vars(made))


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("distribution_register", {"url": "ftp://bank"}, "url: must be an https"),
    ("distribution_register", {"url": "http://bank.example"}, "url: must be an https"),
    ("distribution_register", {"url": "https://u:p@bank.example"}, "without a password"),
    ("distribution_register", {"url": ""}, "url: must be an https"),
    ("distribution_register", {"token": "a\nb"}, "token: must be one line"),
    ("distribution_register", {"token": " s3cret"}, "token: must be one line"),
    ("distribution_register", {"poll_ms": 1}, "poll_ms: must be 100"),
    ("distribution_register", {"timeout_ms": 10_000_000}, "timeout_ms: must be 100"),
    ("distribution_register", {"pol_ms": 1_000}, "pol_ms"),
    ("distribution_register", {"token": 5}, "token"),
    ("client_bank", {"statement_url": URL}, "{account} is not in it"),
    ("alfa_payments", {"authorization": ""}, "not empty"),
    ("alfa_payments", {"statuses": {"X": "gone"}}, "statuses: X: must be one of created"),
    ("alfa_link", {"user": "a:b"}, "colon"),
    ("alfa_link", {"password": ""}, "not empty"),
]


@pytest.mark.parametrize(("kind", "changes", "named"), FAULTS)
def test_faults_are_named_without_secrets(kind: str, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(TransferConfigError) as caught:
        transfer_connector(kind, GOOD[kind][0] | changes, EDGES)
    assert named in str(caught.value) and "s3cret" not in str(caught.value)


def test_the_sandbox_answers_on_loopback_without_tls() -> None:
    assert isinstance(transfer_connector("distribution_register", {"url": "http://127.0.0.1:8050"}, EDGES), DistributionRegister)


@pytest.mark.parametrize("kind", ["distribution_register", "client_bank", "alfa_link"])
def test_files_are_not_sent_without_a_signing_command(kind: str) -> None:
    with pytest.raises(TransferConfigError, match="sign_command"):
        transfer_connector(kind, GOOD[kind][0], Edges(exchange=Told(), now=Clock(), sign=None))


def test_a_bank_client_may_sign_by_itself() -> None:
    table = GOOD["client_bank"][0] | {"signed": False}
    assert isinstance(transfer_connector("client_bank", table, Edges(exchange=Told(), now=Clock(), sign=None)), ClientBank)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(TransferConfigError, match="must be one of distribution_register"):
        transfer_connector("fax", {}, EDGES)
