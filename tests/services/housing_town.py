"""A small housing stock as files, and a desk that loads them."""

import io
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import xlsxwriter

from ledger.statements import load_statements
from services.billing.core.facts import HouseFacts
from services.billing.stock.facts import list_houses, read_facts
from services.billing.stock.files import KINDS
from services.billing.stock.loading import load_owners, load_stock
from services.reference.loading import LoadReport, LoadTerms, no_progress
from services.sealing import KEY_BYTES, Sealer
from tests.services.desk import Desk

SQL = load_statements("tests/statements/housing.sql")
TERMS = LoadTerms(loaded_by="accountant", today=date(2026, 11, 24))
SEALER = Sealer((bytes(KEY_BYTES),))
PERIOD = 202611

FILES = {
    "services": """service,valid_from,kind,title,unit,base,by_area
cold,2020-01-01,cold_water,Холодное водоснабжение,м³,,
hot,2020-01-01,hot_water_two_part,Горячее водоснабжение,м³,,
sewage,2020-01-01,sewage,Водоотведение,м³,cold|hot,
light,2020-01-01,electricity,Электроснабжение,кВт·ч,,
heating,2020-01-01,heating,Отопление,Гкал,,
maintenance,2020-01-01,maintenance,Содержание жилого помещения,м²,,
repair,2020-01-01,capital_repair,Капитальный ремонт,м²,,
common_light,2020-01-01,common_electricity,Электроэнергия на СОИ,кВт·ч,,
""",
    "houses": """house,valid_from,address,region,provider,fias,house_class,time_zone
01,2020-01-01,"г. Тверь, ул. Мира, д. 5",69,uk,0A234567-89ab-cdef-0123-456789abcdef,9floors,
02,2020-01-01,"г. Омск, ул. Мира, д. 7",55,uk,,,Asia/Omsk
""",
    "house-areas": """house,valid_from,area_all,area_common,source
01,2020-01-01,182.1,30.5,passport
01,2025-03-01,"180,6",31,egrn
""",
    "premises": """house,premises,valid_from,kind,flat,without_heating,izhku
01,1,2020-01-01,flat,,,75DA000001-01
01,2,2020-01-01,flat,,акт 12 от 01.02.2019,
01,3a,2020-01-01,communal_room,3,,
01,3b,2020-01-01,communal_room,3,,
01,N1,2020-01-01,non_residential,,,
02,1,2020-01-01,,,,
""",
    "premises-areas": """house,premises,valid_from,area,living_area,source
01,1,2020-01-01,54.3,,
01,2,2020-01-01,40,,
01,3a,2020-01-01,15.5,12.5,
01,3b,2020-01-01,20.8,17.25,
01,N1,2020-01-01,50,,
""",
    "accounts": """namespace,number,els,house,premises,valid_from,share,excluded,only
epd,0001001,,01,1,2020-01-01,,repair,
,,75DA000002,01,1,2020-01-01,,,repair
epd,0001003,,01,2,2020-01-01,1/3,,
""",
    "owners": """house,premises,person,valid_from,share,name
01,1,p-1,2020-01-01,1/2,Иванов Иван Иванович
01,1,p-2,2020-01-01,1/2,
01,2,p-3,2020-01-01,,
""",
    "residents": """house,premises,valid_from,persons,until,kind,label
01,1,2020-01-01,2,,,
01,1,2026-11-16,3,,,
01,1,2026-11-10,1,2026-11-14,temporary,brief
01,1,2026-11-25,1,2026-12-03,temporary,guest
""",
    "contracts": """house,service,valid_from,form,recipient,provider
01,cold,2020-01-01,pass_through,water,uk
01,hot,2020-01-01,,heat,uk
01,sewage,2020-01-01,,water,uk
01,heating,2020-01-01,direct,heat,uk
01,light,2020-01-01,direct_management,water,water
01,maintenance,2020-01-01,,uk,uk
01,repair,2020-01-01,direct,fund,fund
01,common_light,2020-01-01,,water,uk
""",
    "tariffs": """service,valid_from,house,region,supplier,price,component,zone,above
cold,2020-01-01,,69,,47.11,,,
cold,2026-01-01,,69,,48.17,,,
cold,2026-12-01,,69,,50,,,
hot,2020-01-01,,,heat,48.17,,,
hot,2020-01-01,,,heat,2486.71,heat,,
sewage,2020-01-01,,69,,30,,,
heating,2020-01-01,,,heat,2486.71,,,
maintenance,2020-01-01,,69,,25,,,
maintenance,2020-01-01,01,,,27.5,,,
repair,2020-01-01,,69,,14.3,,,
common_light,2020-01-01,,69,,5.5,,,
light,2020-01-01,,,water,5,,1,
light,2020-01-01,,,water,3,,2,
light,2020-01-01,,,water,7,,1,3900
light,2020-01-01,,,water,6,,2,3900
""",
    "norms": """service,valid_from,house,region,house_class,norm,heat
cold,2020-01-01,,69,,4.33,
cold,2020-01-01,,69,9floors,5.01,
hot,2020-01-01,,69,,3.2,0.0642
heating,2020-01-01,,69,,0.0229,
light,2020-01-01,01,,,120,
common_light,2020-01-01,,69,,0.7,
""",
    "heating": """house,region,valid_from,way,months,meter_due
,69,2020-01-01,season,7,
01,,2025-01-01,season,8,true
""",
    "heating-days": """house,region,period,days
,69,2026-11,30
""",
    "common-property": """house,service,valid_from,way,above_norm_shared
01,,2020-01-01,average,
01,common_light,2026-01-01,fact,true
""",
    "premises-services": """house,premises,valid_from,services
01,N1,2020-01-01,heating|maintenance
""",
    "absences": """house,premises,person,left_on,returned_on,applied_on,documented_on
01,1,p-1,2026-11-02,2026-11-20,2026-11-21,2026-11-21
01,1,p-2,2026-09-02,2026-09-20,2026-09-21,
""",
    "acts": """house,premises,number,service,deviation,started_at,ended_at,measured
01,,А-1,cold,break,2026-11-03 10:00,2026-11-03 20:30,
01,2,А-2,heating,temperature,2026-11-05 10:00:00,2026-11-06,14.5
01,,А-0,cold,break,2026-10-03,2026-11-01 00:00,
""",
}


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger with recipients and accounts, into which files of the stock are loaded."""

    desk: Desk

    @property
    def connection(self) -> asyncpg.Connection:
        """With the services' rights."""
        return self.desk.connection

    async def load(self, what: str, content: str | bytes, suffix: str = "csv", is_dry_run: bool = False) -> LoadReport:
        """Write the content to a file and load it."""
        path: Path = self.desk.folder / f"{what}.{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        terms = msgspec.structs.replace(TERMS, is_dry_run=is_dry_run)
        if what == "owners":
            return await load_owners(self.connection, path, SEALER, terms, no_progress)
        return await load_stock(self.connection, path, KINDS[what], terms)

    async def load_all(self) -> None:
        """Every file, in the order in which they refer to one another."""
        for what in KINDS:
            await self.load(what, FILES[what])

    async def facts(self, period: int = PERIOD, house: str = "01") -> HouseFacts:
        """The facts of one house."""
        (facts,) = await read_facts(self.connection, await list_houses(self.connection, house), period)
        return facts

    async def rows(self) -> dict[str, int]:
        """How many rows each dated table has."""
        names = await self.connection.fetch(SQL["dated_tables"])
        return {record["name"]: record["rows"] for record in names}


def changed(what: str, old: str, new: str) -> str:
    """A file of the stock with one text replaced."""
    assert old in FILES[what]
    return FILES[what].replace(old, new)


def one_line(what: str, **given: str) -> str:
    """A file of one row with the columns that are given."""
    assert what in KINDS
    return f"{','.join(given)}\n{','.join(given.values())}\n"


def workbook(rows: list[list[Any]]) -> bytes:
    """An XLSX file of one sheet; a tuple is a formula with its cached value."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        day, moment = book.add_format({"num_format": "dd.mm.yyyy"}), book.add_format({"num_format": "dd.mm.yyyy hh:mm"})
        for line, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, tuple):
                    sheet.write_formula(line, column, value[0], None, value[1])
                elif isinstance(value, date):
                    sheet.write_datetime(line, column, value, moment if hasattr(value, "hour") else day)
                else:
                    sheet.write(line, column, value)
    return content.getvalue()
