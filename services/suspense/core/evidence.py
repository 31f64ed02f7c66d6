"""Suggestions: which account suspended money may belong to, why, and how much speaks for it. Pure.

Points are a ranking, not a probability; a suggestion is never applied by itself. Reasons are told to the accountant in Russian.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

import msgspec

from schemas.ids import AccountId
from schemas.money import roubles_for_people
from services.suspense.core.neighbours import Slip

SCORE_MAX = 99
"""Nothing is certain until a person says so."""
SUGGESTIONS_MAX = 10
CROWD = 5
"""More neighbours of a written number than this say little, each by itself."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a line of a statement or register tells of its payer; personal data, only in memory."""

    payer: str = ""
    purpose: str = ""

    def __repr__(self) -> str:
        """Show neither."""
        return "Told(…)"


class Kind(StrEnum):
    """What speaks for an account."""

    OWN = "own"
    CANDIDATE = "candidate"
    WRITTEN = "written"
    SLIP = "slip"
    PAID_BEFORE = "paid_before"
    AMOUNT = "amount"
    DEBT = "debt"
    ADDRESS = "address"
    PERSON = "person"


POINTS = {
    Kind.OWN: 70,
    Kind.CANDIDATE: 50,
    Kind.WRITTEN: 80,
    Kind.PAID_BEFORE: 45,
    Kind.AMOUNT: 35,
    Kind.DEBT: 25,
    Kind.ADDRESS: 35,
    Kind.PERSON: 25,
}
SLIP_POINTS = {Slip.MARKS: 80, Slip.ZEROS: 75, Slip.SWAPPED: 60, Slip.WRONG: 55, Slip.EXTRA: 50, Slip.MISSING: 50}
CROWDED_POINTS = 20
SLIP_WORDS = {
    Slip.MARKS: "те же цифры, иначе записаны",
    Slip.ZEROS: "отличается ведущими нулями",
    Slip.SWAPPED: "две соседние цифры переставлены",
    Slip.WRONG: "одна цифра другая",
    Slip.EXTRA: "один знак лишний",
    Slip.MISSING: "одной цифры не хватает",
}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that speaks for an account: its points and its reason in Russian."""

    kind: Kind
    points: int
    reason: str


class Taking(msgspec.Struct, frozen=True, kw_only=True):
    """What the account would do with the money now: kopecks it takes, and why not the rest (Russian, empty when all)."""

    kopecks: int
    why_not: str


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """An account that the money may belong to, the strongest reason first."""

    account: AccountId
    name: str
    score: int
    reasons: tuple[str, ...]
    taking: Taking


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """An account found by something, with everything that speaks for it."""

    account: AccountId
    name: str
    evidence: tuple[Evidence, ...]
    taking: Taking


def own_account() -> Evidence:
    """The payer's own account, whose payment left the rest."""
    return Evidence(kind=Kind.OWN, points=POINTS[Kind.OWN], reason="остаток платежа этого же лицевого счёта: аванс не был принят")


def candidate(written: str, others: int) -> Evidence:
    """One of several accounts that the written number means."""
    return Evidence(
        kind=Kind.CANDIDATE,
        points=POINTS[Kind.CANDIDATE],
        reason=f"номер «{written}» принадлежит этому счёту и ещё {others}",
    )


def written_in_purpose(number: str) -> Evidence:
    """The account's number stands in the purpose."""
    return Evidence(
        kind=Kind.WRITTEN, points=POINTS[Kind.WRITTEN], reason=f"номер лицевого счёта {number} стоит в назначении платежа"
    )


def slipped(written: str, number: str, slip: Slip, crowd: int) -> Evidence:
    """The account's number differs from the written one by one slip; ``crowd``: how many accounts do."""
    is_crowded = crowd > CROWD and slip not in (Slip.MARKS, Slip.ZEROS)
    more = f"; так же близки ещё {crowd - 1}" if is_crowded else ""
    return Evidence(
        kind=Kind.SLIP,
        points=CROWDED_POINTS if is_crowded else SLIP_POINTS[slip],
        reason=f"написан номер «{written}», у счёта {number}: {SLIP_WORDS[slip]}{more}",
    )


def paid_before(times: int, last: date) -> Evidence:
    """The payer's bank account paid this account before."""
    return Evidence(
        kind=Kind.PAID_BEFORE,
        points=POINTS[Kind.PAID_BEFORE],
        reason=f"с банковского счёта плательщика этот лицевой счёт уже оплачивали: {times} раз, последний {last:%d.%m.%Y}",
    )


def equals_document(amount: int, period: int) -> Evidence:
    """The amount is what is still open of a payment document's printed total."""
    year, month = divmod(period, 100)
    whose = f" за {month:02d}.{year}" if month else ""
    return Evidence(
        kind=Kind.AMOUNT,
        points=POINTS[Kind.AMOUNT],
        reason=f"сумма {roubles_for_people(amount)} ₽ равна неоплаченному итогу платёжного документа{whose}",
    )


def equals_debt(amount: int) -> Evidence:
    """The amount is all that the account owes."""
    return Evidence(
        kind=Kind.DEBT, points=POINTS[Kind.DEBT], reason=f"сумма {roubles_for_people(amount)} ₽ равна всему долгу по счёту"
    )


def same_address(masked: str) -> Evidence:
    """The account's masked address stands in the purpose."""
    return Evidence(kind=Kind.ADDRESS, points=POINTS[Kind.ADDRESS], reason=f"в назначении платежа адрес счёта: {masked}")


def same_person_named(masked: str) -> Evidence:
    """The account's masked name is the payer's, or stands in the purpose."""
    return Evidence(kind=Kind.PERSON, points=POINTS[Kind.PERSON], reason=f"ФИО совпадает с владельцем счёта: {masked}")


def rank(suspects: Iterable[Suspect], suggestions_max: int = SUGGESTIONS_MAX) -> tuple[Suggestion, ...]:
    """Return the suspects by what speaks for them; those who take all the money before equals who do not, then by name."""
    ranked = [
        Suggestion(
            account=suspect.account,
            name=suspect.name,
            score=min(SCORE_MAX, sum(one.points for one in _strongest(suspect.evidence))),
            reasons=tuple([one.reason for one in _strongest(suspect.evidence)]),
            taking=suspect.taking,
        )
        for suspect in suspects
        if suspect.evidence
    ]
    ranked.sort(key=lambda one: (-one.score, bool(one.taking.why_not), one.name))
    return tuple(ranked[:suggestions_max])


def _strongest(evidence: Iterable[Evidence]) -> list[Evidence]:
    """One of a kind counts once; what stands in a number counts once, as its strongest."""
    best: dict[object, Evidence] = {}
    for one in evidence:
        kind = Kind.SLIP if one.kind in (Kind.CANDIDATE, Kind.WRITTEN) else Kind.AMOUNT if one.kind is Kind.DEBT else one.kind
        if kind not in best or best[kind].points < one.points:
            best[kind] = one
    return sorted(best.values(), key=lambda one: -one.points)
