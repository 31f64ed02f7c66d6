"""Money that comes in at the sandbox's bank: what a real bank sees by itself, the demo must tell its own."""

import aiohttp
import msgspec

from connectors.sandbox.bank import CREDITS
from connectors.sandbox.bank_orders import Credit
from schemas.transfer import BankParty

ATTEMPTS_MAX = 10
TAKEN = 204

_PAYER = BankParty(name="Расчёты по принятым платежам", inn="", kpp="", account="30232810000000000001", bic="")


class BankUnmoved(RuntimeError):
    """The sandbox's bank did not take the credit."""


class SandboxBank:
    """The bank's own door for money that comes in. A credit is one however often it is told."""

    def __init__(self, url: str, account: str) -> None:
        self._url = url + CREDITS
        self._account = account

    async def credit(self, session: aiohttp.ClientSession, key: str, amount_kopecks: int, purpose: str) -> None:
        """Let money in; raises BankUnmoved when the sandbox's network swallowed every attempt."""
        credit = Credit(id=key, account=self._account, amount_kopecks=amount_kopecks, payer=_PAYER, purpose=purpose)
        content = msgspec.json.encode(credit)
        for _ in range(ATTEMPTS_MAX):
            try:
                async with session.post(self._url, data=content) as response:
                    if response.status == TAKEN:
                        return
            except (aiohttp.ClientError, TimeoutError):
                continue
        raise BankUnmoved(f"the sandbox's bank did not take {amount_kopecks} kopecks in {ATTEMPTS_MAX} attempts")
