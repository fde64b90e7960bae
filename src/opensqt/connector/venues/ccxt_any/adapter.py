"""Any exchange of ccxt as a venue: asks instead of listening, and says so in its capabilities.

Good for queries and for slow trading. A market maker wants a native adapter: books here are as old as the last answer,
and ccxt's limiter spaces orders.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, final

import structlog

from opensqt.connector.adapter import AdapterSink, SessionStatus
from opensqt.connector.market_types import Channel
from opensqt.connector.venues.ccxt_any.account_poll import AccountPoll
from opensqt.connector.venues.ccxt_any.account_queries import CcxtAccountQueries
from opensqt.connector.venues.ccxt_any.capabilities import capabilities_of, check_required, rate_windows_of
from opensqt.connector.venues.ccxt_any.client import CcxtClient
from opensqt.connector.venues.ccxt_any.config import CcxtConfig
from opensqt.connector.venues.ccxt_any.figures import payload, required
from opensqt.connector.venues.ccxt_any.library import OpenExchange, open_exchange
from opensqt.connector.venues.ccxt_any.market_poll import MarketPoll
from opensqt.connector.venues.ccxt_any.market_queries import CcxtMarketQueries
from opensqt.connector.venues.ccxt_any.markets import instrument_of
from opensqt.connector.venues.ccxt_any.order_entry import CcxtOrderEntry
from opensqt.connector.venues.ccxt_any.order_table import OrderTable
from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.instrument import Instrument

_log = structlog.get_logger(__name__)


@final
class CcxtAdapter:
    """The venue's session; `market`, `account` and `orders` are its roles.

    Args:
        config: of the account.
        mode: live or testnet.
        clock: of this process.
        opening: makes the exchange.

    Raises:
        ConfigError: ccxt is missing, or does not know the exchange.
    """

    market: CcxtMarketQueries
    account: CcxtAccountQueries
    orders: CcxtOrderEntry

    def __init__(self, config: CcxtConfig, mode: str, clock: Clock, opening: OpenExchange = open_exchange) -> None:
        self._config = config
        self._clock = clock
        self._client = CcxtClient(opening(config, mode), config.request_timeout_ms, clock)
        self.capabilities = capabilities_of(self._client, config, mode)
        self.rate_windows = rate_windows_of(config)
        # ccxt keeps its addresses to itself, by kind of request.
        self.tls_hosts: Sequence[str] = ()
        self._instruments: dict[str, Instrument] = {}
        self._offset_ns = 0
        self._status = SessionStatus(market_stream_up=False, private_stream_up=False)
        self._market_up = self._private_up = False
        self._reasons = {"market": "", "account": ""}

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Return the instruments by canonical symbol."""
        return self._instruments

    async def start(self, sink: AdapterSink) -> None:
        """Load the markets, take the account over, and be ready to ask."""
        self._sink = sink
        check_required(self._client, self._config.exchange_id)
        await self._load_markets(again=False)
        await self._learn_clock()
        table = OrderTable()
        client, instruments = self._client, self._instruments
        self.account = CcxtAccountQueries(client, self._config, instruments, table)
        self.market = CcxtMarketQueries(client, instruments, lambda: self._load_markets(again=True))
        self._account_poll = AccountPoll(self.account, instruments, table, self._clock, self._on_account_status)
        self._market_poll = MarketPoll(
            client, self.market, instruments, sink, self._config.book_levels, self._on_market_status
        )
        self.orders = CcxtOrderEntry(
            client,
            self.account,
            table,
            sink,
            self._account_poll.hurry,
            lambda symbol: self._account_poll.fills(symbol, sink),
            can_amend=self.capabilities.amend,
        )
        for instrument in instruments.values():
            if self._config.leverage is not None:
                await self.orders.set_leverage(instrument.symbol, self._config.leverage)
            await self._market_poll.mark(instrument)
        await self._account_poll.once(sink)
        self._on_account_status(True, "")

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._market_poll.run(self._config.market_poll_ms))
            group.create_task(
                self._account_poll.run(self._sink, self._config.account_poll_ms, self._config.slow_poll_ms)
            )

    async def stop(self) -> None:
        """Drop what is on its way and close ccxt's connections."""
        if hasattr(self, "orders"):
            await self.orders.close()
        await self._client.exchange.close()

    def venue_time_ns(self) -> int:
        """Return the venue's clock, as far as one question at the start told it."""
        return self._clock.now_ns() + self._offset_ns

    def watch_engines(self, attended: frozenset[str], claimed: frozenset[str]) -> None:
        """Do nothing: ccxt unifies no dead-man switch, and the capabilities offer none."""

    def subscribe(self, channel: Channel) -> None:
        """Ask for a channel from now on."""
        self._market_poll.subscribe(channel)

    def unsubscribe(self, channel: Channel) -> None:
        """Ask for a channel no more."""
        self._market_poll.unsubscribe(channel)

    # ---- inside

    async def _load_markets(self, *, again: bool) -> None:
        markets = await self._client.ask("loadMarkets", "load markets", lambda v: payload(v, "markets"), again)
        precision_mode = self._client.exchange.precisionMode
        for symbol in self._config.symbols:
            market: Any = markets.get(symbol)
            if market is None:
                raise RequestError(
                    ErrorReason.UNKNOWN_SYMBOL,
                    f"{self._config.exchange_id} lists no {symbol}; use ccxt's unified name, for example BTC/USDT:USDT",
                )
            known = self._instruments.get(symbol)
            found = instrument_of(market, precision_mode, known.revision if known else 1)
            if found == known:
                continue
            if known is not None:
                found = instrument_of(market, precision_mode, known.revision + 1)
            self._instruments[symbol] = found
            self._sink.on_instrument(found)

    async def _learn_clock(self) -> None:
        if not self._client.has("fetchTime"):
            return
        before_ns = self._clock.now_ns()
        told_ms = await self._client.ask("fetchTime", "query time", lambda v: required(v, "time"))
        after_ns = self._clock.now_ns()
        self._offset_ns = int(told_ms) * NS_PER_MS - (before_ns + after_ns) // 2

    def _on_market_status(self, is_up: bool, reason: str) -> None:
        self._market_up = is_up
        self._tell("market", reason)

    def _on_account_status(self, is_up: bool, reason: str) -> None:
        self._private_up = is_up
        self._tell("account", reason)

    def _tell(self, which: str, reason: str) -> None:
        self._reasons[which] = reason
        status = SessionStatus(
            market_stream_up=self._market_up,
            private_stream_up=self._private_up,
            reason="; ".join(why for why in self._reasons.values() if why),
        )
        if status != self._status:
            self._status = status
            self._sink.on_session(status)
