"""A random stock beside the small one of ``housing_town``: two houses whose meters live through everything, by a seed.

Intake judges the readings as always, so that what is refused or parked is so by the program's own rules.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from services.billing.readings.intake import NewReading, Source, take_readings
from tests.billing.recalculated_house import micro
from tests.services.metered_town import FIND_METERS, INTAKE, Meters

SERVICES = ("cold", "hot", "light", "heating")
INSTALLED = ("2020-02-01", "2024-03-15", "2025-12-10", "2026-05-15", "2026-10-20", "2026-11-05")
VERIFIED = ("", "2030-01-31", "2030-01-31", "2036-05-05", "2026-07-31", "2026-11-14", "2026-10-31")
LIVES: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (("verified", "2026-07-20", "2032-07-19"),),
    (("verified", "2026-08-01", "2032-07-31"),),
    (("verified", "2026-09-15", "2032-09-14"),),
    (("broken", "2026-09-05", ""), ("repaired", "2026-09-25", "")),
    (("broken", "2026-10-05", ""),),
    (("lost", "2026-11-12", ""),),
    (("seal_broken", "2026-06-02", ""), ("repaired", "2026-08-02", ""), ("verified", "2026-08-02", "2033-01-01")),
    (("access_refused", "2026-08-10", ""), ("access_given", "2026-10-10", "")),
    (("access_refused", "2026-11-10", ""),),
    (("removed", "2026-10-15", ""),),
    (("abolished", "2026-09-15", ""),),
)
MONTHS = [date(2026, month, 1) for month in range(1, 13)] + [date(2027, 1, 1)]


class RandomStock:
    """Files of houses 03 and 04 with so many premises each; 04 pays heating evenly."""

    def __init__(self, seed: int, premises: int) -> None:
        self.chance = Random(seed)
        self.houses = ("03", "04")
        self.premises = premises
        self.meters: list[tuple[str, int, str]] = []
        """Code, zones, the day of commissioning."""

    async def load(self, town: Meters) -> None:
        """Load everything and give the readings."""
        for what, text in self._stock_files().items():
            await town.stock.load(what, text)
        for what, text in self._meter_files().items():
            await town.load_facts(what, text)
        numbers = {
            row["code"]: row["meter"] for row in await town.connection.fetch(FIND_METERS, [code for code, _, _ in self.meters])
        }
        given = sorted(self._readings(numbers), key=lambda reading: (reading.received_on, reading.taken_on))
        async with town.connection.transaction():
            await take_readings(town.connection, given, INTAKE)

    def _happens(self, percent: int) -> bool:
        return self.chance.randrange(100) < percent

    def _places(self) -> Iterator[tuple[str, int]]:
        for house in self.houses:
            for number in range(1, self.premises + 1):
                yield house, number

    def _stock_files(self) -> dict[str, str]:
        recipients = {
            "cold": "water",
            "sewage": "water",
            "light": "water",
            "common_light": "water",
            "repair": "fund",
            "maintenance": "uk",
        }
        services = ("cold", "hot", "sewage", "light", "heating", "maintenance", "repair", "common_light")
        files = {
            "houses": ["house,valid_from,address,region,provider,house_class"],
            "contracts": ["house,service,valid_from,recipient,provider"],
            "premises": ["house,premises,valid_from,kind,flat"],
            "premises-areas": ["house,premises,valid_from,area,living_area"],
            "residents": ["house,premises,valid_from,persons"],
            "premises-services": ["house,premises,valid_from,services"],
            "absences": ["house,premises,person,left_on,returned_on,applied_on,documented_on"],
            "acts": ["house,premises,number,service,deviation,started_at,ended_at"],
            "heating": ["house,valid_from,way,months", "04,2020-01-01,even,7"],
            "heating-days": ["house,region,period,days", *[f",69,2026-{month:02d},30" for month in (1, 2, 3, 4, 10, 12)]],
        }
        for house in self.houses:
            files["houses"].append(f"{house},2020-01-01,дом {house},69,uk,")
            files["contracts"] += [f"{house},{one},2020-01-01,{recipients.get(one, 'heat')},uk" for one in services]
            files["acts"].append(f"{house},,А-{house},cold,break,2026-11-03 10:00,2026-11-05 20:30")
        for house, number in self._places():
            kind = "communal_room" if number in (3, 4) else "non_residential" if number == 5 else "flat"
            at = f"{house},{number}"
            files["premises"].append(f"{at},2020-01-01,{kind},{'к3' if number in (3, 4) else ''}")
            files["premises-areas"].append(f"{at},2020-01-01,{20 + self.chance.randrange(60)},15")
            files["residents"].append(f"{at},2020-01-01,{self.chance.randrange(5)}")
            if self._happens(10):
                files["premises-services"].append(f"{at},2020-01-01,cold|light|maintenance")
            if self._happens(10):
                files["absences"].append(f"{at},p,2026-11-02,2026-11-20,2026-11-21,2026-11-21")
            if self._happens(10):
                files["acts"].append(f"{at},Б-{number},hot,break,2026-11-08 10:00,2026-11-12 20:30")
        return {what: "\n".join(lines) + "\n" for what, lines in files.items() if len(lines) > 1}

    def _meter_files(self) -> dict[str, str]:
        meters = ["meter,house,premises,flat,service,place,zones,digits,installed,verified_until,ratio"]
        events = ["meter,event,on,verified_until,act"]
        possibilities = ["house,premises,service,valid_from,possibility,act"]
        places = [(house, str(number), "") for house, number in self._places()]
        places += [(house, "", "к3") for house in self.houses] + [(house, "", "") for house in self.houses]
        for house, premises, flat in places:
            for service in SERVICES:
                if premises and self._happens(50):
                    possibilities.append(
                        f"{house},{premises},{service},2020-01-01,{self.chance.choice(('possible', 'impossible'))},а"
                    )
                if (service == "heating" and self._happens(60)) or self._happens(10):
                    continue
                for place in ("", "кухня")[: 1 + self._happens(25)]:
                    for installed in self._meters_of_a_place():
                        code = f"M{len(self.meters)}"
                        zones = 2 if service == "light" and self._happens(50) else 1
                        self.meters.append((code, zones, installed))
                        ratio = self.chance.choice((1, 1, 1, 20))
                        until = self.chance.choice(VERIFIED)
                        meters.append(f"{code},{house},{premises},{flat},{service},{place},{zones},5,{installed},{until},{ratio}")
                        if self._happens(25):
                            events += [f"{code},{kind},{on},{until},а" for kind, on, until in self.chance.choice(LIVES)]
        files = {"meters": meters, "events": events, "possibilities": possibilities}
        return {what: "\n".join(lines) + "\n" for what, lines in files.items()}

    def _meters_of_a_place(self) -> list[str]:
        first = self.chance.choice(INSTALLED)
        return [first, "2026-08-18"] if self._happens(12) and first < "2026-08" else [first]

    def _readings(self, numbers: dict[str, int]) -> Iterator[NewReading]:
        for code, zones, installed in self.meters:
            diligence = self.chance.choice((100, 95, 80, 50, 10))
            silent_until = self.chance.choice((0, 0, 0, 0, 9, 10, 11))
            values = [self.chance.choice((0, 100, 99_950)) for _ in range(zones)]
            for place, month in enumerate(MONTHS):
                values = [value + self.chance.randrange(30) for value in values]
                days = [self.chance.randrange(10, 26) for _ in range(2 if self._happens(10) else 1)]
                if not self._happens(diligence) or (silent_until and 2 < place < silent_until):
                    continue
                for day in sorted(set(days)):
                    taken_on = month.replace(day=day)
                    if taken_on.isoformat() < installed:
                        continue
                    late = timedelta(days=self.chance.choice((0, 0, 0, 0, 12, 40)))
                    for zone, value in enumerate(values, start=int(zones > 1)):
                        if zones > 1 and self._happens(3):
                            continue
                        yield NewReading(
                            line=1,
                            meter=numbers[code],
                            zone=zone,
                            value=micro(str(value % 100_000)),
                            taken_on=taken_on,
                            received_on=taken_on + late,
                            source=Source.API,
                        )
                    values = [value + 1 for value in values]
