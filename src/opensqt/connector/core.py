"""The connector without I/O: takes what an adapter pushes, keeps the mirror, and hands it to whoever reads.

It is the adapter's sink. Everything it does is synchronous and in the order of the venue's events; readers are woken
and take what is theirs in their own turn of the loop, which is what batches all events of one turn into one message.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import final

import msgspec
import structlog

from opensqt._core.book import OrderBook
from opensqt.connector import trade_frames as frames
from opensqt.connector.adapter import Capabilities, SessionStatus
from opensqt.connector.book_feed import BookFeed
from opensqt.connector.commands import Outcome, OutcomeReport
from opensqt.connector.gateway import OrderGateway
from opensqt.connector.hub import Lazy, Topic, Upstreams
from opensqt.connector.leases import LeaseBook
from opensqt.connector.market_types import Channel
from opensqt.connector.mirror import AccountMirror
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.trade_hub import TradeHub
from opensqt.connector.trade_snapshot import SnapshotBuilder
from opensqt.connector.veto import Veto, VetoConfig
from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.domain.convert_exchange import candle_message, order_update_message, timestamp
from opensqt.domain.convert_trade import decimal_message
from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.domain.market import BookValidity, Candle, DeadManState, FeedHealth, MarkPrice, PublicTrade
from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState
from opensqt.proto import events_pb2, market_data_pb2, types_pb2

CandleKey = tuple[str, int, int]

_log = structlog.get_logger(__name__)

HOPS = (Hop.VENUE, Hop.DECODE, Hop.PUBLISH, Hop.SUBMIT, Hop.SEND, Hop.ACKNOWLEDGE, Hop.TICK_TO_ORDER, Hop.LOOP_LAG)
"""What the connector measures."""


@final
class Topics:
    """What the gRPC streams read."""

    def __init__(self) -> None:
        self.prices: Topic[str, Lazy] = Topic(keep_latest=False)
        self.trades: Topic[str, Lazy] = Topic(keep_latest=False)
        self.candles: Topic[CandleKey, Lazy] = Topic(keep_latest=False)
        self.marks: Topic[str, MarkPrice] = Topic(keep_latest=True)
        self.orders: Topic[str, Lazy] = Topic(keep_latest=False)
        self.accounts: Topic[str, Account] = Topic(keep_latest=True)
        self.positions: Topic[str, Position] = Topic(keep_latest=True)


@final
class ConnectorCore:
    """State and fan-out of one venue account.

    Args:
        capabilities: of the venue.
        clock: realtime for stamps, monotonic for durations.
        session_epoch: of this run.
        veto, budget: the limits.
        command_timeout_ms: after which a command without an answer has the outcome UNKNOWN.
        subscribe, unsubscribe: open and close an upstream channel.
    """

    def __init__(
        self,
        capabilities: Capabilities,
        clock: Clock,
        *,
        session_epoch: int,
        veto: VetoConfig,
        budget: RateBudget,
        command_timeout_ms: int,
        subscribe: Callable[[Channel], None],
        unsubscribe: Callable[[Channel], None],
    ) -> None:
        self.capabilities = capabilities
        self.clock = clock
        self.session_epoch = session_epoch
        self.mirror = AccountMirror()
        self.budget = budget
        self.topics = Topics()
        self.upstreams: Upstreams[Channel] = Upstreams(subscribe, unsubscribe)
        self.feeds: dict[str, BookFeed] = {}
        self.latency = LatencyBoard(HOPS, clock.monotonic_ns)
        self.leases = LeaseBook()
        self.gateway = OrderGateway(
            self.mirror,
            Veto(veto, self.mirror),
            budget,
            id_pattern=capabilities.client_order_id_pattern,
            timeout_ns=command_timeout_ms * NS_PER_MS,
            costs=capabilities.command_costs,
            window_ns=capabilities.placement_window_ms * NS_PER_MS,
            started_ns=clock.monotonic_ns(),
            check_id=self.leases.check_id,
        )
        self.trade = TradeHub(
            self.mirror,
            self.gateway,
            self.leases,
            SnapshotBuilder(self.mirror, self.gateway, self.feeds, capabilities, self.feed_health),
            session_epoch=session_epoch,
            now_ns=clock.now_ns,
            latency=self.latency,
        )
        self.session = SessionStatus(market_stream_up=False, private_stream_up=False, reason="not connected yet")
        self.last_trades: dict[str, PublicTrade] = {}
        self._last_fill: Fill | None = None
        self._dead_man: dict[str, DeadManState] = {}

    # ---- the sink: market

    def book(self, symbol: str, book: OrderBook | None = None) -> BookFeed:
        """Return the writer of one symbol's book; an adapter that keeps a book itself hands it in once."""
        feed = self.feeds.get(symbol)
        if feed is None:
            feed = self.feeds[symbol] = BookFeed(
                symbol,
                self.mirror.instruments[symbol].revision,
                OrderBook() if book is None else book,
                now_ns=self.clock.now_ns,
                monotonic_ns=self.clock.monotonic_ns,
                on_validity=self._on_validity,
                latency=self.latency,
            )
        return feed

    def on_trade(self, trade: PublicTrade) -> None:
        """Take one trade of the market: the newest is the price."""
        self.last_trades[trade.symbol] = trade
        self.mirror.trade_ticks[trade.symbol] = trade.price_ticks
        if len(self.topics.prices):
            self.topics.prices.publish(trade.symbol, self.price_of(trade))
        if len(self.topics.trades):
            self.topics.trades.publish(trade.symbol, Lazy(lambda: _trade_frame(trade)))

    def price_of(self, trade: PublicTrade) -> Lazy:
        """Return a trade as the original's price message, serialised when it is read."""
        price = self.mirror.instruments[trade.symbol].ticks_to_price(trade.price_ticks)
        return Lazy(lambda: price_frame(self.capabilities.exchange, trade.symbol, price, trade.venue_time_ns))

    def on_candle(self, candle: Candle) -> None:
        """Take a forming or closed candle; a reader that is behind misses forming ones, never a closed one."""
        topic = self.topics.candles
        if len(topic):
            instrument = self.mirror.instruments[candle.symbol]
            topic.publish(
                (candle.symbol, candle.interval_ms, 0),
                Lazy(lambda: candle_message(candle, instrument).SerializeToString()),
                merge_key=(candle.symbol, candle.interval_ms, candle.open_time_ms),
            )

    def on_mark(self, mark: MarkPrice) -> None:
        """Take a mark price."""
        self.mirror.on_mark(mark)
        self.topics.marks.publish(mark.symbol, mark)
        self.trade.publish(mark.symbol, lambda: frames.mark_frame(mark))

    def on_instrument(self, instrument: Instrument) -> None:
        """Take an instrument or its new revision."""
        known = self.mirror.instruments.get(instrument.symbol)
        if known == instrument:
            return
        self.mirror.on_instrument(instrument)
        if known is not None:
            feed = self.feeds.get(instrument.symbol)
            if feed is not None:
                feed.set_revision(instrument.revision)
            mark = self.mirror.marks.get(instrument.symbol)
            if mark is not None:
                self.mirror.on_mark(mark)
            self.trade.publish(instrument.symbol, lambda: frames.instrument_frame(instrument))

    # ---- the sink: account

    def on_order(self, order: Order) -> None:
        """Take the newest state of an order; what is older than known, or says nothing new, is not told on."""
        self.gateway.on_order(order)
        if not self.mirror.on_order(order):
            return
        self.trade.publish(order.symbol, lambda: frames.order_frame(order))
        if len(self.topics.orders):
            fill = self._last_fill
            cause = fill if fill is not None and fill.exchange_order_id == order.exchange_order_id else None
            self._last_fill = None
            instrument = self.mirror.instrument_of(order.symbol, order.instrument_revision)
            exchange = self.capabilities.exchange
            self.topics.orders.publish(
                order.symbol,
                Lazy(lambda: order_update_message(order, instrument, exchange, cause).SerializeToString()),
            )

    def on_fill(self, fill: Fill) -> None:
        """Take an execution; one that was seen is ignored, unless it says something else now."""
        if self.mirror.on_fill(fill):
            self._last_fill = fill
            self.trade.publish(fill.symbol, lambda: frames.fill_frame(fill))
        elif self.mirror.contradicts(fill):
            # Not kept: the first report stands. The engines are told, for they call for help and read everything again.
            _log.error("fill_contradicts", trade_id=fill.trade_id, client_order_id=fill.client_order_id)
            self.trade.publish(fill.symbol, lambda: frames.fill_frame(fill))

    def on_account(self, account: Account) -> None:
        """Take balances."""
        self.mirror.accounts[account.asset] = account
        self.topics.accounts.publish(account.asset, account)
        self.trade.publish("", lambda: frames.account_frame(account))

    def on_position(self, position: Position) -> None:
        """Take a position; it is counted in the revision in force unless it says another."""
        instrument = self.mirror.instruments.get(position.symbol)
        if instrument is not None and not position.instrument_revision:
            position = msgspec.structs.replace(position, instrument_revision=instrument.revision)
        self.mirror.on_position(position)
        self.topics.positions.publish(position.symbol, position)
        self.trade.publish(position.symbol, lambda: frames.position_frame(position))

    def on_position_reply(self, position: Position) -> None:
        """Take a position that was asked for; one that is no newer than what the stream told is not news."""
        known = self.mirror.positions.get(position.symbol)
        if known is None or not position.venue_time_ns or position.venue_time_ns > known.venue_time_ns:
            self.on_position(position)

    def on_cash_flow(self, flow: CashFlow) -> None:
        """Take a wallet change; one that was seen is ignored."""
        if self.mirror.on_cash_flow(flow):
            self.trade.publish(flow.symbol, lambda: frames.cash_flow_frame(flow))

    def on_outcome(self, report: OutcomeReport) -> None:
        """Take what became of a command. The order it carries is the venue's evidence like any other."""
        if report.order is not None and report.outcome is not Outcome.UNKNOWN:
            self.on_order(report.order)
        settled = self.gateway.on_outcome(report, self.clock.monotonic_ns())
        if settled is not None:
            self.on_order(settled)

    # ---- the sink: health

    def on_dead_man(self, symbol: str, state: DeadManState) -> None:
        """Take what became of the venue's dead-man switch of a symbol."""
        if self.dead_man(symbol) is not state:
            self._dead_man[symbol] = state
            feed = self.feeds.get(symbol)
            if feed is not None:
                self._on_validity(feed)

    def on_session(self, status: SessionStatus) -> None:
        """Take the state of the sessions; when the private one breaks, whatever is on its way is unknown."""
        if status == self.session:
            return
        before, self.session = self.session, status
        if before.private_stream_up and not status.private_stream_up:
            self.gateway.connection_lost(self.clock.monotonic_ns(), f"the venue's session broke ({status.reason})")
        private = FeedHealth(
            symbol="",
            book=BookValidity.VALID if status.private_stream_up else BookValidity.STALE,
            reason=status.reason,
            market_stream_up=status.market_stream_up,
            private_stream_up=status.private_stream_up,
            last_market_data_ns=max((feed.last_receive_ns for feed in self.feeds.values()), default=0),
        )
        self.trade.publish("", lambda: frames.feed_frame(private))
        if before.market_stream_up != status.market_stream_up:
            # Whoever trades a symbol must hear of it even while its book stays VALID: trades may be what is missing.
            for feed in self.feeds.values():
                self._on_validity(feed)

    def feed_health(self, feed: BookFeed) -> FeedHealth:
        """Return whether the data behind a symbol can be believed."""
        return FeedHealth(
            symbol=feed.symbol,
            book=feed.validity,
            reason=feed.reason or self.session.reason,
            market_stream_up=self.session.market_stream_up,
            private_stream_up=self.session.private_stream_up,
            last_market_data_ns=feed.last_receive_ns,
            dead_man=self.dead_man(feed.symbol),
        )

    def dead_man(self, symbol: str) -> DeadManState:
        """Return the state of the venue's dead-man switch for a symbol."""
        if not self.capabilities.dead_man_switch:
            return DeadManState.NOT_OFFERED
        return self._dead_man.get(symbol, DeadManState.DISARMED)

    @property
    def is_serving(self) -> bool:
        """Return whether the venue's sessions are up and at least one symbol's data is fresh."""
        return (
            self.session.market_stream_up
            and self.session.private_stream_up
            and any(feed.validity is BookValidity.VALID for feed in self.feeds.values())
        )

    def tick(self, max_book_age_ms: int) -> None:
        """Let time pass: stale books, commands without an answer."""
        for feed in self.feeds.values():
            feed.check_age(max_book_age_ms * NS_PER_MS)
        self.gateway.expire(self.clock.monotonic_ns())

    def deny(self, order: Order) -> None:
        """Take the venue's word that an order of unknown outcome does not exist; repeated, it settles it."""
        settled = self.gateway.unsettled.denied(order.client_order_id, self.clock.monotonic_ns())
        if settled is not None:
            self.on_order(_never_placed(settled))

    def _on_validity(self, feed: BookFeed) -> None:
        self.trade.publish(feed.symbol, lambda: frames.feed_frame(self.feed_health(feed)))


def _never_placed(order: Order) -> Order:
    return Order(
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        side=order.side,
        type=order.type,
        time_in_force=order.time_in_force,
        price_ticks=order.price_ticks,
        lots=order.lots,
        reduce_only=order.reduce_only,
        state=OrderState.REJECTED,
        reason=ErrorReason.UNKNOWN_ORDER,
        instrument_revision=order.instrument_revision,
    )


def price_frame(exchange: str, symbol: str, price: Decimal, time_ns: int) -> bytes:
    """Serialise a price."""
    return events_pb2.PriceChange(
        exchange=exchange, symbol=symbol, price=decimal_message(price), timestamp=timestamp(time_ns)
    ).SerializeToString()


def _trade_frame(trade: PublicTrade) -> bytes:
    message = market_data_pb2.PublicTrade(
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        aggressor_side=types_pb2.OrderSide.ValueType(trade.aggressor),
        price_ticks=trade.price_ticks,
        lots=trade.lots,
        venue_time_ns=trade.venue_time_ns,
        receive_time_ns=trade.receive_time_ns,
    )
    return market_data_pb2.PublicTrades(trades=(message,)).SerializeToString()
