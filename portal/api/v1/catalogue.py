"""Every operation of the API, in the order in which the description lists them."""

from portal.api.operations import Operation
from portal.api.v1 import new_readings, organisation, stock_rows

OPERATIONS: tuple[Operation, ...] = (
    *organisation.OPERATIONS,
    *stock_rows.OPERATIONS,
    *new_readings.OPERATIONS,
)
