"""The simulated venue without sockets: a small market moved by hand, and a client that signs by itself."""

import hashlib
import hmac
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import orjson
from models.venue_bench import packed

from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Side
from opensqt.matching.events import BookDelta, BookSnapshot, MarkUpdate, TradePrint
from opensqt.matching.sources.instruments import known_instrument
from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.api_types import Request, Response
from opensqt.sim.dialects.binance.exchange import ExchangeConfig
from opensqt.sim.dialects.binance.stream_hub import StreamSession
from opensqt.sim.dialects.binance.stream_names import Route
from opensqt.sim.dialects.binance.venue import BinanceVenue
from opensqt.sim.dialects.binance.ws_api import WsApiSession
from opensqt.sim.keys import make_keys

START_NS = 1_795_359_660_000_000_000
BTC = known_instrument("BTCUSDT")
ETH = known_instrument("ETHUSDT")
BID, ASK = 640_000, 640_010


class SimBench:
    """A venue whose BTCUSDT book is 64,000.0 / 64,001.0, ten levels a side, 1 BTC each."""

    def __init__(self, instruments: tuple[Instrument, ...] = (BTC, ETH), **config: Any) -> None:
        self.now_ns = START_NS
        self.delivered: list[tuple[StreamSession, str, bytes]] = []
        settings = {"users": make_keys(1, 2), "seed": 1} | config
        self.venue = BinanceVenue(
            ExchangeConfig(**settings), instruments, lambda *message: self.delivered.append(message)
        )
        self.user = self.named("user1")
        self.show_book()
        self.mark("64000.5")
        if ETH in instruments:
            self.event(BookSnapshot(ETH.symbol, self.tick(), 1, packed([(340_000, 5_000)]), packed([(340_010, 5_000)])))
            self.event(MarkUpdate(ETH.symbol, self.tick(), Decimal(3400), Decimal(3400), Decimal(0), 0))

    # ---- time and market

    def tick(self, ms: int = 1) -> int:
        self.now_ns += ms * 1_000_000
        return self.now_ns

    def advance(self, ms: int) -> None:
        self.venue.advance(self.tick(ms))

    def event(self, event: Any) -> None:
        self.venue.on_market(event)

    def show_book(self) -> None:
        bids = [(BID - 10 * index, 1_000) for index in range(10)]
        asks = [(ASK + 10 * index, 1_000) for index in range(10)]
        self.event(BookSnapshot(BTC.symbol, self.tick(), 1, packed(bids), packed(asks)))

    def delta(self, bids: Any = (), asks: Any = ()) -> None:
        self.event(BookDelta(BTC.symbol, self.tick(), 2, 2, packed(bids), packed(asks)))

    def trade(self, side: Side, ticks: int, lots: int) -> None:
        self.event(TradePrint(BTC.symbol, self.tick(), "1", side, ticks, lots))

    def mark(self, price: str, rate: str = "0.0001", funding_ms: int = 0) -> None:
        mark = Decimal(price)
        self.event(MarkUpdate(BTC.symbol, self.tick(), mark, mark, Decimal(rate), funding_ms))

    # ---- REST

    def named(self, name: str) -> User:
        return self.venue.exchange.users[name]

    @property
    def now_ms(self) -> int:
        return self.now_ns // 1_000_000

    def send(self, method: str, path: str, user: User | None = None, **params: Any) -> Response:
        """Send a request, signed by `user` (user1 unless given)."""
        user = user or self.user
        self.advance(1)
        values = {name: value for name, value in params.items() if value is not None}
        values.setdefault("timestamp", self.now_ms)
        query = urlencode(values)
        signature = hmac.new(user.pair.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        signed = f"{query}&signature={signature}"
        in_body = method in {"POST", "PUT"}
        return self.venue.request(
            Request(
                method=method,
                path=path,
                query="" if in_body else signed,
                body=signed if in_body else "",
                api_key=user.pair.key,
            )
        )

    def ok(self, method: str, path: str, user: User | None = None, **params: Any) -> Any:
        response = self.send(method, path, user, **params)
        assert response.status == 200, response.body
        return orjson.loads(response.body)

    def code(self, method: str, path: str, user: User | None = None, **params: Any) -> int:
        response = self.send(method, path, user, **params)
        assert response.status >= 400, response.body
        return int(orjson.loads(response.body)["code"])

    def get(self, path: str, **params: Any) -> Any:
        response = self.venue.request(Request(method="GET", path=path, query=urlencode(params)))
        assert response.status == 200, response.body
        return orjson.loads(response.body)

    def order_params(self, side: str, price: object, quantity: object, **params: Any) -> dict[str, Any]:
        values = {"symbol": "BTCUSDT", "side": side, "quantity": quantity}
        if price is None:
            values |= {"type": "MARKET"}
        else:
            values |= {"type": "LIMIT", "price": price, "timeInForce": "GTC"}
        return values | params

    def place(self, side: str, price: object, quantity: object, user: User | None = None, **params: Any) -> Any:
        return self.ok("POST", "/fapi/v1/order", user, **self.order_params(side, price, quantity, **params))

    def refuse(self, side: str, price: object, quantity: object, user: User | None = None, **params: Any) -> int:
        return self.code("POST", "/fapi/v1/order", user, **self.order_params(side, price, quantity, **params))

    # ---- streams

    def listen(self, route: str, *names: str, combined: bool = False, events: tuple[str, ...] = ()) -> StreamSession:
        return self.venue.hub.open(Route(route), names, is_combined=combined, events=events)

    def listen_private(self, user: User | None = None, events: tuple[str, ...] = ()) -> StreamSession:
        key = self.ok("POST", "/fapi/v1/listenKey", user)["listenKey"]
        return self.listen("private", key, events=events)

    def heard(self, session: StreamSession) -> list[Any]:
        """Return what a session was sent since the last call."""
        mine = [orjson.loads(data) for other, _, data in self.delivered if other is session]
        self.delivered = [row for row in self.delivered if row[0] is not session]
        return mine

    def control(self, session: StreamSession, **message: Any) -> Any:
        return orjson.loads(self.venue.hub.handle(session, orjson.dumps(message).decode()))

    # ---- WebSocket API

    def ws(self) -> WsApiSession:
        return self.venue.ws_api.open("127.0.0.1", returns_limits=True)

    def ask(
        self, session: WsApiSession, method: str, user: User | None = None, sign: bool = True, **params: Any
    ) -> Any:
        self.advance(1)
        user = user or self.user
        if sign:
            params |= {"apiKey": user.pair.key}
            params.setdefault("timestamp", self.now_ms)
            payload = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
            params["signature"] = hmac.new(user.pair.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        text = orjson.dumps({"id": "a1", "method": method, "params": params}).decode()
        return orjson.loads(self.venue.ws_request(session, text))
