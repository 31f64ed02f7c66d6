"""ASN.1 in DER (X.690) as far as signatures need it: elements with definite lengths, read without recursion."""

import msgspec

_LONG, _INTEGER, _OBJECT_ID, _LENGTH_BYTES_MAX = 0x80, 0x02, 0x06, 4


class DerError(ValueError):
    """The bytes are no DER of the expected form."""


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One element: its tag, its content and the whole of it with tag and length."""

    tag: int
    content: bytes
    whole: bytes


def read_element(der: bytes, tag: int | None = None) -> Element:
    """Read bytes that are exactly one element, of the given tag if one is given; raises DerError."""
    elements = elements_of(der)
    if len(elements) != 1 or tag not in (None, elements[0].tag):
        raise DerError("one element of another kind was expected")
    return elements[0]


def elements_of(der: bytes) -> list[Element]:
    """Read the elements that stand one after another; raises DerError."""
    found, at = [], 0
    while at < len(der):
        start, length = _content(der, at)
        if start + length > len(der):
            raise DerError("an element is cut short")
        found.append(Element(tag=der[at], content=der[start : start + length], whole=der[at : start + length]))
        at = start + length
    return found


def children(element: Element) -> list[Element]:
    """Read the elements inside a constructed one; raises DerError."""
    return elements_of(element.content)


def integer(element: Element) -> int:
    """Read an INTEGER; raises DerError."""
    if element.tag != _INTEGER or not element.content:
        raise DerError("an integer was expected")
    return int.from_bytes(element.content, "big", signed=True)


def object_id(element: Element) -> str:
    """Read an OBJECT IDENTIFIER as dotted numbers; raises DerError."""
    if element.tag != _OBJECT_ID or not element.content or element.content[-1] & _LONG:
        raise DerError("an object identifier was expected")
    numbers, value = [], 0
    for byte in element.content:
        value = value << 7 | byte & 0x7F
        if not byte & _LONG:
            numbers.append(value)
            value = 0
    top = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (top, numbers[0] - 40 * top, *numbers[1:]))


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content starts and how long it is; tags of several bytes and indefinite lengths do not occur."""
    head = der[at : at + 2]
    if len(head) < 2 or head[0] & 0x1F == 0x1F:
        raise DerError("an element is cut short or has a tag of several bytes")
    if not head[1] & _LONG:
        return at + 2, head[1]
    size = head[1] & 0x7F
    if not 1 <= size <= _LENGTH_BYTES_MAX or at + 2 + size > len(der):
        raise DerError("an indefinite or over-long length")
    return at + 2 + size, int.from_bytes(der[at + 2 : at + 2 + size], "big")
