"""Names and addresses as a stranger at a terminal may see them (152-ФЗ): masked while loading, the full text is never stored.

The payer must recognise his own account and learn nothing about another's: the first and last letter of the surname, the
initials, street and house; of a flat or room only the last character.
"""

import re

MASK = "****"
_FLAT = re.compile(r"(?i)(?<![\w-])(кв|квартира|ком|комната|пом|помещение|оф|офис)\b(\.?)(\s*№?\s*)([\w/-]+)")
_ORGANISATION = re.compile(r"[«»\"]|\b(?:ООО|АО|ПАО|ЗАО|ОАО|НАО|ИП|ТСЖ|ТСН|ЖСК|МКУ|МУП|ГУП|ФГУП|ГБУ|МБУ|ФГБУ|НКО)\b")


def mask_name(name: str) -> str:
    """«Иванов Иван Иванович» -> «И****в И. И.»; an organisation keeps its name, which is public.

    The number of asterisks does not tell the length. A surname of one or two letters keeps only its first.
    """
    words = name.split()
    if not words or _ORGANISATION.search(name):
        return " ".join(words)
    surname = "-".join(_mask_word(part) for part in words[0].split("-"))
    return " ".join([surname, *(f"{word[0].upper()}." for word in words[1:4])])


def mask_address(address: str) -> str:
    """Keep street and house, mask the flat: «ул. Ленина, д. 5, кв. 125» -> «ул. Ленина, д. 5, кв. **5».

    A flat of one character becomes «**». What stands after the last comma without a word for a flat is masked too when
    it is a bare number and two parts stand before it.
    """
    tidy = " ".join(address.split())
    masked, found = _FLAT.subn(lambda match: f"{match[1]}{match[2]}{match[3]}{_mask_flat(match[4])}", tidy)
    if found:
        return masked
    head, _, tail = tidy.rpartition(", ")
    return f"{head}, {_mask_flat(tail)}" if head.count(",") >= 1 and re.fullmatch(r"\d+\w?", tail) else tidy


def _mask_word(word: str) -> str:
    if not word:
        return word
    return word[0].upper() + MASK + (word[-1] if len(word) > 2 else "")


def _mask_flat(flat: str) -> str:
    return "**" + (flat[-1] if len(flat) > 1 else "")
