"""People decide what the rules cannot: the class of a line that is not booked, and what a booked cover covers."""

from datetime import date, datetime

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from services.clearing.core.verdict import CREDITS_ONLY, DEBITS_ONLY, Decision, Hints, LineClass

_SQL = load_statements("services/clearing/persons.sql")

C = LineClass
BY_PERSON = tuple(one for one in LineClass if one not in (C.OWN_ORDER, C.RETURNED_ORDER))
"""Whether a line is an order's only settlement knows."""


class NotClassified(ValueError):
    """The line cannot be taken for that; the message says why. Nothing was changed."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of a line. A cover needs ``space``, a payment ``account`` (its number), a debt ``party`` (a code)."""

    line_class: LineClass
    why: str = ""
    space: str = ""
    account: str = ""
    party: str = ""
    hints: Hints = Hints()


async def classify_by_person(connection: Connection, line: int, said: Said, by: str, now: datetime) -> None:
    """Give a line the class that a person says, or another one, while it is not booked; raises NotClassified."""
    async with connection.transaction():
        row = await connection.fetchrow(_SQL["find_line"], line)
        if row is None:
            raise NotClassified(f"строки {line} нет")
        if row["sequence"] is not None or row["class"] in (C.OWN_ORDER, C.RETURNED_ORDER):
            raise NotClassified(f"строка {line} уже учтена как {row['class']}: её класс больше не меняется")
        if row["offered"]:
            raise NotClassified(f"строка {line} учитывается как платёж: её класс больше не меняется")
        if row["vanished_from"] is not None:
            raise NotClassified(f"строка {line} исчезла из выписки")
        if said.line_class not in BY_PERSON:
            raise NotClassified("поручения узнаёт только settlement")
        wrong = DEBITS_ONLY if row["is_credit"] else CREDITS_ONLY
        if said.line_class in wrong:
            raise NotClassified(f"{said.line_class.value} не бывает {'поступлением' if row['is_credit'] else 'списанием'}")
        decision = msgspec.json.encode(await _decision(connection, said)).decode()
        why = said.why or "решено человеком"
        await connection.execute(_SQL["classify"], line, said.line_class.value, why, decision, by, now)


async def explain_by_person(connection: Connection, line: int, hints: Hints, by: str) -> None:
    """Say what a booked cover covers that nothing explains yet; clearing matches it at its next look. Raises NotClassified."""
    async with connection.transaction():
        row = await connection.fetchrow(_SQL["find_cover"], line)
        if row is None:
            raise NotClassified(f"строка {line} — не учтённое покрытие")
        if row["by"] != "payer":
            raise NotClassified(f"что покрывает строка {line}, уже известно ({row['by']})")
        decision = msgspec.json.decode(row["decision"], type=Decision)
        decision = msgspec.structs.replace(decision, hints=hints, explained_by=by)
        await connection.execute(_SQL["set_hints"], line, msgspec.json.encode(decision).decode())


def hints_said(registers: tuple[str, ...], operation: str, day: date | None) -> Hints:
    """Turn what a person names into hints."""
    return Hints(
        registers=tuple(one.strip().lstrip("0") for one in registers),
        operations=(operation,) if operation else (),
        since=day,
        until=day,
    )


async def _decision(connection: Connection, said: Said) -> Decision:
    wanted = {C.COVER: (said.space, "space"), C.PAYMENT: (said.account, "account"), C.DEBT: (said.party, "party")}
    value, name = wanted.get(said.line_class, ("", ""))
    if name and not value:
        raise NotClassified(f"{said.line_class.value}: не назван {name}")
    space = party = 0
    if said.line_class is C.COVER:
        space = await connection.fetchval(_SQL["find_space"], said.space)
    if said.line_class is C.DEBT:
        party = await connection.fetchval(_SQL["find_recipient"], said.party)
    if space is None or party is None:
        raise NotClassified(f"{value} не заведено")
    account = said.account if said.line_class in (C.PAYMENT, C.UNKNOWN) else ""
    return Decision(space=space, party=party, account=account, hints=said.hints)
