"""How the demo's statement is read: whose money each line is (services/clearing/core/rules.py)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from kopeck.demo.acquirers import FEE_PERMILLE, RBS, TBANK, TOCHKA
from kopeck.demo.covering import SPACES, payer_of
from kopeck.demo.recipients import OPERATOR, TRANSIT_ACCOUNT
from kopeck.demo.town import NAMESPACE
from ledger.feed import Connection
from ledger.statements import load_statements
from services.clearing.loading_rules import RulesRefused, load_rules

LOADER = "demo-loader"
SINCE = "2026-01-01"
SAYS = {
    RBS: r"(?P<operation>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|комисси\w+ (?P<fee>[0-9]+-[0-9]{2})",
    TBANK: r"(?<![0-9])(?P<operation>[0-9]{10,20})(?![0-9])",
    TOCHKA: r"операция (?P<operation>A[0-9A-F]{31})",
}
"""What the purposes of acquirers' orders name."""
FEES: dict[str, Any] = {"bearer": OPERATOR, "rates": [{"since": SINCE, "rate": FEE_PERMILLE * 100}]}
_SQL = load_statements("kopeck/statements/demo.sql")


class FolderOfAFeed(RuntimeError):
    """Covers of this folder's transit account were told of by the bank's feed: they cannot be read from its statement as well."""


def demo_rules() -> Iterator[Mapping[str, Any]]:
    """Covers by the payer's account, payments by the purpose; covers are believed from the statement, not from the feed."""
    yield {"believed": "statement", "transit": TRANSIT_ACCOUNT, "since": SINCE}
    for space in SPACES:
        rule: dict[str, Any] = {"name": f"покрытие {space}", "transit": TRANSIT_ACCOUNT, "class": "cover", "space": space}
        rule |= {"payer_account": [payer_of(space).account]} | ({"says": SAYS[space]} if space in SAYS else {})
        yield rule | (FEES if space == RBS else {})
    yield {"name": "платежи", "transit": TRANSIT_ACCOUNT, "class": "payment", "namespaces": {"account": NAMESPACE}}


async def load_demo_rules(connection: Connection, now: datetime) -> None:
    """Load the rules unless some are loaded already; raises FolderOfAFeed for a folder of an earlier program."""
    if await connection.fetchval(_SQL["count_rule_sets"]):
        return
    try:
        await load_rules(connection, [msgspec.json.encode(rule) for rule in demo_rules()], LOADER, now)
    except RulesRefused as error:
        raise FolderOfAFeed(f"{error}\nTake another data folder, or remove this one with kopeck clean") from error
