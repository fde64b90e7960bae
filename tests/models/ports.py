"""Ports for services that tests start.

The system gives outgoing connections ports of its own range (from 32768 on, on Linux). A port from there that is free
now may be taken by any neighbour's connection before its service listens, or while that service is started again; so
these are chosen below it.
"""

import contextlib
import socket
from random import SystemRandom

LOWEST, HIGHEST = 15_000, 32_000
ATTEMPTS = 200


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on now, nor a connection will be given."""
    random = SystemRandom()
    for _ in range(ATTEMPTS):
        port = random.randrange(LOWEST, HIGHEST)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no free port between {LOWEST} and {HIGHEST}")
