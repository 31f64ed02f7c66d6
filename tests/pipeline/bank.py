"""A bank that signs its feed as Standard Webhooks want, for tests."""

import json
from typing import Any

import aiohttp
import msgspec

from connectors.banks.standard_webhooks import parse_secret, sign
from kopeck.clock import utc_now
from tests.pipeline.conftest import SECRET, Gateway


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the feed: status, JSON body, headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


async def send(gateway: Gateway, key: str, body: object, *, path: str = "payments", age_s: int = 0, **changed: str) -> Told:
    """POST a body signed ``age_s`` seconds ago; ``changed`` replaces headers by name with underscores."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = int(utc_now().timestamp()) - age_s
    headers = {
        "Idempotency-Key": key,
        "webhook-id": key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(parse_secret(SECRET), message_id=key, timestamp=timestamp, body=raw),
    }
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    async with gateway.session.post(f"/bank/feed/{path}", data=raw, headers=headers) as response:
        return await told(response)


async def told(response: aiohttp.ClientResponse) -> Told:
    """Read an answer."""
    return Told(status=response.status, body=json.loads(await response.read()), headers=dict(response.headers))


def payment(account: str, amount: object, **more: object) -> dict[str, object]:
    """Return the body of a payment notification."""
    return {"account": account, "amount": amount, "occurred_at": "2026-11-24T12:00:00+03:00", **more}
