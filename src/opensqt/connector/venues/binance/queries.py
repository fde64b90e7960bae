"""What all questions to the venue share: the connection, the instruments in force, our name for the account."""

from collections.abc import Callable
from typing import TypeVar, final

from opensqt.connector.venues.binance.listing import Listing, Listings
from opensqt.connector.venues.binance.parse_settings import SymbolConfig
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.requests import Request
from opensqt.connector.venues.binance.rest import RestClient
from opensqt.domain.errors import ErrorReason, RequestError, UnavailableError

T = TypeVar("T")


@final
class BinanceQueries:
    """Asks, reads the answer, and knows what it is read against.

    Args:
        rest: asks.
        own_prefix: how our client order ids start.
        now_ms: the venue's clock.
    """

    def __init__(self, rest: RestClient, own_prefix: str, now_ms: Callable[[], int]) -> None:
        self.rest = rest
        self.own_prefix = own_prefix
        self.now_ms = now_ms
        self.listings = Listings()
        self.configs: dict[str, SymbolConfig] = {}

    def listing(self, symbol: str) -> Listing:
        """Return a served symbol's listing.

        Raises:
            RequestError: UNKNOWN_SYMBOL.
        """
        found = self.listings.by_symbol(symbol)
        if found is None:
            raise RequestError(ErrorReason.UNKNOWN_SYMBOL, f"{symbol} is not served; add it to binance.symbols")
        return found

    async def ask(self, request: Request, what: str, parse: Callable[[bytes], T]) -> T:
        """Ask, and read the answer.

        Raises:
            OpensqtError: the venue refused, could not be reached, or its answer is not readable.
        """
        body = await self.rest.query(request, what)
        try:
            return parse(body)
        except PayloadError as error:
            raise UnavailableError(
                ErrorReason.VENUE_UNAVAILABLE, f"{what}: the venue's answer is not readable ({error}); try again"
            ) from error
