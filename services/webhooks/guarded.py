"""Connections to webhook receivers: a host name must lead to allowed addresses only, at the very moment of connecting (SSRF)."""

import errno
import socket

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.webhooks.addresses import PUBLIC_ONLY, AddressRules, is_allowed


class GuardedResolver(AbstractResolver):
    """Resolves as ``inner`` does and refuses a host with any address that is not allowed: ``HttpTerms(resolver=…)``.

    The connection is opened to the addresses returned here, so that a name cannot lead elsewhere between check and use.
    A literal address in a URL is not resolved: ``connectors.webhooks.addresses.url_fault`` has seen it before.
    """

    def __init__(self, rules: AddressRules = PUBLIC_ONLY, inner: AbstractResolver | None = None) -> None:
        self._rules = rules
        self._inner = inner or ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Return the host's addresses; an OSError, as for a name that does not exist, when one is not allowed."""
        found = await self._inner.resolve(host, port, family)
        if not all(is_allowed(one["host"], self._rules) for one in found):
            raise OSError(errno.EACCES, "the host name leads to an address that is not public")
        return found

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
