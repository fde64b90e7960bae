"""The whole way of a tick in one stack, without sockets, gRPC and a loop: what our own code costs on it.

frame -> decoder and book -> book message | message -> engine's book -> core -> Trade request | request -> gateway ->
signed frame. The stages are cut where a process boundary is, so that what a hop adds can be told from what we spend.
"""

import gc
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from market import INTERVAL_TICKS, Market

from opensqt._core.histogram import Histogram
from opensqt.connector.adapter import Capabilities, SessionStatus
from opensqt.connector.book_feed import BookReader
from opensqt.connector.commands import Cancel, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.connector.core import ConnectorCore
from opensqt.connector.leases import Lease, VanishPolicy
from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.rate_budget import RateBudget, RateWindow
from opensqt.connector.venues.binance import requests_orders as ask
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.market_feed import MarketFeed
from opensqt.connector.venues.binance.requests import api_frame
from opensqt.connector.venues.binance.sign import HmacSigner
from opensqt.connector.venues.binance.stream_runner import stream_of
from opensqt.connector.veto import VetoConfig
from opensqt.domain.account import Account, Position
from opensqt.domain.market import MarkPrice
from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState
from opensqt.engine.config import BotConfig, EngineConfig, GridConfig, RiskConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Saved, Timer
from opensqt.engine.market_books import MarketBooks
from opensqt.engine.restored import Restored, RestoredBot
from opensqt.engine.trade_link import TradeLink
from opensqt.matching.sources.instruments import known_instrument
from opensqt.proto import market_data_pb2, trade_pb2
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.secret import Secret

SYMBOL = "BTC/USDT:USDT"
WINDOW = 10
MS = 1_000_000
WIDE = RateWindow(scope="account", name="orders_1s", interval_ms=1_000, limit=1_000_000_000, cancel_reserve=1)


class StepClock:
    """Both clocks move by what a market does between ticks, so that no limit per second bites."""

    def __init__(self) -> None:
        self.ns = 1_700_000_000_000 * MS

    def now_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        return self.ns


class Path1:
    """One symbol's way; `tick` goes once along it and says what each stage took."""

    def __init__(self) -> None:
        self.clock = StepClock()
        self.market = Market("BTCUSDT", 1, 600_000, level=10)
        self.connector = self._make_connector()
        self.sent: list[bytes] = []
        self.signer = HmacSigner(Secret("s" * 64))
        self.books = MarketBooks([SYMBOL])
        self.engine, self.link = self._make_engine()
        self.orders: dict[str, Order] = {}
        self.session, self.reader = self._attach()

    # ---- the way

    def tick(self, measure: Callable[[str, int], None]) -> int:
        """Step the market, follow it to the orders, answer them; return how many were sent."""
        self.clock.ns += 50 * MS
        frame = self.market.diff(self.market.step(), self.clock.ns // MS)
        now = time.perf_counter_ns
        start = now()
        self.feed.on_message(stream_of(frame), frame)
        decoded = now()
        data = self.reader.take()
        published = now()
        message = market_data_pb2.BookUpdates.FromString(data)
        events = self.books.take_books(message)
        read = now()
        commands = self.engine.handle_batch(events, self.clock.ns)
        decided = now()
        sends = [command for command in commands if hasattr(command, "command_id")]
        requests = [r.SerializeToString() for r in self.link.requests(sends, 1, self.clock.ns)] if sends else []
        written = now()
        frames = self._submit(requests)
        submitted = now()
        measure("decode: frame to book", decoded - start)
        measure("publish: book to message", published - decoded)
        measure("read: message to engine's book", read - published)
        if frames:
            measure("decide: event to commands", decided - read)
            measure("write: commands to request", written - decided)
            measure("submit: request to signed frames", submitted - written)
            measure("tick to order, all stages", submitted - start)
        self._answer(frames)
        return len(frames)

    def _submit(self, requests: list[bytes]) -> list[VenueCommand]:
        found: list[VenueCommand] = []
        for data in requests:
            request = trade_pb2.TradeRequest.FromString(data)
            commands, _ = self.connector.trade.handle(self.session, request.commands, self.clock.ns)
            for command in commands:
                self.sent.append(self._frame(command))
            found += commands
        self.sent.clear()
        return found

    def _frame(self, command: VenueCommand) -> bytes:
        if isinstance(command, Place):
            request = ask.place(command.request, self.listing, ask.OrderStyle())
        else:
            assert isinstance(command, Cancel), "the grid does nothing else"
            request = ask.cancel("BTCUSDT", ask.OrderRef(command.client_order_id, command.exchange_order_id))
        return api_frame(request, 7, "k" * 64, self.signer, self.clock.ns // MS, is_logged_on=False)

    def _answer(self, commands: list[VenueCommand]) -> None:
        """Let the venue confirm everything, and the engine hear of it."""
        for command in commands:
            self.clock.ns += MS
            if isinstance(command, Place):
                wanted = command.request
                order = Order(
                    symbol=SYMBOL,
                    client_order_id=wanted.client_order_id,
                    exchange_order_id=str(len(self.orders) + 1),
                    side=wanted.side,
                    type=wanted.type,
                    time_in_force=wanted.time_in_force,
                    price_ticks=wanted.price_ticks,
                    lots=wanted.lots,
                    reduce_only=wanted.reduce_only,
                    state=OrderState.LIVE,
                    created_time_ns=self.clock.ns,
                    updated_time_ns=self.clock.ns,
                    instrument_revision=1,
                )
                self.orders[order.client_order_id] = order
            else:
                assert isinstance(command, Cancel), "the grid does nothing else"
                known = self.orders.pop(command.client_order_id)
                order = _ended(known, self.clock.ns)
            self.connector.on_outcome(
                OutcomeReport(
                    token=command.token,
                    outcome=Outcome.CONFIRMED,
                    order=order,
                    sent_ns=self.clock.ns,
                    acknowledged_ns=self.clock.ns,
                )
            )
        self._hear()

    def _hear(self) -> None:
        data = self.session.take(self.clock.ns)
        if data:
            events = self.link.take(trade_pb2.TradeEvent.FromString(data), self.clock.ns)
            follow = self.engine.handle_batch(events, self.clock.ns)
            sends = [command for command in follow if hasattr(command, "command_id")]
            if sends:
                self._answer(self._submit([r.SerializeToString() for r in self.link.requests(sends, 1, self.clock.ns)]))

    # ---- the parts

    def _make_connector(self) -> ConnectorCore:
        core = ConnectorCore(
            Capabilities(exchange="binance", mode="testnet"),
            self.clock,
            session_epoch=1,
            veto=VetoConfig(),
            budget=RateBudget([WIDE]),
            command_timeout_ms=5_000,
            subscribe=lambda _channel: None,
            unsubscribe=lambda _channel: None,
        )
        instrument = known_instrument("BTCUSDT")
        core.on_instrument(instrument)
        price = Decimal(60_000)
        core.on_mark(
            MarkPrice(
                symbol=SYMBOL,
                mark_price=price,
                index_price=price,
                funding_rate=Decimal(0),
                next_funding_time_ms=0,
                venue_time_ns=self.clock.ns,
            )
        )
        core.on_account(
            Account(
                asset="USDT",
                wallet_balance=Decimal(10**9),
                available_balance=Decimal(10**9),
                margin_balance=Decimal(10**9),
            )
        )
        core.on_position(Position(symbol=SYMBOL, lots=0, leverage=5))
        core.on_session(SessionStatus(market_stream_up=True, private_stream_up=True))
        listings = Listings.of([instrument])
        listing = listings.by_symbol(SYMBOL)
        assert listing is not None
        self.listing = listing
        due: list[Any] = []
        self.feed = MarketFeed(core, self.clock, Random(1), snapshot_due=due.append, rules_changed=lambda _why: None)
        self.feed.set_listings(listings)
        self.feed.streams_of(Channel(ChannelKind.BOOK, SYMBOL))
        snapshot = self.market.snapshot(self.clock.ns // MS)
        for _ in range(2):
            frame = self.market.diff(self.market.flood(), self.clock.ns // MS)
            self.feed.on_message(stream_of(frame), frame)
            if due:
                self.feed.on_snapshot(due.pop(), snapshot)
        return core

    def _make_engine(self) -> tuple[EngineCore, TradeLink]:
        grid = GridConfig(
            interval=Decimal(INTERVAL_TICKS) / 10,
            anchor=Decimal(60_000),
            order_quantity=Decimal(130),
            buy_window=WINDOW,
            max_open_orders=100,
            price_source="mid",
        )
        bot = BotConfig(
            id="b",
            tag="b",
            symbol=SYMBOL,
            grid=grid,
            risk=RiskConfig(max_orders_per_second=1_000, position_safety_check=1),
        )
        config = EngineConfig(connector=GrpcClientConfig(address="127.0.0.1:1"), state_file=Path("unused"), bots=(bot,))
        core = EngineCore(config, Restored(bots={"b": _restored(self.clock.ns)}))
        return core, TradeLink(config, core)

    def _attach(self) -> tuple[Any, BookReader]:
        lease = Lease(
            engine_id="engine", epoch=1, symbols=(SYMBOL,), bots={"b": 1}, on_vanish=VanishPolicy.KEEP, grace_ns=10**9
        )
        trade = self.connector.trade
        session = trade.open(lambda: None)
        trade.claim(session, lease)
        trade.attach(session, lease, 0, (), (), truncated=False, venue_time_ns=self.clock.ns)
        self.session = session
        first = trade_pb2.TradeEvent.FromString(session.take(self.clock.ns))
        self.engine.handle_batch(self.link.begin(first, (), self.clock.ns), self.clock.ns)
        reader = BookReader([self.connector.feeds[SYMBOL]], 20, b"", lambda: None)
        for event in (
            *self.books.take_books(market_data_pb2.BookUpdates.FromString(reader.take())),
            Saved("b"),
            Timer(),
            Timer(),
        ):
            self.clock.ns += 200 * MS
            commands = self.engine.handle_batch([event], self.clock.ns)
            sends = [command for command in commands if hasattr(command, "command_id")]
            if sends:
                self._answer(self._submit([r.SerializeToString() for r in self.link.requests(sends, 1, self.clock.ns)]))
        return session, reader


def _ended(order: Order, now_ns: int) -> Order:
    from msgspec.structs import replace

    return replace(order, state=OrderState.CANCELED, updated_time_ns=now_ns)


def _restored(now_ns: int) -> RestoredBot:
    return RestoredBot(is_new=True, epoch=1, started_ns=now_ns)


def stages(rounds: int = 2_000, pause_s: float = 0.0) -> dict[str, Histogram]:
    """Return the cost of every stage over many ticks, which follow each other at once or after a pause."""
    path = Path1()
    found: dict[str, Histogram] = {}

    def ignore(_stage: str, _ns: int) -> None:
        pass

    def measure(stage: str, ns: int) -> None:
        found.setdefault(stage, Histogram()).record(ns)

    for _ in range(400):
        path.tick(ignore)
    # As the services do, once they are warm.
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        if pause_s:
            time.sleep(pause_s)
        path.tick(measure)
    gc.unfreeze()
    return found


if __name__ == "__main__":
    for stage, histogram in stages().items():
        print(
            f"{stage:<36} {histogram.count:6} min {(histogram.min or 0) / 1e3:7.1f} us"
            f"  p50 {(histogram.quantile(0.5) or 0) / 1e3:7.1f} us"
        )
