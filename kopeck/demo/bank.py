"""Money that comes in at the sandbox's bank: what a real bank sees by itself, the demo must tell its own."""

import aiohttp
import msgspec

from connectors.sandbox.bank import CREDITS
from connectors.sandbox.bank_orders import Credit
from schemas.transfer import BankParty

ATTEMPTS_MAX = 10
TAKEN = 204

PAYER = BankParty(name="Расчёты по принятым платежам", inn="", kpp="", account="30232810000000000001", bic="")


class BankUnmoved(RuntimeError):
    """The sandbox's bank did not take the credit."""


def credit_of(account: str, key: str, amount_kopecks: int, purpose: str, paper: tuple[BankParty, str] = (PAYER, "1")) -> Credit:
    """Return money that comes in; the same key is the same money."""
    payer, number = paper
    return Credit(id=key, account=account, amount_kopecks=amount_kopecks, payer=payer, purpose=purpose, number=number)


class SandboxBank:
    """The bank's own door for money that comes in. A credit is one however often it is told."""

    def __init__(self, url: str, account: str) -> None:
        self._url = url + CREDITS
        self._account = account

    async def credit(
        self,
        session: aiohttp.ClientSession,
        key: str,
        amount_kopecks: int,
        purpose: str,
        paper: tuple[BankParty, str] = (PAYER, "1"),
    ) -> None:
        """Let money in by the payer's order of that number; raises BankUnmoved when the network swallowed every attempt."""
        content = msgspec.json.encode(credit_of(self._account, key, amount_kopecks, purpose, paper))
        for _ in range(ATTEMPTS_MAX):
            try:
                async with session.post(self._url, data=content) as response:
                    if response.status == TAKEN:
                        return
            except (aiohttp.ClientError, TimeoutError):
                continue
        raise BankUnmoved(f"the sandbox's bank did not take {amount_kopecks} kopecks in {ATTEMPTS_MAX} attempts")
