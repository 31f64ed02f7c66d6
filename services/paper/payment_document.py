"""Payment documents (п. 69 ПП 354, after the model form of Минстрой 43/пр) as PDF: one, or a whole house's in one file.

A batch is one run of typst: fonts, template and styles are made ready once for all its pages. Texts go into the template as JSON,
never as its code; only the fonts embedded in typst are used, and no clock: the same documents give the same bytes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Literal

import msgspec
import typst

from connectors.payment_qr import PaymentQrError
from schemas.payment_document import DocumentLine, PaymentDocument, Section
from services.paper.document_texts import document_texts
from services.paper.payment_codes import CodeDrawer, payment_code

TEMPLATE = Path(__file__).with_name("payment_document.typ")
DOCUMENTS_MAX = 2_000
"""Documents of one file: more than the largest houses have accounts. A run of typst takes some 1.6 MB a document."""
TAGGED_DOCUMENTS_MAX = 1
"""A document alone goes to a resident and is tagged for screen readers; batches go to paper, and tags cost time."""
PICTURE_DOTS_PER_INCH = 200.0


class PaymentDocumentError(ValueError):
    """A document cannot be printed; the message names it by its number and says what disagrees."""


class DocumentPrinter:
    """Keeps what batches share: the compiler with its fonts, and the codes drawn. One a process, not shared by threads."""

    def __init__(self) -> None:
        self._compiler = typst.Compiler(TEMPLATE, root=TEMPLATE.parent, ignore_system_fonts=True)
        self._codes = CodeDrawer()

    def pdf(self, documents: Sequence[PaymentDocument], *, two_sided: bool = False) -> bytes:
        """Return the documents as one PDF, in the order given; see ``print_documents``."""
        (pdf,) = self._typeset(documents, "pdf", two_sided)
        return pdf

    def pictures(self, document: PaymentDocument) -> list[bytes]:
        """Return the pages of one document as PNG."""
        return self._typeset((document,), "png", False)

    def _typeset(self, documents: Sequence[PaymentDocument], form: Literal["pdf", "png"], two_sided: bool) -> list[bytes]:
        if not 1 <= len(documents) <= DOCUMENTS_MAX:
            raise PaymentDocumentError(f"{len(documents)} documents asked for in one file, 1 to {DOCUMENTS_MAX} are possible")
        for document in documents:
            check_document(document)
        batch = {"documents": [document_texts(document, self._code) for document in documents], "two_sided": two_sided}
        made = self._compiler.compile(
            format=form,
            ppi=PICTURE_DOTS_PER_INCH,
            sys_inputs={"batch": msgspec.json.encode(batch).decode()},
            timestamp=datetime.combine(max(document.issued_on for document in documents), time(), UTC),
            pdf_tags=len(documents) <= TAGGED_DOCUMENTS_MAX,
        )
        return [page for page in (made if isinstance(made, list) else [made]) if page]

    def _code(self, document: PaymentDocument, section: Section) -> str:
        try:
            return self._codes.pdf(payment_code(document, section))
        except PaymentQrError as error:
            raise PaymentDocumentError(f"document {document.number}, «{section.title}»: no payment code: {error}") from error


def print_documents(documents: Sequence[PaymentDocument]) -> bytes:
    """Return the documents as one PDF, in the order given, each beginning a page.

    Raises PaymentDocumentError naming the document whose sums do not add up or whose payee's requisites make no payment code.
    """
    return DocumentPrinter().pdf(documents)


def print_house(documents: Sequence[PaymentDocument], *, two_sided: bool = False) -> bytes:
    """Return a house's documents in delivery order; ``two_sided``: each begins a sheet, so that a printer may use both sides."""
    return DocumentPrinter().pdf(documents, two_sided=two_sided)


def check_document(document: PaymentDocument) -> None:
    """Raise PaymentDocumentError for the first sum that does not add up, before a resident finds it."""
    if not document.sections:
        raise _disagreement(document, "no section says whom to pay")
    if document.penalties and any(section.lines for section in document.sections):
        raise _disagreement(document, "penalties stand with charges: they are a document of their own (п. 69)")
    for section in document.sections:
        for line in section.lines:
            _check_line(document, line)
        if not document.penalties:
            _check_equal(
                document,
                f"«{section.title}»: lines' totals",
                sum(line.total_kopecks for line in section.lines),
                section.charged_kopecks,
            )
        due = section.debt_kopecks - section.advance_kopecks + section.charged_kopecks - section.paid_kopecks
        _check_equal(document, f"«{section.title}»: debt - advance + charged - paid", due, section.due_kopecks)
    if document.penalties:
        charged = sum(section.charged_kopecks for section in document.sections)
        parts = sum(part.amount_kopecks for part in document.penalties) - document.charged_before_kopecks
        _check_equal(document, "parts of the penalties", parts, charged)
    lines = [line for section in document.sections for line in section.lines]
    causes = sum(one.amount_kopecks for one in document.recalculations)
    _check_equal(document, "causes of recalculations", causes, sum(line.recalculated_kopecks for line in lines))


def _check_line(document: PaymentDocument, line: DocumentLine) -> None:
    parts = line.amount_kopecks + line.common_kopecks + line.raised_kopecks + line.recalculated_kopecks
    _check_equal(document, f"«{line.title}»: parts of the line", parts, line.total_kopecks)


def _check_equal(document: PaymentDocument, what: str, found: int, stated: int) -> None:
    if found != stated:
        raise _disagreement(document, f"{what} are {found} kopecks, {stated} stated")


def _disagreement(document: PaymentDocument, what: str) -> PaymentDocumentError:
    return PaymentDocumentError(f"document {document.number}: {what}")
