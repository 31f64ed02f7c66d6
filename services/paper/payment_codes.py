"""Payment QR codes (ГОСТ Р 56042) of a payment document's sections, as vector drawings, a millisecond each.

A QR code of given length, version, mask and error level is an affine function of its bits over GF(2): masking and error
correction only add and shift them. So the codes of a house, which differ in an account and a sum, span a space of few dimensions,
and once segno has drawn that many of them the others are sums of what was drawn. A code that is no such sum is drawn by segno.
"""

import re
from datetime import date
from functools import cache

import segno

from connectors.payment_qr import PaymentQr, PaymentQrError, QrEncoding, make_payment_qr
from connectors.qr_fields import LENGTHS
from schemas.payment_document import PaymentDocument, Section
from services.paper.figures import plain
from services.requisites import account_key_is_valid

HOUSING_TECH_CODE = "02"
"""ЖКХ (ГОСТ Р 56042, table of technical codes)."""
ERROR_LEVEL = "m"
DIMENSIONS_MAX = 400
"""Codes remembered of one length, some 2 KB each; beyond it more were drawn anew than summed."""
CHUNK_MODULES = 10
"""A row is put together from remembered drawings of so many modules: at most a thousand a place."""
LENGTHS_MAX = 64
"""Lengths of text remembered at once."""

_RUN = re.compile("1+")


def payment_code(document: PaymentDocument, section: Section) -> bytes:
    """Return the text of a section's code; raises PaymentQrError for requisites that the standard does not allow.

    Texts are cut to the standard's lengths. UTF-8 is taken unless the required fields are too long in it, then windows-1251.
    """
    payee = section.payee
    period = date(document.period // 100, document.period % 100, 1)
    category = plain(section.category, LENGTHS["Purpose"])
    qr = PaymentQr(
        name=_fitting(payee.name, "Name"),
        account=payee.bank_account,
        bank_name=_fitting(payee.bank_name, "BankName"),
        bic=payee.bic,
        correspondent=payee.correspondent_account,
        payee_inn=payee.inn,
        kpp=payee.kpp,
        personal_account=document.account,
        purpose=_fitting(section.purpose, "Purpose"),
        period=period,
        amount_kopecks=section.due_kopecks,
        others=((("Category", category),) if category else ()) + (("TechCode", HOUSING_TECH_CODE),),
    )
    try:
        return make_payment_qr(qr, account_key_is_valid)
    except PaymentQrError:
        return make_payment_qr(qr, account_key_is_valid, encoding=QrEncoding.CP1251)


class CodeDrawer:
    """Draws codes; one drawer a process, not shared by threads. Remembers what it drew, never what a code says for whom."""

    def __init__(self) -> None:
        self._spaces: dict[int, _Space] = {}

    def pdf(self, text: bytes) -> str:
        """Return the code without its quiet zone as a PDF page, a point a module, filled row by row: typst embeds it as it is."""
        modules, side = self.modules(text)
        bits = f"{modules:0{side * side}b}"
        drawn = []
        for row in range(0, side * side, side):
            drawn += [
                _bars(start, bits[row + start : row + min(start + CHUNK_MODULES, side)])
                for start in range(0, side, CHUNK_MODULES)
            ]
            drawn.append("f\n1 0 0 1 0 -1 cm\n")
        return _page(f"1 0 0 1 0 {side - 1} cm\n{''.join(drawn)}", side)

    def modules(self, text: bytes) -> tuple[int, int]:
        """Return the modules as one number, rows from the top, a dark module 1, and the length of a side."""
        space = self._spaces.get(len(text))
        if space is None:
            if len(self._spaces) >= LENGTHS_MAX:
                self._spaces.pop(next(iter(self._spaces)))
            space = self._spaces[len(text)] = _Space(text)
        return space.modules(text), space.side


class _Space:
    """The codes of texts of one length: an origin, and a basis of differences of texts with the differences of their modules."""

    def __init__(self, text: bytes) -> None:
        code = _drawn(text, None)
        self._mask, self.side = code.mask, len(code.matrix)
        self._text, self._modules = int.from_bytes(text), _number(code)
        self._basis: dict[int, tuple[int, int]] = {}

    def modules(self, text: bytes) -> int:
        rest, modules = int.from_bytes(text) ^ self._text, self._modules
        while rest and (known := self._basis.get(rest.bit_length())) is not None:
            rest, modules = rest ^ known[0], modules ^ known[1]
        if not rest:
            return modules
        drawn = _number(_drawn(text, self._mask))
        if len(self._basis) < DIMENSIONS_MAX:
            self._basis[rest.bit_length()] = (rest, drawn ^ modules)
        return drawn


@cache
def _bars(start: int, modules: str) -> str:
    """Dark runs of a part of a row that begins at ``start``; parts of a row are one path, so that no seam shows between them."""
    return "".join([f"{start + run.start()} 0 {run.end() - run.start()} 1 re\n" for run in _RUN.finditer(modules)])


def _drawn(text: bytes, mask: int | None) -> segno.QRCode:
    return segno.make(text, error=ERROR_LEVEL, mode="byte", micro=False, boost_error=False, mask=mask)


def _number(code: segno.QRCode) -> int:
    return int("".join("1" if module else "0" for row in code.matrix for module in row), 2)


def _page(content: str, side: int) -> str:
    """The smallest PDF with one square page (ISO 32000-1, 7.5)."""
    bodies = (
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {side} {side}]/Contents 4 0 R/Resources<<>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
    )
    text, places = "%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"trailer<</Size {len(bodies) + 1}/Root 1 0 R>>\nstartxref\n{len(text)}\n%%EOF\n"
    return f"{text}xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}{end}"


def _fitting(text: str, field: str) -> str:
    return plain(text, LENGTHS[field])
