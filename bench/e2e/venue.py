"""The venue of the end-to-end benchmarks: the simulator's exchange behind a front that is fast enough to measure with.

`opensqt-sim` speaks through aiohttp and takes 0.2 to 0.5 ms of Python per message, which would be most of what is
measured and would delay the next message. So this front speaks picows: it writes prepared frames at fixed times, stamps
an order the moment its frame is read, and lets the simulator's exchange deal with it one millisecond later. REST,
account, order rules and user stream are the simulator's own (opensqt.sim), so that real services start and trade on it.

Every step of the market has a time at which it is *meant* to go out; the process wakes early and spins up to it. What
is measured is from that time to the arrival of the order that the step calls for, so a stall of anybody counts against
everybody who had to wait for it.

Commands come as JSON lines on standard input, answers go to standard output.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
import uvloop
from aiohttp import web
from market import SPAN, Market, make_markets
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server
from timer import SPIN_NS, Timer

from opensqt._core.histogram import Histogram
from opensqt.domain.order import Order, Side
from opensqt.matching.events import BookSnapshot, MarkUpdate, TradePrint
from opensqt.matching.funding import next_funding_ms
from opensqt.matching.sources.instruments import canonical_symbol, inferred_instrument, known_instrument
from opensqt.matching.sources.packing import pack_levels
from opensqt.sim.dialects.binance.api_types import Request
from opensqt.sim.dialects.binance.exchange import ExchangeConfig
from opensqt.sim.dialects.binance.limits import LimitConfig
from opensqt.sim.dialects.binance.stream_hub import StreamSession
from opensqt.sim.dialects.binance.stream_names import Route
from opensqt.sim.dialects.binance.venue import BinanceVenue
from opensqt.sim.keys import make_keys

HOST = "127.0.0.1"
EXECUTE_AFTER_S = 0.001
WIDE_TICKS = 25_000
MANY = 1_000_000_000


class Run:
    """One measurement: steps at fixed times, and the orders that answer them."""

    def __init__(self, command: dict[str, Any]) -> None:
        self.interval_ns = int(1e9 / command["rate"])
        self.left = int(command["rate"] * command["seconds"])
        self.feed: str = command.get("feed", "depth")
        self.follow: bool = command.get("follow", False)
        self.warm = int(command.get("warm", 100))
        self.latencies = Histogram()
        self.late_sends = Histogram()
        self.pending: dict[int, int] = {}
        self.sent = 0
        self.answered = 0
        self.lost = 0
        self.done = asyncio.get_running_loop().create_future()
        self.due_ns = time.monotonic_ns() + 50_000_000


class Venue:
    """The exchange and its clients."""

    def __init__(self, symbols: int, seed: int) -> None:
        self.markets = {market.symbol: market for market in make_markets(symbols)}
        self.main = next(iter(self.markets.values()))
        config = ExchangeConfig(
            users=make_keys(seed, 1),
            wallet=Decimal(1_000_000_000),
            limits=LimitConfig(weight_1m=MANY, orders_10s=MANY, orders_1m=MANY, is_enforced=False),
            seed=seed,
        )
        self.config = config
        instruments = [
            known_instrument(name) if name == "BTCUSDT" else inferred_instrument(name, 1, 3) for name in self.markets
        ]
        self.venue = BinanceVenue(config, instruments, self._deliver)
        self.sockets: dict[StreamSession, WSTransport] = {}
        self.public: dict[WSTransport, StreamSession] = {}
        self.buy_window = 10
        self.run: Run | None = None
        self.orders = 0
        self.flood_left = 0
        self.flood_every_ns = 0
        self.flood_symbols: list[Market] = []
        self.arrivals: list[int] = []
        self.fill_run: FillRun | None = None

    # ---- the exchange

    def open_market(self) -> None:
        now_ns = time.time_ns()
        self.venue.advance(now_ns)
        for market in self.markets.values():
            symbol = canonical_symbol(market.symbol)
            low, high = market.anchor_ticks - WIDE_TICKS, market.anchor_ticks + WIDE_TICKS
            self.venue.on_market(
                BookSnapshot(symbol, now_ns, 1, pack_levels([(low, 1_000)]), pack_levels([(high, 1_000)]))
            )
            mark = Decimal(market.anchor_ticks).scaleb(-market.decimals)
            due_ms = next_funding_ms(now_ns // 1_000_000)
            self.venue.on_market(MarkUpdate(symbol, now_ns, mark, mark, Decimal("0.0001"), due_ms))

    async def keep_time(self) -> None:
        """Let marks and tickers flow, as quiet markets do."""
        while True:
            if self.run is None:
                self.turn()
                now_ms = time.time_ns() // 1_000_000
                for market in self.markets.values():
                    self._publish(market, b"ticker", partial(_ticker, market, now_ms))
                    self._publish(market, b"depth", partial(_noise, market, now_ms))
            await asyncio.sleep(0.5)

    def turn(self) -> None:
        self.venue.advance(time.time_ns())

    # ---- what clients get

    def _deliver(self, session: StreamSession, _stream: str, data: bytes) -> None:
        transport = self.sockets.get(session)
        if transport is not None and not transport.is_disconnected:
            transport.send(WSMsgType.TEXT, data)

    def _publish(self, market: Market, kind: bytes, make: Callable[[bool], bytes]) -> None:
        """Send one message to everybody who subscribed; depth is told at the rate of the run, whatever was asked."""
        for transport, frame in self._prepared(market, kind, make):
            transport.send(WSMsgType.TEXT, frame)

    def _prepared(self, market: Market, kind: bytes, make: Callable[[bool], bytes]) -> list[tuple[WSTransport, bytes]]:
        found = []
        needle = f"{market.symbol.lower()}@{'bookTicker' if kind == b'ticker' else 'depth'}"
        frames: dict[bool, bytes] = {}
        for transport, session in self.public.items():
            if any(name.startswith(needle) for name in session.names):
                combined = session.is_combined
                if combined not in frames:
                    frame = make(combined)
                    if kind == b"depth" and not combined:
                        frame = frame[frame.index(b'"data":') + 7 : -1]
                    frames[combined] = frame
                found.append((transport, frames[combined]))
        return found

    # ---- ticks

    def begin(self, run: Run) -> None:
        self.run = run
        self._timer = Timer(self._on_time)
        self._timer.set(run.due_ns - SPIN_NS)

    def _on_time(self) -> None:
        run = self.run
        if run is None:
            return
        market = self.main
        meant_ns = run.due_ns
        body = market.step()
        now_ms = time.time_ns() // 1_000_000
        wanted = market.best[0] if run.follow else market.wanted(self.buy_window)
        if run.feed == "ticker":
            market.update_id += 3
            frames = self._prepared(market, b"ticker", lambda combined: market.ticker(now_ms, combined=combined))
        else:
            frames = self._prepared(market, b"depth", lambda _combined: market.diff(body, now_ms))
        if wanted is not None:
            run.lost += wanted in run.pending
            run.pending[wanted] = meant_ns
        while time.monotonic_ns() < meant_ns:
            pass
        for transport, frame in frames:
            transport.send(WSMsgType.TEXT, frame)
        run.late_sends.record(time.monotonic_ns() - meant_ns)
        run.sent += 1
        if run.sent == run.warm:
            run.latencies.reset()
        run.left -= 1
        run.due_ns += run.interval_ns
        if run.left > 0:
            self._timer.set(run.due_ns - SPIN_NS)
        else:
            asyncio.get_running_loop().call_later(0.5, run.done.set_result, None)

    async def flood(self, per_second: int) -> None:
        """Send changes that mean nothing, evenly, for as long as it is not cancelled."""
        batch = max(1, per_second // 1_000)
        period_ns = batch * 1_000_000_000 // per_second
        due_ns = time.monotonic_ns()
        markets = list(self.markets.values())
        turn = 0
        while True:
            now_ns = time.monotonic_ns()
            if now_ns >= due_ns:
                now_ms = time.time_ns() // 1_000_000
                for _ in range(batch):
                    market = markets[turn % len(markets)]
                    turn += 1
                    self._publish(market, b"depth", partial(_noise, market, now_ms))
                due_ns += period_ns
                self.flood_left += batch
            await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))

    # ---- orders

    def on_order_frame(self, data: bytes, arrived_ns: int) -> None:
        run = self.run
        if b'"order.place"' in data:
            self.orders += 1
            start = data.find(b'"price":"') + 9
            ticks = round(float(data[start : data.index(b'"', start)]) * 10)
            if self.fill_run is not None and b'"SELL"' in data:
                self.fill_run.arrived(arrived_ns)
            if run is not None:
                meant_ns = run.pending.pop(ticks, None)
                if meant_ns is not None:
                    run.answered += 1
                    run.latencies.record(arrived_ns - meant_ns)


def _ticker(market: Market, now_ms: int, combined: bool) -> bytes:
    return market.ticker(now_ms, combined=combined)


def _noise(market: Market, now_ms: int, _combined: bool) -> bytes:
    return market.diff(market.flood(), now_ms)


class FillRun:
    """Fills the highest resting buy again and again; its take-profit must follow, and is filled to begin anew."""

    def __init__(self, venue: Venue, count: int, interval_s: float) -> None:
        self._venue = venue
        self._count = count
        self._interval_s = interval_s
        self._meant_ns = 0
        self.latencies = Histogram()
        self.filled = 0
        self.answered = 0

    def arrived(self, arrived_ns: int) -> None:
        if self._meant_ns:
            self.answered += 1
            self.latencies.record(arrived_ns - self._meant_ns)
            self._meant_ns = 0

    async def go(self) -> None:
        """Fill `count` buys. The exchange works a fill out first; its messages leave when they are meant to."""
        host = self._venue
        held: list[tuple[StreamSession, str, bytes]] = []
        plain = host._deliver
        due_ns = time.monotonic_ns() + 100_000_000
        for number in range(self._count):
            for sell in self._open(Side.SELL):
                self._print(f"s{number}", Side.BUY, sell)
            await asyncio.sleep(self._interval_s)
            due_ns = max(due_ns, time.monotonic_ns() + 5_000_000)
            buys = self._open(Side.BUY)
            if not buys:
                continue
            host.venue.hub._deliver = lambda *frame: held.append(frame)
            self._print(f"b{number}", Side.SELL, max(buys, key=lambda order: order.price_ticks))
            host.venue.hub._deliver = plain
            await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9 - 0.001))
            while time.monotonic_ns() < due_ns:
                pass
            if held:
                self.filled += 1
                self._meant_ns = due_ns
            for session, stream, data in held:
                plain(session, stream, data)
            held.clear()
            due_ns += int(self._interval_s * 1e9)
            await asyncio.sleep(self._interval_s)
            self._meant_ns = 0
        await asyncio.sleep(0.5)

    def _open(self, side: Side) -> list[Order]:
        user = self._venue.config.users[0].name
        return [order for order in self._venue.venue.exchange.venue.view.open_orders(user) if order.side is side]

    def _print(self, trade_id: str, aggressor: Side, order: Order) -> None:
        symbol = canonical_symbol(self._venue.main.symbol)
        self._venue.venue.on_market(
            TradePrint(symbol, time.time_ns(), trade_id, aggressor, order.price_ticks, order.remaining_lots)
        )


class Client(WSListener):
    """One WebSocket of a client, whichever path it asked for."""

    def __init__(self, host: Venue, path: str) -> None:
        super().__init__()
        self._host = host
        self._path, _, query = path.partition("?")
        self._query = dict(item.partition("=")[::2] for item in query.split("&") if item)
        self._session: StreamSession | None = None
        self._api: Any = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        host = self._host
        host.turn()
        if self._path.startswith("/ws-fapi"):
            self._api = host.venue.ws_api.open(HOST, returns_limits=False)
            return
        parts = self._path.strip("/").split("/")
        route = Route(parts[0])
        names = [name for name in parts[2:] if name]
        names += [name for name in self._query.get("streams", "").split("/") if name]
        self._session = host.venue.hub.open(route, names, is_combined=parts[1] == "stream")
        host.sockets[self._session] = transport
        if route is Route.PUBLIC:
            host.public[transport] = self._session

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.TEXT:
            if frame.msg_type is WSMsgType.CLOSE:
                transport.send_close()
                transport.disconnect()
            return
        arrived_ns = time.monotonic_ns()
        data = frame.get_payload_as_bytes()
        host = self._host
        if self._api is None:
            host.turn()
            transport.send(WSMsgType.TEXT, host.venue.hub.handle(self._session, data.decode()))
            return
        host.on_order_frame(data, arrived_ns)
        asyncio.get_running_loop().call_later(EXECUTE_AFTER_S, self._execute, transport, data)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        host = self._host
        host.public.pop(transport, None)
        if self._session is not None:
            host.sockets.pop(self._session, None)
            host.venue.hub.close(self._session)

    def _execute(self, transport: WSTransport, data: bytes) -> None:
        if not transport.is_disconnected:
            host = self._host
            host.turn()
            transport.send(WSMsgType.TEXT, host.venue.ws_request(self._api, data.decode()))
            if host.run is not None and host.run.follow and host.orders % 50 == 0:
                # A client that only places would run into the limit of open orders; its old ones are cleared away.
                exchange = host.venue.exchange
                for order in exchange.open_orders(exchange.users["user1"])[:-20]:
                    exchange.cancel("user1", order)
                host.venue.flush()


async def serve_rest(host: Venue) -> int:
    """Serve the simulator's REST, with the benchmark's books."""

    async def handle(http: web.Request) -> web.Response:
        path, _, query = http.raw_path.partition("?")
        host.turn()
        if path == "/fapi/v1/depth":
            market = host.markets[http.query["symbol"]]
            return web.Response(body=market.snapshot(time.time_ns() // 1_000_000), content_type="application/json")
        body = (await http.read()).decode()
        key = http.headers.get("X-MBX-APIKEY", "")
        response = host.venue.request(Request(method=http.method, path=path, query=query, body=body, api_key=key))
        return web.Response(
            status=response.status, body=response.body, headers=response.headers, content_type=response.content_type
        )

    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", handle)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    server: Any = site._server
    port: int = server.sockets[0].getsockname()[1]
    return port


def figures(histogram: Histogram) -> dict[str, Any]:
    """Return a distribution in microseconds."""
    names = ((0.05, "p5"), (0.25, "p25"), (0.5, "p50"), (0.99, "p99"), (0.999, "p999"))
    found: dict[str, Any] = {name: (histogram.quantile(q) or 0) / 1_000 for q, name in names}
    return {"count": histogram.count, "max": (histogram.max or 0) / 1_000, **found}


async def obey(host: Venue, command: dict[str, Any]) -> dict[str, Any]:
    """Carry out one command."""
    if command["do"] == "ticks":
        run = Run(command)
        gc.collect()
        gc.disable()
        flood = asyncio.create_task(host.flood(command["flood"])) if command.get("flood") else None
        before = host.flood_left
        begun = time.monotonic()
        host.begin(run)
        await run.done
        if flood is not None:
            flood.cancel()
        host.run = None
        gc.enable()
        return {
            "sent": run.sent,
            "answered": run.answered,
            "unanswered": len(run.pending) + run.lost,
            "flood_per_s": (host.flood_left - before) / (time.monotonic() - begun),
            "send_late": figures(run.late_sends),
            "latency_us": figures(run.latencies),
        }
    if command["do"] == "flood":
        before, begun = host.flood_left, time.monotonic()
        flood = asyncio.create_task(host.flood(command["rate"]))
        await asyncio.sleep(command["seconds"])
        flood.cancel()
        return {"per_s": (host.flood_left - before) / (time.monotonic() - begun)}
    if command["do"] == "fills":
        host.fill_run = FillRun(host, command["count"], command.get("interval_s", 0.03))
        await host.fill_run.go()
        found, host.fill_run = host.fill_run, None
        return {"filled": found.filled, "answered": found.answered, "latency_us": figures(found.latencies)}
    if command["do"] == "orders":
        user = host.config.users[0].name
        return {"open": len(host.venue.exchange.venue.view.open_orders(user)), "placed": host.orders}
    raise ValueError(f"unknown command {command}")


async def main() -> None:
    """Serve until standard input ends."""
    options = orjson.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    host = Venue(options.get("symbols", 1), 1)
    host.main.level = SPAN // 2
    host.buy_window = options.get("buy_window", 10)
    host.open_market()
    rest_port = await serve_rest(host)
    server = await ws_create_server(lambda request: Client(host, request.path.decode()), HOST, 0)
    ws_port = server.sockets[0].getsockname()[1]
    clock = asyncio.create_task(host.keep_time())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    # A full collection of what was just built would stop the venue for 10 ms in the middle of a measurement.
    gc.collect()
    gc.freeze()
    user = host.config.users[0]
    hello = {"rest": f"http://{HOST}:{rest_port}", "ws": f"ws://{HOST}:{ws_port}", "key": user.key}
    _say({**hello, "secret": user.secret, "symbols": [canonical_symbol(name) for name in host.markets]})
    while line := await reader.readline():
        _say(await obey(host, orjson.loads(line)))
    clock.cancel()
    server.close()


def _say(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
