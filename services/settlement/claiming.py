"""What a cut takes back, whom that makes a debtor, and what it keeps back for debts. Pure: works on the cut's lots in place.

Money that was never ordered goes back first and makes nobody owe. What had been ordered becomes a claim on its recipient, or on a
guarantor in its place. A claim is lessened by a deposit, by the same money come back from the bank, by the same recipient's part
of the same payment for another account, and only then, with its consent, by what it is owed otherwise (design §4 «Refunds»).
An offset of an advance takes from its holder and gives to others: the holder's own part of it makes nobody owe.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from schemas.journal import EntryKind
from schemas.transfer import PurposeClass
from services.settlement.backlots import (
    NO_ENTRY,
    NO_LOT,
    OWN,
    THIS_CUT,
    Backlog,
    CameBack,
    ClaimPayment,
    Deduction,
    EntryPlace,
    Kept,
    Move,
    Moved,
    MoveLeg,
    NewClaim,
    Return,
)
from services.settlement.lots import Directory, Lot, LotKey, Taken, class_of

NETTED_REASONS = frozenset({"correction", "refund", "fee", "debt", "offset"})
"""Claims that consent to netting covers; invoiced commission is paid as it was agreed."""


class Debtor:
    """A claim while a cut works on it: ``claim`` of the table, or (None) the ``nth`` new one; ``left`` and ``space`` move."""

    def __init__(self, told: NewClaim, *, claim: int | None = None, nth: int = 0, stopped: bool = False) -> None:
        self.told = told
        self.claim = claim
        self.nth = nth
        self.stopped = stopped
        self.left = told.left
        self.space = told.space

    @property
    def at(self) -> EntryPlace:
        """The entry that it arose from."""
        return self.told.book, self.told.sequence


class Claiming:
    """The claims of one cut. ``lots`` are the cut's, changed in place; ``carried`` are those that earlier cuts left over."""

    def __init__(self, lots: dict[LotKey, Lot], carried: Mapping[LotKey, Lot], backlog: Backlog, directory: Directory) -> None:
        self.lots = lots
        self.debtors: list[Debtor] = []
        self.payments: list[ClaimPayment] = []
        self.recoveries: dict[int, dict[LotKey, int]] = {}
        self.kept: list[Kept] = []
        self.moved: list[Moved] = []
        self.finished: dict[EntryPlace, Move] = {}
        self.deducted: list[Deduction] = []
        self._carried = carried
        self._unordered = {key: lot.net for key, lot in carried.items()}
        self._directory = directory
        self._deposits = dict(backlog.deposits)
        self._came_back = {(one.transfer, one.key): one.left for one in backlog.came_back}
        self._parts: Sequence[CameBack] = backlog.came_back
        self._legs = {move.at: list(move.legs) for move in backlog.moves}
        self._moves = sorted(backlog.moves, key=lambda move: move.at)
        self._entered: set[EntryPlace] = set()
        self._own = {(move.origin, leg.key): leg.kept for move in backlog.moves for leg in move.legs if leg.amount < 0}
        self._taken: set[EntryPlace] = {move.at for move in backlog.moves if not any(leg.amount < 0 for leg in move.legs)}
        names = [name for name in NewClaim.__struct_fields__ if name != "amount"]
        for one in backlog.claims:
            told = NewClaim(**{name: getattr(one, name) for name in names}, amount=one.left)
            self.debtors.append(Debtor(told, claim=one.claim, stopped=one.stopped))

    def take_corrections(self, taken: Iterable[Taken]) -> None:
        """Take back what counterparties took back of promises."""
        for one in sorted(taken, key=lambda taken: (taken.key, taken.original_cut, taken.space)):
            self._take_back(one, why="correction", guarantor=0)

    def _take_back(self, one: Taken, why: str, guarantor: int) -> None:
        """Take kopecks out of a lot; what of it was ordered is a claim, which the lot is given back."""
        back = one.amount
        if one.original_cut != THIS_CUT:
            held = self._carried.get(one.key)
            own = self._unordered[one.key] if held is not None and held.since_cut <= one.original_cut else 0
            back = min(one.amount, own)
            if own:
                self._unordered[one.key] = own - back
        ordered = one.amount - back
        self.lots[one.key] = plus(self.lots.get(one.key, Lot()), gross=-one.amount, claimed=ordered)
        if ordered:
            self._claim(one, why, guarantor, ordered)

    def _claim(self, one: Taken, why: str, guarantor: int, amount: int) -> None:
        recipient = self._directory.recipient_of(one.key)
        assert recipient is not None, "money of an unknown payee is never ordered"
        told = NewClaim(
            recipient=guarantor or recipient.number,
            why=why,
            space=one.space,
            key=one.key,
            original_cut=one.original_cut,
            book=one.at[0],
            sequence=one.at[1],
            amount=amount,
            left=amount,
        )
        self.debtors.append(Debtor(told, nth=len(self.new_claims())))

    def take_deficits(self) -> None:
        """Turn into a claim what a lot lacks because commission was taken from money that was taken back."""
        for key, lot in list(self.lots.items()):
            if lot.net < 0:
                short = Taken(key=key, space=0, original_cut=THIS_CUT, amount=-lot.net, at=NO_ENTRY)
                self._claim(short, "correction", 0, -lot.net)
                self.lots[key] = plus(lot, claimed=-lot.net)

    def advance_moves(self) -> None:
        """Take back what moves take and let go what is covered, as far as one thing lets another follow."""
        before = -1
        while before != len(self.finished) + len(self._taken):
            before = len(self.finished) + len(self._taken)
            for move in self._moves:
                self._take_kept(move)
                if move.at not in self._taken and self._may_take(move):
                    self._take(move)
                if move.at not in self.finished and self._is_covered(move):
                    self._give(move)
                if move.at not in self.finished and move.kind is EntryKind.REVERSAL:
                    self._annul(move)

    def _may_take(self, move: Move) -> bool:
        return not move.origin_moves or move.origin_done or move.origin in self.finished

    def _take(self, move: Move) -> None:
        original = THIS_CUT if move.origin in self._entered else move.origin_cut
        cut = THIS_CUT if original is None else original
        for leg in [leg for leg in self._legs[move.at] if leg.amount < 0]:
            one = Taken(key=leg.key, space=0, original_cut=cut, amount=-leg.amount, at=move.at)
            self._take_back(one, _reason_of(move), move.guarantor)
            self._move(move, leg, leg.amount, cut)
        self._taken.add(move.at)
        self._offset_within(move)

    def _take_kept(self, move: Move) -> None:
        """Claim what a recipient had been paid before its part of a reassigned payment was taken back again: it never waits."""
        for leg in [leg for leg in self._legs[move.at] if leg.amount < 0]:
            paid = min(-leg.amount, self._own.get((move.origin, leg.key), 0))
            if paid:
                self._own[move.origin, leg.key] -= paid
                self.lots[leg.key] = plus(self.lots.get(leg.key, Lot()), gross=-paid, claimed=paid)
                one = Taken(key=leg.key, space=0, original_cut=THIS_CUT, amount=paid, at=move.at)
                self._claim(one, _reason_of(move), move.guarantor, paid)
                self._move(move, leg, -paid, OWN)

    def _offset_within(self, move: Move, *others: EntryPlace) -> None:
        """Let a recipient keep what one entry takes from it and gives it again: an advance of its own for a line of its own.

        ``others`` are entries whose claims the move's money lessens as well.
        """
        if move.kind is not EntryKind.REASSIGNMENT:
            for debtor in [one for one in self.debtors if one.at == move.at or one.at in others]:
                self._offset(move, debtor)

    def _annul(self, move: Move) -> None:
        """Let the reversal of an offset undo it before it is covered: nothing was given, so nothing is taken back or owed."""
        undone = next((one for one in self._moves if one.at == move.origin and one.kind is EntryKind.ADVANCE_OFFSET), None)
        if undone is None or undone.at in self.finished or undone.at not in self._taken:
            return
        for one, sign in ((undone, 1), (move, -1)):
            for leg in [leg for leg in self._legs[one.at] if leg.amount * sign > 0]:
                self._move(one, leg, leg.amount, THIS_CUT)
        self._taken.add(move.at)
        self.finished[undone.at] = undone
        self._offset_within(move, undone.at)
        self._give(move)

    def _is_covered(self, move: Move) -> bool:
        """Whether what a move gives may be ordered: all that it took back is covered, and its origin is no promise any more."""
        if move.at not in self._taken or not self._may_take(move):
            return False
        if move.kind is EntryKind.REASSIGNMENT and not move.takes:
            return move.half_done or any(self._is_half(other, move) for other in self.finished.values())
        return not any(debtor.left for debtor in self.debtors if debtor.at == move.at)

    def _is_half(self, other: Move, move: Move) -> bool:
        pair = (other.kind, other.origin, other.nth) == (move.kind, move.origin, move.nth)
        return pair and other.takes

    def _give(self, move: Move) -> None:
        for leg in [leg for leg in self._legs[move.at] if leg.amount > 0]:
            lot = self.lots.get(leg.key, Lot())
            self.lots[leg.key] = plus(lot, gross=leg.amount, periods=lot.periods | {leg.period})
            self._move(move, leg, leg.amount, THIS_CUT)
        self.finished[move.at] = move
        self._entered.add(move.at)

    def _move(self, move: Move, leg: MoveLeg, amount: int, original_cut: int) -> None:
        """Note what is taken of a posting, and leave the rest of it."""
        self.moved.append(Moved(move.at, leg.place, amount, original_cut))
        legs = self._legs[move.at]
        legs.remove(leg)
        if leg.amount != amount:
            legs.append(leg._replace(amount=leg.amount - amount))

    def take_deductions(self, deductions: Iterable[Deduction]) -> None:
        """Let refunds that counterparties keep count for their clearing accounts, with what is still owed for them."""
        for one in deductions:
            at = (one.book, one.refund)
            if one.is_taken or at in self._taken:
                self.deducted.append(one)
                for debtor in self.debtors:
                    if debtor.at == at:
                        debtor.space = one.space

    def spend_deposits(self) -> None:
        """Pay claims with what their debtors had paid before."""
        for debtor in self.debtors:
            amount = min(debtor.left, self._deposits.get(debtor.told.recipient, 0))
            if amount:
                self._deposits[debtor.told.recipient] -= amount
                self._pay(debtor, "deposit", amount)

    def keep_come_back(self) -> None:
        """Keep money that came back from the bank for claims on that very money, whoever owes."""
        for debtor in self.debtors:
            for part in self._parts if debtor.told.key != NO_LOT else ():
                left = self._came_back[part.transfer, part.key]
                amount = min(debtor.left, left)
                if part.key == debtor.told.key and part.since_cut <= debtor.told.original_cut <= part.last_cut and amount:
                    self._came_back[part.transfer, part.key] = left - amount
                    self.kept.append(Kept(part.transfer, part.key, amount))
                    self._recover(debtor, part.key, "reissue", amount)

    def offset_own(self) -> None:
        """Let a recipient that was paid for the wrong account keep it as the right one's: its part of what arrives there."""
        for move in self._moves:
            if move.kind is not EntryKind.REASSIGNMENT or move.takes or move.at in self.finished:
                continue
            halves = {other.at for other in self._moves if self._is_half(other, move)}
            for debtor in [one for one in self.debtors if one.at in halves]:
                self._offset(move, debtor)

    def _offset(self, move: Move, debtor: Debtor) -> None:
        for leg in [leg for leg in self._legs[move.at] if leg.amount > 0]:
            recipient = self._directory.recipient_of(leg.key)
            amount = min(debtor.left, leg.amount)
            if amount and recipient is not None and recipient.number == debtor.told.recipient:
                self._move(move, leg, amount, OWN)
                self._own[move.at, leg.key] = self._own.get((move.at, leg.key), 0) + amount
                lot = self.lots.get(leg.key, Lot())
                self.lots[leg.key] = plus(lot, gross=amount, recovered=amount, periods=lot.periods | {leg.period})
                self._recover(debtor, leg.key, "own", amount)

    def net_with_consent(self) -> None:
        """Keep claims back from what their debtors are owed for services, where the lot's contract holds the consent."""
        for key in sorted(self.lots):
            recipient = self._directory.recipient_of(key)
            if recipient is None or class_of(key) is not PurposeClass.SERVICES:
                continue
            contract = self._directory.contract_of(key, recipient)
            if contract is None or not contract.nets_debts:
                continue
            for debtor in self._open_of(recipient.number):
                amount = min(debtor.left, self.lots[key].net)
                if amount > 0:
                    self.lots[key] = plus(self.lots[key], recovered=amount)
                    self._recover(debtor, key, "netted", amount)

    def _open_of(self, recipient: int) -> Iterator[Debtor]:
        for debtor in self.debtors:
            if debtor.told.recipient == recipient and debtor.left and not debtor.stopped and debtor.told.why in NETTED_REASONS:
                yield debtor

    def _recover(self, debtor: Debtor, key: LotKey, how: str, amount: int) -> None:
        of_recipient = self.recoveries.setdefault(debtor.told.recipient, {})
        of_recipient[key] = of_recipient.get(key, 0) + amount
        self._pay(debtor, how, amount)

    def _pay(self, debtor: Debtor, how: str, amount: int) -> None:
        debtor.left -= amount
        self.payments.append(ClaimPayment(debtor.claim, debtor.nth, how, amount))

    def is_returnable(self, one: Return) -> bool:
        """Whether the money of a return is covered after all that this cut did."""
        return one.funded or (one.book, one.sequence) in self.finished

    def new_claims(self) -> list[Debtor]:
        """Return the claims that this cut makes, in order."""
        return [debtor for debtor in self.debtors if debtor.claim is None]

    def told(self) -> tuple[NewClaim, ...]:
        """Return the new claims as they are written."""
        return tuple([msgspec.structs.replace(one.told, left=one.left, space=one.space) for one in self.new_claims()])

    def debts(self) -> dict[int, dict[LotKey, int]]:
        """Return what arises against whom by lot, for the entries of the cut."""
        found: dict[int, dict[LotKey, int]] = {}
        for one in self.new_claims():
            of_recipient = found.setdefault(one.told.recipient, {})
            of_recipient[one.told.key] = of_recipient.get(one.told.key, 0) + one.told.amount
        return found


def _reason_of(move: Move) -> str:
    """Return why a claim for what a move takes arises."""
    return "offset" if move.kind is EntryKind.ADVANCE_OFFSET else "refund"


def plus(lot: Lot, **more: object) -> Lot:
    """Add to a lot's sums; ``periods`` are replaced."""
    sums = {name: getattr(lot, name) + value for name, value in more.items() if isinstance(value, int)}
    kept = {name: value for name, value in more.items() if not isinstance(value, int)}
    return msgspec.structs.replace(lot, **sums, **kept)
