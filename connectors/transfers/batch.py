"""The content of an order as transfer connectors read it, and what form 0401060 allows in its fields.

The rules of settlement check more (keys of accounts, calendar, texts); here stands only what no bank would take, so that nothing
malformed leaves the house whoever made it. Lengths: 762-П, annex (protocols.md §10a).
"""

import re
from collections.abc import Iterator

import msgspec

from schemas.delivery import Refused, Unknown
from schemas.money import AMOUNT_KOPECKS_MAX
from schemas.transfer import (
    PURPOSE_CHARACTERS_MAX,
    BankParty,
    BudgetFields,
    Transfer,
    TransferBatch,
    TransferReport,
    TransferResult,
    TransferState,
)

NAME_CHARACTERS_MAX = 160
BATCH_TRANSFERS_MAX = 10_000
KEY_CHARACTERS_MAX = 128
FINAL = frozenset({TransferState.EXECUTED, TransferState.REJECTED, TransferState.CANCELLED})
"""States after which a line of an answer is done with."""

_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{5}[0-9ABCEHKMPTX][0-9]{14}", re.ASCII)
_BIC = re.compile(r"[0-9]{9}", re.ASCII)
_INN = re.compile(r"|0|[0-9]{10}|[0-9]{12}", re.ASCII)
_KPP = re.compile(r"|0|[0-9]{4}[0-9A-Z]{2}[0-9]{3}", re.ASCII)
_CODE = re.compile(r"[0-9A-Za-z]{1,25}", re.ASCII)
_REGISTER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,34}", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]|[\ud800-\udfff]")
_BUDGET_MAX = {
    "drawer_status": 2,
    "kbk": 20,
    "oktmo": 11,
    "reason": 2,
    "period": 10,
    "document_number": 15,
    "document_date": 10,
    "kind": 2,
}

_decoder = msgspec.json.Decoder(TransferBatch)


def read_batch(content: bytes) -> TransferBatch | Refused:
    """Read an order's content; Refused (code ``content``) when it is none, or breaks a rule: nothing of it was sent then."""
    try:
        batch = _decoder.decode(content)
    except msgspec.MsgspecError as error:
        return Refused(code="content", reason=f"not a batch of transfers: {error}")
    fault = next(batch_faults(batch), None)
    return batch if fault is None else Refused(code="content", reason=fault, content=rejected(batch, fault))


def sent_batch(content: bytes) -> TransferBatch | Unknown:
    """Read the content of an order that may have been sent: it is asked about, whatever today's rules would say of it."""
    try:
        return _decoder.decode(content)
    except msgspec.MsgspecError as error:
        return Unknown(reason=f"not a batch of transfers: {error}")


def batch_faults(batch: TransferBatch) -> Iterator[str]:
    """Yield every fault of a batch: its control totals, what its orders have in common, and each order's fields."""
    transfers = batch.transfers
    if not 1 <= len(transfers) <= BATCH_TRANSFERS_MAX:
        yield f"a batch has 1 to {BATCH_TRANSFERS_MAX} transfers"
    if batch.count != len(transfers) or batch.total_kopecks != sum(one.amount_kopecks for one in transfers):
        yield "control totals are not those of the transfers"
    if _REGISTER.fullmatch(batch.register) is None:
        yield "register: at most 35 Latin letters, digits, dots, hyphens and underscores"
    if _ACCOUNT.fullmatch(batch.transit_account) is None:
        yield "transit_account: expected 20 characters of an account"
    if len({one.key for one in transfers}) != len(transfers):
        yield "two transfers have one key"
    if len({(one.number.lstrip("0"), one.day) for one in transfers}) != len(transfers):
        yield "two transfers of one day have one number"
    if any(one.payer.account != batch.transit_account for one in transfers):
        yield "a transfer's payer is not the transit account"
    for transfer in transfers:
        yield from (f"transfer {transfer.number}: {fault}" for fault in transfer_faults(transfer))


def transfer_faults(transfer: Transfer) -> Iterator[str]:
    """Yield every field of an order that form 0401060 does not allow, by field number."""
    if not 1 <= len(transfer.key) <= KEY_CHARACTERS_MAX or _CONTROL.search(transfer.key):
        yield f"key: 1 to {KEY_CHARACTERS_MAX} characters"
    if _NUMBER.fullmatch(transfer.number) is None or not transfer.number.strip("0"):
        yield "number (3): 1 to 6 digits, not zero"
    if not 1 <= transfer.amount_kopecks <= AMOUNT_KOPECKS_MAX:
        yield "amount (7): must be positive"
    if not 1 <= transfer.priority <= 5:
        yield "priority (21): 1 to 5"
    if _CODE.fullmatch(transfer.code) is None:
        yield "code (22): 1 to 25 letters and digits"
    if not 1 <= len(transfer.purpose) <= PURPOSE_CHARACTERS_MAX or _CONTROL.search(transfer.purpose):
        yield f"purpose (24): 1 to {PURPOSE_CHARACTERS_MAX} characters of one line"
    yield from (f"payer: {fault}" for fault in _party_faults(transfer.payer))
    yield from (f"payee: {fault}" for fault in _party_faults(transfer.payee))
    if transfer.budget is not None:
        yield from _budget_faults(transfer.budget)


def _party_faults(party: BankParty) -> Iterator[str]:
    if not 1 <= len(party.name) <= NAME_CHARACTERS_MAX or _CONTROL.search(party.name):
        yield f"name (8, 16): 1 to {NAME_CHARACTERS_MAX} characters of one line"
    if _INN.fullmatch(party.inn) is None:
        yield "inn (60, 61): 10 or 12 digits"
    if _KPP.fullmatch(party.kpp) is None:
        yield "kpp (102, 103): 9 characters"
    if _ACCOUNT.fullmatch(party.account) is None:
        yield "account (9, 17): 20 characters"
    if _BIC.fullmatch(party.bic) is None:
        yield "bic (11, 14): 9 digits"
    if party.correspondent and _ACCOUNT.fullmatch(party.correspondent) is None:
        yield "correspondent (12, 15): 20 digits"
    if len(party.bank_name) > NAME_CHARACTERS_MAX or _CONTROL.search(party.bank_name):
        yield f"bank_name (10, 13): at most {NAME_CHARACTERS_MAX} characters of one line"


def _budget_faults(budget: BudgetFields) -> Iterator[str]:
    for name, longest in _BUDGET_MAX.items():
        value: str = getattr(budget, name)
        if not 1 <= len(value) <= longest or _CONTROL.search(value):
            yield f'{name} (101, 104–110): 1 to {longest} characters, "0" where there is nothing to say'


def rejected(batch: TransferBatch, reason: str) -> bytes:
    """Return the report (JSON) of a batch that was refused as a whole: every line rejected for the same reason."""
    return encode_report(
        batch, tuple(TransferResult(key=one.key, state=TransferState.REJECTED, reason=reason) for one in batch.transfers)
    )


def encode_report(batch: TransferBatch, results: tuple[TransferResult, ...]) -> bytes:
    """Return the report (JSON) of results that nobody signed for."""
    return msgspec.json.encode(TransferReport(register=batch.register, results=results))


def is_complete(results: tuple[TransferResult, ...]) -> bool:
    """Whether the bank is done with every line."""
    return all(result.state in FINAL for result in results)
