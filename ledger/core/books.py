"""Which book an account's entries stand in (design W4): a hash of its principal number, known or not."""

from hashlib import sha256

from schemas.ids import Book

_HASH_BYTES = 8


def book_of(namespace: str, number: str, books: int) -> Book:
    """Return the payers' book, 1 … ``books``, of the account whose number as written, normalised, is ``number``.

    The first 8 bytes, big-endian, of SHA-256(namespace '/' number), modulo the number of books, plus one.
    """
    if books == 1:
        return Book(1)
    digest = sha256(f"{namespace}/{number}".encode()).digest()
    return Book(int.from_bytes(digest[:_HASH_BYTES], "big") % books + 1)
