"""What every route does with an outcome beside answering it: count it, and log what is not plain success."""

import structlog

from gateway import metrics
from schemas.channel import Channel
from schemas.ids import ExternalId
from schemas.outcome import Answer, PaymentOutcome, Refusal, SuspenseReason

log = structlog.get_logger("gateway.answers")


def note(channel: Channel, external_id: ExternalId, outcome: PaymentOutcome) -> None:
    """Count the answer; log it with its payment id unless it simply was recorded."""
    metrics.TALLY.answered(channel.name, outcome.answer)
    if outcome.answer is Answer.RECORDED and outcome.suspense is SuspenseReason.NONE:
        return
    if outcome.refusal is not Refusal.NONE:
        metrics.REFUSALS.labels(channel.name, outcome.refusal.name.lower()).inc()
    if outcome.answer is Answer.RECORDED:
        metrics.SUSPENSE.labels(channel.name, outcome.suspense.name.lower()).inc()
    log.info(
        "payment.answered",
        channel=channel.name,
        payment=external_id,
        answer=outcome.answer.name.lower(),
        refusal=outcome.refusal.name.lower(),
        suspense=outcome.suspense.name.lower(),
        field=outcome.conflict_field,
    )


def note_form_error(channel: Channel, error: str, address: str | None) -> None:
    """Count and log a message that could not be read, believed or admitted."""
    metrics.FORM_ERRORS.labels(channel.name, error).inc()
    log.warning("message.refused", channel=channel.name, error=error, source=address)
