"""A small market and a venue on it, for tests that send orders."""

import struct
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.domain.fill import Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order, OrderRequest, OrderType, Side, TimeInForce
from opensqt.matching.config import ZERO_LATENCY, VenueConfig
from opensqt.matching.events import (
    BookDelta,
    BookSnapshot,
    CashFlowHappened,
    CommandDone,
    FillHappened,
    MarketEvent,
    MarkUpdate,
    OrderChanged,
    TradePrint,
    VenueEvent,
)
from opensqt.matching.venue import SimulatedVenue

BTC = Instrument(
    symbol="BTC/USDT:USDT",
    venue_symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    settle_asset="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    max_lots=1_000_000,
    min_notional=Decimal(5),
    price_band_up=Decimal("0.05"),
    price_band_down=Decimal("0.05"),
)
ETH = Instrument(
    symbol="ETH/USDT:USDT",
    venue_symbol="ETHUSDT",
    base_asset="ETH",
    quote_asset="USDT",
    settle_asset="USDT",
    tick_size=Decimal("0.01"),
    lot_size=Decimal("0.001"),
    min_notional=Decimal(5),
)
START_NS = 1_721_347_200_000_000_000 + 60_000_000_000  # 2024-07-19 00:01 UTC
ACCOUNT = "paper"


def packed(levels: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack("<qq", *level) for level in levels)


class Bench:
    """One venue, a clock that moves one millisecond per action, and everything the venue said."""

    def __init__(self, config: VenueConfig | None = None, instruments: tuple[Instrument, ...] = (BTC,)) -> None:
        self.config = config or VenueConfig(latency=ZERO_LATENCY)
        self.venue = SimulatedVenue(self.config, instruments)
        self.now_ns = START_NS
        self.sent = 0
        self.log: list[VenueEvent] = []

    def tick(self, duration_ns: int = 1_000_000) -> int:
        self.now_ns += duration_ns
        return self.now_ns

    def market(self, event: MarketEvent) -> list[VenueEvent]:
        return self._keep(self.venue.on_market(event))

    def book(
        self,
        bids: Iterable[tuple[int, int]],
        asks: Iterable[tuple[int, int]],
        symbol: str = BTC.symbol,
    ) -> list[VenueEvent]:
        return self.market(BookSnapshot(symbol, self.tick(), 1, packed(bids), packed(asks)))

    def delta(
        self, bids: Iterable[tuple[int, int]] = (), asks: Iterable[tuple[int, int]] = (), symbol: str = BTC.symbol
    ) -> list[VenueEvent]:
        return self.market(BookDelta(symbol, self.tick(), 2, 2, packed(bids), packed(asks)))

    def trade(self, side: Side, price_ticks: int, lots: int, symbol: str = BTC.symbol) -> list[VenueEvent]:
        return self.market(TradePrint(symbol, self.tick(), "1", side, price_ticks, lots))

    def mark(self, price: str, rate: str = "0", funding_ms: int = 0, symbol: str = BTC.symbol) -> list[VenueEvent]:
        price_ = Decimal(price)
        return self.market(MarkUpdate(symbol, self.tick(), price_, price_, Decimal(rate), funding_ms))

    def place(self, side: Side, price_ticks: int, lots: int, **fields: Any) -> CommandDone:
        self.sent += 1
        request = OrderRequest(
            symbol=fields.pop("symbol", BTC.symbol),
            client_order_id=fields.pop("client_order_id", f"c{self.sent}"),
            side=side,
            price_ticks=price_ticks,
            lots=lots,
            instrument_revision=fields.pop("instrument_revision", 1),
            type=OrderType.LIMIT if price_ticks else OrderType.MARKET,
            time_in_force=fields.pop("tif", TimeInForce.GTC if price_ticks else TimeInForce.IOC),
            **fields,
        )
        return self._done(self.venue.place(ACCOUNT, request, self.sent, self.tick()))

    def amend(self, client_order_id: str, price_ticks: int, total_lots: int) -> CommandDone:
        self.sent += 1
        return self._done(
            self.venue.amend(
                ACCOUNT,
                BTC.symbol,
                client_order_id,
                price_ticks=price_ticks,
                total_lots=total_lots,
                instrument_revision=1,
                command_id=self.sent,
                now_ns=self.tick(),
            )
        )

    def cancel(self, client_order_id: str = "", exchange_order_id: str = "") -> CommandDone:
        self.sent += 1
        return self._done(
            self.venue.cancel(
                ACCOUNT,
                BTC.symbol,
                client_order_id=client_order_id,
                exchange_order_id=exchange_order_id,
                command_id=self.sent,
                now_ns=self.tick(),
            )
        )

    def cancel_all(self, prefix: str = "") -> CommandDone:
        self.sent += 1
        return self._done(self.venue.cancel_all(ACCOUNT, BTC.symbol, prefix, self.sent, self.tick()))

    def leverage(self, leverage: int) -> CommandDone:
        self.sent += 1
        return self._done(self.venue.set_leverage(ACCOUNT, BTC.symbol, leverage, self.sent, self.tick()))

    def order(self, client_order_id: str) -> Order:
        order = self.venue.view.order(ACCOUNT, BTC.symbol, client_order_id=client_order_id)
        assert order is not None
        return order

    def position(self, symbol: str = BTC.symbol) -> int:
        return self.venue.view.position(ACCOUNT, symbol).lots

    def wallet(self) -> Decimal:
        return self.venue.view.balances(ACCOUNT).wallet_balance

    def fills(self) -> list[Fill]:
        return [event.fill for event in self.log if isinstance(event, FillHappened)]

    def cash(self) -> list[Decimal]:
        return [event.cash_flow.amount for event in self.log if isinstance(event, CashFlowHappened)]

    def _keep(self, events: list[VenueEvent]) -> list[VenueEvent]:
        self.log.extend(events)
        return events

    def _done(self, events: list[VenueEvent]) -> CommandDone:
        self._keep(events)
        done = [event for event in events if isinstance(event, CommandDone)]
        assert len(done) == 1, "exactly one answer per command"
        assert done[0].command_id == self.sent
        return done[0]


def order_changes(events: Iterable[VenueEvent]) -> list[Order]:
    return [event.order for event in events if isinstance(event, OrderChanged)]


def open_bench(config: VenueConfig | None = None) -> Bench:
    """A bench with a book around 64,000.00: bids 640000 and below, asks 640010 and above, 100 lots each."""
    bench = Bench(config)
    bench.book([(640_000 - 10 * i, 100) for i in range(5)], [(640_010 + 10 * i, 100) for i in range(5)])
    return bench
