"""The register of payees in memory: only a basket needs it, to know lines by their recipient and service."""

from gateway.reader import Reader
from ledger.core.designation import Payees
from schemas.notification import PaymentNotification


class PayeeRegister:
    """Numbers are given once and never change, so the register is read again only when a pair is not in it."""

    def __init__(self, reader: Reader):
        self._reader = reader
        self._payees: Payees = {}

    async def for_designation(self, notification: PaymentNotification) -> Payees:
        """Return a register in which every pair of the basket stands that stands in PostgreSQL now."""
        named = notification.designation
        if named is None or named.basket is None:
            return self._payees
        if any((item.recipient, item.service) not in self._payees for item in named.basket):
            self._payees = await self._reader.list_payees()
        return self._payees
