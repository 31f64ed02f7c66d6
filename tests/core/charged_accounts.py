"""Accounts and charges in a few words, for tests of allocation tables."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from ledger.core.account_facts import (
    AccountFacts,
    BuiltTable,
    Charge,
    ChargeKind,
    Provider,
    Register,
)
from ledger.core.advances import missing_advance_lines
from ledger.core.crediting import build_table
from schemas.allocation import AccountState, AdvanceRule, PayerKind, Pool, Tier
from schemas.ids import AccountId, Line, PayeeNumber

RECIPIENTS = {1: "УО", 2: "ТЕПЛО", 3: "ВОДА", 4: "ЭНЕРГО", 5: "РО", 6: "СО", 7: "ФКР", 8: "АЛЬФА"}
SERVICES = (
    (1, "maintenance"),
    (1, "common_cold_water"),
    (1, "common_electricity"),
    (2, "heating"),
    (2, "hot_water"),
    (3, "cold_water"),
    (3, "sewage"),
    (4, "electricity"),
    (5, "waste"),
    (6, "intercom"),
    (7, "capital_repair"),
    (1, "penalty"),
    (2, "penalty"),
    (1, "court_costs"),
    (1, "advance"),
    (8, "insurance"),
    (7, "penalty"),
)
REGISTER = Register(
    recipients=RECIPIENTS,
    numbers={code: number for number, code in RECIPIENTS.items()},
    payees={PayeeNumber(n): (RECIPIENTS[recipient], service) for n, (recipient, service) in enumerate(SERVICES, 1)},
)
PAYEE = {pair: number for number, pair in REGISTER.payees.items()}
ADVANCE = PAYEE["УО", "advance"]
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MAIN, REPAIR, VOLUNTARY = Pool.MAIN, Pool.CAPITAL_REPAIR, Pool.VOLUNTARY


def facts_of(**changes: Any) -> AccountFacts:
    rule = changes.pop("rule", AdvanceRule.TO_LINE)
    provider = Provider(
        number=1,
        advance_rule=rule,
        advance_payee=ADVANCE,
        per_service_payment=changes.pop("per_service_payment", False),
        costs_first=changes.pop("costs_first", False),
    )
    given = {"state": AccountState.OPEN, "time_zone": "Europe/Moscow", "version": 0, "aliases": (), **changes}
    return AccountFacts(
        account=AccountId(77),
        namespace="uo",
        number="1001",
        payer_kind=PayerKind.PERSON,
        provider=provider,
        register=REGISTER,
        **given,
    )


def due_of(period: int) -> date:
    """The 15th of the next month (ЖК 155 ч. 1)."""
    year, month = divmod(period, 100)
    return date(year + month // 12, month % 12 + 1, 15)


def charge(recipient: str, service: str, amount: int, period: int = 202610, **more: Any) -> Charge:
    """A charge of ``recipient``; its creditor is the УО unless said."""
    creditor = more.pop("creditor", "УО")
    given = {"kind": ChargeKind.PRINCIPAL, "pool": MAIN, "due_date": due_of(period), **more}
    payee = PAYEE[recipient, service]
    return Charge(line=Line(0), creditor=REGISTER.numbers[creditor], period=period, payee=payee, amount=amount, **given)


def penalty(recipient: str, amount: int, period: int = 202608, **more: Any) -> Charge:
    return charge(recipient, "penalty", amount, period, kind=ChargeKind.PENALTY, **{"creditor": recipient, **more})


def repair(amount: int, period: int = 202610, **more: Any) -> Charge:
    return charge("ФКР", "capital_repair", amount, period, pool=REPAIR, creditor="ФКР", **more)


def costs(amount: int, period: int = 202608, **more: Any) -> Charge:
    return charge("УО", "court_costs", amount, period, kind=ChargeKind.COSTS, **more)


def numbered(facts: AccountFacts, charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    """Number the lines from 1 and add the advance lines that the builder asks for, as a publication does."""
    lines = tuple(msgspec.structs.replace(one, line=Line(number)) for number, one in enumerate(charges, 1))
    added = [
        Charge(
            line=Line(number),
            creditor=wanted.creditor,
            period=0,
            payee=wanted.payee,
            kind=ChargeKind.ADVANCE,
            pool=MAIN,
            amount=0,
            due_date=NOW.date(),
        )
        for number, wanted in enumerate(missing_advance_lines(facts, lines), len(lines) + 1)
    ]
    return (*lines, *added)


def built(*charges: Charge, paid: dict[int, int] | None = None, moment: datetime = NOW, **facts: Any) -> BuiltTable:
    known = facts_of(**facts)
    return build_table(known, numbered(known, charges), {Line(line): sum_ for line, sum_ in (paid or {}).items()}, moment)


def shown(tier: Tier) -> str:
    """A tier as one word a fact: ``*`` for designated only, creditor, period, what, then service weight-paid."""
    kinds = {0: "", 1: "penalty ", 2: "costs "}
    pools = {MAIN: "", REPAIR: "repair ", VOLUNTARY: "voluntary "}
    order = f"[{tier.court_order}] " if tier.court_order else ""
    lines = [
        f"{REGISTER.payees[payee][1]} {weight}-{paid}"
        for payee, weight, paid in zip(tier.payees, tier.weights, tier.paid, strict=True)
    ]
    mark = "*" if tier.designated_only else ""
    return f"{mark}{RECIPIENTS[tier.creditor]} {tier.period} {pools[tier.pool]}{kinds[tier.kind]}{order}" + ", ".join(lines)
