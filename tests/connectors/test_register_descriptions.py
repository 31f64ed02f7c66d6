"""Descriptions of one's own: what can be said, and what cannot be used is told at once."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from connectors.registers.describing import DescriptionError, parse_description
from connectors.registers.reading import read_register
from connectors.registers.register import RegisterUnreadable
from connectors.registers.shipped import FORMATS, read_description
from tests.connectors.register_samples import DESCRIPTION, described

WRONG = [
    ("name = [", "not TOML"),
    ('name = "mine"', "missing required field `title`"),
    (DESCRIPTION + 'colour = "red"\n', "unknown field"),
    (DESCRIPTION.replace('"mine"', '"Моё имя"'), "name must be lower-case Latin"),
    (DESCRIPTION.replace('delimiter = ","', 'delimiter = ",;"'), "delimiter and quote are single characters"),
    (DESCRIPTION.replace('delimiter = ","', ""), "start and width go with text without a delimiter"),
    (DESCRIPTION.replace('["yyyy-mm-dd"]', '["yyyy-mm"]'), "dates: 'yyyy-mm' does not tell a date"),
    (DESCRIPTION.replace('["yyyy-mm-dd"]', '["год-mm-dd"]'), "dates: 'год-mm-dd'"),
    (DESCRIPTION.replace('["yyyy-mm-dd"]', "[]"), "dates: at least one pattern is needed"),
    (DESCRIPTION.replace("date = { column = 2 }", ""), "date or moment is needed"),
    (DESCRIPTION.replace("{ column = 3 }", '{ column = 3, tag = "LS" }'), "fields.account: exactly one of"),
    (DESCRIPTION.replace("{ column = 3 }", '{ tag = "LS" }'), "fields.account: tag needs tagged_from"),
    (DESCRIPTION.replace("{ column = 3 }", '{ names = ["ЛС"] }'), "fields.account: names need has_header"),
    (DESCRIPTION.replace("{ column = 3 }", '{ column = 3, pattern = "(" }'), "fields.account: pattern"),
    (DESCRIPTION + "[[service]]\nrequired = true\n", r"service\[0\]: line, prefix or pattern is needed"),
    (DESCRIPTION + '[[service]]\nprefix = "="\nvalues = ["sum"]\n', r"service\[0\]: 'sum' is none of"),
    (DESCRIPTION.replace("\n[fields]", 'time_zone = "Europe/Moskva"\n[fields]', 1), "time_zone 'Europe/Moskva'"),
    (DESCRIPTION.replace("\n[fields]", 'encodings = ["ebcdic"]\n[fields]', 1), "encodings: 'ebcdic' is none of"),
]


@pytest.mark.parametrize(("text", "fault"), WRONG)
def test_a_description_that_cannot_be_used_says_why(text: str, fault: str) -> None:
    with pytest.raises(DescriptionError, match=fault):
        parse_description(text)


def test_all_faults_of_a_description_are_told_at_once() -> None:
    with pytest.raises(DescriptionError) as refused:
        parse_description(
            DESCRIPTION.replace('"mine"', '"M"').replace('["yyyy-mm-dd"]', '["mm"]').replace("column = 3", "column = -3")
        )
    assert len(str(refused.value).splitlines()) >= 3


def test_a_file_that_is_not_there_or_not_text_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match=r"gone\.toml: cannot be read \(FileNotFoundError\)"):
        read_description(tmp_path / "gone.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DescriptionError, match=r"bytes\.toml: cannot be read"):
        read_description(tmp_path / "bytes.toml")


@pytest.mark.parametrize("path", sorted(FORMATS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_description_says_where_its_facts_come_from(path: Path) -> None:
    first = path.read_text("utf-8").partition("\n")[0]
    assert first.startswith("# ") and read_description(path).name == path.stem


def test_minus_signed_amounts_thousands_and_commas() -> None:
    mine = parse_description(
        DESCRIPTION.replace('delimiter = ","', 'delimiter = "|"')
        + '[amounts]\nsign = "minus"\ndecimal = ","\nthousands = "\\u0020\\u00a0"\n'
    )
    register = read_register(b"a|2026-11-01|77|-1 234 567,8\nb|2026-11-01|78|-0,05\n", mine)
    assert [line.amount_kopecks for line in register.lines] == [123_456_780, 5]
    with pytest.raises(RegisterUnreadable, match="a payment's amount is above zero"):
        read_register(b"a|2026-11-01|77|12,00\n", mine)


def test_an_amount_in_kopecks_and_its_leading_zeros() -> None:
    mine = parse_description(DESCRIPTION + '[amounts]\nunit = "kopecks"\n')
    assert read_register(b"a,2026-11-01,77,0000010050\n", mine).total_kopecks == 10_050
    with pytest.raises(RegisterUnreadable, match="expected whole kopecks"):
        read_register(b"a,2026-11-01,77,100.50\n", mine)


def test_what_is_no_payment_is_said_by_prefixes() -> None:
    mine = described('skip_prefixes = ["#", "остаток"]')
    register = read_register("# день\nостаток,1\na,2026-11-01,77,1.00\n".encode(), mine)
    assert (len(register.lines), register.skipped) == (1, 2)


def test_the_period_binds_only_where_the_description_says_so() -> None:
    text = DESCRIPTION.replace("[fields]", "[fields]\nperiod = { column = 5 }")
    plain = described('periods = ["mmyy", "mm.yyyy"]', text)
    binding = described('periods = ["mmyy", "mm.yyyy"]\nperiod_designates = true', text)
    content = b"a,2026-11-01,77,1.00,1026\nb,2026-11-01,77,1.00,09.2026\nc,2026-11-01,77,1.00,\n"
    assert [(line.period, line.designates) for line in read_register(content, plain).lines] == [
        (202610, False),
        (202609, False),
        (0, False),
    ]
    assert [line.designates for line in read_register(content, binding).lines] == [True, True, False]


def test_a_fee_above_the_amount_and_one_that_does_not_fit_the_transfer_are_faults() -> None:
    mine = described(text=DESCRIPTION.replace("[fields]", "[fields]\nfee = { column = 5 }\ntransfer = { column = 6 }"))
    assert read_register(b"a,2026-11-01,77,10.00,0.30,9.70\n", mine).fee_kopecks == 30
    with pytest.raises(RegisterUnreadable, match="amount 1000 less fee 30 is not the transfer 971"):
        read_register(b"a,2026-11-01,77,10.00,0.30,9.71\n", mine)
    with pytest.raises(RegisterUnreadable, match="less fee 0 is not the transfer"):
        read_register(b"a,2026-11-01,77,10.00,0.00,10.01\n", mine)


def test_a_fee_on_top_is_the_payers_and_not_kept_from_the_amount() -> None:
    mine = described("fee_on_top = true", DESCRIPTION.replace("[fields]", "[fields]\nfee = { column = 5 }"))
    assert read_register(b"a,2026-11-01,77,10.00,0.30\n", mine).fee_kopecks == 0


def test_other_ids_of_a_payment_are_its_aliases() -> None:
    mine = described(text=DESCRIPTION.replace("[fields]", "[fields]\naliases = [{ column = 5 }, { column = 6 }]"))
    line = read_register(b"a,2026-11-01,77,10.00,rrn1,a\n", mine).lines[0]
    assert line.aliases == ("rrn1",)


def test_an_account_may_be_cut_out_of_a_text_and_must_have_its_form() -> None:
    cut = described(text=DESCRIPTION.replace("{ column = 3 }", "{ column = 3, required = false, pattern = 'ЛС ([0-9]+)' }"))
    lines = read_register("a,2026-11-01,Иванов ЛС 0077,1.00\nb,2026-11-01,без счёта,1.00\n".encode(), cut).lines
    assert [line.account for line in lines] == ["0077", ""]
    with pytest.raises(RegisterUnreadable, match="which is no account number here"):
        read_register(b"a,2026-11-01,77,1.00\n", described('account_pattern = "[0-9]{10}"'))


def test_a_time_that_the_clocks_skip_or_repeat_is_still_one_moment() -> None:
    text = DESCRIPTION.replace("[fields]", "[fields]\ntime = { column = 5 }")
    berlin = described('times = ["hh:nn"]\ntime_zone = "Europe/Berlin"', text)
    lines = read_register(b"a,2026-10-25,77,1.00,12:00\nb,2026-10-24,77,1.00,12:00\n", berlin).lines
    assert [line.event_at for line in lines] == [datetime(2026, 10, 25, 11, tzinfo=UTC), datetime(2026, 10, 24, 10, tzinfo=UTC)]
    assert [line.day for line in lines] == [date(2026, 10, 25), date(2026, 10, 24)]


def test_ids_that_could_be_ours_and_too_long_ones_are_refused() -> None:
    for written, fault in (("~1", "are our own"), ("я" * 65, "at most 128"), ("", "is required")):
        with pytest.raises(RegisterUnreadable, match=fault):
            read_register(f"{written},2026-11-01,77,1.00\n".encode(), described())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"a,2026-11-01,77\n",
        b"a,2026-13-01,77,1.00\n",
        b"a,2026-02-30,77,1.00\n",
        b"a,1926-11-01,77,1.00\n",
        b"a\0\n",
    ],
)
def test_what_is_no_payment_refuses_the_file(content: bytes) -> None:
    with pytest.raises(RegisterUnreadable):
        read_register(content, described())


def test_a_last_line_without_its_end_counts_as_cut_short_unless_the_description_allows_it() -> None:
    with pytest.raises(RegisterUnreadable, match="may be cut short"):
        read_register(b"a,2026-11-01,77,1.00", described())
    assert read_register(b"a,2026-11-01,77,1.00", described("open_end = true")).total_kopecks == 100
