"""What HTTP itself says of a request that moves money, before a bank's own answer is read (protocols.md §4a, §15)."""

from connectors.http_told import retry_after_ms, shown
from schemas.delivery import Answer, Closed, NotTaken, Unknown
from schemas.exchange import ExchangeFailed, HttpAnswer

UNTAKEN = frozenset({408, 425, 429})
"""Statuses by which a server says that it has not begun: a POST may be repeated after them and after no others."""
CLOSED = frozenset({401, 403})


def failed_send(error: ExchangeFailed) -> Answer:
    """What a request without an answer means for the order that was in it."""
    return Unknown(reason=error.reason) if error.sent else NotTaken(reason=error.reason)


def failed_read(error: ExchangeFailed) -> Answer:
    """What a question without an answer means: the order's outcome is as unknown as before."""
    return Unknown(reason=f"the bank could not be asked: {error.reason}")


def common_answer(answer: HttpAnswer, *, taken: bool) -> Answer | None:
    """Read what means the same at every bank; None when the bank's own answer must be read.

    ``taken``: the request may have carried an order over, so an error of the server leaves the outcome unknown.
    """
    if answer.status in CLOSED:
        return Closed(reason=f"HTTP {answer.status}: {shown(answer.body)}")
    if answer.status in UNTAKEN:
        again = retry_after_ms(answer)
        return NotTaken(reason=f"HTTP {answer.status}", after_ms=again) if taken else Unknown(reason=f"HTTP {answer.status}")
    if answer.status >= 500 or answer.status < 200 or 300 <= answer.status < 400:
        return Unknown(reason=f"HTTP {answer.status}")
    return None
