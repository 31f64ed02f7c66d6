"""Connectors of a counterparties' file: by kind, each with an exchange of its own that lives as long as the stack."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from connectors.fiscal import configured as fiscal
from connectors.mail.receipts import LetterFrom, MailReceipts
from connectors.transfers import configured as transfers
from connectors.transfers.signing import Sign
from connectors.transfers.statement import StatementSource
from kopeck.clock import utc_now
from kopeck.counterparties import CounterpartiesFile, CounterpartyConfigError, CounterpartySection
from schemas.delivery import Counterparty
from schemas.exchange import Exchange
from services.delivery.http import HttpExchange, HttpTerms, TlsFiles, client_tls
from services.delivery.line import Route
from services.delivery.pace import Pace
from services.letters import COUNTERPARTY as MAIL
from services.paper.receipt import print_receipt
from services.signing import SigningCommand, command_signer
from services.smtp import MailServer, SmtpPost

SMTP = "smtp"
ANSWER_BYTES_MAX = 32_000_000
"""A day's statement of a busy transit account, as a file."""
KINDS = (*fiscal.KINDS, *transfers.KINDS, SMTP)
_TLS = ("tls_certificate", "tls_key", "tls_roots")
"""Paths of PEM files that any table may name: our certificate with its key, and whom the counterparty is trusted by."""


class _Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: MailServer
    sender: LetterFrom


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Routes of all counterparties, and by transit account whom its statement is read from."""

    routes: tuple[Route, ...]
    statements: dict[str, StatementSource]


async def open_routes(file: CounterpartiesFile, stack: AsyncExitStack) -> Opened:
    """Make every counterparty's route; raises CounterpartyConfigError naming every table that cannot be used."""
    faults: list[str] = []
    sign = command_signer(SigningCommand(argv=file.sign_command)) if file.sign_command else None
    routes: list[Route] = []
    statements: dict[str, StatementSource] = {}
    for section in file.counterparty:
        try:
            connector = await _connector(section, sign, stack)
        except (fiscal.FiscalConfigError, transfers.TransferConfigError, msgspec.ValidationError, ValueError, OSError) as error:
            faults += [f"{section.name}: {line}" for line in str(error).splitlines()]
        else:
            routes.append(Route(name=section.name, counterparty=connector, pace=Pace(concurrency=section.at_once)))
            if section.statement_of and not isinstance(connector, StatementSource):
                faults.append(f"{section.name}: statement_of: this kind gives no statement")
            elif isinstance(connector, StatementSource):
                statements |= dict.fromkeys(section.statement_of, connector)
    if faults:
        raise CounterpartyConfigError("\n".join(faults))
    return Opened(routes=tuple(routes), statements=statements)


async def _connector(section: CounterpartySection, sign: Sign | None, stack: AsyncExitStack) -> Counterparty:
    table = {key: value for key, value in section.table.items() if key not in _TLS}
    if section.kind == SMTP:
        return _mail(section.name, table)
    terms = HttpTerms(connections_max=section.at_once, tls=_tls(section.table), answer_bytes_max=ANSWER_BYTES_MAX)
    exchange: Exchange = await stack.enter_async_context(HttpExchange(terms))
    if section.kind in fiscal.KINDS:
        return fiscal.connector_of(section.kind, table, exchange, utc_now, asyncio.Lock())
    if section.kind in transfers.KINDS:
        return transfers.transfer_connector(section.kind, table, transfers.Edges(exchange=exchange, now=utc_now, sign=sign))
    raise ValueError(f"kind: {section.kind!r} is none of {', '.join(KINDS)}")


def _mail(name: str, table: Mapping[str, Any]) -> Counterparty:
    if name != MAIL:
        raise ValueError(f"name: the mail server's is {MAIL!r}")
    mail = msgspec.convert(table, _Mail)
    return MailReceipts(SmtpPost(mail.server), print_receipt, utc_now, mail.sender)


def _tls(table: Mapping[str, Any]) -> ssl.SSLContext | None:
    paths = [Path(str(table[key])) if key in table else None for key in _TLS]
    if not any(paths):
        return None
    certificate, key, roots = paths
    return client_tls(TlsFiles(certificate=certificate, key=key, roots=roots))
