"""The targets: what eats bytes from outside, and the one thing each promises about any of them."""

import contextlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError as MessageDecodeError
from google.protobuf.message import Message

from opensqt._core.decode import binance, binance_order
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment
from opensqt.connector.config import ConnectorConfig
from opensqt.connector.gateway import OrderGateway
from opensqt.connector.mirror import AccountMirror
from opensqt.connector.rate_budget import RateBudget, RateWindow
from opensqt.connector.servicer_orders import order_request_of
from opensqt.connector.trade_hello import lease_of
from opensqt.connector.venues.binance import (
    parse_account,
    parse_api,
    parse_market,
    parse_orders,
    parse_settings,
    stream,
)
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.parse_user import UserContext, parse_user_event
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.symbols import parse_exchange
from opensqt.connector.veto import Veto, VetoConfig
from opensqt.domain import convert_trade
from opensqt.domain.client_id import LENGTH, parse_client_order_id
from opensqt.domain.errors import OpensqtError
from opensqt.domain.market import MarkPrice
from opensqt.engine.config import EngineConfig
from opensqt.engine.wire_events import read_attached, read_items
from opensqt.live_server.config import LiveServerConfig
from opensqt.matching.sources.instruments import known_instrument
from opensqt.proto import exchange_pb2, resources_pb2, trade_pb2
from opensqt.runtime.config import ConfigError, convert_config
from opensqt.runtime.config_yaml import parse_yaml

Target = Callable[[bytes], None]

BTC = known_instrument("BTCUSDT")
LISTINGS = Listings.of([BTC])
LISTING = LISTINGS.require("BTCUSDT", "fuzz")
MARK = MarkPrice(
    symbol=BTC.symbol,
    mark_price=Decimal(60_000),
    index_price=Decimal(60_000),
    funding_rate=Decimal(0),
    next_funding_time_ms=0,
    venue_time_ns=1,
)
PRICE, LOT = Increment("0.10"), Increment("0.001")


def decoders(data: bytes) -> None:
    """The compiled market decoders raise DecodeError alone."""
    for name in ("book_ticker", "trade", "agg_trade", "kline"):
        with contextlib.suppress(DecodeError):
            getattr(binance, f"decode_{name}")(data, PRICE, LOT)
    with contextlib.suppress(DecodeError):
        binance.decode_mark_price(data)
    depth = DepthDecoder(PRICE, LOT)
    for decode in (depth.decode, depth.decode_snapshot):
        with contextlib.suppress(DecodeError):
            decode(data)


def order_updates(data: bytes) -> None:
    """An order update is read to sizes, or refused with DecodeError alone."""
    with contextlib.suppress(DecodeError):
        update = binance_order.decode_order_update(data)
        for sizes in (update.order_sizes(PRICE, LOT), update.fill_sizes(PRICE, LOT)):
            assert sizes is None or min(sizes) >= 0


_PARSERS: tuple[Callable[[bytes], Any], ...] = (
    lambda data: parse_user_event(data, UserContext(LISTINGS, "oq")),
    lambda data: parse_orders.parse_order(data, LISTINGS),
    lambda data: parse_orders.parse_orders(data, LISTINGS),
    lambda data: parse_orders.parse_batch(data, LISTINGS, now_ms=0),
    lambda data: parse_orders.parse_user_trades(data, LISTINGS, {}, "oq"),
    parse_account.parse_account,
    parse_account.parse_balance,
    lambda data: parse_account.parse_positions(data, LISTINGS, {}),
    parse_settings.parse_symbol_configs,
    parse_settings.parse_countdown,
    lambda data: parse_market.parse_klines(data, LISTING, 60_000, 0),
    lambda data: parse_market.parse_premium_index(data, LISTING),
    parse_exchange,
    parse_api.parse_reply,
    stream.parse_control,
    stream.parse_contract_info,
)


def replies(data: bytes) -> None:
    """The parsers of replies and account events raise PayloadError alone; the first byte chooses one."""
    if data:
        with contextlib.suppress(PayloadError):
            _PARSERS[data[0] % len(_PARSERS)](data[1:])


def config(data: bytes) -> None:
    """A configuration is read or answered with problems; the first byte chooses whose."""
    types: tuple[Any, ...] = (ConnectorConfig, EngineConfig, LiveServerConfig)
    if not data:
        return
    with contextlib.suppress(ConfigError, UnicodeDecodeError):
        document = parse_yaml(data[1:].decode(), source="fuzz")
        if isinstance(document, dict):
            convert_config(document, types[data[0] % len(types)], env={}, base_dir=Path("/nonexistent"))


def client_ids(data: bytes) -> None:
    """An id is somebody else's, or says the same when it is written again."""
    text = data.decode(errors="replace")
    found = parse_client_order_id(text)
    if found is not None:
        assert str(found) == text
        assert len(text) == LENGTH


class _Gate:
    """A gateway that sends nowhere; kept between inputs, as a connector is."""

    def __init__(self) -> None:
        self.mirror = AccountMirror()
        self.mirror.instruments[BTC.symbol] = BTC
        self.mirror.on_mark(MARK)
        window = RateWindow(scope="ip", name="orders", interval_ms=1_000, limit=10**9)
        veto = Veto(VetoConfig(), self.mirror)
        self.gateway = OrderGateway(
            self.mirror, veto, RateBudget([window]), id_pattern=r"[A-Za-z0-9]{1,36}", timeout_ns=10**9
        )
        self.now_ns = 0

    def place(self, request: Any) -> None:
        self.now_ns += 10**9
        self.gateway.place(request, lambda _report: None, self.now_ns)
        self.gateway.connection_lost(self.now_ns, "fuzz")


def orders(data: bytes) -> None:
    """Whatever a caller sends as an order is refused with a typed error or is one that passes every check."""
    gate = _Gate()
    with contextlib.suppress(OpensqtError, MessageDecodeError):
        message = resources_pb2.PlaceOrderRequest.FromString(data)
        gate.place(order_request_of(message, BTC, message.client_order_id))
    with contextlib.suppress(OpensqtError, MessageDecodeError):
        gate.place(convert_trade.place_from_wire(trade_pb2.PlaceCommand.FromString(data)))
    with contextlib.suppress(OpensqtError, MessageDecodeError):
        amend = trade_pb2.AmendCommand.FromString(data)
        gate.gateway.amend(
            amend.symbol,
            amend.client_order_id,
            amend.price_ticks,
            amend.total_lots,
            amend.instrument_revision,
            lambda _report: None,
            0,
        )


def hellos(data: bytes) -> None:
    """A hello is a lease or a typed error."""
    mirror = AccountMirror()
    mirror.instruments[BTC.symbol] = BTC
    with contextlib.suppress(OpensqtError, MessageDecodeError):
        lease_of(trade_pb2.TradeHello.FromString(data), mirror)


def trade_frames(data: bytes) -> None:
    """What a connector might send is read as events or refused with a typed error."""
    with contextlib.suppress(OpensqtError, MessageDecodeError):
        event = trade_pb2.TradeEvent.FromString(data)
        read_items(event.items)
    with contextlib.suppress(OpensqtError, MessageDecodeError):
        read_attached(trade_pb2.TradeSnapshot.FromString(data), 1, [])


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (decoders, order_updates, replies, config, client_ids, orders, hellos, trade_frames)
}


def seeds(name: str, fixtures: Path | None) -> Sequence[bytes]:
    """Return inputs to begin with: recorded payloads where they are at hand, and messages made here."""
    recorded = [] if fixtures is None else [path.read_bytes() for path in sorted(fixtures.glob("*.json"))[:150]]
    made: list[Message] = []
    if name in ("decoders", "order_updates"):
        return recorded
    if name == "replies":
        return [bytes([index]) + data for index in range(len(_PARSERS)) for data in recorded[index::16]]
    if name == "config":
        examples = sorted((Path(__file__).parent.parent / "examples").glob("*.yaml"))
        return [bytes([index]) + path.read_bytes() for index in range(3) for path in examples]
    if name == "client_ids":
        return [b"oqabZZZ0001000001B0000001", b"oqa0000ZZZZZZZZZZS0000000", b"x" * LENGTH]
    if name == "orders":
        place = trade_pb2.PlaceCommand(symbol=BTC.symbol, instrument_revision=1, side=1, type=2, time_in_force=1,
                                       price_ticks=600_000, lots=5, client_order_id="a1")  # fmt: skip
        message = resources_pb2.PlaceOrderRequest(symbol=BTC.symbol, side=1, type=2, time_in_force=1)
        message.quantity.value, message.price.value = "0.01", "60000"
        made = [place, message, trade_pb2.AmendCommand(symbol=BTC.symbol, client_order_id="a1", total_lots=3)]
    elif name == "hellos":
        made = [trade_pb2.TradeHello(engine_id="e", lease_epoch=1, symbols=[BTC.symbol], on_vanish=1,
                                     bots=[trade_pb2.BotLease(bot_tag="ab", epoch=1)])]  # fmt: skip
    elif name == "trade_frames":
        order = trade_pb2.OrderRecord(symbol=BTC.symbol, client_order_id="a1", side=1, type=2, time_in_force=1, state=2)
        fill = trade_pb2.FillRecord(symbol=BTC.symbol, trade_id="1", side=1, price_ticks=1, lots=1)
        items = [trade_pb2.TradeItem(order=order), trade_pb2.TradeItem(fill=fill)]
        made = [trade_pb2.TradeEvent(items=items), trade_pb2.TradeSnapshot(open_orders=[order], fills=[fill])]
        made.append(exchange_pb2.GetFillsResponse(fills=[fill]))
    return [message.SerializeToString() for message in made]
