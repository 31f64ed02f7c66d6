"""Where the demo's orders go: tills of every organisation and the bank that holds the transit account, all in the sandbox.

The sandbox's memory stands in the folder: the tills' in one file, the bank's and the acquirers' in another. A tills' memory that
has grown too long is set aside at a start: they then get new fiscal storages (ФН), as real ones do. Money is never forgotten: a
line that the bank no longer has would be reversed.
"""

import sys
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path

import msgspec

from connectors.sandbox.bank import CREDITS
from connectors.sandbox.faults import FaultProfile
from kopeck.counterparties import CounterpartiesFile, CounterpartySection
from kopeck.demo.acquirers import acquirer_parties
from kopeck.demo.bank import credit_of
from kopeck.demo.recipients import BANK_INN, MANAGERS, OPERATOR, PAID_TO, TRANSIT_ACCOUNT, Recipient, list_recipients
from kopeck.sandbox_memory import Memory
from kopeck.sandbox_process import SandboxParty
from kopeck.sandbox_signer import make_sandbox_key
from schemas.exchange import HttpRequest
from schemas.ids import Transit
from services.settlement.terms import CommissionRow, ContractRow, TransitTerms

BANK = "bank"
"""The connection that settlement takes when a transit account names no other."""
BANK_STATEMENT = "bank-statement"
TILL_LOGIN = "sandbox"
POLL_MS = 1_000
TILLS_AT_ONCE = 8
SIGNER = "Kopeck sandbox"
NETWORK = FaultProfile(refused=3, lost_before=3, lost_after=5, broken=3, busy=6)
"""Every fiftieth exchange of the demo goes wrong in some way."""
TILL = {"queue_ms": 400, "queue_spread_ms": 800, "timeouts_permille": 10}
MEMORY_BYTES_MAX = 200_000_000
LONG_AGO = timedelta(days=30)
"""Before every day that is read of a statement."""
BANK_FAULTS = {
    "delay_ms": 4_000,
    "refused_permille": 5,
    "held_permille": 5,
    "held_ms": 60_000,
    "returned_permille": 5,
    "returned_after_ms": 90_000,
}


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """Counterparties as the house knows them and as the sandbox plays them; ``money``: what the bank and acquirers remember."""

    file: CounterpartiesFile
    parties: tuple[SandboxParty, ...]
    bank_url: str
    money: Path


def till_of(recipient: Recipient) -> str:
    """Name the connection to an organisation's till: every third has its own at OFD.ru, the others at ATOL Online."""
    number = int(recipient.inn[5:9])
    return f"{'ferma' if number % 3 == 0 else 'atol'}:{recipient.code}"


def has_till(recipient: Recipient) -> bool:
    """The authority is paid through the treasury and has no till."""
    return recipient.kind != "budget"


def demo_sandbox(folder: Path, base_url: str, now: datetime, gateway_url: str = "") -> Sandbox:
    """Arrange the sandbox under an address; the signing key is made once a folder.

    ``gateway_url``: where the acquirers call, for whom the folder's channels must have been written; without one there are none.
    """
    key, certificate = make_sandbox_key(folder / "signer", subject=SIGNER, now=now)
    generation, memory = _memory(folder / "sandbox")
    money = _money(folder / "sandbox", now)
    recipients = [one for one in list_recipients() if has_till(one)]
    bank_url = f"{base_url}/{BANK}"
    acquirers = acquirer_parties(folder, base_url, gateway_url, made=money.stem) if gateway_url else ()
    return Sandbox(
        file=CounterpartiesFile(
            counterparty=(*(_till(one, base_url) for one in recipients), _bank(bank_url), _statement(bank_url)),
            sign_command=(sys.executable, "-m", "kopeck.sandbox_signer", "--key", str(key)),
        ),
        parties=(
            *(msgspec.structs.replace(one, memory=str(memory)) for one in _tills(recipients, base_url, generation)),
            *(msgspec.structs.replace(one, memory=str(money)) for one in (_bank_party(certificate), *acquirers)),
        ),
        bank_url=bank_url,
        money=money,
    )


def _memory(folder: Path) -> tuple[int, Path]:
    """Number and file of the memory to go on with; a new one after one that is too long."""
    folder.mkdir(mode=0o700, exist_ok=True)
    generation = max((int(file.stem) for file in folder.glob("*.memory")), default=1)
    path = folder / f"{generation}.memory"
    if path.exists() and path.stat().st_size > MEMORY_BYTES_MAX:
        generation += 1
    return generation, folder / f"{generation}.memory"


def _money(folder: Path, now: datetime) -> Path:
    """Name the memory of the bank and the acquirers by the second in which it was begun: ids that they give begin there."""
    begun = sorted(folder.glob("*.money"))
    return begun[-1] if begun else folder / f"{int(now.timestamp())}.money"


def remember_standing(sandbox: Sandbox, amount_kopecks: int, now: datetime) -> None:
    """Let a bank that remembers nothing hold what the books say, as money of long ago: no statement that is read tells of it."""
    if sandbox.money.exists() or amount_kopecks <= 0:
        return
    credit = credit_of(TRANSIT_ACCOUNT, "standing", amount_kopecks, "Остаток на счёте")
    memory = Memory(sandbox.money)
    memory.recall({})
    request = HttpRequest(method="POST", url=f"{sandbox.bank_url}{CREDITS}", body=msgspec.json.encode(credit))
    memory.remember(BANK, request, now - LONG_AGO)
    memory.close()


def write_companies(path: Path) -> Path:
    """Write who issues receipts in the town, in the form of ``kopeck load companies``."""
    lines = ["recipient,valid_from,form,tax_system,format,payment_address,email,operator"]
    for one in list_recipients():
        if not has_till(one):
            lines.append(f"{one.code},2026-01-01,exempt,osn,1.2,,,")
            continue
        form = "association" if one.code.startswith("tszh") else "ordinary"
        tax = "usn_income" if one.kind in ("management", "service") else "osn"
        site = f"https://{one.code}.example"
        lines.append(f"{one.code},2026-01-01,{form},{tax},1.2,{site},info@{one.code}.example,{till_of(one)}")
    path.write_text("\n".join([*lines, ""]), "utf-8")
    return path


def write_vat(path: Path) -> Path:
    """Write the organisations' rates, in the form of ``kopeck load vat``: suppliers pay 22 % of 2026, the others none."""
    lines = ["recipient,period_from,rate,source"]
    for one in list_recipients():
        rate = "vat22" if one.kind == "supplier" and one.code != "ecoregion" else "none"
        lines.append(f"{one.code},2026-01,{rate},demo")
    path.write_text("\n".join([*lines, ""]), "utf-8")
    return path


def demo_terms(transit: Transit) -> TransitTerms:
    """Return how the town's transit account pays: 40911 is the bank's own, so the bank is the payer."""
    return TransitTerms(
        transit=transit,
        payer_name="АО «Верхнереченский банк»",
        payer_inn=BANK_INN,
        payer_kpp="800001001",
        payer_bank_name="АО «Верхнереченский банк»",
        counterparty=BANK,
    )


def demo_contracts() -> Iterable[ContractRow]:
    """Contracts of every manager with every supplier whose services it provides (ПП 124)."""
    for place, (manager, supplier) in enumerate(product(MANAGERS, sorted(set(PAID_TO.values())))):
        if supplier != "fond-kaprem":
            yield ContractRow(
                code=f"{manager}/{supplier}",
                creditor=manager,
                recipient=supplier,
                number=f"{place + 1}-Р/2025",
                signed_on=date(2025, 12, 1),
                valid_from=date(2026, 1, 1),
            )


def demo_commission() -> Iterable[CommissionRow]:
    """Half a percent of what one manager's payers pay, at least a rouble a payment, netted from the manager's own lines."""
    yield CommissionRow(
        creditor=MANAGERS[0], earner=OPERATOR, valid_from=date(2026, 1, 1), rate=500, minimum_kopecks=100, maximum_kopecks=5_000
    )


def _till(recipient: Recipient, base_url: str) -> CounterpartySection:
    name = till_of(recipient)
    kind = name.partition(":")[0]
    url = f"{base_url}/{_path(name)}"
    table: dict[str, object] = {"login": TILL_LOGIN, "password": TILL_LOGIN, "inn": recipient.inn}
    table |= {"base_url": f"{url}/possystem", "group_code": TILL_LOGIN} if kind == "atol" else {"base_url": url}
    table["polling"] = {"first_ms": POLL_MS}
    return CounterpartySection(name=name, kind=kind, at_once=TILLS_AT_ONCE, table=table)


def _tills(recipients: Iterable[Recipient], base_url: str, generation: int) -> Iterable[SandboxParty]:
    for place, recipient in enumerate(recipients):
        name = till_of(recipient)
        path = _path(name)
        till = {**TILL, "seed": place, "fn": f"99{generation:012d}{place:02d}"}
        options = {"inn": recipient.inn, "public_url": f"{base_url}/{path}", "till": till}
        yield SandboxParty(name=path, kind=name.partition(":")[0], options=options, faults=NETWORK)


def _bank(bank_url: str) -> CounterpartySection:
    return CounterpartySection(name=BANK, kind="distribution_register", at_once=2, table={"url": bank_url, "poll_ms": POLL_MS})


def _statement(bank_url: str) -> CounterpartySection:
    table = {
        "folder_url": f"{bank_url}/folder",
        "statement_url": f"{bank_url}/statement?account={{account}}&from={{from}}&to={{to}}",
        "poll_ms": POLL_MS,
    }
    return CounterpartySection(name=BANK_STATEMENT, kind="client_bank", statement_of=(TRANSIT_ACCOUNT,), table=table)


def _bank_party(certificate: Path) -> SandboxParty:
    options = {"accounts": [TRANSIT_ACCOUNT], "certificates": [certificate.read_text("ascii")], **BANK_FAULTS}
    return SandboxParty(name=BANK, kind=BANK, options=options, faults=NETWORK)


def _path(name: str) -> str:
    return name.replace(":", "-")
