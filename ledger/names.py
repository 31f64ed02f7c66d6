"""Names of ledger accounts for people, from the registers of numbers, and back (design §4).

``transit:<transit>`` · ``clearing:<transit>:<space>`` · ``payable:<transit>:<recipient>:<service>`` ·
``suspense:<transit>:<channel>`` · ``refund:<transit>:<channel>`` · ``outgoing:<transit>`` · ``fee:<transit>:<earner>`` ·
``held:<transit>`` · ``receivable:<transit>:<party>`` · ``outside:<holder>`` · ``settled:<recipient>:<service>`` ·
``reassign:<id>`` · ``in_transfer:<id>``.
A transit account is its 20 digits; earners, parties and holders are recipients' codes. A number that no register knows is
written ``#7``, so that every ledger account has a name and every name leads back.
"""

from collections.abc import Mapping

import msgspec

from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import LedgerAccount, PayeeNumber

_SQL = load_statements("ledger/statements/balances.sql")

_BARE_KINDS = frozenset({AccountKind.TRANSIT, AccountKind.OUTGOING, AccountKind.HELD})
_KINDS_WITHOUT_TRANSIT = frozenset({AccountKind.OUTSIDE, AccountKind.SETTLED, AccountKind.REASSIGN, AccountKind.IN_TRANSFER})
_SUBJECT_REGISTER = {
    AccountKind.CLEARING: "spaces",
    AccountKind.PAYABLE: "payees",
    AccountKind.SUSPENSE: "channels",
    AccountKind.REFUND: "channels",
    AccountKind.FEE: "recipients",
    AccountKind.RECEIVABLE: "recipients",
    AccountKind.OUTSIDE: "recipients",
    AccountKind.SETTLED: "payees",
}


class UnknownName(LookupError):
    """The text names no ledger account; the message says which part of it is unknown or ambiguous."""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The registers, number -> name. ``payees`` are written ``recipient:service``; ``transits`` are the 20 digits."""

    transits: Mapping[int, str]
    spaces: Mapping[int, str]
    channels: Mapping[int, str]
    recipients: Mapping[int, str]
    payees: Mapping[int, str]
    pairs: Mapping[tuple[str, str], PayeeNumber]

    def name_of(self, account: LedgerAccount) -> str:
        """Return the account's name; an id of an unknown kind raises ValueError."""
        parts = parts_of(account)
        words = [parts.kind.name.lower()]
        if parts.kind not in _KINDS_WITHOUT_TRANSIT:
            words.append(_word(self.transits, parts.transit))
        if parts.kind not in _BARE_KINDS:
            words.append(_word(self._subjects(parts.kind), parts.subject))
        return ":".join(words)

    def account_of(self, name: str) -> LedgerAccount:
        """Return the account of a whole name; raises UnknownName."""
        word, _, rest = name.partition(":")
        kind = AccountKind.__members__.get(word.upper())
        if kind is None or word != word.lower():
            raise UnknownName(f"{word!r} is not a kind of ledger account")
        transit = 0
        if kind not in _KINDS_WITHOUT_TRANSIT:
            digits, _, rest = rest.partition(":")
            transit = _number(self.transits, digits, "transit account")
        if kind in _BARE_KINDS:
            if rest:
                raise UnknownName(f"{word} has nothing after its transit account, not {rest!r}")
            return ledger_account(kind, transit)
        return ledger_account(kind, transit, _number(self._subjects(kind), rest, "subject"))

    def _subjects(self, kind: AccountKind) -> Mapping[int, str]:
        register = _SUBJECT_REGISTER.get(kind)
        subjects: Mapping[int, str] = getattr(self, register) if register else {}
        return subjects


async def fetch_names(connection: Connection) -> Names:
    """Read the registers; a few thousand rows in a town."""
    transits = await connection.fetch(_SQL["list_transits"])
    spaces = await connection.fetch(_SQL["list_spaces"])
    channels = await connection.fetch(_SQL["list_channels"])
    recipients = await connection.fetch(_SQL["list_recipients"])
    payees = await connection.fetch(_SQL["list_payees"])
    return Names(
        transits={row["transit"]: row["account"] for row in transits},
        spaces={row["space"]: row["name"] for row in spaces},
        channels={row["channel"]: row["name"] for row in channels},
        recipients={row["recipient"]: row["code"] for row in recipients},
        payees={row["payee"]: f"{row['code']}:{row['service']}" for row in payees},
        pairs={(row["code"], row["service"]): PayeeNumber(row["payee"]) for row in payees},
    )


def _word(register: Mapping[int, str], number: int) -> str:
    return register.get(number) or f"#{number}"


def _number(register: Mapping[int, str], word: str, what: str) -> int:
    if word.startswith("#") and word[1:].isascii() and word[1:].isdigit():
        return int(word[1:])
    found = [number for number, name in register.items() if name == word]
    if len(found) != 1:
        raise UnknownName(f"{what} {word!r} is {'ambiguous: write #number' if found else 'not in the register'}")
    return found[0]
