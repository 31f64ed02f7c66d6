"""Payment documents for papers: an ordinary one, a long, a minimal and one of penalties."""

from datetime import date
from typing import Any

import msgspec

from schemas.payment_document import (
    DocumentLine,
    HouseLine,
    MeterLine,
    Payee,
    PaymentDocument,
    PenaltyPart,
    Recalculation,
    Section,
)

MICRO = 1_000_000

COMPANY = Payee(
    name="ООО «УК Север»",
    inn="7707083893",
    kpp="770801001",
    bank_account="40702810200000000001",
    bank_name="ПАО Сбербанк",
    bic="044525225",
    correspondent_account="30101810400000000225",
    address="107078, г. Москва, ул. Садовая, д. 3, офис 12",
    phones="+7 495 000-00-00",
    email="dom@example.ru",
    site="uk.example.ru",
)
REPAIR_FUND = msgspec.structs.replace(COMPANY, name="Фонд капитального ремонта города Москвы", phones="", email="", site="")


def line(title: str, unit: str, volume: int, price: int, **changes: Any) -> DocumentLine:
    """A line of ``volume`` and ``price`` in thousandths and hundredths; its total is the sum of its parts."""
    amount = (2 * volume * price + 1_000) // 2_000
    made = DocumentLine(
        title=title,
        unit=unit,
        volume=volume * 1_000,
        price=price * 10_000,
        amount_kopecks=amount,
        total_kopecks=0,
        **changes,
    )
    total = made.amount_kopecks + made.common_kopecks + made.raised_kopecks + made.recalculated_kopecks
    return msgspec.structs.replace(made, total_kopecks=total)


def section(lines: tuple[DocumentLine, ...], **changes: Any) -> Section:
    """A section whose sums follow from its lines."""
    given = {
        "title": "Жильё и коммунальные услуги",
        "payee": COMPANY,
        "charged_kopecks": sum(one.total_kopecks for one in lines),
        "debt_kopecks": 0,
        "advance_kopecks": 0,
        "paid_kopecks": 0,
        "paid_on": None,
        "debt_on": date(2026, 10, 1),
        "purpose": "Жильё и коммунальные услуги за 10.2026, л/с 0001234567",
        "category": "ЖКУ",
        **changes,
    }
    due = given["debt_kopecks"] - given["advance_kopecks"] + given["charged_kopecks"] - given["paid_kopecks"]
    return Section(lines=lines, **{"due_kopecks": due, **given})


LINES = (
    line("Содержание жилого помещения", "м²", 54_300, 3_842, payee="ООО «УК Север»"),
    line("Отопление", "Гкал", 812, 248_671, volume_source="по прибору"),
    line("Холодное водоснабжение", "м³", 6_200, 5_971, volume_source="по прибору", common_volume=34_000, common_kopecks=203),
    line(
        "Горячее водоснабжение",
        "м³",
        3_480,
        24_316,
        volume_source="по нормативу",
        raised_coefficient=1_500_000,
        raised_kopecks=42_310,
        recalculated_kopecks=-15_120,
    ),
    line("Водоотведение", "м³", 9_680, 4_512, volume_source="по приборам"),
    msgspec.structs.replace(
        line("Электроснабжение", "кВт·ч", 180_000, 0, volume_source="по прибору", common_volume=2_150_000, common_kopecks=1_273),
        price=0,
        prices=(("день", 120 * MICRO, 7_120_000), ("ночь", 60 * MICRO, 2_980_000)),
        amount_kopecks=103_320,
        total_kopecks=104_593,
    ),
    line("Газоснабжение", "м³", 11_200, 912, volume_source="по среднему", benefit_kopecks=5_107),
    line("Обращение с твёрдыми коммунальными отходами", "чел.", 2_000, 17_412, payee="ООО «Чистый город»"),
)
REPAIR = (line("Взнос на капитальный ремонт", "м²", 54_300, 2_785),)
METERS = (
    MeterLine(
        title="Холодная вода, кухня",
        number="17-204418",
        previous=214_310_000,
        current=220_510_000,
        verified_until=date(2026, 12, 20),
    ),
    MeterLine(title="Горячая вода", number="16-118734", previous=None, current=None, verified_until=date(2026, 9, 1)),
    MeterLine(
        title="Электричество, день",
        number="011076128403",
        previous=8_812 * MICRO,
        current=8_932 * MICRO,
        verified_until=date(2034, 3, 1),
    ),
    MeterLine(
        title="Электричество, ночь", number="011076128403", previous=4_101 * MICRO, current=4_161 * MICRO, verified_until=None
    ),
)
HOUSE = (
    HouseLine(title="Холодная вода", unit="м³", meter=1_284_500_000, individual=1_271_300_000, common=13_200_000),
    HouseLine(title="Электроэнергия", unit="кВт·ч", meter=38_412 * MICRO, individual=36_900 * MICRO, common=1_512 * MICRO),
    HouseLine(title="Отопление", unit="Гкал", meter=None, individual=112_480_000, common=0),
)
HISTORY = tuple(
    (period, charged)
    for period, charged in zip(
        (202510, 202511, 202512, 202601, 202602, 202603, 202604, 202605, 202606, 202607, 202608, 202609),
        (801_214, 934_020, 961_877, 1_002_311, 988_010, 942_318, 815_902, 541_276, 498_210, 487_650, 492_118, 530_871),
        strict=True,
    )
)
ORDINARY = PaymentDocument(
    number="75DA533315-01-6101",
    period=202610,
    issued_on=date(2026, 11, 1),
    due_on=date(2026, 11, 15),
    account="0001234567",
    els="75DA533315",
    izhku="75DA533315-01",
    payer="Иванова М. П.",
    payer_kind="собственник",
    address="г. Москва, ул. Ленина, д. 24, корп. 2",
    postcode="107078",
    flat="58",
    area=54_300_000,
    living_area=32_100_000,
    residents=2 * MICRO,
    registered=3,
    owners=1,
    provider=COMPANY,
    dispatch_phone="+7 495 000-00-01, круглосуточно",
    working_hours="пн–пт 8:00–17:00, приём жителей вт и чт 14:00–19:00",
    sections=(
        section(LINES, debt_kopecks=120_000, paid_kopecks=120_000, paid_on=date(2026, 10, 25)),
        section(
            REPAIR,
            title="Капитальный ремонт",
            payee=REPAIR_FUND,
            purpose="Взнос на капитальный ремонт за 10.2026, л/с 0001234567",
            category="КР",
        ),
    ),
    meters=METERS,
    house=HOUSE,
    recalculations=(
        Recalculation(
            title="Горячее водоснабжение",
            cause="Температура ниже нормы с 3 по 9 октября, акт от 10.10.2026",
            amount_kopecks=-15_120,
        ),
    ),
    history=HISTORY,
    notices=("Показания счётчиков передавайте с 15-го по 25-е число: по телефону, на сайте или в личном кабинете.",),
)
LONG_LINES = tuple(
    line(
        f"Обслуживание внутридомовых инженерных систем и конструктивных элементов многоквартирного дома, вид {place}",
        "кВт·ч",
        1_234_567,
        98_765,
        volume_source="по среднемесячному потреблению",
        common_volume=1_234_567_000,
        common_kopecks=123_456,
        raised_coefficient=1_500_000,
        raised_kopecks=23_456,
        recalculated_kopecks=-34_567,
        benefit_kopecks=45_678,
        payee="Акционерное общество «Региональная сетевая компания Северо-Запада»",
    )
    for place in range(1, 26)
)
LONG = msgspec.structs.replace(
    ORDINARY,
    number="LONG-1",
    address=(
        "Ямало-Ненецкий автономный округ, г. Новый Уренгой, микрорайон Восточный, "
        "ул. Имени Героя Советского Союза Константинопольского, д. 124 литера Б"
    ),
    payer="Константинопольская-Задунайская Александра Константиновна",
    sections=(
        section(LONG_LINES, debt_kopecks=98_765_432, advance_kopecks=1_200, paid_kopecks=500_000, paid_on=date(2026, 10, 30)),
        ORDINARY.sections[1],
    ),
    recalculations=tuple(
        Recalculation(
            title=one.title,
            cause="Временное отсутствие потребителя с 1 по 20 октября 2026 г., заявление от 21.10.2026",
            amount_kopecks=-34_567,
        )
        for one in LONG_LINES
    ),
    meters=METERS * 3,
    house=HOUSE * 3,
    instalments=(("Отопление за январь 2026 г., рассрочка на 12 месяцев", 45_000), ("Проценты за рассрочку", 312)),
)
MINIMAL = msgspec.structs.replace(
    ORDINARY,
    number="1",
    els="",
    izhku="",
    payer="",
    payer_kind="",
    postcode="",
    flat="",
    living_area=0,
    dispatch_phone="",
    working_hours="",
    provider=msgspec.structs.replace(COMPANY, address="", phones="", email="", site=""),
    sections=(section((LINES[0],), payee=msgspec.structs.replace(COMPANY, kpp="", address="", phones="", email="", site="")),),
    meters=(),
    house=(),
    recalculations=(),
    history=(),
    notices=(),
)
PARTS = (
    PenaltyPart(
        of_period=202607,
        debt_kopecks=487_650,
        since=date(2026, 9, 15),
        until=date(2026, 10, 31),
        days=47,
        rate=95_000,
        divisor=300,
        amount_kopecks=7_258,
    ),
    PenaltyPart(
        of_period=202606,
        debt_kopecks=198_210,
        since=date(2026, 10, 14),
        until=date(2026, 10, 31),
        days=18,
        rate=95_000,
        divisor=130,
        amount_kopecks=2_607,
    ),
)
PENALTY = msgspec.structs.replace(
    MINIMAL,
    number="75DA533315-01-6101П",
    payer="Иванова М. П.",
    flat="58",
    provider=COMPANY,
    sections=(
        section(
            (),
            title="Пени за жильё и коммунальные услуги",
            charged_kopecks=sum(part.amount_kopecks for part in PARTS),
            debt_kopecks=1_200,
            purpose="Пени за жильё и коммунальные услуги, л/с 0001234567",
            category="ПЕНИ",
        ),
    ),
    penalties=PARTS,
)
