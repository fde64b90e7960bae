"""The start, in order: the clock, the key, the modes, the symbols with their settings and fees, the marks."""

from collections.abc import Callable
from typing import final

from opensqt.connector.adapter import AdapterSink, MarketSink
from opensqt.connector.venues.binance import requests_market as ask
from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.connector.venues.binance.instruments_watch import InstrumentsWatch
from opensqt.connector.venues.binance.listing import Listing, Listings
from opensqt.connector.venues.binance.parse_market import PremiumIndex, parse_premium_index
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.rest import RestClient
from opensqt.connector.venues.binance.start_checks import StartChecks
from opensqt.connector.venues.binance.symbols import parse_exchange, with_fees
from opensqt.domain.clock import Clock
from opensqt.domain.instrument import Instrument


@final
class Opening:
    """Everything that is asked before a stream is opened."""

    def __init__(
        self, queries: BinanceQueries, checks: StartChecks, watch: InstrumentsWatch, sync: ClockSync, clock: Clock
    ) -> None:
        self._q = queries
        self._checks = checks
        self._watch = watch
        self._sync = sync
        self._clock = clock

    async def run(self, sink: AdapterSink, make_wallet: Callable[[], RestClient] | None) -> None:
        """Ask, set what is configured, and push instruments and marks.

        Args:
            sink: takes them; its budget takes the venue's limits.
            make_wallet: makes the client of the service that knows what a key may do; None = it cannot be asked.

        Raises:
            ConfigError, OpensqtError: what must hold does not; says what to do.
        """
        checks = self._checks
        chosen = await self._look_around(sink)
        await self._check_key(make_wallet)
        await checks.modes()
        await checks.symbol_settings(chosen)
        fees = await checks.fees(chosen)
        self._watch.set_fees(fees)
        await self._list(sink, [with_fees(item, fees[item.venue_symbol]) for item in chosen])

    async def run_public(self, sink: MarketSink) -> None:
        """Ask what needs no key, and push instruments (with the fees of a regular user) and marks.

        Raises:
            ConfigError, OpensqtError: what must hold does not; says what to do.
        """
        await self._list(sink, await self._look_around(sink))

    async def _look_around(self, sink: MarketSink) -> list[Instrument]:
        await self._checks.clock_samples()
        sink.budget.align(self._sync.offset_ns(self._clock.monotonic_ns()))
        exchange = await self._q.ask(ask.exchange_info(), "query instruments", parse_exchange)
        if exchange.windows:
            sink.budget.replace_windows(exchange.windows)
        return self._checks.choose(exchange.instruments)

    async def _list(self, sink: MarketSink, instruments: list[Instrument]) -> None:
        self._q.listings = Listings.of(instruments)
        for instrument in self._q.listings.instruments.values():
            sink.on_instrument(instrument)
            sink.on_mark((await self._premium(self._q.listing(instrument.symbol))).mark)

    async def _check_key(self, make_wallet: Callable[[], RestClient] | None) -> None:
        if make_wallet is None:
            await self._checks.key(None)
            return
        wallet = make_wallet()
        wallet.open()
        try:
            await self._checks.key(wallet)
        finally:
            await wallet.close()

    async def _premium(self, listing: Listing) -> PremiumIndex:
        request = ask.premium_index(listing.instrument.venue_symbol)
        return await self._q.ask(request, "query mark price", lambda body: parse_premium_index(body, listing))
