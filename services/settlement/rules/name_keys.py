"""Names of people and organisations reduced to what is compared: a legal form and words (for screening.py)."""

import unicodedata
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

LEGAL_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "общество с ограниченной ответственностью": "ооо",
        "публичное акционерное общество": "пао",
        "непубличное акционерное общество": "нао",
        "открытое акционерное общество": "оао",
        "закрытое акционерное общество": "зао",
        "акционерное общество": "ао",
        "индивидуальный предприниматель": "ип",
        "товарищество собственников жилья": "тсж",
        "товарищество собственников недвижимости": "тсн",
        "жилищно строительный кооператив": "жск",
        "жилищный кооператив": "жк",
        "потребительский кооператив": "пк",
        "муниципальное унитарное предприятие": "муп",
        "государственное унитарное предприятие": "гуп",
        "федеральное государственное унитарное предприятие": "фгуп",
        "автономная некоммерческая организация": "ано",
        "некоммерческая организация": "нко",
    }
)
"""Legal forms (ГК ст. 50) in full, as ``name_key`` leaves them, and short."""

TYPO_LETTERS_MIN = 4
"""Shorter words differ by a letter without being alike."""

_LOOK_ALIKES = str.maketrans("aceopxykmhtb", "асеорхукмнтв")
_FORM_WORDS = {tuple(full.split()): short for full, short in LEGAL_FORMS.items()} | {
    (short,): short for short in LEGAL_FORMS.values()
}
_FORM_WORDS_MAX = max(map(len, _FORM_WORDS))


class NameKey(msgspec.Struct, frozen=True, kw_only=True):
    """``form``: the short legal form, empty when the name has none; ``words``: the rest, in the order written."""

    form: str
    words: tuple[str, ...]

    def without_each(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every word with the others, sorted: two names of equal others differ in that word only."""
        for place, word in enumerate(self.words):
            yield word, tuple(sorted(self.words[:place] + self.words[place + 1 :]))


def name_key(name: str) -> NameKey:
    """Reduce a name: no case, no ё, no quotes or punctuation, its legal form at either end in short.

    A name that is nothing but a legal form keeps it as its word; an empty one has no words.
    """
    text = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е")
    words = tuple("".join([character if character.isalnum() else " " for character in text]).split())
    if any("а" <= character <= "я" for character in text) or all(_is_drawn_russian(word) for word in words):
        words = tuple([word.translate(_LOOK_ALIKES) if _is_drawn_russian(word) else word for word in words])
    for count in range(min(_FORM_WORDS_MAX, len(words) - 1), 0, -1):
        if words[:count] in _FORM_WORDS:
            return NameKey(form=_FORM_WORDS[words[:count]], words=words[count:])
        if words[-count:] in _FORM_WORDS:
            return NameKey(form=_FORM_WORDS[words[-count:]], words=words[:-count])
    return NameKey(form="", words=words)


def one_edit(word: str, other: str) -> bool:
    """Whether two different words differ by one letter more, less, other, or by two neighbours exchanged."""
    if word == other or min(len(word), len(other)) < TYPO_LETTERS_MIN or abs(len(word) - len(other)) > 1:
        return False
    short, long = sorted((word, other), key=len)
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
    return swapped or short[start + 1 :] == long[start + 1 :]


def is_shortened(words: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two different names have the same first word and the rest of one is the initials of the other's, or lacks some.

    «Иванов И. И.» and «Иванов Иван» are alike with «Иванов Иван Иванович».
    """
    if words == other or words[0] != other[0]:
        return False
    pairs = zip(words[1:], other[1:], strict=False)
    return all(one == two or ((len(one) == 1 or len(two) == 1) and one[0] == two[0]) for one, two in pairs)


def _is_drawn_russian(word: str) -> bool:
    """Whether the word's Latin letters, if any, are all drawn like Russian ones."""
    return not any("a" <= letter <= "z" and letter.translate(_LOOK_ALIKES) == letter for letter in word)
