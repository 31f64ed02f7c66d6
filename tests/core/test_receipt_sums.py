"""Sums of receipts hold for whatever is paid and taken back, and orders' keys never meet."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.allocation import PayerKind
from schemas.channel import LegalKind
from schemas.delivery import ORDER_KEY_CHARACTERS_MAX
from schemas.journal import EntryKind
from schemas.receipt import ITEM_NAME_CHARACTERS_MAX, RECEIPT_ITEMS_MAX, Operation
from services.fiscal.core.corrections import Issued
from services.fiscal.core.decision import Decided, Origin
from services.fiscal.core.drafts import Place
from services.fiscal.core.keys import order_key
from services.fiscal.core.templates import item_name
from tests.core.receipt_town import CHANNEL, PAYEES, Line, assert_published_limits, decide, entry_of

amounts = st.integers(1, 10_000_000)


@st.composite
def lines(draw: st.DrawFn, most: int = 250) -> list[Line]:
    pairs = draw(st.lists(st.tuples(st.sampled_from(PAYEES), amounts, st.integers(0, 3)), min_size=1, max_size=most))
    return [
        Line(
            creditor=draw(st.sampled_from(("uk", recipient))) if number < 20 else recipient,
            recipient=recipient,
            service=service,
            amount=amount,
            kind=kind,
        )
        for number, ((recipient, service), amount, kind) in enumerate(pairs)
    ]


def told(decided: Decided) -> int:
    """What receipts and reasons add up to."""
    signs = {Operation.SELL: 1, Operation.SELL_REFUND: -1}
    return sum(signs[draft.operation] * sum(draft.amounts) for draft in decided.drafts) + sum(
        omission.amount for omission in decided.omissions
    )


def issued_from(decided: Decided) -> tuple[Issued, ...]:
    return tuple(
        Issued(
            number=number,
            issuer=draft.issuer,
            operation=draft.operation,
            part=draft.part,
            lines=draft.lines,
            receipt=draft.receipt,
            registered=True,
        )
        for number, draft in enumerate(decided.drafts, start=1)
    )


@given(lines(), st.sampled_from(LegalKind), st.sampled_from(PayerKind), st.sampled_from(("uk", "tszh")), st.integers(0, 500))
def test_every_kopeck_is_told_of(paid: list[Line], channel: LegalKind, payer: PayerKind, provider: str, suspense: int) -> None:
    entry = entry_of(paid, channel=CHANNEL[channel], suspense=suspense)
    decided = decide(paid, entry, payer, provider=provider)
    assert told(decided) == sum(line.amount for line in paid) + suspense
    places = [(draft.issuer, draft.part) for draft in decided.drafts]
    assert len(set(places)) == len(places)
    for draft in decided.drafts:
        assert 1 <= len(draft.lines) == len(draft.amounts) <= RECEIPT_ITEMS_MAX
        if draft.receipt is not None:
            assert draft.receipt.total_kopecks == sum(draft.amounts)
            assert tuple(one.sum_kopecks for one in draft.receipt.items) == draft.amounts
            assert_published_limits(draft.receipt)


@given(lines(most=40), st.sampled_from(LegalKind), st.data())
def test_refunds_undo_what_was_issued_and_no_more(paid: list[Line], channel: LegalKind, data: st.DataObject) -> None:
    """A part first and then the rest, or all at once: in the end nothing is left of any receipt."""
    issued = issued_from(decide(paid, entry_of(paid, channel=CHANNEL[channel])))
    first = [data.draw(st.integers(0, line.amount)) for line in paid]
    left = {
        (one.number, line): amount for one in issued if one.receipt for line, amount in zip(one.lines, _sums(one), strict=True)
    }
    for nth, back in enumerate((first, [line.amount - part for line, part in zip(paid, first, strict=True)]), start=1):
        numbers = [number for number, amount in enumerate(back, start=1) if amount]
        sums = [amount for amount in back if amount]
        entry = entry_of(
            [],
            EntryKind.REFUND,
            space=1,
            external_id=f"1:4/{nth}",
            lines=[0, *numbers],
            amounts=[-sum(sums), *sums],
            accounts=[1] * (len(sums) + 1),
        )
        decided = decide(
            paid, entry, origin=Origin(space=101, external_id="txn-1", channel=CHANNEL[channel], nth=str(nth), issued=issued)
        )
        assert told(decided) == -sum(sums)
        for draft in decided.drafts:
            if draft.receipt is not None:
                assert draft.after is not None
                for line, amount in zip(draft.lines, draft.amounts, strict=True):
                    left[draft.after, line] -= amount
    assert not any(left.values())


def _sums(one: Issued) -> list[int]:
    assert one.receipt is not None
    return [item.sum_kopecks for item in one.receipt.items]


keys = st.tuples(
    st.integers(0, 99_999),
    st.one_of(st.text(min_size=1, max_size=128), st.from_regex(r"[0-9A-Za-z._:/-]{1,64}", fullmatch=True)),
    st.sampled_from(Operation),
    st.integers(1, 2**31 - 1),
    st.integers(0, 999),
    st.sampled_from(("", "1", "999999999", "w1", "w999999999")),
    st.integers(1, 99),
)


@given(keys, keys)
def test_keys_are_short_plain_and_differ(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    first, second = _key(*one), _key(*other)
    assert len(first) <= ORDER_KEY_CHARACTERS_MAX and first.isascii() and first.isprintable() and " " not in first
    assert (first == second) == (one == other)
    assert first == _key(*one)


def _key(space: int, external_id: str, operation: Operation, issuer: int, part: int, correction: str, generation: int) -> str:
    place = Place(book=1, sequence=1, space=space, external_id=external_id, personal_account=1, correction=correction)
    return order_key(place, operation, issuer, part, generation)


@given(st.text(min_size=1, max_size=300), st.integers(0, 3), st.sampled_from((0, 202610, 199101)))
def test_names_never_grow_too_long(title: str, kind: int, period: int) -> None:
    name = item_name(title, kind, period)
    assert 0 < len(name) <= ITEM_NAME_CHARACTERS_MAX
    assert kind == 3 or not period or name.endswith(f" за {period % 100:02d}.{period // 100}")
