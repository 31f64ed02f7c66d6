"""Every shipped format: its register is read to the kopeck, detected alone, and refused whole when something is wrong with it."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from connectors.registers.detection import FormatUncertain, detect_register
from connectors.registers.reading import read_register
from connectors.registers.register import Reading, RegisterUnreadable
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.registers import WRITERS, RegisterFault, write_sent
from tests.connectors.register_samples import (
    DAY,
    WITH_PERIOD,
    WITHOUT_FEE,
    WITHOUT_FOOTER,
    WITHOUT_IDS,
    WITHOUT_TIME,
    sent_payment,
    sent_register,
)

FORMATS = sorted(shipped_formats())


def test_at_least_eight_formats_are_shipped_and_the_sandbox_sends_each() -> None:
    assert len(FORMATS) >= 8
    assert set(WRITERS) == set(FORMATS)
    assert all(name == described.name and described.title for name, described in shipped_formats().items())


@pytest.mark.parametrize("name", FORMATS)
def test_every_payment_is_read_to_the_kopeck(name: str) -> None:
    sent = sent_register(6)
    register = read_register(write_sent(name, sent), shipped_formats()[name])
    assert [line.account for line in register.lines] == [one.account for one in sent.payments]
    assert [line.amount_kopecks for line in register.lines] == [one.amount_kopecks for one in sent.payments]
    assert register.total_kopecks == sent.total_kopecks
    assert register.fee_kopecks == (0 if name in WITHOUT_FEE else sent.fee_kopecks)
    assert [line.fee_kopecks for line in register.lines] == [
        0 if name in WITHOUT_FEE else one.fee_kopecks for one in sent.payments
    ]
    assert all(line.day == DAY and line.has_own_id == (name not in WITHOUT_IDS) for line in register.lines)
    for line, one in zip(register.lines, sent.payments, strict=True):
        expected = datetime(2026, 11, 1, 9, tzinfo=UTC) if name in WITHOUT_TIME else one.moment
        assert line.event_at == expected and line.event_at.tzinfo is UTC
        assert name in WITHOUT_IDS or line.operation == one.operation
        assert line.period == (202610 if name in WITH_PERIOD else 0)
    assert "Иванов" not in repr(register.lines)


@pytest.mark.parametrize("name", FORMATS)
def test_exactly_one_format_accepts_its_register(name: str) -> None:
    assert detect_register(write_sent(name, sent_register(5)), shipped_formats()).format == name


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("lanbilling", "payment-batch")])
def test_half_a_register_is_refused(name: str) -> None:
    whole = write_sent(name, sent_register(9)).partition("Число платежей".encode())[0]
    for kept in range(1, len(whole) - 3, max(1, len(whole) // 97)):
        half = whole[:kept]
        if name in WITHOUT_FOOTER and half.endswith((b"\r", b"\n")):
            continue
        with pytest.raises(RegisterUnreadable):
            read_register(half, shipped_formats()[name])


def test_half_a_batch_is_refused_by_its_heading() -> None:
    whole = write_sent("payment-batch", sent_register(9))
    second = whole.index(b"#", 1)
    with pytest.raises(RegisterUnreadable, match="count: the line says 5, the payments make 4"):
        read_register(whole[: whole.rindex(b"0001008")], shipped_formats()["payment-batch"])
    assert len(read_register(whole[:second], shipped_formats()["payment-batch"]).lines) == 4


@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_total_refuses_the_whole_file(name: str) -> None:
    with pytest.raises(RegisterUnreadable):
        read_register(write_sent(name, sent_register(), RegisterFault.WRONG_FOOTER), shipped_formats()[name])


@pytest.mark.parametrize("name", FORMATS)
def test_the_wrong_encoding_is_refused_by_all(name: str) -> None:
    with pytest.raises(FormatUncertain) as refused:
        detect_register(write_sent(name, sent_register(), RegisterFault.WRONG_ENCODING), shipped_formats())
    assert refused.value.accepted == () and set(refused.value.refused) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_payments_in_another_order_and_twice_are_the_senders_truth(name: str) -> None:
    sent = sent_register(6)
    reordered = read_register(write_sent(name, sent, RegisterFault.REORDERED), shipped_formats()[name])
    assert [line.account for line in reordered.lines] == [one.account for one in reversed(sent.payments)]
    doubled = read_register(write_sent(name, sent, RegisterFault.DUPLICATES), shipped_formats()[name])
    assert len(doubled.lines) == 8
    assert len({line.operation for line in doubled.lines}) == (8 if name in WITHOUT_IDS else 6)


def test_sber_tells_its_bank_order_and_keeps_the_payers_name_to_itself() -> None:
    register = read_register(write_sent("sber", sent_register()), shipped_formats()["sber"])
    assert (register.order_number, register.order_day, register.number, register.day) == ("512", DAY, "", None)
    assert register.lines[0].payer == "Иванов Иван Иванович, ул. Мира, 5, 125"


def test_tagged_lines_without_a_clientno_are_no_payments_and_readings_are_kept_aside() -> None:
    register = read_register(write_sent("sber-tagged", sent_register(3)), shipped_formats()["sber-tagged"])
    assert (len(register.lines), register.skipped) == (3, 1)
    assert register.lines[2].readings == (Reading(counter="1", reading="2.5"),)
    assert register.lines[2].document == "2"
    assert register.lines[2].operation == "~2026-11-01//0001002/10052/3"


def test_joined_batches_are_compared_each_by_itself() -> None:
    whole = write_sent("payment-batch", sent_register(6)).decode("cp866")
    register = read_register(whole.encode("cp1251"), shipped_formats()["payment-batch"])
    assert register.number == "7/1+7/2" and register.day == DAY
    lines = whole.splitlines()
    swapped = "\r\n".join([lines[0], *lines[2:4], lines[5], lines[4], lines[1], *lines[6:]])
    with pytest.raises(RegisterUnreadable) as refused:
        read_register(swapped.encode("cp866"), shipped_formats()["payment-batch"])
    assert {fault.field for fault in refused.value.faults} == {"total", "fee"}


def test_yookassa_takes_its_fee_with_vat_from_what_it_passes_on() -> None:
    sent = sent_register(1, payments=(sent_payment(0, amount_kopecks=100_000, fee_kopecks=3_416),))
    register = read_register(write_sent("yookassa", sent), shipped_formats()["yookassa"])
    assert (register.total_kopecks, register.fee_kopecks, register.day) == (100_000, 3_416, DAY)


def test_a_deleted_record_of_a_dbf_is_no_payment() -> None:
    register = read_register(write_sent("dbf", sent_register(2)), shipped_formats()["dbf"])
    assert (len(register.lines), register.skipped) == (2, 1)


def test_lanbilling_may_leave_its_first_line_blank_but_not_put_a_payment_there() -> None:
    whole = write_sent("lanbilling", sent_register(2)).decode()
    blank = "\n" + whole.partition("\n")[2]
    assert len(read_register(blank.encode(), shipped_formats()["lanbilling"]).lines) == 2
    with pytest.raises(RegisterUnreadable, match="none of the lines that may stand before"):
        read_register(whole.partition("\n")[2].encode(), shipped_formats()["lanbilling"])


def test_every_fault_is_listed_up_to_a_hundred_and_all_are_counted() -> None:
    rows = [f"01-11-2026;10-00-00;1;2;op{n};1;И;А;1026;1,2,3;1.00;0.00" for n in range(250)]
    content = ("\r\n".join([*rows, "=250;1.00;1.00;0.00;1;01-11-2026"]) + "\r\n").encode("cp1251")
    with pytest.raises(RegisterUnreadable) as refused:
        read_register(content, shipped_formats()["sber"])
    assert len(refused.value.faults) == 100 and refused.value.count == 250
    assert str(refused.value.faults[0]) == "line 1: amount: is '1,2,3', expected roubles with at most two decimals"


def test_a_refusal_names_the_candidates_and_the_first_fault_of_each() -> None:
    with pytest.raises(FormatUncertain) as refused:
        detect_register("просто письмо\n".encode(), shipped_formats())
    assert "sber: " in str(refused.value) and "xlsx: file: is no XLSX workbook" in str(refused.value)


def test_two_formats_that_accept_a_file_are_named() -> None:
    formats = shipped_formats()
    twice = {"sber": formats["sber"], "sber-again": msgspec.structs.replace(formats["sber"], name="sber-again")}
    with pytest.raises(FormatUncertain, match="sber, sber-again all accept the file: name one"):
        detect_register(write_sent("sber", sent_register()), twice)


def test_a_day_in_the_counterpartys_zone_has_its_own_boundaries() -> None:
    late = sent_payment(0, moment=datetime(2026, 11, 1, 23, 59, 59, tzinfo=sent_payment(0).moment.tzinfo))
    moscow = shipped_formats()["sber"]
    content = write_sent("sber", sent_register(1, payments=(late,)))
    omsk = msgspec.structs.replace(moscow, time_zone="Asia/Omsk")
    read = [read_register(content, one).lines[0] for one in (moscow, omsk)]
    assert read[0].day == read[1].day == date(2026, 11, 1)
    assert read[0].event_at - read[1].event_at == timedelta(hours=3)
