"""Prints many batches of payment documents by several processes, a batch a file, in order and with bounded memory."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

from schemas.payment_document import PaymentDocument
from services.paper.payment_document import DocumentPrinter

BATCH_DOCUMENTS = 50
"""Where one may choose: larger batches are no faster, and typst keeps what it laid out in the ten runs before."""
WAITING_BATCHES_PER_PROCESS = 2


def print_batches(batches: Iterable[Sequence[PaymentDocument]], processes: int, *, two_sided: bool = False) -> Iterator[bytes]:
    """Return a PDF a batch, in the order of the batches; ``batches`` is read only as far as they are printed.

    Raises PaymentDocumentError of the first batch that cannot be printed, after the files of those before it.
    """
    if processes < 2:
        printer = DocumentPrinter()
        yield from (printer.pdf(batch, two_sided=two_sided) for batch in batches)
        return
    # A fork would copy the locks of threads that it leaves behind.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=use_one_thread) as pool:
        waiting: deque[Future[bytes]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(_print, batch, two_sided))
                if len(waiting) >= processes * WAITING_BATCHES_PER_PROCESS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def use_one_thread() -> None:
    """Let typst lay out by one thread in this process: a process a core, and threads that wait for one another cost a tenth more.

    To be called before the first page is laid out.
    """
    os.environ["RAYON_NUM_THREADS"] = "1"


@cache
def _printer() -> DocumentPrinter:
    """The process's own."""
    return DocumentPrinter()


def _print(batch: Sequence[PaymentDocument], two_sided: bool) -> bytes:
    return _printer().pdf(batch, two_sided=two_sided)
