"""A ccxt market -> an instrument. Only linear perpetuals with a fixed tick and lot; anything else is refused.

ccxt counts amounts of contracts in contracts: a lot is a count of contracts, and the contract's size is the multiplier.
ccxt does not tell open order limits or price bands (those stay the domain's defaults, none for bands), nor the
maintenance margin rate.
"""

from decimal import Decimal
from typing import Any, Final

from opensqt.connector.venues.ccxt_any.figures import UnreadableError, optional, payload, required, text
from opensqt.connector.venues.ccxt_any.library import Payload
from opensqt.domain.errors import ErrorReason, OpensqtError, RequestError
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.money import EXACT, divmod_exact

# ccxt's base/decimal_to_precision: how `market["precision"]` is to be read.
DECIMAL_PLACES: Final = 2
TICK_SIZE: Final = 4

_DEFAULT_MAX_LOTS: Final = 10**9


def instrument_of(market: object, precision_mode: int, revision: int = 1) -> Instrument:
    """Return the instrument of a market.

    Raises:
        RequestError: UNKNOWN_SYMBOL: not a linear perpetual, or no fixed tick and lot size; says which.
    """
    try:
        return _instrument(payload(market, "market"), precision_mode, revision)
    except (UnreadableError, OpensqtError) as error:
        symbol = market.get("symbol") if isinstance(market, dict) else market
        raise RequestError(
            ErrorReason.UNKNOWN_SYMBOL, f"{symbol} cannot be traded through the generic adapter: {error}"
        ) from None


def _instrument(market: Payload, precision_mode: int, revision: int) -> Instrument:
    if not market.get("swap") or not market.get("linear"):
        raise UnreadableError("it is not a linear perpetual")
    precision = payload(market.get("precision"), "precision")
    limits = payload(market.get("limits") or {}, "limits")
    tick_size = _step(precision.get("price"), precision_mode, "price precision")
    lot_size = _step(precision.get("amount"), precision_mode, "amount precision")
    amount_limits = payload(limits.get("amount") or {}, "limits.amount")
    smallest = optional(amount_limits.get("min"), "limits.amount.min")
    largest = optional(amount_limits.get("max"), "limits.amount.max")
    min_cost = optional(payload(limits.get("cost") or {}, "limits.cost").get("min"), "limits.cost.min")
    max_leverage = optional(payload(limits.get("leverage") or {}, "limits.leverage").get("max"), "limits.leverage.max")
    fees: dict[str, Any] = {}
    for name in ("maker", "taker"):
        rate = optional(market.get(name), name)
        if rate is not None:
            fees[f"{name}_fee_rate"] = rate
    return Instrument(
        symbol=text(market, "symbol"),
        venue_symbol=text(market, "id"),
        base_asset=text(market, "base"),
        quote_asset=text(market, "quote"),
        settle_asset=text(market, "settle"),
        tick_size=tick_size,
        lot_size=lot_size,
        contract_multiplier=required(market.get("contractSize"), "contractSize"),
        min_lots=_lots_up(smallest, lot_size) if smallest else 1,
        max_lots=int(EXACT.divide_int(largest, lot_size)) if largest else _DEFAULT_MAX_LOTS,
        min_notional=min_cost or Decimal(0),
        revision=revision,
        status=InstrumentStatus.HALTED if market.get("active") is False else InstrumentStatus.TRADING,
        max_leverage=max(1, int(max_leverage)) if max_leverage else 125,
        **fees,
    )


def _lots_up(amount: Decimal, lot_size: Decimal) -> int:
    whole, rest = divmod_exact(amount, lot_size)
    return max(1, whole + bool(rest))


def _step(value: object, precision_mode: int, what: str) -> Decimal:
    number = required(value, what)
    if precision_mode == TICK_SIZE:
        step = number
    elif precision_mode == DECIMAL_PLACES and number == int(number):
        step = Decimal(1).scaleb(-int(number), EXACT)
    else:
        raise UnreadableError(f"{what} counts significant digits: it has no fixed step")
    if step <= 0:
        raise UnreadableError(f"{what} was {value}; it must be positive")
    return step
