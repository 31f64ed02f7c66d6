"""Which process reads a transit account's statement: clearing where there is a channel for it, and then nobody else."""

from pathlib import Path

import pytest

from kopeck.counterparties import CounterpartiesFile, CounterpartySection
from kopeck.embedded.servers import Connections
from kopeck.intake_process import cleared_accounts, statement_counterparties
from kopeck.running import House
from schemas.channel import Channel, ChannelKind, LegalKind, Manner
from schemas.ids import ChannelNumber, Space, Transit

CLEARED, FED = "40911810000000000001", "40911810000000000002"
KEYS = ("00" * 32,)
CONNECTIONS = Connections(owner_dsn="", gateway_dsn="", services_dsn="", reader_dsn="", redis_url="")
FILE = CounterpartiesFile(
    counterparty=(
        CounterpartySection(name="till", kind="atol"),
        CounterpartySection(name="fed", kind="client_bank", statement_of=(FED,)),
        CounterpartySection(name="both", kind="client_bank", statement_of=(FED, CLEARED)),
    ),
    sign_command=("sign",),
    webhook_keys=KEYS,
)


def channel(kind: ChannelKind, account: str) -> Channel:
    return Channel(
        number=ChannelNumber(1),
        name=kind.value,
        kind=kind,
        manner=Manner.REPORTING,
        legal_kind=LegalKind.BANK,
        space=Space(7),
        space_name="space",
        transit=Transit(1),
        transit_account=account,
        namespace="epd",
    )


CHANNELS = (channel(ChannelKind.STATEMENT, CLEARED), channel(ChannelKind.BANK_FEED, FED))


def test_clearing_reads_the_accounts_that_have_a_channel_for_it() -> None:
    assert cleared_accounts(CHANNELS) == (CLEARED,)
    assert cleared_accounts(CHANNELS[1:]) == ()


def test_clearing_is_told_of_those_banks_only_whose_statements_it_reads() -> None:
    told = statement_counterparties(FILE, (CLEARED,))
    assert [one.name for one in told.counterparty] == ["both"]
    assert told.sign_command == FILE.sign_command and not told.webhook_keys
    assert statement_counterparties(FILE, ()).counterparty == ()


@pytest.mark.parametrize(("keys", "cleared"), [(KEYS, (CLEARED,)), ((), ())])
def test_nothing_is_cleared_without_a_key_of_personal_data(keys: tuple[str, ...], cleared: tuple[str, ...]) -> None:
    house = House(
        folder=Path(),
        host="127.0.0.1",
        port=0,
        processes=1,
        books=1,
        log_level="info",
        connections=CONNECTIONS,
        channels=CHANNELS,
        personal_keys=keys,
    )
    assert house.cleared == cleared
