"""Reading XML that others wrote: no entities, no document types, no network, bounded (lxml)."""

from lxml import etree

DOCUMENT_BYTES_MAX = 16_000_000


class XmlError(ValueError):
    """The document cannot be read or is of a kind that is not read here."""


def read_xml(body: bytes, bytes_max: int = DOCUMENT_BYTES_MAX) -> etree._Element:
    """Return the root; raises XmlError. A document with a DOCTYPE is refused: nothing that banks send has one."""
    if len(body) > bytes_max:
        raise XmlError("the document is too long")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlError(f"not XML: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise XmlError("a document type is not allowed")
    return root


def texts(element: etree._Element, path: str, namespace: str) -> list[str]:
    """Return the texts at a path of local names (``A/B``) in one namespace, without spaces around them."""
    steps = "/".join(f"{{{namespace}}}{step}" for step in path.split("/"))
    return [(found.text or "").strip() for found in element.iterfind(steps)]


def text_at(element: etree._Element, path: str, namespace: str) -> str:
    """Return the only text at a path, empty when there is none; raises XmlError when there are several."""
    found = texts(element, path, namespace)
    if len(found) > 1:
        raise XmlError(f"{path} stands {len(found)} times")
    return found[0] if found else ""
