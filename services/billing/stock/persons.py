"""Owners' names: sealed beside the stock, unsealed where a person needs them, erasable (152-ФЗ)."""

from ledger.statements import load_statements
from services.reference.loading import Connection
from services.sealing import Sealer

_SQL = load_statements("services/billing/stock/loading.sql")

Place = tuple[str, str, str]
"""Code of the house, number of the premises, reference of the person."""


class NothingToErase(LookupError):
    """There is no such owner's name, or it was erased before."""


def seal_name(sealer: Sealer, place: Place, name: str) -> bytes:
    """Return the name sealed, bound to its owner."""
    return sealer.seal(name.encode(), _bound_to(place))


async def find_name(connection: Connection, sealer: Sealer, place: Place) -> str | None:
    """Return an owner's name, None when none is kept; raises services.sealing.NotUnsealed."""
    sealed = await connection.fetchval(_SQL["sealed_name"], *place)
    return None if sealed is None else unseal_name(sealer, place, sealed)


def unseal_name(sealer: Sealer, place: Place, sealed: bytes) -> str:
    """Return an owner's name from what was sealed; raises services.sealing.NotUnsealed."""
    return sealer.unseal(sealed, _bound_to(place)).decode()


async def erase_name(connection: Connection, place: Place) -> None:
    """Erase an owner's name for good; the share stays. Raises NothingToErase."""
    if await connection.fetchval(_SQL["erase_name"], *place) is None:
        raise NothingToErase(f"no name is kept of {place[2]}, house {place[0]}, premises {place[1]}")


def _bound_to(place: Place) -> bytes:
    return ("owner/" + "/".join(part.replace("%", "%25").replace("/", "%2F") for part in place)).encode()
