"""Law for tests: the shipped rows, and the same with some rows in the place of theirs."""

from datetime import date
from typing import Any

from services.billing.core.law import Law, LawRule, law_of, replaced
from services.billing.law.files import shipped_law

SHIPPED = shipped_law()


def rule(table: str, valid_from: date, key: str = "", region: str = "", **figures: int) -> LawRule:
    """A row; without figures it ends what held."""
    return LawRule(
        table=table,
        key=key,
        region=region,
        valid_from=valid_from,
        ends=not figures,
        figures=tuple(figures.items()),
        source="a test",
        certainty="H",
    )


def law_with(*rules: LawRule) -> Law:
    """The shipped law with rows added, or put in the place of those of their day."""
    return law_of(replaced(SHIPPED.rules(), rules))


def plain_law(rate: int, **more: Any) -> Law:
    """One rate for ever, penalties by ЖК 155, no moratorium; ``more``: region."""
    begins = date(2000, 1, 1)
    return law_of(
        [
            rule("key_rate", begins, rate=rate),
            rule("penalty_step", begins, "housing", first_day=31, divisor=300, second_day=91, second_divisor=130),
            rule("penalty_step", begins, "capital_repair", first_day=31, divisor=300, second_day=0, second_divisor=0),
        ]
    ).in_region(more.get("region", ""))
