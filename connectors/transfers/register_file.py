"""The distribution register as a file: JSON lines in UTF-8, LF (docs/distribution-register.md).

A header, a line per order with every field of form 0401060, a footer that repeats the control totals and holds the SHA-256 of
everything before it. The same batch gives the same bytes at every attempt, so a bank can compare a repeat with the first.
"""

import hashlib
from datetime import date

import msgspec

from connectors.transfers.batch import batch_faults
from schemas.transfer import Transfer, TransferBatch

FORMAT = "kopeck-distribution-register/1"
CONTENT_TYPE = "application/jsonl; charset=utf-8"
REGISTER_BYTES_MAX = 32_000_000


class RegisterError(ValueError):
    """The file is not a register, is cut short or does not add up; the message says where."""


class HeaderLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line", tag="header"):
    """First line: number of the register within its transit account, operational day, control totals."""

    format: str
    register: str
    transit_account: str
    day: date
    count: int
    sum_kopecks: int


class OrderLine(Transfer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line", tag="order"):
    """One order; ``key`` is the sender's id of it, by which the bank answers."""


class FooterLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line", tag="footer"):
    """Last line: the totals again and the digest of all lines before, line feeds included."""

    count: int
    sum_kopecks: int
    sha256: str


_decoder = msgspec.json.Decoder(HeaderLine | OrderLine | FooterLine)


def write_register(batch: TransferBatch) -> bytes:
    """Write a batch whose faults were looked for before."""
    header = HeaderLine(
        format=FORMAT,
        register=batch.register,
        transit_account=batch.transit_account,
        day=batch.day,
        count=batch.count,
        sum_kopecks=batch.total_kopecks,
    )
    orders = (OrderLine(**{name: getattr(one, name) for name in Transfer.__struct_fields__}) for one in batch.transfers)
    lines = b"".join(msgspec.json.encode(line) + b"\n" for line in (header, *orders))
    footer = FooterLine(count=batch.count, sum_kopecks=batch.total_kopecks, sha256=hashlib.sha256(lines).hexdigest())
    return lines + msgspec.json.encode(footer) + b"\n"


def read_register(body: bytes) -> TransferBatch:
    """Read a register as the bank does, checking its form, digest and totals; raises RegisterError."""
    if len(body) > REGISTER_BYTES_MAX or not body.endswith(b"\n"):
        raise RegisterError("the file is too long or ends within a line")
    raw = body.splitlines(keepends=True)
    try:
        lines = [_decoder.decode(line) for line in raw]
    except msgspec.MsgspecError as error:
        raise RegisterError(f"a line cannot be read: {error}") from error
    header, footer, orders = lines[0], lines[-1], lines[1:-1]
    if not isinstance(header, HeaderLine) or not isinstance(footer, FooterLine) or header.format != FORMAT:
        raise RegisterError("a register starts with a header of this format and ends with a footer")
    if footer.sha256 != hashlib.sha256(b"".join(raw[:-1])).hexdigest():
        raise RegisterError("the digest in the footer is not that of the lines before it")
    if (footer.count, footer.sum_kopecks) != (header.count, header.sum_kopecks):
        raise RegisterError("header and footer have different totals")
    batch = _batch(header, orders)
    fault = next(batch_faults(batch), None)
    if fault is not None:
        raise RegisterError(fault)
    return batch


def _batch(header: HeaderLine, orders: list[HeaderLine | OrderLine | FooterLine]) -> TransferBatch:
    transfers = tuple(line for line in orders if isinstance(line, OrderLine))
    if len(transfers) != len(orders):
        raise RegisterError("between header and footer stand orders only")
    plain = tuple(Transfer(**{name: getattr(one, name) for name in Transfer.__struct_fields__}) for one in transfers)
    return TransferBatch(
        register=header.register,
        transit_account=header.transit_account,
        day=header.day,
        transfers=plain,
        total_kopecks=header.sum_kopecks,
        count=header.count,
    )
