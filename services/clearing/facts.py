"""What is looked up before lines are classified: rules, payments that were heard, covers that a feed told of, accounts named."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.channel import Channel, ChannelKind
from services.clearing.core.classify import Found, Heard, Reading
from services.clearing.core.rules import Numbers, Rule, RuleReady, ready
from services.clearing.core.verdict import Line, LineClass

_SQL = load_statements("services/clearing/facts.sql")

STATEMENT, FEED = "statement", "feed"


async def fetch_numbers(connection: Connection) -> Numbers:
    """Read the registers that rules name."""
    names: dict[str, dict[str, int]] = {"transit": {}, "space": {}, "recipient": {}}
    for row in await connection.fetch(_SQL["list_registers_of_numbers"]):
        names[row["what"]][row["name"]] = row["number"]
    return Numbers(transits=names["transit"], spaces=names["space"], recipients=names["recipient"])


async def fetch_rules(connection: Connection) -> tuple[RuleReady, ...]:
    """Read the rules that count now, ready for use; none before the first are loaded."""
    rows = await connection.fetch(_SQL["list_rules"])
    if not rows:
        return ()
    numbers = await fetch_numbers(connection)
    return tuple([ready(msgspec.json.decode(row["content"], type=Rule), numbers) for row in rows])


def statement_channels(channels: Sequence[Channel]) -> Mapping[int, Channel]:
    """Return by transit account the channel in which payments of its statement are booked; raises ValueError for two."""
    found: dict[int, Channel] = {}
    for channel in channels:
        if channel.kind is ChannelKind.STATEMENT:
            if channel.transit in found:
                raise ValueError(f"channels {found[channel.transit].name} and {channel.name} are both of one statement")
            found[channel.transit] = channel
    return found


class Facts:
    """Looks up what lines need; ``channels`` by transit account."""

    def __init__(self, connection: Connection, channels: Mapping[int, Channel]) -> None:
        self._connection = connection
        self._channels = channels

    async def find(self, lines: Sequence[tuple[Line, Reading, str]]) -> list[Found]:
        """Return what was found for each line; the third of a line is whom its covers are believed from."""
        credits = [(place, line, reading) for place, (line, reading, _) in enumerate(lines) if line.is_credit]
        heard = await self._heard([one for one in credits if lines[one[0]][2] != FEED])
        fed = await self._fed([one for one in credits if lines[one[0]][2] == FEED])
        accounts = await self._accounts(credits)
        numbers = await self._numbers(lines, accounts)
        return [
            Found(
                heard=tuple(fed.get(place, heard.get(place, ()))),
                accounts=accounts.get(place, {}),
                numbers=numbers,
                from_feed=believed == FEED,
            )
            for place, (_, _, believed) in enumerate(lines)
        ]

    async def _heard(self, credits: Sequence[tuple[int, Line, Reading]]) -> dict[int, list[Heard]]:
        """Ids are looked up only where the line's payer tells of payments: numbers of others may be the same by chance."""
        asked = []
        for place, line, reading in credits:
            channel, rule = self._channels.get(line.transit), reading.rules.get(LineClass.COVER)
            spaces = {one for one in (channel and channel.space, rule and rule.space) if one}
            ids = {line.bank_id, *line.references, *reading.hints.operations}
            asked += [(place, line.transit, space, one, line.amount, line.day, line.line) for space in spaces for one in ids]
        found: dict[int, list[Heard]] = {}
        whose: dict[tuple[int, int, str], int] = {}
        for row in sorted(await self._rows("list_heard", asked, 7), key=lambda row: int(row["place"])):
            heard = Heard(space=row["space"], external_id=row["external_id"], day=row["day"])
            # The first line covers it; a second one under its id is other money.
            key = (row["transit"], heard.space, heard.external_id)
            if whose.setdefault(key, row["place"]) == row["place"]:
                found.setdefault(row["place"], []).append(heard)
        return found

    async def _fed(self, credits: Sequence[tuple[int, Line, Reading]]) -> dict[int, list[Heard]]:
        asked = [
            (place, line.transit, one, line.amount)
            for place, line, reading in credits
            for one in {line.bank_id, *line.references, *reading.hints.operations}
        ]
        found: dict[int, list[Heard]] = {}
        for row in await self._rows("list_fed", asked, 4):
            heard = Heard(space=row["space"], external_id=row["external_id"], day=row["day"], covered_by=row["sequence"])
            found.setdefault(row["place"], []).append(heard)
        return found

    async def _accounts(self, credits: Sequence[tuple[int, Line, Reading]]) -> dict[int, dict[tuple[str, str], tuple[int, ...]]]:
        asked = [(place, line, name) for place, line, reading in credits for name in reading.names]
        rows = await self._rows("list_accounts", [(at, *name, line.day) for at, (_, line, name) in enumerate(asked)], 4)
        found: dict[int, dict[tuple[str, str], tuple[int, ...]]] = {}
        for row in rows:
            place, _, name = asked[row["place"]]
            accounts = found.setdefault(place, {})
            accounts[name] = (*accounts.get(name, ()), row["personal_account"])
        return found

    async def _numbers(
        self, lines: Sequence[tuple[Line, Reading, str]], accounts: Mapping[int, Mapping[tuple[str, str], tuple[int, ...]]]
    ) -> dict[int, str]:
        """Return the numbers of single accounts in the namespace of their transit account's statement."""
        wanted: dict[str, set[int]] = {}
        days: dict[str, date] = {}
        for place, names in accounts.items():
            line = lines[place][0]
            channel = self._channels.get(line.transit)
            if channel is not None:
                wanted.setdefault(channel.namespace, set()).update(one for found in names.values() for one in found)
                days[channel.namespace] = max(line.day, days.get(channel.namespace, line.day))
        numbers: dict[int, str] = {}
        for namespace, found in wanted.items():
            rows = await self._connection.fetch(_SQL["list_numbers"], sorted(found), namespace, days[namespace])
            numbers |= {row["personal_account"]: row["number"] for row in rows}
        return numbers

    async def _rows(self, statement: str, asked: Sequence[tuple[Any, ...]], columns: int) -> list[Any]:
        if not asked:
            return []
        rows: list[Any] = await self._connection.fetch(_SQL[statement], *([row[at] for row in asked] for at in range(columns)))
        return rows
