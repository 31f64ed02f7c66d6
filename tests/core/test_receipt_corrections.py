"""Correction receipts of both fiscal formats (law.md 4.3), and the code printed on a registered receipt (protocols.md 12)."""

from datetime import date, datetime

import msgspec
import pytest

from schemas.receipt import FiscalFormat, FiscalSign, MeansOfPayment, Operation, Receipt, Vat
from services.fiscal.core.corrections import Ground, NothingToMend, correction_of_missing, corrections_of, mirror_of
from services.fiscal.core.keys import qr_text
from tests.core.receipt_town import RECORDED_AT, Line, assert_published_limits, decide, entry_of

KEEP = Line(creditor="uk", recipient="uk", service="maintenance", amount=126_988)
HEAT = Line(creditor="uk", recipient="heat", service="heating", amount=169_772)
SIGN = FiscalSign(
    fn="9960440300000001", fd="12345", fpd="3987654321", registered_at=datetime(2026, 11, 24, 15, 30, 59), total_kopecks=432_100
)
BY_ITSELF = Ground(by_order=False, base_date=date(2026, 11, 24))
BY_ORDER = Ground(by_order=True, base_date=date(2026, 12, 1), base_number="15-04/1")


def receipt_in(format_: FiscalFormat) -> Receipt:
    (draft,) = decide([KEEP, HEAT], entry_of([KEEP, HEAT])).drafts
    assert draft.receipt is not None
    return msgspec.structs.replace(draft.receipt, format=format_)


def with_vat(receipt: Receipt, vat: Vat) -> Receipt:
    return msgspec.structs.replace(receipt, items=tuple(msgspec.structs.replace(one, vat=vat) for one in receipt.items))


def test_format_1_05_gives_back_and_sells_again() -> None:
    wrong = receipt_in(FiscalFormat.V105)
    undo, right = corrections_of(wrong, SIGN, with_vat(wrong, Vat.NONE), BY_ITSELF)
    assert (undo.operation, right.operation) == (Operation.SELL_REFUND, Operation.SELL)
    assert undo.items == wrong.items and {one.vat for one in right.items} == {Vat.NONE}
    assert undo.correction is None and right.correction is None


@pytest.mark.parametrize("ground", [BY_ITSELF, BY_ORDER])
def test_format_1_2_corrects_both_ways_and_names_the_wrong_sign(ground: Ground) -> None:
    wrong = receipt_in(FiscalFormat.V12)
    undo, right = corrections_of(wrong, SIGN, with_vat(wrong, Vat.NONE), ground)
    assert (undo.operation, right.operation) == (Operation.SELL_REFUND_CORRECTION, Operation.SELL_CORRECTION)
    assert undo.correction is not None and right.correction is not None
    assert (undo.correction.wrong_sign, right.correction.wrong_sign) == (SIGN.fpd, "")
    for one in (undo.correction, right.correction):
        assert (one.by_order, one.base_date, one.base_number) == (ground.by_order, ground.base_date, ground.base_number)
    for one in (undo, right):
        assert one.total_kopecks == wrong.total_kopecks
        assert_published_limits(one)


@pytest.mark.parametrize("format_", FiscalFormat)
def test_what_is_right_is_not_corrected(format_: FiscalFormat) -> None:
    wrong = receipt_in(format_)
    with pytest.raises(NothingToMend):
        corrections_of(wrong, SIGN, msgspec.structs.replace(wrong, client="a@b.ru"), BY_ITSELF)


@pytest.mark.parametrize("format_", FiscalFormat)
def test_money_without_a_receipt_in_time_gets_a_correction_receipt(format_: FiscalFormat) -> None:
    missed = receipt_in(format_)
    corrected = correction_of_missing(missed, BY_ITSELF)
    assert corrected.operation is Operation.SELL_CORRECTION and corrected.items == missed.items
    assert corrected.correction is not None and corrected.correction.base_date == date(2026, 11, 24)


def test_a_mirror_keeps_names_rates_and_means() -> None:
    original = receipt_in(FiscalFormat.V12)
    mirror = mirror_of(original, (1, 2), {2: 70}, RECORDED_AT)
    assert mirror.items == (msgspec.structs.replace(original.items[1], sum_kopecks=70),)
    assert mirror.payments == ((MeansOfPayment.CASHLESS, 70),) and mirror.total_kopecks == 70


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (Operation.SELL, 1),
        (Operation.SELL_CORRECTION, 1),
        (Operation.SELL_REFUND, 2),
        (Operation.SELL_REFUND_CORRECTION, 2),
    ],
)
def test_the_code_holds_what_the_law_names(operation: Operation, kind: int) -> None:
    assert qr_text(SIGN, operation) == f"t=20261124T1530&s=4321.00&fn=9960440300000001&i=12345&fp=3987654321&n={kind}"
