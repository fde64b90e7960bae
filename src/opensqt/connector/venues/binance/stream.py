"""What a market stream connection says besides data, and what we say to it: names, subscriptions, acknowledgements.

Hosts are split by route. A stream asked for on the wrong one is acknowledged and stays silent for ever, so a stream's
route is a table here, and an acknowledgement proves nothing: only data does.
(Binance docs, USDⓈ-M futures, "Websocket Market Streams", "Live Subscribing/Unsubscribing to streams".)
"""

from collections.abc import Sequence
from enum import StrEnum, unique

import msgspec
import orjson

from opensqt._core.decode import binance as kernel
from opensqt.connector.venues.binance.listing import Listing
from opensqt.connector.venues.binance.parse_market import KLINE_INTERVALS_MS
from opensqt.connector.venues.binance.payload import Ms, PayloadError, Symbol, load, to_ns, typed
from opensqt.domain.market import Candle, MarkPrice, PublicTrade
from opensqt.domain.money import from_units
from opensqt.domain.order import Side

MAX_STREAMS = 1024
MAX_MESSAGES_PER_S = 10
"""Incoming messages a connection may send, control frames included; beyond it the venue cuts, then bans."""
MAX_CONNECTION_AGE_S = 24 * 3600

_E8 = 8


@unique
class Route(StrEnum):
    """The hosts' paths."""

    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"


# By what follows the '@' of a stream's name.
_ROUTES = {
    "depth": Route.PUBLIC,
    "bookTicker": Route.PUBLIC,
    "trade": Route.PUBLIC,
    "rpiDepth": Route.PUBLIC,
    "aggTrade": Route.MARKET,
    "markPrice": Route.MARKET,
    "kline_": Route.MARKET,
    "forceOrder": Route.MARKET,
}
CONTRACT_INFO = "!contractInfo"


class Ack(msgspec.Struct, frozen=True):
    """The venue took a control message; `streams` answers LIST_SUBSCRIPTIONS."""

    id: int
    streams: tuple[str, ...] | None = None


class ControlError(msgspec.Struct, frozen=True):
    """The venue refused a control message; `id` None = it could not tell which."""

    id: int | None
    code: int
    message: str


class ContractNews(msgspec.Struct, frozen=True):
    """contractInfo: a symbol was listed, changes its status or its brackets: reload exchangeInfo."""

    venue_symbol: str
    contract_type: str
    status: str
    delivery_ms: int


class _WireControlError(msgspec.Struct, frozen=True):
    code: int
    msg: str = ""


class _WireControl(msgspec.Struct, frozen=True):
    id: int | None = None
    result: object = None
    error: _WireControlError | None = None
    code: int | None = None
    msg: str = ""


class _WireContract(
    msgspec.Struct, frozen=True, rename={"symbol": "s", "contract_type": "ct", "status": "cs", "delivery": "dt"}
):
    symbol: Symbol
    contract_type: str
    status: str
    delivery: Ms


def route_of(stream: str) -> Route:
    """Return the host a stream lives on.

    Raises:
        ValueError: it is none of the streams we know.
    """
    if stream == CONTRACT_INFO:
        return Route.MARKET
    kind = stream.partition("@")[2]
    for prefix, route in _ROUTES.items():
        if kind.startswith(prefix):
            return route
    raise ValueError(f"stream {stream!r} has no known route: add it to the table")


def depth_stream(venue_symbol: str) -> str:
    """Return the name of the fastest documented book stream."""
    return f"{venue_symbol.lower()}@depth@100ms"


def book_ticker_stream(venue_symbol: str) -> str:
    """Return the name of the best-bid/ask stream."""
    return f"{venue_symbol.lower()}@bookTicker"


def trade_stream(venue_symbol: str) -> str:
    """Return the name of the trade stream: aggregated trades, the one that is documented."""
    return f"{venue_symbol.lower()}@aggTrade"


def mark_stream(venue_symbol: str) -> str:
    """Return the name of the mark price stream, once a second."""
    return f"{venue_symbol.lower()}@markPrice@1s"


def kline_stream(venue_symbol: str, interval: str) -> str:
    """Return the name of a candle stream."""
    return f"{venue_symbol.lower()}@kline_{interval}"


def subscribe_frame(streams: Sequence[str], request_id: int) -> bytes:
    """Build SUBSCRIBE; one message may carry many streams."""
    return orjson.dumps({"method": "SUBSCRIBE", "params": list(streams), "id": request_id})


def unsubscribe_frame(streams: Sequence[str], request_id: int) -> bytes:
    """Build UNSUBSCRIBE."""
    return orjson.dumps({"method": "UNSUBSCRIBE", "params": list(streams), "id": request_id})


def list_frame(request_id: int) -> bytes:
    """Build LIST_SUBSCRIPTIONS."""
    return orjson.dumps({"method": "LIST_SUBSCRIPTIONS", "id": request_id})


def parse_control(data: bytes) -> Ack | ControlError:
    """Read the answer to a control message; errors come bare or wrapped in `error`, by the server's age.

    Raises:
        PayloadError: it is no such answer.
    """
    wire = typed(load(data, "control reply"), _WireControl, "control reply")
    if wire.error is not None:
        return ControlError(wire.id, wire.error.code, wire.error.msg)
    if wire.code is not None:
        return ControlError(wire.id, wire.code, wire.msg)
    if wire.id is None:
        raise PayloadError("control reply", "neither an acknowledgement nor an error", "id")
    streams = None if wire.result is None else tuple(typed(wire.result, list[str], "control reply"))
    return Ack(wire.id, streams)


def parse_contract_info(data: bytes) -> ContractNews:
    """Read contractInfo, raw or combined.

    Raises:
        PayloadError: it is none.
    """
    value = load(data, "contractInfo")
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    wire = typed(value, _WireContract, "contractInfo")
    return ContractNews(wire.symbol, wire.contract_type, wire.status, wire.delivery)


def to_trade(listing: Listing, trade: kernel.Trade, receive_time_ns: int) -> PublicTrade:
    """Convert a decoded trade."""
    return PublicTrade(
        symbol=listing.instrument.symbol,
        trade_id=str(trade.trade_id),
        aggressor=Side.SELL if trade.is_buyer_maker else Side.BUY,
        price_ticks=trade.price_ticks,
        lots=trade.lots,
        venue_time_ns=to_ns(trade.transaction_time_ms),
        receive_time_ns=receive_time_ns,
    )


def to_agg_trade(listing: Listing, trade: kernel.AggTrade, receive_time_ns: int) -> PublicTrade:
    """Convert a decoded aggregated trade."""
    return PublicTrade(
        symbol=listing.instrument.symbol,
        trade_id=str(trade.agg_id),
        aggressor=Side.SELL if trade.is_buyer_maker else Side.BUY,
        price_ticks=trade.price_ticks,
        lots=trade.lots,
        venue_time_ns=to_ns(trade.transaction_time_ms),
        receive_time_ns=receive_time_ns,
    )


def to_candle(listing: Listing, kline: kernel.Kline) -> Candle:
    """Convert a decoded candle.

    Raises:
        PayloadError: its interval has no fixed length.
    """
    interval = kline.interval.decode()
    interval_ms = KLINE_INTERVALS_MS.get(interval)
    if interval_ms is None:
        raise PayloadError("kline", f"{interval!r} is no interval of a fixed length", "k.i")
    return Candle(
        symbol=listing.instrument.symbol,
        interval_ms=interval_ms,
        open_time_ms=kline.open_time_ms,
        open_ticks=kline.open_ticks,
        high_ticks=kline.high_ticks,
        low_ticks=kline.low_ticks,
        close_ticks=kline.close_ticks,
        volume_lots=kline.volume_lots,
        is_closed=kline.is_closed,
    )


def to_mark(listing: Listing, mark: kernel.MarkPrice) -> MarkPrice:
    """Convert a decoded mark price."""
    return MarkPrice(
        symbol=listing.instrument.symbol,
        mark_price=from_units(mark.mark_price_e8, _E8),
        index_price=from_units(mark.index_price_e8, _E8),
        funding_rate=from_units(mark.funding_rate_e8, _E8),
        next_funding_time_ms=mark.next_funding_ms,
        venue_time_ns=to_ns(mark.event_time_ms),
    )
