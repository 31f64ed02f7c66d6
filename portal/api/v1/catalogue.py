"""Every operation of the API, in the order in which the description lists them."""

from portal.api.operations import Operation
from portal.api.v1 import organisation

OPERATIONS: tuple[Operation, ...] = (*organisation.OPERATIONS,)
