"""Rows of law and what they change, for people: tables with figures as the acts write them and sums in roubles."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from schemas.money import roubles_for_people
from services.billing.core.law import LawRule
from services.billing.core.law_tables import LAW_TABLES
from services.billing.law.diff import Comparison
from services.billing.law.files import figure_for_people
from services.billing.law.reading import StoredRule

CERTAINTIES = {"H": "уверенно", "M": "вероятно", "L": "сомнительно", "document": "по тексту акта"}
RATIOS_AS_FACTORS = ("coefficient",)
"""Tables whose ratios are written as factors; those of the others are per cent."""
WHAT = {"main": "жильё и услуги", "capital_repair": "капремонт", "voluntary": "добровольные"}


def figures_of(rule: LawRule) -> dict[str, str]:
    """The row's figures as files and people write them; none when it ends."""
    known = {figure.name: figure for figure in LAW_TABLES[rule.table].figures}
    per_cent = rule.table not in RATIOS_AS_FACTORS
    return {name: figure_for_people(known[name], value, per_cent=per_cent) for name, value in rule.figures}


def rule_row(stored: StoredRule) -> Mapping[str, Any]:
    """A row as the commands' JSON shows it: figures are whole numbers, ratios in millionths."""
    rule = stored.rule
    return {
        "row": rule.rule,
        "table": rule.table,
        "key": rule.key,
        "region": rule.region,
        "valid_from": rule.valid_from,
        "ends": rule.ends,
        "figures": dict(rule.figures),
        "source": rule.source,
        "certainty": rule.certainty,
        "note": rule.note,
        "replaces": stored.replaces,
        "proposed_by": stored.proposed_by,
        "approved_by": stored.approved_by,
    }


def print_rules(console: Console, title: str, rules: Iterable[StoredRule]) -> None:
    """Print rows, a line each."""
    table = Table(title=title, title_justify="left")
    for heading in ("№", "Таблица", "Предмет", "Регион", "С", "Значения", "Источник", "Уверенность"):
        table.add_column(heading, overflow="fold")
    for stored in rules:
        rule = stored.rule
        told = ", ".join(value if name in ("rate", "ratio") else f"{name} {value}" for name, value in figures_of(rule).items())
        table.add_row(
            str(rule.rule),
            rule.table,
            rule.key,
            rule.region or "РФ",
            rule.valid_from.isoformat(),
            told or "прекращается",
            rule.source,
            CERTAINTIES[rule.certainty],
        )
    console.print(table)


def comparison_row(comparison: Comparison) -> Mapping[str, Any]:
    """A comparison as JSON, in kopecks."""
    return {
        "what": comparison.name,
        "creditors": comparison.totals,
        "largest": [
            {
                "account": one.account,
                "creditor": one.creditor,
                "period": one.period,
                "what": one.what,
                "before_kopecks": one.before_kopecks,
                "after_kopecks": one.after_kopecks,
            }
            for one in comparison.largest
        ],
    }


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print totals by creditor, then the largest differences."""
    totals = Table(title="По кредиторам", title_justify="left")
    for heading in ("Кредитор", "Счетов за период", "Изменилось", "Было, ₽", "Станет, ₽", "Разница, ₽"):
        totals.add_column(heading, justify="left" if heading == "Кредитор" else "right")
    for total in comparison.totals:
        sums = _sums(total.before_kopecks, total.after_kopecks)
        totals.add_row(total.creditor, str(total.sums), str(total.changed), *sums)
    console.print(totals)
    if not comparison.largest:
        console.print("Ничего не изменилось бы.")
        return
    largest = Table(title="Наибольшие различия", title_justify="left")
    for heading in ("Лицевой счёт", "Кредитор", "Период", "Что", "Было, ₽", "Станет, ₽", "Разница, ₽"):
        largest.add_column(heading, justify="right" if heading.endswith("₽") else "left")
    for one in comparison.largest:
        sums = _sums(one.before_kopecks, one.after_kopecks)
        largest.add_row(one.account, one.creditor, str(one.period), WHAT.get(one.what, one.what), *sums)
    console.print(largest)


def _sums(before: int, after: int) -> tuple[str, str, str]:
    return roubles_for_people(before), roubles_for_people(after), roubles_for_people(after - before)
