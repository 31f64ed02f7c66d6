"""Where a receipt stands."""

from enum import IntEnum


class ReceiptState(IntEnum):
    """Those below ORDERED are rows of fiscal.stopped, with the reason; a REGISTERED receipt has a sign, an ORDERED one neither.

    UNCONFIGURED waits for a dated table, HELD for another receipt; WITHDRAWN turned out to need none; FAILED was refused for
    good by the till; of a DISPUTED one a till registered something else. The last two wait for a person.
    """

    UNCONFIGURED = 0
    HELD = 1
    WITHDRAWN = 2
    FAILED = 3
    DISPUTED = 4
    ORDERED = 5
    REGISTERED = 6
