"""Reconciled days, protocols and months for people's eyes: tables and sentences of the command ``reconcile``, in Russian."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from schemas.money import roubles_for_people
from services.reconciliation.core.reasons import VERDICTS
from services.reconciliation.core.words import Item, MatchedSum, Promise
from services.reconciliation.months import MonthReport
from services.reconciliation.report import DayReport
from services.reconciliation.signed import Protocol

STATES = {"open": "открыт", "cut": "закончен, не закрыт", "reconciled": "закрыт"}
SIDES = {"line": "строки выписки", "entry": "проводки"}
PROMISES = {"register": "реестр", "day": "день плательщиков", "order": "поручения в пути, день"}
KINDS = {
    "transit": "счёт 40911",
    "held": "у банка на 47416",
    "clearing": "обещано",
    "receivable": "должны нам",
    "payable": "получателям",
    "suspense": "невыясненные",
    "refund": "возвраты",
    "fee": "вознаграждение",
    "outgoing": "поручения в пути",
}
ROWS_MAX = 500
"""Rows of one table on a screen; --json shows all."""


def print_report(out: Console, report: DayReport) -> None:
    """Print a day: totals, what matched, what did not, what is promised, and what is in the way of closing."""
    cut = f", срез {report.cut}" if report.cut is not None else ""
    out.print(f"СВЕРКА {report.account} за {report.day:%d.%m.%Y}: день {STATES[report.state]}{cut}")
    _print_totals(out, msgspec.to_builtins(report.totals), required=report.statement_required)
    _print_matched(out, report.matched)
    _print_items(out, "НЕ СОШЛОСЬ", report.items)
    _print_items(out, "ПЕРЕНЕСЕНО С ПРЕЖНИХ ДНЕЙ", report.carried)
    _print_promised(out, report.promised)
    _print_identity(out, report.identity.balances)
    for obstacle in report.obstacles:
        out.print(f"! {obstacle}")
    unexplained = len(report.unexplained)
    if unexplained:
        out.print(f"! не сошлось и не объяснено: {unexplained}")
    if report.is_clean:
        out.print("День чист: его можно закрыть." if report.state == "cut" else "День чист.")


def _print_totals(out: Console, totals: Mapping[str, Any], *, required: bool) -> None:
    shown = Table(show_header=False, title="ОСТАТКИ", title_justify="left")
    shown.add_column()
    shown.add_column(justify="right", no_wrap=True)
    rows = [("входящий остаток по выписке", "opening"), ("зачислено", "credited"), ("списано", "debited")]
    rows += [("исходящий остаток по выписке", "closing"), ("остаток по книгам на срез", "ledger")]
    rows += [("есть у банка, в книгах после среза или нет", "open_lines"), ("есть в книгах, у банка нет", "open_entries")]
    rows += [("необъяснённая разница", "difference"), ("из неё перенесено", "carried")]
    for title, name in rows:
        shown.add_row(title, "—" if totals[name] is None else roubles_for_people(totals[name]))
    out.print(shown)
    if not required:
        out.print("Выписка по счёту не требуется: покрытия подтверждает банк своими сообщениями.")


def _print_matched(out: Console, matched: Iterable[MatchedSum]) -> None:
    shown = Table("сторона", "вид", "чем сошлось", title="СОШЛОСЬ", title_justify="left")
    for title in ("число", "приход", "расход"):
        shown.add_column(title, justify="right", no_wrap=True)
    for one in matched:
        sums = (str(one.count), roubles_for_people(one.into_kopecks), roubles_for_people(one.out_kopecks))
        shown.add_row(SIDES[one.side], one.sort, one.reason, *sums)
    out.print(shown)


def _print_items(out: Console, title: str, items: Iterable[Item]) -> None:
    found = list(items)
    if not found:
        return
    shown = Table("место", "день", "что", title=title, title_justify="left")
    shown.add_column("сумма", justify="right", no_wrap=True)
    for name in ("причина", "документ или ключ", "другая сторона", "объяснение"):
        shown.add_column(name, overflow="fold")
    for item in found[:ROWS_MAX]:
        what = f"{VERDICTS[item.verdict]}{', опоздало' if item.late else ''}"
        told = f"{item.explanation.text} ({item.explanation.by})" if item.explanation else ""
        amount = roubles_for_people(item.amount_kopecks)
        shown.add_row(item.place, f"{item.day:%d.%m.%Y}", what, amount, item.reason, item.reference, item.counterpart, told)
    out.print(shown)
    if len(found) > ROWS_MAX:
        out.print(f"… и ещё {len(found) - ROWS_MAX}: --json показывает все")


def _print_promised(out: Console, promised: Iterable[Promise]) -> None:
    found = list(promised)
    if not found:
        return
    shown = Table("счёт", "чьё", "номер или день", "обещано", title="ОБЕЩАНО", title_justify="left")
    for title in ("рабочих дней", "число", "сумма"):
        shown.add_column(title, justify="right", no_wrap=True)
    for one in found[:ROWS_MAX]:
        sums = (str(one.age_working_days), str(one.count), roubles_for_people(one.amount_kopecks))
        shown.add_row(one.account, PROMISES[one.what], one.reference, f"{one.since:%d.%m.%Y}", *sums)
    out.print(shown)


def _print_identity(out: Console, balances: Mapping[str, int]) -> None:
    held = ", ".join(f"{KINDS[kind]} {roubles_for_people(balance)}" for kind, balance in balances.items() if balance)
    out.print(f"ТОЖДЕСТВО на срез: {held or 'все остатки нулевые'}; сумма {roubles_for_people(sum(balances.values()))}")


def protocol_text(protocol: Protocol) -> str:
    """Write a protocol as the document that is printed and filed: everything signed, then the digest and the signatures."""
    content = msgspec.json.decode(protocol.content)
    lines = [content["document"].upper(), f"Счёт {content['account']}", ""]
    lines += _month_lines(content) if protocol.what == "month" else _day_lines(content)
    lines += ["", f"SHA-256 содержания: {protocol.digest.hex()}"]
    lines += [f"Подписал {one.person}, {one.at:%d.%m.%Y %H:%M:%S} UTC" for one in protocol.signatures]
    if not protocol.is_closed:
        lines.append("Подписей меньше двух: не закрыто.")
    return "\n".join(lines)


def _month_lines(content: Mapping[str, Any]) -> list[str]:
    lines = [f"Месяц {content['month']}, операционных дней {content['days']}"]
    for check in content["checks"]:
        state = "проверено" if check["is_checked"] else "НЕ ПРОВЕРЕНО"
        lines.append(f"  {check['name']}: {state}{'; ' + check['note'] if check['note'] else ''}")
    return [*lines, "Протоколы дней, SHA-256:", *[f"  {digest}" for digest in content["digests"]]]


def _day_lines(content: Mapping[str, Any]) -> list[str]:
    totals = content["totals"]
    places = ", ".join(f"книга {book}: {place}" for book, place in content["places"].items())
    titles = {
        "opening": "Входящий остаток по выписке",
        "credited": "Зачислено",
        "debited": "Списано",
        "closing": "Исходящий остаток по выписке",
        "ledger": "Остаток по книгам на срез",
        "open_lines": "Есть у банка, в книгах после среза или нет",
        "open_entries": "Есть в книгах, у банка нет",
        "difference": "Необъяснённая разница",
        "carried": "из неё перенесено",
    }
    lines = [f"Операционный день {content['day']}, срез {content['cut']} ({places})"]
    lines += [f"  {title}: {_sum(totals[name])}" for name, title in titles.items()]
    lines.append("Тождество на срез:")
    lines += [f"  {KINDS[kind]}: {_sum(balance)}" for kind, balance in content["identity"]["balances"].items()]
    lines.append("Сошлось:")
    for one in content["matched"]:
        sums = f"{one['count']}, приход {_sum(one['into_kopecks'])}, расход {_sum(one['out_kopecks'])}"
        lines.append(f"  {SIDES[one['side']]} {one['sort']}: {sums} ({one['reason']})")
    for title, name in (("Не сошлось и объяснено:", "items"), ("Перенесено с прежних дней:", "carried")):
        lines.append(title if content[name] else f"{title} нет")
        lines += [_item_line(item) for item in content[name]]
    lines.append("Обещано:" if content["promised"] else "Обещано: нет")
    for one in content["promised"]:
        age = f"с {one['since']}, рабочих дней {one['age_working_days']}"
        lines.append(f"  {one['account']}, {PROMISES[one['what']]} {one['reference']}: {_sum(one['amount_kopecks'])}, {age}")
    return lines


def _item_line(item: Mapping[str, Any]) -> str:
    told = item["explanation"]
    said = f"; {told['text']} — {told['by']}, {told['at']}" if told else ""
    return f"  {item['place']} за {item['day']}: {_sum(item['amount_kopecks'])}, {item['reason']}{said}"


def _sum(kopecks: int | None) -> str:
    return "—" if kopecks is None else f"{roubles_for_people(kopecks)} ₽"


def protocol_for_json(protocol: Protocol) -> Mapping[str, object]:
    """Return a protocol for JSON: the signed text as it stands, its digest, who signed."""
    return {
        "what": protocol.what,
        "period": protocol.period,
        "content": protocol.content,
        "sha256": protocol.digest.hex(),
        "signatures": protocol.signatures,
        "closed": protocol.is_closed,
    }


def print_month(out: Console, report: MonthReport) -> None:
    """Print what the checks of a month found."""
    out.print(f"МЕСЯЦ {report.month}, счёт {report.account}: операционных дней {report.days}")
    for check in report.checks:
        state = "не проверено" if not check.is_checked else "нет" if check.faults else "да"
        out.print(f"  {check.name}: {state}{'; ' + check.note if check.note else ''}")
        for fault in check.faults:
            out.print(f"    ! {fault}")
