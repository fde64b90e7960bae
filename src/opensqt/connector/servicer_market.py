"""Questions about the market: prices, tickers, candles, funding, open interest."""

from decimal import Decimal
from typing import Any, final

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.core import ConnectorCore
from opensqt.connector.market_types import INTERVAL_MS, FundingTerms, TickerStats
from opensqt.connector.symbols import canonical
from opensqt.domain.convert_exchange import candle_message
from opensqt.domain.convert_trade import decimal_message
from opensqt.domain.errors import ErrorReason, UnavailableError, UnsupportedError, invalid_field
from opensqt.proto import exchange_pb2, resources_pb2

Context = Any

DEFAULT_CANDLES = 100
MAX_CANDLES = 1500
DEFAULT_FUNDING_RATES = 100
MAX_FUNDING_RATES = 1000
_PERCENT = Decimal("0.01")


@final
class MarketServicer:
    """Unary RPCs about the market."""

    def __init__(self, core: ConnectorCore, adapter: VenueAdapter) -> None:
        self._core = core
        self._adapter = adapter

    async def get_latest_price(
        self, request: exchange_pb2.GetLatestPriceRequest, _context: Context
    ) -> exchange_pb2.GetLatestPriceResponse:
        """Return the price of the last trade."""
        symbol = canonical(self._core.mirror, request.symbol)
        ticks, _time_ns = await last_price(self._core, self._adapter, symbol)
        if not ticks:
            raise UnavailableError(ErrorReason.FEED_STALE, f"{symbol} has not traded yet; try again in a moment")
        price = self._core.mirror.instruments[symbol].ticks_to_price(ticks)
        return exchange_pb2.GetLatestPriceResponse(price=decimal_message(price))

    async def get_tickers(
        self, _request: exchange_pb2.GetTickersRequest, _context: Context
    ) -> exchange_pb2.GetTickersResponse:
        """Return the last 24 hours of every symbol."""
        tickers = []
        for symbol in sorted(self._core.mirror.instruments):
            stats = await self._adapter.market.ticker(symbol)
            try:
                interest: int | None = await self._adapter.market.open_interest_lots(symbol)
            except UnsupportedError:
                interest = None
            tickers.append(self._ticker(stats, interest))
        return exchange_pb2.GetTickersResponse(tickers=tickers)

    async def get_open_interest(
        self, request: exchange_pb2.GetOpenInterestRequest, _context: Context
    ) -> exchange_pb2.GetOpenInterestResponse:
        """Return the open interest in base units."""
        symbol = canonical(self._core.mirror, request.symbol)
        lots = await self._adapter.market.open_interest_lots(symbol)
        quantity = self._core.mirror.instruments[symbol].lots_to_quantity(lots)
        return exchange_pb2.GetOpenInterestResponse(open_interest=decimal_message(quantity))

    async def get_historical_klines(
        self, request: exchange_pb2.GetHistoricalKlinesRequest, _context: Context
    ) -> exchange_pb2.GetHistoricalKlinesResponse:
        """Return candles, oldest first."""
        symbol = canonical(self._core.mirror, request.symbol)
        interval_ms = read_interval(self._core, request.interval)
        if not 0 <= request.limit <= MAX_CANDLES:
            raise invalid_field(
                "limit", request.limit, f"must be between 1 and {MAX_CANDLES}, or 0 for {DEFAULT_CANDLES}"
            )
        if request.end_time < 0:
            raise invalid_field("end_time", request.end_time, "must be Unix milliseconds, or 0 for now")
        candles = await self._adapter.market.candles(
            symbol, interval_ms, request.limit or DEFAULT_CANDLES, request.end_time
        )
        instrument = self._core.mirror.instruments[symbol]
        return exchange_pb2.GetHistoricalKlinesResponse(candles=[candle_message(c, instrument) for c in candles])

    async def get_funding_rate(
        self, request: exchange_pb2.GetFundingRateRequest, _context: Context
    ) -> resources_pb2.FundingRate:
        """Return the funding that applies next."""
        symbol = canonical(self._core.mirror, request.symbol)
        return self._funding(await self._adapter.market.funding(symbol))

    async def get_funding_rates(
        self, _request: exchange_pb2.GetFundingRatesRequest, _context: Context
    ) -> exchange_pb2.GetFundingRatesResponse:
        """Return the funding of every symbol."""
        terms = [await self._adapter.market.funding(symbol) for symbol in sorted(self._core.mirror.instruments)]
        return exchange_pb2.GetFundingRatesResponse(rates=[self._funding(term) for term in terms])

    async def get_historical_funding_rates(
        self, request: exchange_pb2.GetHistoricalFundingRatesRequest, _context: Context
    ) -> exchange_pb2.GetHistoricalFundingRatesResponse:
        """Return settled funding rates, oldest first."""
        symbol = canonical(self._core.mirror, request.symbol)
        if not 0 <= request.limit <= MAX_FUNDING_RATES:
            raise invalid_field(
                "limit", request.limit, f"must be between 1 and {MAX_FUNDING_RATES}, or 0 for {DEFAULT_FUNDING_RATES}"
            )
        settled = await self._adapter.market.funding_history(symbol, request.limit or DEFAULT_FUNDING_RATES)
        return exchange_pb2.GetHistoricalFundingRatesResponse(
            rates=[
                resources_pb2.FundingRate(
                    exchange=self._core.capabilities.exchange,
                    symbol=symbol,
                    rate=decimal_message(entry.rate),
                    timestamp=entry.settled_time_ms,
                )
                for entry in settled
            ]
        )

    def _funding(self, terms: FundingTerms) -> resources_pb2.FundingRate:
        return resources_pb2.FundingRate(
            exchange=self._core.capabilities.exchange,
            symbol=terms.symbol,
            rate=decimal_message(terms.rate),
            predicted_rate=decimal_message(terms.predicted_rate),
            next_funding_time=terms.next_funding_time_ms,
            timestamp=terms.venue_time_ms,
        )

    def _ticker(self, stats: TickerStats, interest_lots: int | None) -> resources_pb2.Ticker:
        instrument = self._core.mirror.instruments[stats.symbol]
        change = stats.last_ticks - stats.open_ticks if stats.open_ticks else 0
        percent = Decimal(change * 100) / stats.open_ticks if stats.open_ticks else Decimal(0)
        price_change = instrument.ticks_to_price(abs(change))
        message = resources_pb2.Ticker(
            symbol=stats.symbol,
            price_change=decimal_message(-price_change if change < 0 else price_change),
            price_change_percent=decimal_message(percent.quantize(_PERCENT)),
            last_price=decimal_message(instrument.ticks_to_price(stats.last_ticks)),
            volume=decimal_message(instrument.lots_to_quantity(stats.volume_lots)),
            quote_volume=decimal_message(instrument.money(stats.turnover_ticks_lots * instrument.units_per_tick_lot)),
            timestamp=stats.venue_time_ms,
        )
        if interest_lots is not None:
            message.open_interest.CopyFrom(decimal_message(instrument.lots_to_quantity(interest_lots)))
        return message


async def last_price(core: ConnectorCore, adapter: VenueAdapter, symbol: str) -> tuple[int, int]:
    """Return the last traded price in ticks and its venue time in ns; ticks 0 when nothing was traded yet."""
    trade = core.last_trades.get(symbol)
    if trade is not None:
        return trade.price_ticks, trade.venue_time_ns
    stats = await adapter.market.ticker(symbol)
    return stats.last_ticks, stats.venue_time_ms * 1_000_000


def read_interval(core: ConnectorCore, text: str) -> int:
    """Return a candle interval in ms.

    Raises:
        RequestError: naming the intervals on offer.
    """
    offered = core.capabilities.kline_intervals
    if text not in offered:
        raise invalid_field("interval", repr(text) if text else "empty", f"must be one of {', '.join(offered)}")
    return INTERVAL_MS[text]
