"""Files of law rows (TOML): what a release ships and what people propose. Every fault is told with its row and field."""

import re
import tomllib
from datetime import date
from pathlib import Path

import msgspec

from ledger.statements import ROOT
from services.billing.core.law import FEDERAL, Law, LawRule, law_of
from services.billing.core.law_tables import LAW_TABLES, Figure, LawTable, Unit
from services.billing.core.quantities import MICRO

SHIPPED = ROOT / "services" / "billing" / "law" / "law.toml"
FILE_BYTES_MAX = 1_000_000
RULES_MAX = 2_000

_RATIO = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,6}))?(%?)", re.ASCII)
_PER_CENT = 100
_REGION = re.compile(r"([0-9]{2})?", re.ASCII)
CERTAINTIES = ("H", "M", "L", "document")


class LawFileError(ValueError):
    """The file is not one of law rows; the message has a line for every fault."""


class LawDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not in the database yet; figures as ``law_tables.py`` says."""

    table: str
    key: str
    region: str
    valid_from: date
    ends: bool
    figures: tuple[tuple[str, int], ...]
    source: str
    certainty: str
    note: str
    replaces: int | None


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    table: str
    valid_from: date
    source: str
    certainty: str
    key: str = ""
    region: str = FEDERAL
    ends: bool = False
    figures: dict[str, str | int | bool] = {}
    note: str = ""
    replaces: int | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rule: tuple[_Written, ...]


def read_law_file(path: Path) -> tuple[LawDraft, ...]:
    """Read a file whole; raises LawFileError with every fault of every row."""
    try:
        content = path.read_bytes()
        if len(content) > FILE_BYTES_MAX:
            raise LawFileError(f"{path.name} is larger than {FILE_BYTES_MAX} bytes")
        written = msgspec.convert(tomllib.loads(content.decode("utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise LawFileError(f"{path.name}: {error}") from error
    if not 0 < len(written.rule) <= RULES_MAX:
        raise LawFileError(f"{path.name} holds {len(written.rule)} rows; 1 … {RULES_MAX} are taken")
    faults: list[str] = []
    drafts = [_draft(f"{path.name}, row {number}", rule, faults) for number, rule in enumerate(written.rule, start=1)]
    if faults:
        raise LawFileError("\n".join(faults))
    return tuple(drafts)


def shipped_law() -> Law:
    """The law as this release ships it, without a database: for tests and for trying things out."""
    drafts = [msgspec.structs.asdict(draft) for draft in read_law_file(SHIPPED)]
    return law_of([LawRule(**{name: value for name, value in draft.items() if name != "replaces"}) for draft in drafts])


def ratio_from_text(text: str) -> int | None:
    """Millionths of one: ``3.0`` is 3_000_000, ``9.5%`` is 95_000; None for text that is no such number exactly."""
    match = _RATIO.fullmatch(text)
    if match is None:
        return None
    whole, fraction, per_cent = match.groups()
    millionths = int(whole) * MICRO + int((fraction or "").ljust(6, "0"))
    if not per_cent:
        return millionths
    ratio, rest = divmod(millionths, _PER_CENT)
    return None if rest else ratio


def figure_for_people(figure: Figure, value: int, *, per_cent: bool) -> str:
    """A figure as a file writes it: ``9.5%``, ``3``, ``yes``."""
    if figure.unit is Unit.SWITCH:
        return "yes" if value else "no"
    if figure.unit is Unit.COUNT:
        return str(value)
    whole, fraction = divmod(value * (_PER_CENT if per_cent else 1), MICRO)
    rest = f"{fraction:06d}".rstrip("0")
    return f"{whole}{'.' if rest else ''}{rest}{'%' if per_cent else ''}"


def _draft(place: str, rule: _Written, faults: list[str]) -> LawDraft:
    table = LAW_TABLES.get(rule.table)
    wrong: list[str] = []
    if table is None:
        wrong.append(f"table: {rule.table!r} is none of {', '.join(LAW_TABLES)}")
    elif rule.key not in table.keys if table.keys is not None else not re.fullmatch("[a-z0-9_]{1,64}", rule.key):
        wrong.append(f"key: {rule.key!r} is none of {', '.join(table.keys or ('lower-case words',))}")
    if _REGION.fullmatch(rule.region) is None:
        wrong.append(f"region: {rule.region!r} is not two digits")
    if rule.certainty not in CERTAINTIES:
        wrong.append(f"certainty: {rule.certainty!r} is none of {', '.join(CERTAINTIES)}")
    if not rule.source.strip():
        wrong.append("source: say where the law says so")
    figures = () if table is None else _figures(table, rule, wrong)
    faults += [f"{place}, {fault}" for fault in wrong]
    return LawDraft(**{**{name: getattr(rule, name) for name in rule.__struct_fields__}, "figures": figures})


def _figures(table: LawTable, rule: _Written, wrong: list[str]) -> tuple[tuple[str, int], ...]:
    wanted = () if rule.ends else table.figures
    names = {figure.name for figure in wanted}
    if names != set(rule.figures):
        told = f"exactly {', '.join(sorted(names))}" if names else "none, as the row ends"
        wrong.append(f"figures: {table.name} has {told}, not {', '.join(sorted(rule.figures)) or 'none'}")
        return ()
    found = [(figure, _number(figure, rule.figures[figure.name])) for figure in wanted]
    for figure, value in found:
        if value is None or not figure.lowest <= value <= figure.highest:
            wrong.append(f"{figure.name}: {rule.figures[figure.name]!r} is no {figure.unit.value} within its bounds")
    return tuple([(figure.name, value) for figure, value in found if value is not None])


def _number(figure: Figure, value: str | int | bool) -> int | None:
    if figure.unit is Unit.SWITCH:
        return int(value) if isinstance(value, bool) else None
    if figure.unit is Unit.RATIO:
        return ratio_from_text(value) if isinstance(value, str) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
