"""Names of the demo town: people, streets and firms, all invented."""

from random import Random

import msgspec

TOWN = "г. Верхнереченск"

STREETS = (
    "ул. Ленина",
    "ул. Гагарина",
    "ул. Строителей",
    "ул. Садовая",
    "ул. Мира",
    "ул. Набережная",
    "пр-т Победы",
    "ул. Кирова",
    "ул. Школьная",
    "пер. Речной",
    "ул. Липовая аллея",
    "б-р Молодёжный",
    "ул. Чехова",
    "ул. Заводская",
    "ул. Полевая",
    "ул. Космонавтов",
)

MEN = ("Александр", "Сергей", "Дмитрий", "Андрей", "Алексей", "Иван", "Николай", "Михаил", "Павел", "Виктор", "Тимур", "Егор")
WOMEN = ("Елена", "Ольга", "Наталья", "Татьяна", "Анна", "Мария", "Ирина", "Светлана", "Людмила", "Галина", "Алсу", "Юлия")
FATHERS = ("Александр", "Сергей", "Иван", "Николай", "Виктор", "Пётр", "Андрей", "Михаил", "Юрий", "Алексей")
_FATHER_STEMS = {
    "Пётр": "Петро",
    "Михаил": "Михайло",
    "Сергей": "Сергее",
    "Николай": "Николае",
    "Юрий": "Юрье",
    "Андрей": "Андрее",
    "Алексей": "Алексее",
}
SURNAMES = (
    "Иванов",
    "Смирнов",
    "Кузнецов",
    "Попов",
    "Васильев",
    "Петров",
    "Соколов",
    "Михайлов",
    "Новиков",
    "Фёдоров",
    "Морозов",
    "Волков",
    "Алексеев",
    "Лебедев",
    "Семёнов",
    "Егоров",
    "Павлов",
    "Козлов",
    "Степанов",
    "Орлов",
    "Макаров",
    "Никитин",
    "Захаров",
    "Зайцев",
    "Гусев",
    "Титов",
    "Кузьмин",
    "Галиев",
    "Ершов",
    "Щербаков",
)
FIRMS = ("ООО «Ромашка»", "ООО «Аптека на углу»", "ИП Зайцева А. В.", "ООО «Продукты 24»", "ООО «Стоматология Улыбка»")
OFFICES = ("МБУ «Городская библиотека»", "МБДОУ «Детский сад № 7»")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A payer's name in parts, in the nominative."""

    surname: str
    first: str
    patronymic: str

    @property
    def full(self) -> str:
        """Surname, first name and patronymic, as the management company writes them."""
        return f"{self.surname} {self.first} {self.patronymic}"


def invent_person(chance: Random) -> Person:
    """Draw one person."""
    woman = chance.random() < 0.55
    surname, father = chance.choice(SURNAMES), chance.choice(FATHERS)
    stem = _FATHER_STEMS.get(father, f"{father}о")
    return Person(
        surname=f"{surname}а" if woman else surname,
        first=chance.choice(WOMEN if woman else MEN),
        patronymic=f"{stem}вна" if woman else f"{stem}вич",
    )
