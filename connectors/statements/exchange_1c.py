"""1CClientBankExchange as text: encodings, lines and sections (1C standard 1.03; protocols.md §5). Its meaning is read elsewhere.

Lenient where files of real banks are: any declared code page, UTF-8, LF, a BOM, a purpose over several lines, unknown keys.
Strict where money could be lost: a file without its end or with an unclosed section is no file.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

import msgspec

from connectors.statements.agreement import FILE_BYTES_MAX

FIRST_LINE, LAST_LINE = "1CClientBankExchange", "КонецФайла"
BALANCE, BALANCE_END = "СекцияРасчСчет", "КонецРасчСчет"
DOCUMENT, DOCUMENT_END = "СекцияДокумент", "КонецДокумента"
PURPOSE = "НазначениеПлатежа"
SECTIONS_MAX = 200_000
PURPOSE_CHARACTERS_MAX = 10_000
"""Far above the 210 of field 24: lines that go on longer are no purpose."""
CODE_PAGES = ("cp1251", "cp866")

_OWN_WORDS = ("Кодировка=", "РасчСчет=", "ДатаНачала=", LAST_LINE)
_KEY = re.compile(r"[А-Яа-яЁё]+[0-9]?")
_SPELT = {
    **dict.fromkeys("‐‑‒−﹘﹣－", "-"),
    **dict.fromkeys("\u2009\u200a\u202f\u205f\u3000\u2002\u2003\u2007", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
    **dict.fromkeys("″‟", '"'),
    **dict.fromkeys("′‛", "'"),
    "₽": "руб.",
    "×": "x",
    "\u2015": "—",
}
"""What cp1251 lacks and can be spelt otherwise without changing what is said; anything else is refused, never replaced by «?»."""
_SPELLING = str.maketrans(_SPELT)

_WORDS = """Номер Дата Сумма КвитанцияДата КвитанцияВремя КвитанцияСодержание ДатаСписано ДатаПоступило ВидПлатежа ВидОплаты Код
КодНазПлатежа НазначениеПлатежа НазначениеПлатежа1 НазначениеПлатежа2 НазначениеПлатежа3 НазначениеПлатежа4 НазначениеПлатежа5
НазначениеПлатежа6 СтатусСоставителя ПоказательКБК ОКАТО ПоказательОснования ПоказательПериода ПоказательНомера ПоказательДаты
ПоказательТипа Очередность СрокАкцепта ВидАккредитива СрокПлатежа УсловиеОплаты1 УсловиеОплаты2 УсловиеОплаты3 ПлатежПоПредст
ДополнУсловия НомерСчетаПоставщика ДатаОтсылкиДок"""
_SIDES = "Плательщик Получатель"
_OF_A_SIDE = "Счет ИНН КПП 1 2 3 4 РасчСчет Банк1 Банк2 БИК Корсчет"
KNOWN_KEYS = frozenset(_WORDS.split()).union(_SIDES.split(), (s + k for s in _SIDES.split() for k in _OF_A_SIDE.split()))
"""Keys of a document section."""


class Exchange1CError(ValueError):
    """The file is not of this format, is cut short, or holds what its code page cannot; the message says where."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Values of a section by key; ``kind`` is a document's kind, empty for balances."""

    kind: str
    values: dict[str, str]

    def get(self, key: str) -> str:
        """Return a value without spaces around it, empty when there is none."""
        return self.values.get(key, "").strip()


class ExchangeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file. ``accounts`` and ``kinds`` are the header's repeatable keys РасчСчет and Документ."""

    header: dict[str, str]
    accounts: tuple[str, ...]
    kinds: tuple[str, ...]
    balances: tuple[Section, ...]
    documents: tuple[Section, ...]


def read_exchange(body: bytes) -> ExchangeFile:
    """Read a file's bytes; raises Exchange1CError."""
    lines = decode_exchange(body).split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines or lines[0].strip() != FIRST_LINE:
        raise Exchange1CError(f"the first line is not {FIRST_LINE}")
    if lines[-1].strip() != LAST_LINE or len(lines) == 1:
        raise Exchange1CError(f"the file does not end with {LAST_LINE}: it is cut short")
    reader = _Reader()
    for number, line in enumerate(lines[1:-1], start=2):
        reader.take(number, line)
    return reader.file()


def decode_exchange(body: bytes) -> str:
    """Return the text in the encoding that its bytes have, whatever Кодировка declares; raises Exchange1CError.

    Strictly UTF-8 if it is that (UTF-16 by its mark), else the code page in which the format's own words stand in it.
    """
    if len(body) > FILE_BYTES_MAX:
        raise Exchange1CError(f"the file has more than {FILE_BYTES_MAX} bytes")
    if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return _decoded(body, "utf-16")
    try:
        return body.removeprefix(BOM_UTF8).decode("utf-8").replace("\0", "")
    except UnicodeDecodeError:
        code_page = next((page for page in CODE_PAGES if any(word.encode(page) in body for word in _OWN_WORDS)), None)
    if code_page is None:
        raise Exchange1CError("the file is not UTF-8 and its words stand in no code page that is known")
    return _decoded(body, code_page)


def _decoded(body: bytes, code_page: str) -> str:
    try:
        return body.decode(code_page).replace("\0", "")
    except UnicodeDecodeError as error:
        raise Exchange1CError(f"byte {error.start} does not exist in the code page {code_page}") from error


def encode_exchange(lines: list[str]) -> bytes:
    """Write lines in cp1251 with CRLF; the text must have been spelt (``spelt_1251``) before."""
    return "".join(f"{line}\r\n" for line in lines).encode("cp1251")


def spelt_1251(text: str) -> str:
    """Return the text in the letters of cp1251; raises Exchange1CError naming the first character that has no other spelling."""
    spelt = text.translate(_SPELLING)
    try:
        spelt.encode("cp1251")
    except UnicodeEncodeError as error:
        raise Exchange1CError(f"U+{ord(spelt[error.start]):04X} cannot be written in cp1251") from error
    if any(character in spelt for character in "\r\n"):
        raise Exchange1CError("a value has several lines")
    return spelt


class _Reader:
    """Takes the lines between the first and the last one."""

    def __init__(self) -> None:
        self._header: dict[str, str] = {}
        self._repeated: dict[str, list[str]] = {"РасчСчет": [], "Документ": []}
        self._found: dict[str, list[Section]] = {BALANCE: [], DOCUMENT: []}
        self._open = ""
        self._kind = ""
        self._values: dict[str, str] = {}
        self._last = ""

    def take(self, number: int, line: str) -> None:
        """Take one line; raises Exchange1CError when it stands where it cannot."""
        key, equals, value = line.partition("=")
        key = key.strip()
        if key in (BALANCE, DOCUMENT):
            self._begin(number, key, value.strip())
        elif key in (BALANCE_END, DOCUMENT_END):
            self._end(number, BALANCE if key == BALANCE_END else DOCUMENT)
        elif equals and _KEY.fullmatch(key) and not self._goes_on(key):
            self._set(number, key, value)
        elif self._open and self._last.startswith(PURPOSE):
            self._go_on(number, line.strip())
        elif line.strip():
            raise Exchange1CError(f"line {number} is neither a key nor a section")

    def file(self) -> ExchangeFile:
        """Return what was taken; raises Exchange1CError when a section was not closed."""
        if self._open:
            raise Exchange1CError(f"{self._open} is not closed: the file is cut short")
        return ExchangeFile(
            header=self._header,
            accounts=tuple(self._repeated["РасчСчет"]),
            kinds=tuple(self._repeated["Документ"]),
            balances=tuple(self._found[BALANCE]),
            documents=tuple(self._found[DOCUMENT]),
        )

    def _goes_on(self, key: str) -> bool:
        """Whether a line with «=» in it is still the purpose: «НДС = 20» is no key, and a purpose cannot give a sum anew."""
        return bool(self._open) and self._last.startswith(PURPOSE) and (key not in KNOWN_KEYS or key in self._values)

    def _go_on(self, number: int, line: str) -> None:
        before = self._values[self._last].rstrip()
        if len(before) + len(line) > PURPOSE_CHARACTERS_MAX:
            raise Exchange1CError(f"line {number}: a purpose of more than {PURPOSE_CHARACTERS_MAX} characters")
        self._values[self._last] = f"{before} {line}".rstrip()

    def _begin(self, number: int, section: str, kind: str) -> None:
        if self._open or sum(len(found) for found in self._found.values()) >= SECTIONS_MAX:
            raise Exchange1CError(f"line {number}: {section} inside {self._open or 'a file of too many sections'}")
        self._open, self._kind, self._values, self._last = section, kind, {}, ""

    def _end(self, number: int, section: str) -> None:
        if self._open != section:
            raise Exchange1CError(f"line {number}: the end of {section}, which is not open")
        self._found[section].append(Section(kind=self._kind, values=self._values))
        self._open = ""

    def _set(self, number: int, key: str, value: str) -> None:
        self._last = key
        if self._open:
            if self._values.get(key, value) != value:
                # A key that is not the format's may be anything, a person's name too.
                raise Exchange1CError(f"line {number}: {key if key in KNOWN_KEYS else 'a key'} is given twice in one section")
            self._values[key] = value
        elif key in self._repeated:
            self._repeated[key].append(value.strip())
        else:
            self._header[key] = value.strip()
