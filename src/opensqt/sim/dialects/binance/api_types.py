"""What a request and a reply are to the dialect, apart from any server; and what an endpoint needs."""

from collections.abc import Callable
from enum import Enum, unique
from typing import Any

import msgspec

from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.params import Params


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A REST request; the body is a form."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    api_key: str = ""
    address: str = "127.0.0.1"

    @property
    def route(self) -> str:
        """Return the name by which faults know it."""
        return f"{self.method} {self.path}"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A REST reply."""

    status: int
    body: bytes
    headers: dict[str, str] = {}
    content_type: str = "application/json"


@unique
class Security(Enum):
    """What a caller must show."""

    NONE = 0
    KEY = 1
    SIGNED = 2


class Call(msgspec.Struct, frozen=True):
    """A request that passed the gate. `caller` is None on public endpoints."""

    params: Params
    now_ms: int
    caller: User | None = None

    @property
    def user(self) -> User:
        """Return who calls."""
        assert self.caller is not None, "the gate lets nobody else through to this endpoint"
        return self.caller


Handler = Callable[[Call], Any]
Weight = int | Callable[[Params], int]
OrderCount = Callable[[Params], tuple[int, int]]


class Endpoint(msgspec.Struct, frozen=True):
    """One endpoint: its work, who may, its weight, what it adds to the order counters (10 s, 1 min).

    A weight of -1 counts nothing and shows as -1, as on placements.
    """

    handler: Handler
    security: Security = Security.NONE
    weight: Weight = 1
    orders: OrderCount | None = None


def one_order(_: Params) -> tuple[int, int]:
    """Return what a single order counts."""
    return 1, 1
