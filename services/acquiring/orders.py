"""Web payments: an order of ours stands before the acquirer hears of it, and is made there once (protocols.md §2).

A start that was interrupted is begun again under the same number: what the acquirer has is looked up, never made anew.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
import structlog

from connectors.acquiring.rbs_answers import OrderExists, OrderMissing, OrderState, OrderStatus, Registered
from connectors.acquiring.rbs_client import RbsClient
from connectors.acquiring.rbs_settings import NewOrder
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.allocation import AccountState
from schemas.channel import Channel
from schemas.delivery import Closed, NotTaken, Refused, Unknown
from schemas.notification import NamedDesignation

_SQL = load_statements("services/acquiring/acquiring.sql")

NUMBER_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_CHARACTERS = 16
"""80 bits: two orders never meet, neither now nor in a ledger restored from a copy that does not know the later ones."""
FIRST_ASK = timedelta(seconds=60)
DESCRIPTION = "Оплата ЖКУ"

log = structlog.get_logger("kopeck.acquiring")


class WebState(StrEnum):
    """Where an order stands (intake.web_order_state)."""

    MADE = "made"
    REGISTERED = "registered"
    APPROVED = "approved"
    PAID = "paid"
    DECLINED = "declined"
    REVERSED = "reversed"
    REFUNDED = "refunded"
    REFUSED = "refused"
    EXPIRED = "expired"


STATE_OF = {
    OrderState.REGISTERED: WebState.REGISTERED,
    OrderState.HELD: WebState.APPROVED,
    OrderState.PAID: WebState.PAID,
    OrderState.REVERSED: WebState.REVERSED,
    OrderState.REFUNDED: WebState.REFUNDED,
    OrderState.AUTHENTICATING: WebState.REGISTERED,
    OrderState.DECLINED: WebState.DECLINED,
}
AT_REST = frozenset({*WebState} - {WebState.MADE, WebState.REGISTERED, WebState.APPROVED})


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a payer wants to pay. ``number`` identifies the wish: the same one again is the same order."""

    number: str
    account: str
    amount_kopecks: int
    return_url: str
    designation: NamedDesignation | None = None

    def __repr__(self) -> str:
        """Name the order without its account."""
        return f"Wanted({self.number!r}, {self.amount_kopecks})"


class WebOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order of ours. ``turn`` counts its states; ``payment`` and ``page`` are empty until the acquirer has told them."""

    web_order: int
    number: str
    account: str
    amount_kopecks: int
    designation: str
    return_url: str
    created_at: datetime
    expires_at: datetime
    turn: int
    state: WebState
    payment: str
    page: str

    def __repr__(self) -> str:
        """Name the order without its account."""
        return f"WebOrder({self.number!r}, {self.state.value})"


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The payer pays at ``page``."""

    number: str
    page: str


class NotStarted(msgspec.Struct, frozen=True, kw_only=True):
    """No page. ``again``: the same wish may be sent once more under its number; otherwise a new one is needed."""

    number: str
    reason: str
    again: bool


class OrderDiffers(ValueError):
    """The number is known with another account, sum, designation or channel."""


class AccountRefused(ValueError):
    """The number names no account, several, or a closed one: our own page asks before it takes money (design §4)."""


def draw_number(draw: Callable[[int], int]) -> str:
    """Return an order's number; ``draw(n)`` gives a number below n that nobody can guess."""
    return "K" + "".join(NUMBER_ALPHABET[draw(len(NUMBER_ALPHABET))] for _ in range(NUMBER_CHARACTERS))


async def start_payment(
    connection: Connection, client: RbsClient, channel: Channel, wanted: Wanted, now: datetime
) -> Started | NotStarted:
    """Make an order, here and then at the acquirer, or go on with the one that its number names.

    Raises OrderDiffers, and AccountRefused before a new order is made.
    Three short transactions around the exchange; whatever is lost between them, a repeat or the poller finds.
    """
    order = await _made(connection, channel, wanted, now)
    if order.state is not WebState.MADE or order.expires_at <= now:
        return _standing(order)
    answer = await client.register(
        NewOrder(
            number=order.number,
            amount_kopecks=order.amount_kopecks,
            return_url=order.return_url,
            description=DESCRIPTION,
            expires_at=order.expires_at,
            account=order.account,
        )
    )
    match answer:
        case Registered():
            await move_order(connection, order, (WebState.REGISTERED, answer.order_id, answer.form_url), now)
            return Started(number=order.number, page=answer.form_url)
        case OrderExists():
            return await _looked_up(connection, client, order, now)
        case Refused():
            await move_order(connection, order, (WebState.REFUSED, "", ""), now)
            return NotStarted(number=order.number, reason=f"{answer.code}: {answer.reason}", again=False)
        case NotTaken() | Unknown() | Closed():
            return NotStarted(number=order.number, reason=answer.reason, again=not isinstance(answer, Closed))


async def _made(connection: Connection, channel: Channel, wanted: Wanted, now: datetime) -> WebOrder:
    designation = "" if wanted.designation is None else msgspec.json.encode(wanted.designation).decode()
    async with connection.transaction():
        if await connection.fetchrow(_SQL["find_order"], channel.space, wanted.number) is None:
            await _check_account(connection, channel, wanted, now)
        number = await connection.fetchval(
            _SQL["add_order"],
            channel.number,
            channel.space,
            wanted.number,
            wanted.account,
            wanted.amount_kopecks,
            designation,
            wanted.return_url,
            now,
            now + timedelta(seconds=channel.acquirer.page_life_s),
        )
        if number is not None:
            await connection.execute(_SQL["add_state"], number, 0, WebState.MADE.value, "", "", now)
            await connection.execute(_SQL["add_due"], number, now + FIRST_ASK)
        row = await connection.fetchrow(_SQL["find_order"], channel.space, wanted.number)
    order = order_of(row)
    told = (wanted.account, wanted.amount_kopecks, designation, channel.number)
    if told != (order.account, order.amount_kopecks, order.designation, row["channel"]):
        raise OrderDiffers(f"order {wanted.number} stands with another account, sum, designation or channel")
    return order


async def _check_account(connection: Connection, channel: Channel, wanted: Wanted, now: datetime) -> None:
    day = now.astimezone(MOSCOW).date()
    states = [row["state"] for row in await connection.fetch(_SQL["list_accounts"], channel.namespace, wanted.account, day)]
    if len(states) != 1:
        raise AccountRefused("the number names several accounts" if states else "no account has the number")
    if states[0] == AccountState.CLOSED:
        raise AccountRefused("the account is closed")


async def _looked_up(connection: Connection, client: RbsClient, order: WebOrder, now: datetime) -> NotStarted:
    """The acquirer has the number: our earlier attempt arrived, its answer did not, and with it the page's address.

    Nobody can have paid on a page that nobody was shown; the order is cancelled there, so that the payer begins anew.
    """
    status = await client.status(number=order.number)
    if isinstance(status, OrderMissing) or not isinstance(status, OrderStatus):
        return NotStarted(number=order.number, reason="номер занят, состояние заказа пока неизвестно", again=True)
    if status.state is OrderState.REGISTERED:
        declined = await client.decline(status.order_id)
        log.info("order.page_lost", number=order.number, declined=type(declined).__name__)
    await move_order(connection, order, (WebState.REGISTERED, status.order_id, ""), now)
    return NotStarted(number=order.number, reason="адрес страницы оплаты утрачен, начните заново", again=False)


def _standing(order: WebOrder) -> Started | NotStarted:
    if order.state is WebState.REGISTERED and order.page:
        return Started(number=order.number, page=order.page)
    return NotStarted(number=order.number, reason=f"заказ уже не ждёт оплаты: {order.state.value}", again=False)


async def move_order(connection: Connection, order: WebOrder, to: tuple[WebState, str, str], now: datetime) -> None:
    """Write (state, payment, page) as the order's next state, unless somebody else moved it meanwhile or it stands there."""
    state, payment, page = to
    if (state, payment or order.payment, page or order.page) == (order.state, order.payment, order.page):
        return
    async with connection.transaction():
        moved = await connection.fetchval(_SQL["add_state"], order.web_order, order.turn, state.value, payment, page, now)
        if moved is not None and state in AT_REST:
            await connection.execute(_SQL["drop_due"], order.web_order)


def order_of(row: Any) -> WebOrder:
    """Read a row of find_order or lease_due."""
    return WebOrder(
        web_order=row["web_order"],
        number=row["number"],
        account=row["account"],
        amount_kopecks=row["amount"],
        designation=row["designation"],
        return_url=row["return_url"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        turn=row["turn"],
        state=WebState(row["state"]),
        payment=row["payment"],
        page=row["page"],
    )
