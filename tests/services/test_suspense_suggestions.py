"""Who suspended money may belong to: found by key, explained in Russian, ranked, and never applied by itself."""

import time
from collections.abc import AsyncIterator

import pytest

from ledger.core.apportion import caps_of
from schemas.outcome import SuspenseReason
from services.suspense.core.words import address_key
from services.suspense.decisions import Assignment, Place, assign
from services.suspense.suggestions import suggest
from tests.conftest import LedgerDatabase
from tests.ledger.town import SQL as TOWN
from tests.services.suspense_town import NOW, SQL, PlainPapers, SuspenseTown, note, suspense_town

PAYER = "40817810000000000001"
READ = PlainPapers()
MASS = 50_000
LOOK_UP_S_MAX = 1.0


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SuspenseTown]:
    async with suspense_town(ledger_database) as made:
        yield made


async def line(town: SuspenseTown, bank_id: str, told: str, payer: str = PAYER, kind: str = "unknown") -> None:
    await town.owner.execute(SQL["add_line"], bank_id, payer, told.encode(), kind)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("10023", "одной цифры не хватает"),
        ("1002334", "один знак лишний"),
        ("100243", "две соседние цифры переставлены"),
        ("100834", "одна цифра другая"),
        ("000100234", "ведущими нулями"),
        ("л/с 100-234", "одной цифры не хватает|те же цифры"),
    ],
)
async def test_a_number_with_one_slip_is_suggested(town: SuspenseTown, written: str, reason: str) -> None:
    account = await town.home(100234, ("maintenance", 500))
    await town.home(777777, ("maintenance", 500))
    place = await town.suspend(700, note(written))
    suggestions = await suggest(town.services, await town.item(place))
    if written.startswith("л"):
        assert suggestions == ()
        return
    (one,) = suggestions
    assert (one.account, one.name) == (account, "uo/100234") and reason in one.reasons[0] and f"«{written}»" in one.reasons[0]
    assert 0 < one.score < 100 and one.taking.kopecks == 700


async def test_what_was_printed_and_is_still_open_speaks_for_an_account(town: SuspenseTown) -> None:
    (account,) = await town.accounts(1, 1)
    await town.charge(account, "maintenance", 500)
    await town.owner.execute(TOWN["print_total"], account, 202610, 500)
    await town.publish(account)
    other = await town.home(2, ("maintenance", 900))
    (one,) = await suggest(town.services, await town.item(await town.suspend(500)))
    assert one.account == account and "равна неоплаченному итогу платёжного документа за 10.2026" in one.reasons[0]
    await town.pay(account, 100)
    assert await suggest(town.services, await town.item(await town.suspend(500))) == ()
    open_ = [caps_of(tier.weights, tier.paid) for tier in (await town.rebuilt(other)).table.tiers]
    assert open_ == [(900,)]


async def test_name_and_address_speak_when_the_line_may_be_read(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 500))
    stranger = await town.home(2, ("maintenance", 500))
    await town.owner.execute(SQL["set_masks"], account, "И****в И. И.", "г. Пермь, ул. Мира, д. 5, кв. **5")
    await town.owner.execute(SQL["set_masks"], stranger, "П****в П. П.", "г. Пермь, ул. Мира, д. 5, кв. **6")
    await line(town, "b-1", "ИВАНОВ ИВАН ИЛЬИЧ|Оплата ЖКУ, г. Пермь, улица Мира, д.5, кв.125, НДС не облагается")
    item = await town.item(await town.suspend(700, external_id="b-1"))
    assert await suggest(town.services, item) == ()
    (one,) = await suggest(town.services, item, READ)
    assert one.account == account
    assert any("адрес счёта: г. Пермь, ул. Мира, д. 5, кв. **5" in reason for reason in one.reasons)
    assert any("ФИО совпадает с владельцем счёта: И****в И. И." in reason for reason in one.reasons)
    assert not any("125" in reason or "Ильич" in reason.lower() for reason in one.reasons)


async def test_the_payer_of_a_registers_line_speaks_too(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 500))
    await town.owner.execute(SQL["set_masks"], account, "И****в И. И.", "")
    await town.owner.execute(SQL["add_register_line"], town.channel, town.space, "r-1", "ИВАНОВ ИВАН ИЛЬИЧ".encode())
    item = await town.item(await town.suspend(700, external_id="r-1"))
    assert await suggest(town.services, item) == ()
    (one,) = await suggest(town.services, item, READ)
    assert (one.account, one.reasons) == (account, ("ФИО совпадает с владельцем счёта: И****в И. И.",))


async def test_a_number_in_the_purpose_and_a_payer_who_paid_before(town: SuspenseTown) -> None:
    first, second = await town.home(100234, ("maintenance", 500)), await town.home(555111, ("maintenance", 500))
    await line(town, "b-1", "Иванов|ЖКУ")
    before = await town.suspend(100, external_id="b-1")
    await assign(town.services, Assignment(place=before, account=second, by="Иванова"), NOW)
    await line(town, "b-2", "Иванов|за квартиру, л/с 100234, за 10.2026")
    item = await town.item(await town.suspend(700, external_id="b-2"))
    number, payer = await suggest(town.services, item, READ)
    assert (number.account, payer.account) == (first, second)
    assert number.reasons == ("номер лицевого счёта 100234 стоит в назначении платежа",)
    assert "уже оплачивали: 1 раз, последний 11.11.2026" in payer.reasons[0]


async def test_a_bank_through_which_many_pay_is_nobodys_account(town: SuspenseTown) -> None:
    for number in range(1, 6):
        account = await town.home(number, ("maintenance", 500))
        await line(town, f"b-{number}", "|")
        place = await town.suspend(100, external_id=f"b-{number}")
        await assign(town.services, Assignment(place=place, account=account, by="Иванова"), NOW)
    await line(town, "b-9", "|")
    assert await suggest(town.services, await town.item(await town.suspend(700, external_id="b-9")), READ) == ()


async def test_candidates_and_the_payers_own_account(ledger_database: LedgerDatabase) -> None:
    async with suspense_town(ledger_database, advance_rule=0) as town:
        first, second = await town.home(1, ("maintenance", 500)), await town.home(2, ("maintenance", 5_000))
        ambiguous = await town.suspend(700, note("12", first, second), reason=SuspenseReason.ACCOUNT_AMBIGUOUS)
        one, other = await suggest(town.services, await town.item(ambiguous))
        assert (one.account, one.taking.why_not) == (second, "")
        assert (other.account, other.taking.kopecks, other.taking.why_not) == (first, 500, "аванс не принимается")
        assert one.reasons == ("номер «12» принадлежит этому счёту и ещё 1",)
        answer = await town.pay(first, 800)
        await town.fold()
        (own,) = await suggest(town.services, await town.item(Place(book=town.book("1"), sequence=answer.sequence or 0)))
        assert own.account == first and "остаток платежа этого же" in own.reasons[0]


async def test_many_neighbours_say_little_each(town: SuspenseTown) -> None:
    for number in range(100230, 100238):
        await town.home(number, ("maintenance", 500))
    suggestions = await suggest(town.services, await town.item(await town.suspend(700, note("100239"))))
    assert len(suggestions) == 8 and {one.score for one in suggestions} == {20}
    assert all("так же близки ещё 7" in one.reasons[0] for one in suggestions)


async def test_looking_up_neighbours_reads_keys_not_tables(town: SuspenseTown) -> None:
    await town.owner.execute(SQL["mass_aliases"], MASS)
    place = await town.suspend(700, note("1000012354"))
    item = await town.item(place)
    await suggest(town.services, item)
    started = time.perf_counter()
    suggestions = await suggest(town.services, item)
    assert time.perf_counter() - started < LOOK_UP_S_MAX
    assert len(suggestions) == 10


@pytest.mark.parametrize(
    "address",
    [
        "г. Пермь, ул. Мира, д. 5, кв. **5",
        "УЛИЦА ЁЛОЧНАЯ Д.5А КВ.**5",
        "пр-кт Ленина 7/2",
        "",
        "ул ул д д 5",
        "Main st. 5, Кв. 7",
    ],
)
async def test_both_address_keys_agree(town: SuspenseTown, address: str) -> None:
    assert await town.services.fetchval(SQL["address_key"], address) == address_key(address)
