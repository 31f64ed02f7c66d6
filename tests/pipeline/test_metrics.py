"""The tally of the hot path gives Prometheus what observing each payment would."""

from prometheus_client import REGISTRY

from gateway.metrics import ANSWER_SECONDS, Tally
from schemas.outcome import Answer

SECONDS = (0.0005, 0.001, 0.0011, 0.07, 0.07, 3.0, 10.0, 11.0)


def samples(name: str) -> dict[tuple[str, ...], float]:
    """Every sample of a metric by its labels' values."""
    return {
        (one.name, *one.labels.values()): one.value
        for metric in REGISTRY.collect()
        if metric.name == name
        for one in metric.samples
        if not one.name.endswith("_created")
    }


def grown(before: dict[tuple[str, ...], float], after: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """What was added between two collections."""
    return {key: round(value - before.get(key, 0.0), 9) for key, value in after.items()}


def test_times_are_bucketed_as_observing_each_would() -> None:
    start = samples("kopeck_payment_seconds")
    for one in SECONDS:
        ANSWER_SECONDS.observe(one)
    observed = samples("kopeck_payment_seconds")
    tally = Tally()
    for one in SECONDS:
        tally.took(one)
    tally.flush()
    tally.flush()
    assert grown(observed, samples("kopeck_payment_seconds")) == grown(start, observed)


def test_answers_are_counted_by_channel_and_answer() -> None:
    tally = Tally()
    for answer in (Answer.RECORDED, Answer.RECORDED, Answer.DUPLICATE):
        tally.answered("net", answer)
    before = samples("kopeck_payments")
    tally.flush()
    tally.flush()
    added = grown(before, samples("kopeck_payments"))
    assert added["kopeck_payments_total", "net", "recorded"] == 2
    assert added["kopeck_payments_total", "net", "duplicate"] == 1
