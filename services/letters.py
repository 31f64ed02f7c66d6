"""Letters with receipts to payers, ordered in the transaction in which the receipt becomes registered (design W9).

It stands beside the services: the fiscal desk calls it, delivery carries the letter.
"""

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.delivery import Accepted, Done, Outgoing, Refused
from schemas.letter import Letter
from schemas.receipt import FiscalSign, Receipt

_SQL = load_statements("services/letters.sql")

WHAT = "letter"
COUNTERPARTY = "mail"


async def order_letter(connection: Connection, subject: int, key: str, receipt: Receipt, sign: FiscalSign) -> bool:
    """Order a letter with a registered receipt to the payer; False when the payer gave no e-mail address.

    ``subject`` is the receipt's number in its owner's table, ``key`` the receipt's own: ordered twice it is one letter.
    """
    if "@" not in receipt.client:
        return False
    content = msgspec.json.encode(Letter(recipient=receipt.client, receipt=receipt, sign=sign))
    await connection.execute(_SQL["add_letter"], subject, COUNTERPARTY, key, content)
    return True


class LettersDesk:
    """Desk of ``what='letter'``: when a letter is at its end, the payer's address is forgotten (152-ФЗ ст. 5 п. 7)."""

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Empty the order's content; nothing else follows from a letter."""
        if not isinstance(answer, Accepted):
            await connection.execute(_SQL["empty_letter"], order.number)
