"""Ports for services that tests and benchmarks start.

The system gives outgoing connections ports of its own range (from 32768 on, on Linux). A port from there that is free
now may be taken by any neighbour's connection before its service listens, or while that service is started again; so
these are chosen below it. Lanes of one test run choose from ports of their own: a neighbour's stack may not listen yet.
"""

import contextlib
import os
import socket
from random import SystemRandom

LOWEST, HIGHEST = 15_000, 32_000
LANES = 16


def shuffled() -> list[int]:
    """Return all ports of this lane, in an order of this process alone."""
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % LANES
    ports = list(range(LOWEST + lane, HIGHEST, LANES))
    SystemRandom().shuffle(ports)
    return ports


_untried = shuffled()


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on now, nor a connection will be given.

    No port is returned twice: a stack asks for all of its ports before its first service listens.
    """
    while _untried:
        port = _untried.pop()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no port is left between {LOWEST} and {HIGHEST}")
