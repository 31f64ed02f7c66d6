"""What becomes of a webhook's order is told here by delivery, in the transaction that records it."""

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.delivery import Accepted, Done, Outgoing, Refused

_SQL = load_statements("services/webhooks/webhooks.sql")

WHAT = "webhook"
HOUSE = "kopeck"
DEAD = "nothing was taken for as long as a message is tried"


class WebhooksDesk:
    """Desk of ``what='webhook'``: a message given up ends its endpoint, unless another message was taken meanwhile.

    Standard Webhooks recommends it: an endpoint that fails for days is sent nothing more until its owner registers anew.
    """

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """End the endpoint of a message that was given up; a message that was taken needs nothing more."""
        if isinstance(answer, Refused) and answer.code == "exhausted":
            await connection.execute(_SQL["end_dead_endpoint"], order.number, HOUSE, f"{DEAD}: {answer.reason}")
