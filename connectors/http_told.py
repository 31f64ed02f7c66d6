"""What an HTTP answer says of itself in passing: when to come again, and its text for a log (RFC 9110, Retry-After)."""

from schemas.exchange import HttpAnswer

RETRY_AFTER_S_MAX = 3_600
REASON_CHARACTERS_MAX = 500


def retry_after_ms(answer: HttpAnswer) -> int:
    """Milliseconds of Retry-After in seconds; 0 when there is none or it is a date."""
    text = answer.header("retry-after")
    return min(int(text), RETRY_AFTER_S_MAX) * 1000 if text.isascii() and text.isdigit() and len(text) < 10 else 0


def shown(body: bytes) -> str:
    """Return an answer's beginning as text for a reason: one line, bounded."""
    return " ".join(body[: 4 * REASON_CHARACTERS_MAX].decode("utf-8", "replace").split())[:REASON_CHARACTERS_MAX]
