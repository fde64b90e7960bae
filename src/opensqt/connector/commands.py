"""What the gateway asks of a venue, and what comes back: one report per command, three possible outcomes.

A `token` names one command for its whole life; the venue's adapter echoes it in exactly one `OutcomeReport`.
"""

from enum import IntEnum, unique
from typing import TypeAlias

import msgspec

from opensqt.domain.errors import ErrorReason
from opensqt.domain.order import Order, OrderRequest, Side


@unique
class Outcome(IntEnum):
    """What became of a command; the numbers are those of the wire."""

    CONFIRMED = 1
    REJECTED = 2
    UNKNOWN = 3


class Place(msgspec.Struct, frozen=True):
    """Place one order."""

    token: int
    request: OrderRequest


class Amend(msgspec.Struct, frozen=True, kw_only=True):
    """Change price and total size (executed part included) of one order; `side` is the order's own."""

    token: int
    symbol: str
    client_order_id: str
    exchange_order_id: str
    side: Side
    price_ticks: int
    total_lots: int
    instrument_revision: int


class Cancel(msgspec.Struct, frozen=True):
    """Cancel one order, named by its client id, or by the venue's when that is empty."""

    token: int
    symbol: str
    client_order_id: str
    exchange_order_id: str = ""


class CancelAll(msgspec.Struct, frozen=True):
    """Cancel every open order of the account in one symbol."""

    token: int
    symbol: str


VenueCommand: TypeAlias = Place | Amend | Cancel | CancelAll


class OutcomeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the command `token`.

    `order` is the order as the venue reported it, when it did. `sent_ns` is when the command left (0 = never), both
    times on the connector's clock.
    """

    token: int
    outcome: Outcome
    reason: ErrorReason | None = None
    message: str = ""
    order: Order | None = None
    retry_after_ms: int = 0
    sent_ns: int = 0
    acknowledged_ns: int = 0
