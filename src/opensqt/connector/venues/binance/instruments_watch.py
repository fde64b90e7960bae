"""Keeps the instruments as the venue has them: reads exchangeInfo again daily and whenever something hints at a change.

A changed filter is a new revision: whatever is expressed in ticks and lots of the old one is refused from then on.
"""

import asyncio
from collections.abc import Callable
from typing import Final, final

import structlog

from opensqt.connector.adapter import MarketSink
from opensqt.connector.venues.binance import requests_market as ask
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.symbols import FeeRates, next_instruments, parse_exchange
from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.errors import OpensqtError

EVERY_NS: Final = 3_600 * NS_PER_S
AT_MOST_EVERY_NS: Final = 5 * NS_PER_S
TICK_S: Final = 0.5

_log = structlog.get_logger(__name__)


@final
class InstrumentsWatch:
    """Reloads the instruments that are served.

    Args:
        queries: its listings are replaced.
        sink: takes changed instruments.
        clock: monotonic.
        on_change: called after a change, before anything else is read.
    """

    def __init__(self, queries: BinanceQueries, sink: MarketSink, clock: Clock, on_change: Callable[[], None]) -> None:
        self._q = queries
        self._sink = sink
        self._clock = clock
        self._on_change = on_change
        self._fees: dict[str, FeeRates] = {}
        self._read_ns = clock.monotonic_ns()
        self._hint = ""

    def set_fees(self, fees: dict[str, FeeRates]) -> None:
        """Apply the account's own rates to what is read from now on."""
        self._fees = fees

    def hint(self, why: str) -> None:
        """Ask for a reload soon."""
        self._hint = self._hint or why

    async def reload(self) -> None:
        """Read exchangeInfo now.

        Raises:
            OpensqtError: it could not be read; the instruments stay as they are.
        """
        self._read_ns = self._clock.monotonic_ns()
        self._hint = ""
        fees = self._fees
        exchange = await self._q.ask(ask.exchange_info(), "query instruments", lambda body: parse_exchange(body, fees))
        served = self._q.listings.instruments
        changes = next_instruments(served, [item for item in exchange.instruments if item.symbol in served])
        if not changes.changed:
            return
        self._q.listings = self._q.listings.with_instruments(changes.instruments)
        for instrument in changes.changed:
            _log.warning(
                "instrument_changed",
                symbol=instrument.symbol,
                revision=instrument.revision,
                status=instrument.status.name,
            )
            self._sink.on_instrument(instrument)
        self._on_change()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            age_ns = self._clock.monotonic_ns() - self._read_ns
            if age_ns < EVERY_NS and not (self._hint and age_ns >= AT_MOST_EVERY_NS):
                continue
            try:
                await self.reload()
            except OpensqtError as error:
                _log.warning("instruments_not_reloaded", why=str(error))
