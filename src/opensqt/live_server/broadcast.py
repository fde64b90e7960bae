"""One message to many browsers, without ever waiting for one of them.

A `Group` hands the same encoded text to every `Client`. A client is a bounded queue that its own connection drains;
when the queue is full the client is cut: it will reconnect and start from a snapshot, and nobody else notices.
"""

import asyncio
from collections import Counter, deque
from typing import Final, final

CUT_SLOW: Final = "slow"


def byte_size(text: str) -> int:
    """Return how many bytes a message has on the wire."""
    return len(text) if text.isascii() else len(text.encode())


@final
class Client:
    """Messages that wait for one browser.

    Args:
        address: where it connects from.
        max_messages, max_bytes: what may wait; a single message may be larger.
    """

    def __init__(self, address: str, *, max_messages: int, max_bytes: int) -> None:
        self.address = address
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[str, int]] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self.cut_reason: str | None = None

    def offer(self, text: str, size: int | None = None) -> bool:
        """Queue a message of `size` bytes; return False when the client was too slow for it and is cut now."""
        if self.cut_reason is not None:
            return False
        size = byte_size(text) if size is None else size
        # A message that finds nothing waiting is always taken: a big one must not cut those who keep up.
        is_full = len(self._waiting) >= self._max_messages or self._waiting_bytes + size > self._max_bytes
        if self._waiting and is_full:
            self.cut(CUT_SLOW)
            return False
        self._waiting.append((text, size))
        self._waiting_bytes += size
        self._wake.set()
        return True

    def cut(self, reason: str) -> None:
        """Forget what waits and end the connection."""
        self.cut_reason = reason
        self._waiting.clear()
        self._waiting_bytes = 0
        self._wake.set()

    async def take(self) -> str | None:
        """Return the next message, waiting for it; None once the client was cut."""
        while not self._waiting:
            if self.cut_reason is not None:
                return None
            self._wake.clear()
            await self._wake.wait()
        text, size = self._waiting.popleft()
        self._waiting_bytes -= size
        return text


@final
class Group:
    """The clients that hear the same messages."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self.cut_total = 0
        self.sent_total = 0

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, client: Client) -> None:
        """Let a client hear what is published from now on."""
        self._clients.add(client)

    def remove(self, client: Client) -> None:
        """Let a client go; one that its own connection cut meanwhile counts as cut."""
        if client in self._clients and client.cut_reason is not None:
            self.cut_total += 1
        self._clients.discard(client)

    def publish(self, text: str) -> None:
        """Queue one message for every client; those that cannot keep up are cut."""
        size = byte_size(text)
        for client in tuple(self._clients):
            if client.offer(text, size):
                self.sent_total += 1
            else:
                self.cut_total += 1
                self._clients.discard(client)

    def cut_all(self, reason: str) -> None:
        """End every connection, as on shutdown."""
        for client in self._clients:
            client.cut(reason)
        self._clients.clear()


@final
class Admission:
    """Count connections, and refuse more than the server or one address may have.

    Args:
        max_clients: of the whole server.
        max_per_address: of one remote address.
    """

    def __init__(self, *, max_clients: int, max_per_address: int) -> None:
        self._max_clients = max_clients
        self._max_per_address = max_per_address
        self._by_address: Counter[str] = Counter()
        self.refused_total = 0

    @property
    def count(self) -> int:
        """Connections that are open."""
        return self._by_address.total()

    def enter(self, address: str) -> str | None:
        """Count a connection in; return why not when it is refused."""
        if self.count >= self._max_clients:
            self.refused_total += 1
            return f"the server already has {self._max_clients} connections, its limit"
        if self._by_address[address] >= self._max_per_address:
            self.refused_total += 1
            return f"this address already has {self._max_per_address} connections, its limit"
        self._by_address[address] += 1
        return None

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]
