"""How many payment documents a core prints a second, by the size of a batch, and the memory that it takes.

``python -m loadtests.bench_documents [--documents N] [--batches 1,50,500] [--processes N]``. Documents are like a flat's: eight
lines of housing and utilities, capital repair, two payment codes, four meters, house volumes, a recalculation, a chart of a year.
A size is measured in a process of its own; the first batch, which loads fonts and draws the first codes, is not counted.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context

from schemas.payment_document import (
    DocumentLine,
    HouseLine,
    MeterLine,
    Payee,
    PaymentDocument,
    Recalculation,
    Section,
)
from services.paper.payment_document import DocumentPrinter
from services.paper.press import print_batches, use_one_thread

MICRO = 1_000_000
SERVICES = (
    ("Содержание жилого помещения", "м²", 38_420_000),
    ("Отопление", "Гкал", 2_486_710_000),
    ("Холодное водоснабжение", "м³", 59_710_000),
    ("Горячее водоснабжение", "м³", 243_160_000),
    ("Водоотведение", "м³", 45_120_000),
    ("Электроснабжение", "кВт·ч", 7_120_000),
    ("Газоснабжение", "м³", 9_120_000),
    ("Обращение с твёрдыми коммунальными отходами", "чел.", 174_120_000),
)
PAYEE = Payee(
    name="ООО «УК Север»",
    inn="7707083893",
    kpp="770801001",
    bank_account="40702810200000000001",
    bank_name="ПАО Сбербанк",
    bic="044525225",
    correspondent_account="30101810400000000225",
    address="107078, г. Москва, ул. Садовая, д. 3",
    phones="+7 495 000-00-00",
    site="uk.example.ru",
)


def document(number: int) -> PaymentDocument:
    """Return a flat's document, the same for the same number."""
    chance = random.Random(number)
    lines = tuple(_line(chance, *service) for service in SERVICES)
    repair = (_line(chance, "Взнос на капитальный ремонт", "м²", 27_850_000),)
    return PaymentDocument(
        number=f"75DA{number:06d}-01-6101",
        period=202610,
        issued_on=date(2026, 11, 1),
        due_on=date(2026, 11, 15),
        account=f"{number:010d}",
        els=f"75DA{number:06d}",
        izhku=f"75DA{number:06d}-01",
        payer="Иванова М. П.",
        payer_kind="собственник",
        address="г. Москва, ул. Ленина, д. 24",
        postcode="107078",
        flat=str(number),
        area=54_300_000,
        living_area=32_100_000,
        residents=2 * MICRO,
        registered=3,
        owners=1,
        provider=PAYEE,
        dispatch_phone="+7 495 000-00-01",
        working_hours="пн–пт 8:00–17:00",
        sections=(
            _section(lines, "Жильё и коммунальные услуги", f"ЖКУ за 10.2026, л/с {number:010d}", chance.randrange(500_000)),
            _section(repair, "Капитальный ремонт", f"Капремонт за 10.2026, л/с {number:010d}", 0),
        ),
        meters=tuple(_meter(chance, title) for title in ("Холодная вода", "Горячая вода", "Свет, день", "Свет, ночь")),
        house=tuple(
            HouseLine(title=title, unit=unit, meter=chance.randrange(10**9), individual=chance.randrange(10**9), common=0)
            for title, unit, _ in SERVICES[1:4]
        ),
        recalculations=(Recalculation(title=lines[3].title, cause="Температура ниже нормы", amount_kopecks=-5_000),),
        history=tuple((202511 + month + (88 if month > 1 else 0), chance.randrange(400_000, 1_000_000)) for month in range(11)),
    )


def _line(chance: random.Random, title: str, unit: str, price: int) -> DocumentLine:
    volume = chance.randrange(1_000, 20_000) * 1_000
    amount = volume * price // (MICRO * 10_000)
    change = -5_000 if title == SERVICES[3][0] else 0
    return DocumentLine(
        title=title,
        unit=unit,
        volume=volume,
        price=price,
        amount_kopecks=amount,
        recalculated_kopecks=change,
        total_kopecks=amount + change,
        volume_source="по прибору",
    )


def _section(lines: tuple[DocumentLine, ...], title: str, purpose: str, debt: int) -> Section:
    charged = sum(line.total_kopecks for line in lines)
    return Section(
        title=title,
        payee=PAYEE,
        lines=lines,
        charged_kopecks=charged,
        debt_kopecks=debt,
        advance_kopecks=0,
        paid_kopecks=0,
        paid_on=None,
        debt_on=date(2026, 10, 1),
        due_kopecks=debt + charged,
        purpose=purpose,
        category="ЖКУ",
    )


def _meter(chance: random.Random, title: str) -> MeterLine:
    previous = chance.randrange(10**9)
    number = f"{chance.randrange(10**8):08d}"
    return MeterLine(title=title, number=number, previous=previous, current=previous + MICRO, verified_until=date(2030, 5, 1))


def batches(documents: int, size: int) -> Iterator[list[PaymentDocument]]:
    """Return about so many documents in whole batches, at least two."""
    for start in range(0, max(documents, 2 * size), size):
        yield [document(start + place) for place in range(size)]


def measure(documents: int, size: int) -> tuple[int, int, int]:
    """Return documents a second of this process's CPU time, bytes of PDF a document and the process's peak memory in MiB."""
    printer = DocumentPrinter()
    spent = printed = written = 0
    for place, batch in enumerate(batches(documents + size, size)):
        started = time.process_time_ns()
        pdf = printer.pdf(batch)
        if place > 0:
            spent += time.process_time_ns() - started
            printed, written = printed + len(batch), written + len(pdf)
    return printed * 1_000_000_000 // spent, written // printed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024


def main() -> None:
    """Print one line a size of batch, then the rate of several processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=500, help="documents a size of batch, rounded up to whole batches")
    parser.add_argument("--batches", default="1,50,500", help="sizes of batches")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    for size in map(int, options.batches.split(",")):
        documents = min(options.documents, 100 * size)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=use_one_thread) as pool:
            rate, length, memory = pool.submit(measure, documents, size).result()
        sys.stdout.write(f"batches of {size}: {rate:,} documents/s a core, {length:,} bytes a document, peak {memory:,} MiB\n")
    started = time.perf_counter_ns()
    made = sum(1 for _ in print_batches(batches(options.documents, 50), options.processes)) * 50
    rate = made * 1_000_000_000 // (time.perf_counter_ns() - started)
    sys.stdout.write(f"{options.processes} processes, batches of 50: {rate:,} documents/s, start included\n")


if __name__ == "__main__":
    main()
