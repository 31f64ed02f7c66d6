"""A channel: how one counterparty's notifications come in. Configured, not coded."""

from enum import StrEnum

import msgspec

from schemas.ids import ChannelNumber, Space, Transit


class ChannelKind(StrEnum):
    """The wire protocol spoken; registers and statements come as files or are fetched, not through a route."""

    OSMP = "osmp"
    SBER_ONLINE = "sber_online"
    BANK_FEED = "bank_feed"
    RBS = "rbs"
    TBANK = "tbank"
    TOCHKA = "tochka"
    REGISTER = "register"
    STATEMENT = "statement"


class Manner(StrEnum):
    """Asking channels may be refused; a reporting channel's money has arrived (design §4)."""

    ASKING = "asking"
    REPORTING = "reporting"


class LegalKind(StrEnum):
    """What the counterparty is in law; decides who issues the receipt (54-ФЗ, 103-ФЗ, 161-ФЗ)."""

    BANK = "bank"
    BANK_PAYMENT_AGENT = "bank_payment_agent"
    PAYMENT_AGENT = "payment_agent"
    ACQUIRER = "acquirer"


class AcquirerTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an acquirer's channel needs beside a channel's common terms.

    ``merchants`` are our ids there (TerminalKey, merchantLogin, customerCode …). ``public_keys`` are (name, text): the bank's
    keys that sign callbacks, by ``sign_alias`` or ``kid``. ``account_in_order`` is an expression whose group ``account`` is the
    personal account's number in the number of an order that is not ours. ``base_url``, ``user`` and ``password`` lead to the
    acquirer's own interface, empty where it is not asked. ``page_life_s`` is how long a payment page may be paid. The others are
    how the bank's messages are read: connectors/acquiring says what each means.
    """

    merchants: tuple[str, ...] = ()
    public_keys: tuple[tuple[str, str], ...] = ()
    account_in_order: str = ""
    base_url: str = ""
    user: str = ""
    password: str = ""
    page_life_s: int = 1200
    account_field: str = ""
    order_field: str = ""
    key_hash: str = "sha512"
    keeps_empty: bool = True
    order_is_once: bool = False
    refund_amount: str = "operation"

    def __repr__(self) -> str:
        """Name the merchants without the password."""
        return f"AcquirerTerms({self.merchants!r})"


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One channel's configuration, numbers from our registers included.

    ``secrets`` sign a bank feed or an RBS callback (symmetric), or are a terminal's passwords at T-Bank;
    ``basic_user``/``basic_password`` and ``allow_networks`` (CIDR) guard a terminal network. ``providers`` are recipient
    numbers whose accounts may be paid here, empty for all. Limits: amounts in kopecks,
    ``deadline_ms`` until the answer must be sent, ``replay_window_s`` for signed timestamps,
    ``unknown_per_minute_max`` unknown account numbers a source may ask about in a minute.
    """

    number: ChannelNumber
    name: str
    kind: ChannelKind
    manner: Manner
    legal_kind: LegalKind
    space: Space
    space_name: str
    transit: Transit
    transit_account: str
    namespace: str
    providers: tuple[int, ...] = ()
    secrets: tuple[str, ...] = ()
    basic_user: str = ""
    basic_password: str = ""
    allow_networks: tuple[str, ...] = ()
    amount_min_kopecks: int = 1
    amount_max_kopecks: int = 100_000_000
    deadline_ms: int = 10_000
    replay_window_s: int = 300
    body_bytes_max: int = 65_536
    unknown_per_minute_max: int = 60
    acquirer: AcquirerTerms = AcquirerTerms()

    def __repr__(self) -> str:
        """Name the channel without its secrets."""
        return f"Channel({self.name!r}, {self.kind.value})"
