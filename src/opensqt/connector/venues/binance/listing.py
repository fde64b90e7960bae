"""The instruments in force, found by either name, with the units their prices and sizes are counted in.

The venue may change a tick or a lot size while orders rest: what it says of an older order then fits only the units of
an older revision. So a listing remembers the units of its recent revisions and reads a number in the newest that
expresses it.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import final

import msgspec

from opensqt._core.fixed import FixedError, Increment
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT, divmod_exact

REMEMBERED_REVISIONS = 4


@final
class Units:
    """Tick and lot of one revision of one instrument."""

    __slots__ = ("_tick_lot", "lot", "price", "revision")

    def __init__(self, instrument: Instrument) -> None:
        self.price = Increment(format(instrument.tick_size, "f"))
        self.lot = Increment(format(instrument.lot_size, "f"))
        self.revision = instrument.revision
        self._tick_lot = EXACT.multiply(instrument.tick_size, instrument.lot_size)

    def tick_lots(self, quote: Decimal) -> int:
        """Return how many tick-lots a quote amount is; 0 = not known, because the venue rounded it."""
        try:
            count, remainder = divmod_exact(quote, self._tick_lot)
        except InvalidOperation:  # more digits than any amount has
            return 0
        return 0 if remainder else count


class Counted(msgspec.Struct, frozen=True):
    """Prices and quantities as ticks and lots of one revision."""

    ticks: tuple[int, ...]
    lots: tuple[int, ...]
    units: Units


@final
class Listing:
    """One instrument with the units of its recent revisions, newest first."""

    __slots__ = ("instrument", "units")

    def __init__(self, instrument: Instrument, older: tuple[Units, ...] = ()) -> None:
        self.instrument = instrument
        self.units = (Units(instrument), *older)[:REMEMBERED_REVISIONS]

    def newest_fit(
        self, sizes: Callable[[Increment, Increment], tuple[int, int, int] | None]
    ) -> tuple[int, int, int, int] | None:
        """Return what `sizes` counts in the newest revision that fits, and that revision; None when none does."""
        for units in self.units:
            found = sizes(units.price, units.lot)
            if found is not None:
                return (*found, units.revision)
        return None

    def count(self, what: str, prices: tuple[str, ...], quantities: tuple[str, ...]) -> Counted:
        """Count prices in ticks and quantities in lots of the newest revision that expresses all of them.

        Raises:
            PayloadError: none does.
        """
        problem = ""
        for units in self.units:
            try:
                return Counted(
                    tuple(units.price.parse(price) for price in prices),
                    tuple(units.lot.parse(quantity) for quantity in quantities),
                    units,
                )
            except FixedError as error:
                problem = problem or str(error)
        raise PayloadError(what, f"{problem} (no known revision of {self.instrument.symbol} fits)", "price or quantity")


@final
class Listings:
    """All listings, by the venue's name and by the canonical one. Immutable: `with_instruments` gives the next."""

    __slots__ = ("_by_symbol", "_by_venue_symbol")

    def __init__(self, listings: Iterable[Listing] = ()) -> None:
        self._by_venue_symbol = {listing.instrument.venue_symbol: listing for listing in listings}
        self._by_symbol = {listing.instrument.symbol: listing for listing in self._by_venue_symbol.values()}

    @classmethod
    def of(cls, instruments: Iterable[Instrument]) -> "Listings":
        """Build from instruments that have no history."""
        return cls(Listing(instrument) for instrument in instruments)

    def with_instruments(self, instruments: Iterable[Instrument]) -> "Listings":
        """Return the listings of new instruments, which remember the units of these."""
        return Listings(self._next(instrument) for instrument in instruments)

    def _next(self, instrument: Instrument) -> Listing:
        known = self._by_symbol.get(instrument.symbol)
        if known is None:
            return Listing(instrument)
        older = known.units[1:] if known.instrument.revision == instrument.revision else known.units
        return Listing(instrument, older)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Return the instruments by canonical symbol."""
        return {symbol: listing.instrument for symbol, listing in self._by_symbol.items()}

    def by_venue(self, venue_symbol: str) -> Listing | None:
        """Return the listing of the venue's symbol; None when it is none of ours (a quarterly, a delisted one)."""
        return self._by_venue_symbol.get(venue_symbol)

    def by_symbol(self, symbol: str) -> Listing | None:
        """Return the listing of a canonical symbol."""
        return self._by_symbol.get(symbol)

    def require(self, venue_symbol: str, what: str) -> Listing:
        """Return the listing of the venue's symbol.

        Raises:
            PayloadError: it is none of ours.
        """
        listing = self._by_venue_symbol.get(venue_symbol)
        if listing is None:
            raise PayloadError(what, f"symbol {venue_symbol!r} is not traded here", "symbol")
        return listing
