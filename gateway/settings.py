"""What one gateway process is told at its start; frozen, read once (style rule 17)."""

import msgspec

from schemas.channel import Channel


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses, channels and limits of a gateway process.

    ``spaces`` are the operation spaces (name, number) whose promises a statement line may cover.
    ``batch_entries_max`` bounds one append, ``queue_payments_max`` what may wait for it, ``connections_max`` the callers
    held at once; ``drain_s`` is how long a stopping process waits for what it accepted, ``redis_timeout_s`` how long a
    batch waits for the cache.
    """

    gateway_dsn: str
    redis_url: str
    channels: tuple[Channel, ...]
    spaces: tuple[tuple[str, int], ...] = ()
    books: int = 1
    process_index: int = 0
    batch_entries_max: int = 256
    queue_payments_max: int = 4096
    connections_max: int = 4096
    attempts_max: int = 8
    drain_s: int = 30
    redis_timeout_s: float = 0.1

    def __post_init__(self) -> None:
        """Refuse limits that cannot work together."""
        if not 1 <= self.batch_entries_max <= 512:
            raise ValueError("batch_entries_max must lie between 1 and 512")
        if self.queue_payments_max < self.batch_entries_max:
            raise ValueError("queue_payments_max must not be below batch_entries_max")
        if self.connections_max < 1:
            raise ValueError("connections_max must not be below 1")
        if not 1 <= self.books <= 1024:
            raise ValueError("books must lie between 1 and 1024")

    def __repr__(self) -> str:
        """Name the process without its secrets."""
        return f"GatewaySettings(process {self.process_index}, {len(self.channels)} channels)"
