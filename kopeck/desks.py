"""Every owner of orders with its desk, for whoever ends orders: the delivery process and a person's cancellation."""

from kopeck.clock import utc_now
from services.acquiring.refunds import WHAT as ACQUIRER_REFUND
from services.acquiring.refunds import RefundsDesk
from services.delivery.desk import Desks
from services.fiscal.desk import WHAT as RECEIPT
from services.fiscal.desk import FiscalDesk
from services.letters import WHAT as LETTER
from services.letters import LettersDesk
from services.settlement.desk import TransferDesk
from services.webhooks.desk import WHAT as WEBHOOK
from services.webhooks.desk import WebhooksDesk

TRANSFER = "transfer"


def make_desks(*, letters: bool = False) -> Desks:
    """Return the desks by ``what``; ``letters`` where a mail server is configured."""
    return {
        RECEIPT: FiscalDesk(utc_now, letters=letters),
        TRANSFER: TransferDesk(utc_now),
        WEBHOOK: WebhooksDesk(),
        LETTER: LettersDesk(),
        ACQUIRER_REFUND: RefundsDesk(utc_now),
    }
