"""Erasing a payer's contact on demand (152-ФЗ ст. 21): from the register and from what has not gone out yet."""

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.receipt import Receipt
from services.fiscal.core.drafts import with_client
from services.fiscal.writing import packed

_SQL = load_statements("services/fiscal/contacts.sql")
_decoder = msgspec.json.Decoder(Receipt)


async def erase_contact(connection: Connection, namespace: str, number: str) -> bool:
    """Erase the contact of the account with this own number; False when none was known.

    Receipts ordered and not sent yet go to the company's own e-mail; what was sent is at the tax service's operator, not here.
    """
    async with connection.transaction():
        account = await connection.fetchval(_SQL["erase_contact"], namespace, number)
        if account is None:
            return False
        rows = await connection.fetch(_SQL["list_open_orders"], account)
        contents = [packed(with_client(_decoder.decode(row["content"]), "")) for row in rows]
        await connection.execute(_SQL["erase_from_orders"], [row["number"] for row in rows], contents)
    return True
