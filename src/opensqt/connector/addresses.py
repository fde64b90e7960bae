"""Host names to addresses, remembered: a name server that fails must not cut off a venue whose addresses are known.

aiohttp asks the resolver again when its own short cache is over; what it finds then replaces what is remembered, so a
venue that moved is followed as soon as names resolve again. Connecting tries the addresses of both families side by
side (RFC 8305), which aiohttp does by itself.
"""

import socket
from typing import final

import structlog
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

KNOWN_HOSTS = 64

_log = structlog.get_logger(__name__)


@final
class RememberingResolver(AbstractResolver):
    """Resolves names, or tells the last answer when that fails.

    Args:
        inner: who really resolves.
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()
        self._known: dict[tuple[str, int, int], list[ResolveResult]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return a host's addresses. Raises OSError when it does not resolve and never did."""
        key = (host, port, int(family))
        try:
            found = await self._inner.resolve(host, port, family)
        except OSError as error:
            known = self._known.get(key)
            if known is None:
                raise
            _log.warning("name_not_resolved", host=host, error=str(error), used="the addresses it had before")
            return known
        if found:
            self._known.pop(key, None)
            self._known[key] = found
            if len(self._known) > KNOWN_HOSTS:
                del self._known[next(iter(self._known))]
        return found

    async def close(self) -> None:
        """Release the resolver."""
        await self._inner.close()
