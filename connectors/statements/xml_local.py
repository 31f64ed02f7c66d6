"""Elements by their local names, whatever the namespace: banks send one message in seven versions (protocols.md §7a)."""

from collections.abc import Iterator

from lxml import etree

NOT_TOLD = frozenset({"", "0", "NOTPROVIDED", "NONREF", "NOTAVAILABLE"})


def without_namespaces(root: etree._Element) -> etree._Element:
    """Take the namespaces off the names of all elements, in place, so that paths are of local names; return the root."""
    for element in root.iter(etree.Element):
        element.tag = element.tag.rpartition("}")[2]
    return root


def every(element: etree._Element, path: str) -> list[etree._Element]:
    """Return the elements at a path of names (``A/B``), in the document's order."""
    found: list[etree._Element] = element.findall(path)
    return found


def first(element: etree._Element, path: str) -> etree._Element | None:
    """Return the first element at a path."""
    return element.find(path)


def text(element: etree._Element, *paths: str) -> str:
    """Return the first text that is not empty at one of the paths, without spaces around it; empty when there is none."""
    for path in paths:
        for found in element.iterfind(path):
            told = (found.text or "").strip()
            if told:
                return told
    return ""


def leaves(element: etree._Element) -> Iterator[str]:
    """Yield the texts of everything inside that has no elements of its own, but what stands for «not told»."""
    for one in element.iter(etree.Element):
        told = "" if len(one) else (one.text or "").strip()
        if told.upper() not in NOT_TOLD:
            yield told
