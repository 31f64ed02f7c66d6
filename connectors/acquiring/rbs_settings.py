"""How one merchant of an RBS bank is connected: where, as whom, and what this bank calls otherwise (protocols.md §2, §3a)."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from connectors.acquiring.rbs_words import REFUND_IDS, ParameterName
from connectors.fiscal.settings import Milliseconds, check_url

ORDER_NUMBER_CHARACTERS_MAX = 36
DESCRIPTION_CHARACTERS_MAX = 512
BASE_URLS = {
    "alfa": "https://pay.alfabank.ru/payment/rest",
    "sber": "https://ecommerce.sberbank.ru/ecomm/gw/partner/api/v1",
}
QR_PATHS = {"alfa": "sbp/c2b/qr/dynamic/get.do", "vtb": "sbp/c2b/qr/dynamic/create.do"}
"""Where a payment link is asked for; a bank that is not here is taken to do as Альфа-Банк does."""


class RbsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merchant. Either ``token`` or ``user_name`` with ``password``.

    ``base_url`` and ``qr_path`` replace what ``bank`` brings. ``account_parameter``: the order's own extra (jsonParams) that
    holds the personal account's number. ``refund_ids``: where a refund's id stands in callbacks, as in the callbacks' terms.
    """

    bank: Literal["alfa", "sber", "vtb", "other"] = "other"
    base_url: str = ""
    qr_path: str = ""
    user_name: str = ""
    password: str = ""
    token: str = ""
    merchant_login: str = ""
    account_parameter: ParameterName | None = None
    refund_ids: tuple[ParameterName, ...] = REFUND_IDS
    order_number_characters_max: Annotated[int, msgspec.Meta(ge=8, le=ORDER_NUMBER_CHARACTERS_MAX)] = 32
    orders_page: Annotated[int, msgspec.Meta(ge=1, le=200)] = 200
    timeout_ms: Milliseconds = 10_000

    def __post_init__(self) -> None:
        """Refuse settings by which nobody could be reached: ValueError naming the key."""
        if not self.root:
            raise ValueError(f"base_url: none is known of bank {self.bank!r}")
        check_url(self.root, "base_url")
        if bool(self.token) == bool(self.user_name and self.password):
            raise ValueError("token, or user_name with password: one of the two is needed")

    @property
    def root(self) -> str:
        """The address that methods are appended to, without a slash at its end."""
        return self.base_url or BASE_URLS.get(self.bank, "")

    @property
    def qr_create(self) -> str:
        """The method that makes a payment link."""
        return self.qr_path or QR_PATHS.get(self.bank, QR_PATHS["alfa"])

    def credentials(self) -> dict[str, str]:
        """Return what stands in every request's form."""
        return {"token": self.token} if self.token else {"userName": self.user_name, "password": self.password}

    def __repr__(self) -> str:
        """Name the merchant's place without its credentials."""
        return f"RbsSettings({self.root!r})"


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A payment to be made on the bank's page. ``number`` is ours and never used again; ``account`` goes into the merchant's
    extra.

    ``expires_at``: until when it can be paid, the bank's default if None.
    """

    number: str
    amount_kopecks: int
    return_url: str
    fail_url: str = ""
    description: str = ""
    expires_at: datetime | None = None
    account: str = ""
    email: str = ""
    callback_url: str = ""

    def __post_init__(self) -> None:
        """Refuse an order that no bank could take: ValueError."""
        if not (self.number.isascii() and self.number.isprintable() and self.number) or " " in self.number:
            raise ValueError("number: expected visible ASCII")
        if self.amount_kopecks <= 0:
            raise ValueError("amount_kopecks: expected more than nought")

    def __repr__(self) -> str:
        """Name the order without the payer's address and account."""
        return f"NewOrder({self.number!r}, {self.amount_kopecks})"
