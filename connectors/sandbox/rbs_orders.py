"""Orders of a fake RBS acquirer: what each may become, and what of it is told (protocols.md §2)."""

import hashlib
from collections.abc import Callable
from datetime import date, datetime

import msgspec

from connectors.acquiring.rbs_answers import OrderState
from connectors.terminals.fields import MOSCOW

HALF_PERMILLE, PERMILLE = 500, 1000
PAID_STATES = (OrderState.PAID, OrderState.REFUNDED)


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money given back."""

    amount_kopecks: int
    rrn: str
    external_refund_id: str
    at: datetime


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order and what was done with it."""

    order_id: str
    number: str
    amount_kopecks: int
    is_held: bool
    made_at: datetime
    expires_at: datetime
    description: str = ""
    callback_url: str = ""
    extras: dict[str, str] = {}
    state: OrderState = OrderState.REGISTERED
    approved_kopecks: int = 0
    deposited_kopecks: int = 0
    rrn: str = ""
    qr_id: str = ""
    held_at: datetime | None = None
    deposited_at: datetime | None = None
    changed_at: datetime
    refunds: tuple[Refund, ...] = ()

    @property
    def refunded_kopecks(self) -> int:
        """The sum of the refunds."""
        return sum(refund.amount_kopecks for refund in self.refunds)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation as a callback tells it, with the order as it then stood; ``amount_kopecks`` is the operation's own."""

    name: str
    order: Order
    succeeded: bool
    amount_kopecks: int
    rrn: str
    external_refund_id: str = ""


class RegisterRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the acquirer's evening register: a deposit of the day, gross, and the acquirer's fee of it, in kopecks."""

    order_id: str
    number: str
    rrn: str
    amount_kopecks: int
    fee_kopecks: int
    at: datetime


class OrderFault(Exception):
    """The bank refuses; ``code`` is errorCode."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


WRONG_STATE = "Платёж должен быть в корректном состоянии"


class OrderBook:
    """All orders of one merchant; ``tell`` hears of every operation."""

    def __init__(self, seed: str, fee_permille: int, tell: Callable[[Operation, datetime], None]) -> None:
        self._seed = seed
        self._fee_permille = fee_permille
        self._tell = tell
        self._operations = 0
        self._rrn_first = int.from_bytes(self._digest("rrn")[:5]) % 900_000_000_000
        self.orders: dict[str, Order] = {}
        self._ids: dict[str, str] = {}
        self._unpaid: set[str] = set()
        self._changed: dict[date, set[str]] = {}

    def find(self, order_id: str, number: str = "") -> Order:
        """Return an order by either id; OrderFault 6 for none."""
        order = self.orders.get(order_id or self._ids.get(number, ""))
        if order is None:
            raise OrderFault(6, "Заказ не найден")
        return order

    def register(self, order: Order) -> Order:
        """Take an order whose number is new; its id is made from it. OrderFault 1 for a number that is taken."""
        if order.number in self._ids:
            raise OrderFault(1, "Заказ с таким номером уже обработан")
        made = msgspec.structs.replace(order, order_id=self._uuid(f"order/{order.number}"))
        self.orders[made.order_id] = made
        self._unpaid.add(made.order_id)
        self._ids[made.number] = made.order_id
        return made

    def expire(self, now: datetime) -> None:
        """Decline what nobody paid in time."""
        for order in [self.orders[order_id] for order_id in sorted(self._unpaid)]:
            if order.expires_at <= now:
                self._keep(order, now, state=OrderState.DECLINED)
                self._told("declinedByTimeout", order, 0, now)

    def pay(self, order_id: str, now: datetime, *, is_declined: bool = False) -> Order:
        """Let the payer pay, or try to: a failed try leaves the order to be tried again."""
        order = self.find(order_id)
        if order.state is not OrderState.REGISTERED:
            raise OrderFault(7, WRONG_STATE)
        if is_declined:
            self._told("approved" if order.is_held else "deposited", order, order.amount_kopecks, now, succeeded=False)
            return order
        order = self._keep(order, now, state=OrderState.HELD, approved_kopecks=order.amount_kopecks, rrn=self._rrn(), held_at=now)
        if order.is_held:
            self._told("approved", order, order.amount_kopecks, now)
            return order
        return self.deposit(order_id, 0, now)

    def deposit(self, order_id: str, amount_kopecks: int, now: datetime) -> Order:
        """Take a hold, whole for 0."""
        order = self.find(order_id)
        taken = amount_kopecks or order.approved_kopecks
        if order.state is not OrderState.HELD or taken > order.approved_kopecks:
            raise OrderFault(7, WRONG_STATE)
        order = self._keep(order, now, state=OrderState.PAID, deposited_kopecks=taken, deposited_at=now)
        self._told("deposited", order, taken, now)
        return order

    def reverse(self, order_id: str, now: datetime) -> None:
        """Release a hold, or a payment of the same day of which nothing was refunded."""
        order = self.find(order_id)
        paid_today = order.state is OrderState.PAID and order.deposited_at is not None and _day(order.deposited_at) == _day(now)
        if order.refunds or not (order.state is OrderState.HELD or paid_today):
            raise OrderFault(7, WRONG_STATE)
        order = self._keep(order, now, state=OrderState.REVERSED)
        self._told("reversed", order, order.approved_kopecks, now)

    def refund(self, order_id: str, amount_kopecks: int, external_refund_id: str, now: datetime) -> None:
        """Give back a part, at most what is left; a repeated id of ours is refused."""
        order = self.find(order_id)
        if order.state not in PAID_STATES or amount_kopecks <= 0:
            raise OrderFault(7, WRONG_STATE)
        if external_refund_id and any(one.external_refund_id == external_refund_id for one in order.refunds):
            raise OrderFault(7, "Возврат с таким externalRefundId уже есть")
        if amount_kopecks > order.deposited_kopecks - order.refunded_kopecks:
            raise OrderFault(7, "Сумма возврата превышает сумму списания")
        refund = Refund(amount_kopecks=amount_kopecks, rrn=self._rrn(), external_refund_id=external_refund_id, at=now)
        order = self._keep(order, now, state=OrderState.REFUNDED, refunds=(*order.refunds, refund))
        self._tell(
            Operation(
                name="refunded",
                order=order,
                succeeded=True,
                amount_kopecks=amount_kopecks,
                rrn=refund.rrn,
                external_refund_id=external_refund_id,
            ),
            now,
        )

    def decline(self, order_id: str, now: datetime) -> None:
        """Cancel an order that nobody paid."""
        order = self.find(order_id)
        if order.state is not OrderState.REGISTERED:
            raise OrderFault(7, WRONG_STATE)
        self._keep(order, now, state=OrderState.DECLINED)

    def link(self, order_id: str) -> Order:
        """Give the order its payment link."""
        order = self.find(order_id)
        qr_id = "AD" + hashlib.sha256(f"{self._seed}/qr/{order_id}".encode()).hexdigest()[:30].upper()
        return self._keep(order, order.changed_at, qr_id=qr_id)

    def changed_between(self, since: datetime, until: datetime) -> list[Order]:
        """Return what changed in [since, until), oldest first, without orders that nothing happened to."""
        days = (day for day in self._changed if _day(since) <= day <= _day(until))
        touched = (self.orders[order_id] for order_id in {one for day in days for one in self._changed[day]})
        changed = (order for order in touched if since <= order.changed_at < until)
        return sorted(changed, key=lambda order: (order.changed_at, order.order_id))

    def register_of(self, day: date) -> tuple[RegisterRow, ...]:
        """Return the evening register of a day of Moscow time: its deposits that were not reversed. Fees are rounded half-up."""
        return tuple(
            RegisterRow(
                order_id=order.order_id,
                number=order.number,
                rrn=order.rrn,
                amount_kopecks=order.deposited_kopecks,
                fee_kopecks=(order.deposited_kopecks * self._fee_permille + HALF_PERMILLE) // PERMILLE,
                at=order.deposited_at,
            )
            for order in self.orders.values()
            if order.deposited_at is not None and order.state in PAID_STATES and _day(order.deposited_at) == day
        )

    def _keep(self, order: Order, now: datetime, **changed: object) -> Order:
        kept = msgspec.structs.replace(order, changed_at=now, **changed)
        self.orders[order.order_id] = kept
        if kept.state is not OrderState.REGISTERED:
            self._unpaid.discard(order.order_id)
            self._changed.setdefault(_day(now), set()).add(order.order_id)
        return kept

    def _told(self, name: str, order: Order, amount_kopecks: int, now: datetime, *, succeeded: bool = True) -> None:
        told = Operation(name=name, order=order, succeeded=succeeded, amount_kopecks=amount_kopecks, rrn=order.rrn)
        self._tell(told, now)

    def _rrn(self) -> str:
        self._operations += 1
        return f"{self._rrn_first + self._operations:012d}"

    def _uuid(self, what: str) -> str:
        text = self._digest(what).hex()
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))

    def _digest(self, what: str) -> bytes:
        return hashlib.sha256(f"{self._seed}/{what}".encode()).digest()


def _day(moment: datetime) -> date:
    return moment.astimezone(MOSCOW).date()
