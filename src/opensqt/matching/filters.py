"""What an exchange checks before it looks at its book: the instrument's filters and the account's margin.

Every check raises a typed error whose message says what was wrong, the limit, and what would work.
"""

from opensqt.domain.errors import ErrorReason, LimitError, StateError, UnavailableError, invalid_field
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.market import BookValidity
from opensqt.domain.money import plain
from opensqt.domain.order import OrderRequest, OrderType, Side
from opensqt.matching.account import AccountState
from opensqt.matching.market import SymbolMarket
from opensqt.matching.records import Records
from opensqt.matching.valuation import margins_of, mark_price, symbol_initial_margin


def check_revision(instrument: Instrument, revision: int) -> None:
    """Refuse ticks and lots counted by filters that are no longer in force."""
    if revision != instrument.revision:
        raise StateError(
            ErrorReason.STALE_INSTRUMENT,
            f"the command counts in revision {revision} of {instrument.symbol}, revision {instrument.revision} is in "
            "force; read the instrument again and recompute price and size",
            metadata={"revision": str(instrument.revision)},
        )


def check_request(market: SymbolMarket, request: OrderRequest) -> None:
    """Check a placement against everything but account and book.

    Raises:
        OpensqtError: STALE_INSTRUMENT, SYMBOL_NOT_TRADING, INVALID_FIELD, FILTER_REJECTED, MIN_NOTIONAL, PRICE_BAND,
            VENUE_UNAVAILABLE.
    """
    instrument = market.instrument
    check_revision(instrument, request.instrument_revision)
    if instrument.status is not InstrumentStatus.TRADING:
        raise StateError(
            ErrorReason.SYMBOL_NOT_TRADING, f"{instrument.symbol} is {instrument.status.name}; it takes no new orders"
        )
    if not request.client_order_id:
        raise invalid_field("client_order_id", "empty", "must name the order; results are found by it")
    if request.type is OrderType.MARKET:
        if request.price_ticks:
            raise invalid_field("price_ticks", request.price_ticks, "a market order has no price; send 0")
        if request.post_only:
            raise invalid_field("time_in_force", "GTX", "a market order cannot be post-only")
    elif request.price_ticks <= 0:
        raise invalid_field("price_ticks", request.price_ticks, "a limit order needs a positive price")
    if request.lots <= 0:
        raise invalid_field("lots", request.lots, "must be positive")
    if market.validity is not BookValidity.VALID:
        raise UnavailableError(
            ErrorReason.VENUE_UNAVAILABLE,
            f"{instrument.symbol} has no valid book ({market.validity_reason}); try again when it is VALID",
        )
    price_ticks = request.price_ticks or touch_ticks(market, request.side)
    instrument.check_order(price_ticks, request.lots, reduce_only=request.reduce_only)
    if request.type is OrderType.LIMIT:
        check_band(market, request.side, request.price_ticks)


def touch_ticks(market: SymbolMarket, side: Side) -> int:
    """Return the price a market order would meet first, else the last traded one."""
    touch = market.book.best_ask_ticks if side is Side.BUY else market.book.best_bid_ticks
    return touch or market.last_trade_ticks


def check_band(market: SymbolMarket, side: Side, price_ticks: int) -> None:
    """Refuse prices too far on the wrong side of the mark."""
    instrument = market.instrument
    mark = mark_price(market)
    price = instrument.ticks_to_price(price_ticks)
    if side is Side.BUY and instrument.price_band_up:
        limit = mark * (1 + instrument.price_band_up)
        outside = price > limit
    elif side is Side.SELL and instrument.price_band_down:
        limit = mark * (1 - instrument.price_band_down)
        outside = price < limit
    else:
        return
    if mark > 0 and outside:
        bound = "at most" if side is Side.BUY else "at least"
        raise StateError(
            ErrorReason.PRICE_BAND,
            f"price {plain(price)} of {instrument.symbol} is outside the band around the mark {plain(mark)}; a "
            f"{side.name.lower()} may be {bound} {plain(limit)}",
            metadata={"field": "price", "limit": plain(limit)},
        )


def check_open_orders(records: Records, account: AccountState, market: SymbolMarket) -> None:
    """Refuse one order more than the venue lets work at a time."""
    limit = market.instrument.max_open_orders
    working = records.orders.working_count(account.name, market.instrument.symbol)
    if working >= limit:
        raise LimitError(
            ErrorReason.MAX_OPEN_ORDERS,
            f"{working} orders of {market.instrument.symbol} are open, the venue allows {limit}; cancel some first",
            metadata={"limit": str(limit)},
        )


def check_margin(
    records: Records, account: AccountState, market: SymbolMarket, side: Side, price_ticks: int, lots: int,
    released_ticks_lots: int = 0,
) -> None:  # fmt: skip
    """Refuse an opening order that the account cannot back.

    `released_ticks_lots` is what an amended order ties up now. An order that ties up nothing more always passes.
    """
    price_ticks = price_ticks or touch_ticks(market, side)
    extra = price_ticks * lots - released_ticks_lots
    before = symbol_initial_margin(records, account, market)
    after = symbol_initial_margin(
        records,
        account,
        market,
        extra_buys=extra if side is Side.BUY else 0,
        extra_sells=extra if side is Side.SELL else 0,
    )
    if after <= before:
        return
    unrealized, _, initial = margins_of(records, account)
    available = records.money(account.wallet_units) + unrealized - initial
    needed = after - before
    leverage = account.position(market.instrument.symbol).leverage
    if needed > available:
        raise StateError(
            ErrorReason.INSUFFICIENT_MARGIN,
            f"the order needs {needed:.2f} {records.asset} of margin at {leverage}x, {available:.2f} is available; "
            "use a smaller size, more leverage or more funds",
            metadata={"needed": f"{needed:.8f}", "available": f"{available:.8f}"},
        )
