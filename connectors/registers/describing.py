"""From TOML to a checked description: everything that can be wrong with one is told at once, before any file is read."""

import re
import tomllib
from collections.abc import Iterator
from zoneinfo import available_timezones

import msgspec

from connectors.registers.description import Container, Fields, RegisterFormat, ServiceLine, Source
from connectors.registers.values import pattern_of

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
ENCODINGS = ("utf-8", "cp1251", "cp866", "koi8-r")
SERVICE_VALUES = frozenset(
    {"", "number", "day", "order_number", "order_day", "count", "total", "fee", "transfer", "account", "time"}
)


class DescriptionError(ValueError):
    """A description cannot be used; the message names what is wrong, one fault a line."""


def parse_description(text: str) -> RegisterFormat:
    """Read one TOML description; raises DescriptionError listing every fault found."""
    try:
        described = msgspec.convert(tomllib.loads(text), RegisterFormat)
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise DescriptionError(str(error)) from error
    faults = list(_faults(described))
    if faults:
        raise DescriptionError("\n".join(f"{described.name or 'name'}: {fault}" for fault in faults))
    return described


def sources_of(fields: Fields) -> dict[str, Source]:
    """Every source by the name of what it gives; of several, numbered."""
    found: dict[str, Source] = {}
    for name in Fields.__struct_fields__:
        value = getattr(fields, name)
        if isinstance(value, tuple):
            found |= {f"{name}[{place}]": source for place, source in enumerate(value)}
        elif value is not None:
            found[name] = value
    return found


def _faults(described: RegisterFormat) -> Iterator[str]:
    if NAME.fullmatch(described.name) is None:
        yield "name must be lower-case Latin letters, digits and hyphens, at most 63"
    if described.time_zone not in available_timezones():
        yield f"time_zone {described.time_zone!r} is not in the IANA database"
    for encoding in described.encodings:
        if encoding not in ENCODINGS:
            yield f"encodings: {encoding!r} is none of {', '.join(ENCODINGS)}"
    if not described.encodings:
        yield "encodings: at least one is needed"
    yield from _form_faults(described)
    yield from _pattern_faults(described)
    for name, source in sources_of(described.fields).items():
        yield from _source_faults(described, name, source)
    for place, service in enumerate(described.service):
        yield from _service_faults(f"service[{place}]", service)


def _form_faults(described: RegisterFormat) -> Iterator[str]:
    fields = described.fields
    if described.container is Container.TEXT:
        if len(described.delimiter) > 1 or len(described.quote) > 1 or (described.quote and not described.delimiter):
            yield "delimiter and quote are single characters, and quote needs a delimiter"
    elif described.delimiter or described.quote or described.tagged_from:
        yield "delimiter, quote and tagged_from are for text only"
    if described.tagged_from and not described.delimiter:
        yield "tagged_from needs a delimiter"
    if described.head_lines < 0 or described.columns < 0 or described.tagged_from < 0:
        yield "head_lines, columns and tagged_from are not below 0"
    if fields.moment is not None and (fields.date is not None or fields.time is not None):
        yield "fields: moment excludes date and time"
    if fields.time is not None and fields.date is None:
        yield "fields: time needs date"
    day_told = any("day" in (*one.values, *_groups(one.pattern)) for one in described.service)
    if fields.moment is None and fields.date is None and not day_told:
        yield "fields: date or moment is needed, or a service line that tells the day"
    if described.readings is not None and not described.tagged_from:
        yield "readings need tagged_from"


def _pattern_faults(described: RegisterFormat) -> Iterator[str]:
    fields = described.fields
    needed: tuple[tuple[str, tuple[str, ...], Source | None, set[str], set[str]], ...] = (
        ("dates", described.dates, fields.date, {"month", "day"}, {"hour", "minute", "second"}),
        ("times", described.times, fields.time, {"hour", "minute"}, {"year", "short", "month", "day"}),
        ("moments", described.moments, fields.moment, {"month", "day", "hour", "minute"}, set()),
        ("periods", described.periods, fields.period, {"month"}, {"day", "hour", "minute", "second"}),
    )
    for what, patterns, source, required, banned in needed:
        if source is not None and not patterns:
            yield f"{what}: at least one pattern is needed"
        for written in patterns:
            yield from _one_pattern(what, written, required, banned)
    try:
        re.compile(described.account_pattern)
    except re.error as error:
        yield f"account_pattern: {error}"


def _one_pattern(what: str, written: str, required: set[str], banned: set[str]) -> Iterator[str]:
    try:
        groups = set(pattern_of(written).groupindex)
    except (ValueError, re.error) as error:
        yield f"{what}: {error}"
        return
    dated = what != "times"
    if not required <= groups or groups & banned or (dated and len(groups & {"year", "short"}) != 1):
        yield f"{what}: {written!r} does not tell {'a date' if dated else 'a time'} of that kind"


def _source_faults(described: RegisterFormat, name: str, source: Source) -> Iterator[str]:
    ways = [bool(source.column), bool(source.names), bool(source.tag), bool(source.start or source.width)]
    at = f"fields.{name}"
    if sum(ways) != 1:
        yield f"{at}: exactly one of column, names, tag, start with width"
    if source.column < 0 or source.start < 0 or source.width < 0:
        yield f"{at}: column, start and width count from 1"
    if source.names and not (described.has_header or described.container is Container.DBF):
        yield f"{at}: names need has_header"
    if source.tag and not described.tagged_from:
        yield f"{at}: tag needs tagged_from"
    fixed = described.container is Container.TEXT and not described.delimiter
    if bool(source.start and source.width) != fixed:
        yield f"{at}: start and width go with text without a delimiter"
    if source.optional and not source.names:
        yield f"{at}: optional is for named columns"
    try:
        if source.pattern and re.compile(source.pattern).groups > 1:
            yield f"{at}: pattern has more than one group"
    except re.error as error:
        yield f"{at}: pattern: {error}"


def _service_faults(at: str, service: ServiceLine) -> Iterator[str]:
    if not (service.line or service.prefix or service.pattern):
        yield f"{at}: line, prefix or pattern is needed"
    if service.pattern and service.values:
        yield f"{at}: pattern names its values as groups"
    try:
        groups = set(re.compile(service.pattern).groupindex)
    except re.error as error:
        yield f"{at}: pattern: {error}"
        return
    for value in {*service.values, *groups} - SERVICE_VALUES:
        yield f"{at}: {value!r} is none of {', '.join(sorted(SERVICE_VALUES - {''}))}"


def _groups(pattern: str) -> set[str]:
    try:
        return set(re.compile(pattern).groupindex)
    except re.error:
        return set()
