"""The provider's fine (п. 155(1) ПП 354) for the overcharges of one account that an open month corrects."""

from datetime import date

import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.corrections import FineVerdict, Overcharge, fine_verdict, provider_fines
from services.billing.core.law import Law
from services.billing.core.lines import LineKind
from services.billing.core.month import Adjustment
from services.billing.corrections.deciding import Basis, Month, decide
from services.billing.corrections.files import LOCK
from services.billing.corrections.files import SQL as FILES
from services.billing.runs.keeping import Person, RunRefused
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/corrections/fines.sql")


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an account's claim (namespace:number). ``mended_on`` None: the day its correction was decided."""

    account: str
    claimed_on: date | None
    paid_on: date | None = None
    mended_on: date | None = None
    is_payers_fault: bool = False


class Fined(msgspec.Struct, frozen=True, kw_only=True):
    """One overcharge and what came of it: ``fine`` in kopecks, below zero; 0 where nothing is fined, or it was before."""

    service: str
    of_period: int
    overcharged: int
    verdict: str
    fine: int


async def decide_fines(connection: Connection, month: Month, claim: Claim, law: Law, by: Person) -> tuple[Fined, ...]:
    """Judge every overcharge of the account corrected in the open month, and decide the fines, each once. Raises RunRefused."""
    namespace, _, number = claim.account.partition(":")
    account = await connection.fetchval(FILES["find_account"], namespace, number)
    if account is None:
        raise RunRefused(f"счёта {claim.account} нет в справочнике")
    async with connection.transaction():
        await connection.execute(LOCK, month.provider, month.period)
        rows = await connection.fetch(SQL["list_overcharges"], month.provider, month.period, account)
        found, decided = [], []
        for row in rows:
            if row["amount"] >= 0:
                continue
            one, fine = _judge(claim, row["service"], (row["of_period"], row["amount"], row["fined"], row["mended_on"]), law)
            found.append(one)
            decided += [(AccountId(account), fine)] if fine is not None else []
        if not found:
            raise RunRefused("в этом месяце счёту ничего не возвращается: штрафовать не за что")
        await decide(connection, month, decided, Basis.PERSON, by)
    return tuple(found)


def _judge(claim: Claim, service: str, of: tuple[int, int, int, date], law: Law) -> tuple[Fined, Adjustment | None]:
    of_period, amount, fined, decided_on = of
    overcharge = Overcharge(
        mended_on=claim.mended_on or decided_on,
        claimed_on=claim.claimed_on,
        paid_on=claim.paid_on,
        is_payers_fault=claim.is_payers_fault,
    )
    verdict = fine_verdict(amount, overcharge)
    correction = Adjustment(
        service=service, kind=int(LineKind.CORRECTION), amount_kopecks=amount, cause="перерасчёт", of_period=of_period
    )
    share = law.fetch("provider_fine", "", overcharge.mended_on).figure("ratio")
    made = provider_fines({claim.account: (correction,)}, {claim.account: overcharge}, share).get(claim.account, ())
    # What was fined before for a part of the same overcharge is taken off: the rest alone is fined.
    rest = sum(one.amount_kopecks for one in made) - fined if made else 0
    told = verdict.value if verdict is not FineVerdict.FINED or rest < 0 else "штраф уже начислен"
    one = Fined(service=service, of_period=of_period, overcharged=amount, verdict=told, fine=min(rest, 0))
    return one, msgspec.structs.replace(made[0], amount_kopecks=rest) if made and rest < 0 else None
