"""What answers leave out: whose an execution is, and that a symbol is flat."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.account_queries import BinanceAccountQueries
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.requests import Request
from opensqt.domain.account import Position
from opensqt.domain.fill import FillOrigin

BTC = "BTC/USDT:USDT"
ORDER = {
    "symbol": "BTCUSDT",
    "status": "CANCELED",
    "side": "BUY",
    "positionSide": "BOTH",
    "type": "LIMIT",
    "origType": "LIMIT",
    "timeInForce": "GTX",
    "price": "60000.0",
    "avgPrice": "0",
    "origQty": "0.002",
    "executedQty": "0",
    "cumQuote": "0",
    "reduceOnly": False,
    "closePosition": False,
    "stopPrice": "0",
    "workingType": "CONTRACT_PRICE",
    "priceProtect": False,
    "time": 1_700_000_000_000,
    "updateTime": 1_700_000_000_000,
}
TRADE = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "positionSide": "BOTH",
    "price": "60000.0",
    "qty": "0.002",
    "quoteQty": "120",
    "commission": "0.024",
    "commissionAsset": "USDT",
    "realizedPnl": "0",
    "maker": True,
    "buyer": True,
    "time": 1_700_000_000_000,
}


class _Venue:
    """Orders 1, 2, 3 ... of which every twentieth was filled; it answers `allOrders` and `userTrades`."""

    def __init__(self, orders: int, *, kept_from: int = 1) -> None:
        self.asked: list[str] = []
        self._orders = [
            {**ORDER, "orderId": number, "clientOrderId": f"oqbota{number}"} for number in range(kept_from, orders + 1)
        ]
        self._trades = [{**TRADE, "id": number, "orderId": number} for number in range(20, orders + 1, 20)]

    async def query(self, request: Request, _what: str) -> bytes:
        params = dict(request.params)
        self.asked.append(request.path)
        if request.path.endswith("allOrders"):
            start = int(params["orderId"])
            return orjson.dumps([one for one in self._orders if one["orderId"] >= start][: int(params["limit"])])
        start = int(params.get("fromId", 0))
        return orjson.dumps([one for one in self._trades if one["id"] >= start][: int(params["limit"])])


@pytest.fixture
def queries_of(listings: Listings) -> Callable[[_Venue], BinanceAccountQueries]:
    def make(venue: _Venue) -> BinanceAccountQueries:
        queries = BinanceQueries(cast("Any", venue), "oq", lambda: 0)
        queries.listings = listings
        return BinanceAccountQueries(queries, AccountBook(cast("Any", None)))

    return make


async def test_a_connector_that_knows_no_order_attributes_every_execution_behind_many_orders(
    queries_of: Callable[[_Venue], BinanceAccountQueries],
) -> None:
    venue = _Venue(3_500)

    page = await queries_of(venue).fills(BTC, 0, "", 500)

    assert len(page.fills) == 175
    assert [fill.client_order_id for fill in page.fills] == [f"oqbota{fill.exchange_order_id}" for fill in page.fills]
    assert {fill.origin for fill in page.fills} == {FillOrigin.OURS}
    assert venue.asked.count("/fapi/v1/allOrders") == 4


async def test_an_order_the_venue_does_not_keep_ends_the_search(
    queries_of: Callable[[_Venue], BinanceAccountQueries],
) -> None:
    venue = _Venue(2_100, kept_from=100)

    page = await queries_of(venue).fills(BTC, 0, "", 500)

    unknown = [fill.exchange_order_id for fill in page.fills if not fill.client_order_id]
    assert unknown == ["20", "40", "60", "80"]
    assert venue.asked.count("/fapi/v1/allOrders") <= 4


async def test_a_position_that_was_asked_for_is_told_to_everybody_where_the_stream_has_lost_it(
    listings: Listings,
) -> None:
    pushed: list[Position] = []
    book = AccountBook(cast("Any", SimpleNamespace(on_position=pushed.append)))
    book.on_positions([Position(symbol=BTC, lots=6, venue_time_ns=60_000_000)])

    class Venue:
        async def query(self, _request: Request, _what: str) -> bytes:
            return b"[]"

    queries = BinanceQueries(cast("Any", Venue()), "oq", lambda: 0)
    queries.listings = listings

    await BinanceAccountQueries(queries, book).positions(BTC)

    assert pushed[-1].lots == 0


@pytest.mark.parametrize("opened_ns", [0, 50_000_000])
async def test_a_position_the_answer_does_not_name_was_flat_when_it_was_asked_for_and_not_when_it_came(
    listings: Listings, opened_ns: int
) -> None:
    pushed: list[Position] = []
    book = AccountBook(cast("Any", SimpleNamespace(on_position=pushed.append)))
    book.on_positions([Position(symbol=BTC, lots=0, venue_time_ns=opened_ns)])

    class Venue:
        async def query(self, _request: Request, _what: str) -> bytes:
            # The venue has answered; before that is read, the stream tells of a fill.
            book.on_positions([Position(symbol=BTC, lots=6, venue_time_ns=60_000_000)])
            return b"[]"

    queries = BinanceQueries(cast("Any", Venue()), "oq", lambda: 0)
    queries.listings = listings
    account = BinanceAccountQueries(queries, book)

    (answer,) = await account.positions(BTC)

    assert answer.venue_time_ns == opened_ns
    assert pushed[-1].lots == 6
