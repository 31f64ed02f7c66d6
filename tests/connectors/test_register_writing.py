"""Our own register: what is written is read back the same, and what could not be is not written."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.registers.reading import read_register
from connectors.registers.register import RegisterUnreadable
from connectors.registers.shipped import shipped_formats
from connectors.registers.writing import EmittedLine, EmittedRegister, write_register
from schemas.ids import ExternalId

TEXTS = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=';"=,'), max_size=30)
IDS = st.text(st.characters(codec="ascii", exclude_categories=("C", "Z")), min_size=1, max_size=60).filter(
    lambda text: not text.startswith(("=", "~"))
)
MOMENTS = st.integers(min_value=0, max_value=2 * 10**9).map(
    lambda seconds: datetime(2015, 1, 2, tzinfo=UTC) + timedelta(seconds=seconds)
)
PERIODS = st.just(0) | st.builds(lambda year, month: year * 100 + month, st.integers(2000, 2099), st.integers(1, 12))


@st.composite
def lines(draw: st.DrawFn) -> EmittedLine:
    """Any line that we may emit."""
    amount = draw(st.integers(min_value=1, max_value=10**12))
    return EmittedLine(
        operation=ExternalId(draw(IDS)),
        account=draw(TEXTS),
        amount_kopecks=amount,
        fee_kopecks=draw(st.integers(min_value=0, max_value=amount)),
        event_at=draw(MOMENTS),
        period=draw(PERIODS),
        document=draw(TEXTS),
    )


REGISTERS = st.builds(
    EmittedRegister,
    number=IDS,
    day=st.dates(date(2015, 1, 1), date(2098, 1, 1)),
    lines=st.lists(lines(), min_size=1, max_size=8).map(tuple),
    order_number=st.just("") | IDS,
    order_day=st.none() | st.dates(date(2015, 1, 1), date(2098, 1, 1)),
)


@given(REGISTERS)
def test_what_is_written_is_read_back_the_same(register: EmittedRegister) -> None:
    read = read_register(write_register(register), shipped_formats()["kopeck"])
    assert (read.number, read.day, read.order_number, read.order_day) == (
        register.number,
        register.day,
        register.order_number,
        register.order_day,
    )
    again = tuple(
        EmittedLine(
            operation=line.operation,
            account=line.account,
            amount_kopecks=line.amount_kopecks,
            fee_kopecks=line.fee_kopecks,
            event_at=line.event_at,
            period=line.period,
            document=line.document,
        )
        for line in read.lines
    )
    assert again == register.lines
    assert read.total_kopecks == sum(line.amount_kopecks for line in register.lines)
    assert write_register(msgspec.structs.replace(register, lines=again)) == write_register(register)


GOOD = EmittedLine(operation=ExternalId("a"), account="1", amount_kopecks=100, event_at=datetime(2026, 11, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "line",
    [
        {"operation": ""},
        {"operation": "=1"},
        {"operation": "~1"},
        {"operation": "a\n"},
        {"amount_kopecks": 0},
        {"fee_kopecks": 101},
        {"fee_kopecks": -1},
        {"account": "1  2"},
        {"document": "a\x00"},
    ],
)
def test_what_could_not_be_read_back_is_not_written(line: dict[str, object]) -> None:
    bad = msgspec.structs.replace(GOOD, **line)
    with pytest.raises(ValueError, match=r"cannot be|above zero|printable"):
        write_register(EmittedRegister(number="1", day=date(2026, 11, 1), lines=(bad,)))


def test_a_register_without_number_or_lines_is_not_written() -> None:
    for given_register in (
        EmittedRegister(number="", day=date(2026, 11, 1), lines=(GOOD,)),
        EmittedRegister(number="1", day=date(2026, 11, 1), lines=()),
    ):
        with pytest.raises(ValueError, match="a number and at least one line"):
            write_register(given_register)


def test_a_changed_kopeck_is_noticed() -> None:
    written = write_register(EmittedRegister(number="1", day=date(2026, 11, 1), lines=(GOOD, GOOD)))
    with pytest.raises(RegisterUnreadable, match="total: the line says 200 kopecks, the payments make 201"):
        read_register(written.replace(b";1.00;", b";1.01;", 1), shipped_formats()["kopeck"])
