"""Who sends money to the month's transit account, how each tells of payments, and how its money comes."""

from enum import Enum
from typing import Any

import msgspec

from kopeck.demo.requisites import account_with_key, inn_with_check
from loadtests.orders_town import BIC
from loadtests.town import NAMESPACE, RECIPIENTS

TRANSIT = account_with_key("40911810000000000001", BIC)
BANK_HELD = account_with_key("47416810000000000001", BIC)
BANK_OWN = account_with_key("30301810000000000001", BIC)
LINES = "lines"
PROVIDER = "bench-001"
RBS_SECRETS = ("month-callback-secret-new", "month-callback-secret-old")
TERMINAL_KEY, TBANK_PASSWORDS = "MONTH", ("month-password-new", "month-password-old")
CUSTOMER = "300000092"
ORDER_PATTERN = r"ls(?P<account>[0-9]+)-[0-9]+"
RBS_USER = "month"


class Way(Enum):
    """How a party's money comes: for payers' days or for a register, gross or net of its fee, or a line a payment."""

    DAYS = "days"
    DAYS_NET = "days, net"
    REGISTER = "register"
    REGISTER_NET = "register, net"
    BANK_ORDER = "bank order of the register"
    SUM = "a register's sum"
    OPERATION = "operation"


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A counterparty with an operation space. ``kind`` of its channel that tells of payments one by one, empty where none
    does; ``register`` the shipped format of its evening register; ``rate`` its fee in thousandths of a percent; ``share`` of
    the payments in thousandths.
    """

    space: str
    share: int
    way: Way
    kind: str = ""
    legal_kind: str = "acquirer"
    register: str = ""
    rate: int = 0

    @property
    def evening(self) -> str:
        """The channel that its registers come by."""
        return f"{self.space}-registers"

    @property
    def is_offline(self) -> bool:
        """Whether registers alone tell of its payments."""
        return not self.kind

    @property
    def inn(self) -> str:
        """ИНН."""
        return inn_with_check(f"7701{self._serial:05d}")

    @property
    def account(self) -> str:
        """Whence its money comes."""
        return account_with_key(f"302328100{self._serial:011d}", BIC)

    @property
    def _serial(self) -> int:
        return 1 + [one.space for one in PARTIES].index(self.space)


PARTIES = (
    Party(space="net", share=300, way=Way.DAYS, kind="osmp", legal_kind="bank_payment_agent", register="kopeck"),
    Party(space="sber-online", share=150, way=Way.DAYS, kind="sber_online", legal_kind="bank", register="payment-batch"),
    Party(space="feed", share=20, way=Way.OPERATION, kind="bank_feed", legal_kind="bank"),
    Party(space="alfa", share=60, way=Way.DAYS_NET, kind="rbs", register="yookassa", rate=1_800),
    Party(space="tbank", share=60, way=Way.DAYS_NET, kind="tbank", register="bank-csv", rate=2_100),
    Party(space="tochka", share=60, way=Way.DAYS_NET, kind="tochka", register="xlsx", rate=400),
    Party(space="sber", share=130, way=Way.BANK_ORDER, legal_kind="bank", register="sber"),
    Party(space="post", share=120, way=Way.REGISTER_NET, legal_kind="payment_agent", register="fixed-width", rate=1_200),
    Party(space="centre", share=70, way=Way.SUM, legal_kind="bank_payment_agent", register="dbf"),
)
STATEMENT_SHARE = 1_000 - sum(one.share for one in PARTIES)


def channels_text(jwks: str) -> str:
    """Return the channels' configuration; ``jwks`` is the file with the bank's public keys."""
    parts = [f'[[transit]]\naccount = "{TRANSIT}"\nbic = "{BIC}"\ntitle = "Банк месяца"\n']
    parts += [f'[[space]]\nname = "{name}"\n' for name in (*(one.space for one in PARTIES), LINES)]
    parts.append(_channel(LINES, "statement", "bank", LINES))
    for one in PARTIES:
        if one.kind:
            parts.append(_channel(one.space, one.kind, one.legal_kind, one.space) + _terms(one.kind, jwks))
        if one.register:
            parts.append(_channel(one.evening, "register", one.legal_kind, one.space))
    return "\n".join(parts)


def _channel(name: str, kind: str, legal_kind: str, space: str) -> str:
    manner = "asking" if kind in ("osmp", "sber_online") else "reporting"
    lines = (f'name = "{name}"', f'kind = "{kind}"', f'manner = "{manner}"', f'legal_kind = "{legal_kind}"')
    places = (f'space = "{space}"', f'transit = "{TRANSIT}"', f'namespace = "{NAMESPACE}"')
    return "\n".join(("[[channel]]", *lines, *places, ""))


def _terms(kind: str, jwks: str) -> str:
    match kind:
        case "osmp" | "sber_online":
            return 'basic_user = "month"\nbasic_password = "month-password-0123"\n'
        case "bank_feed":
            return 'secrets = ["month-feed-secret-0123456789"]\n'
        case "rbs":
            return (
                f"secrets = {_texts(RBS_SECRETS)}\n[channel.acquirer]\naccount_in_order = '{ORDER_PATTERN}'\n"
                f'base_url = "http://127.0.0.1/payment/rest"\nuser = "{RBS_USER}"\npassword = "{RBS_USER}"\n'
            )
        case "tbank":
            return (
                f'allow_networks = ["127.0.0.0/8"]\nsecrets = {_texts(TBANK_PASSWORDS)}\n'
                f'[channel.acquirer]\nmerchants = ["{TERMINAL_KEY}"]\n'
                f"account_in_order = '{ORDER_PATTERN}'\norder_is_once = true\n"
            )
        case _:
            return (
                f'[channel.acquirer]\nmerchants = ["{CUSTOMER}"]\naccount_field = "account"\n'
                f'public_key_files = {{ "bank" = "{jwks}" }}\n'
            )


def _texts(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode()


def rules() -> list[bytes]:
    """Return the rules by which the statement's lines are classified."""
    found: list[dict[str, Any]] = [_cover_rule(one) for one in PARTIES]
    found.append({"name": "в 47416", "class": "to_hold", "payer_account": ["47416*"]})
    found.append({"name": "из 47416", "class": "from_hold", "payer_account": ["47416*"]})
    found.append({"name": "ошибки банка", "class": "technical", "operation": ["09"], "purpose": "ошибочно|сторно"})
    for number in range(1, RECIPIENTS + 1):
        name = {"name": f"долг {number}", "class": "debt", "party": f"bench-{number:03d}"}
        found.append({**name, "payer_account": [recipient_account(number)], "purpose": "погашение задолженности"})
    found.append({"name": "платежи", "class": "payment", "namespaces": {"account": NAMESPACE}})
    return [msgspec.json.encode({"transit": TRANSIT, **one}) for one in found]


def _cover_rule(party: Party) -> dict[str, Any]:
    says = (
        r"реестр\w*\s*№\s*(?P<register>[0-9]+)|(?P<day>[0-9]{2}\.[0-9]{2}\.[0-9]{4})"
        r"|операция\s+(?P<operation>\S+)|комиссия\s+(?P<fee>[0-9]+\.[0-9]{2})"
    )
    rule: dict[str, Any] = {"name": party.space, "class": "cover", "payer_inn": [party.inn], "space": party.space, "says": says}
    if party.rate:
        rule |= {"bearer": PROVIDER, "rates": [{"since": "2026-01-01", "rate": party.rate}]}
    return rule


def recipient_account(number: int) -> str:
    """Return the account of a recipient, as loadtests/orders_town.py gives it."""
    return account_with_key(f"407028100{number:011d}", BIC)
