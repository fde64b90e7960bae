"""What accounts and positions are worth at the mark: balances, margins, liquidation prices."""

from decimal import Decimal

from opensqt.domain.account import Account, Position
from opensqt.domain.order import Side
from opensqt.matching.account import AccountState
from opensqt.matching.exact import WIDE
from opensqt.matching.margin import ZERO, initial_margin, liquidation_price, maintenance_margin
from opensqt.matching.market import SymbolMarket
from opensqt.matching.records import Records


def mark_price(market: SymbolMarket) -> Decimal:
    """Return the mark, or the best guess before there is one; 0 when nothing is known."""
    if market.mark.current is not None:
        return market.mark.current.mark_price
    mid2_ticks = market.book.mid2_ticks
    if mid2_ticks:
        return market.instrument.tick_size * mid2_ticks / 2
    return market.instrument.tick_size * market.last_trade_ticks


def unrealized_of(records: Records, account: AccountState, market: SymbolMarket) -> Decimal:
    """Return the profit of a position at the mark."""
    position = account.positions.get(market.instrument.symbol)
    if position is None or position.lots == 0:
        return ZERO
    return market.instrument.lots_to_quantity(position.lots) * mark_price(market) - records.money(position.cost_units)


def margins_of(records: Records, account: AccountState) -> tuple[Decimal, Decimal, Decimal]:
    """Return (unrealized profit, maintenance margin, initial margin with working orders) over all symbols."""
    unrealized = maintenance = initial = ZERO
    for symbol, market in records.markets.items():
        lots = account.lots(symbol)
        if lots:
            unrealized += unrealized_of(records, account, market)
            notional = abs(market.instrument.lots_to_quantity(lots)) * mark_price(market)
            maintenance += maintenance_margin(market.instrument, notional)
        initial += symbol_initial_margin(records, account, market)
    return unrealized, maintenance, initial


def symbol_initial_margin(
    records: Records, account: AccountState, market: SymbolMarket, extra_buys: int = 0, extra_sells: int = 0
) -> Decimal:
    """Return what one symbol ties up; the extras are tick-lots of opening orders that do not work yet."""
    symbol = market.instrument.symbol
    buys = extra_buys + records.orders.opening_ticks_lots(account.name, symbol, Side.BUY)
    sells = extra_sells + records.orders.opening_ticks_lots(account.name, symbol, Side.SELL)
    lots = account.lots(symbol)
    if not (lots or buys or sells):
        return ZERO
    unit = market.units_per_tick_lot
    return initial_margin(
        market.instrument.lots_to_quantity(lots) * mark_price(market),
        records.money(buys * unit),
        records.money(sells * unit),
        account.position(symbol).leverage,
    )


def balances_of(records: Records, account: AccountState) -> Account:
    """Return an account's balances at the mark."""
    unrealized, maintenance, initial = margins_of(records, account)
    wallet = records.money(account.wallet_units)
    return Account(
        asset=records.asset,
        wallet_balance=wallet,
        available_balance=max(ZERO, shown(wallet + unrealized - initial)),
        margin_balance=shown(wallet + unrealized),
        unrealized_pnl=shown(unrealized),
        maintenance_margin=shown(maintenance),
        venue_time_ns=records.clock_ns,
    )


def position_of(records: Records, account: AccountState, market: SymbolMarket) -> Position:
    """Return one position at the mark; a flat one has entry price 0."""
    symbol = market.instrument.symbol
    state = account.positions.get(symbol)
    mark = mark_price(market)
    if state is None or state.lots == 0:
        return Position(
            symbol=symbol,
            lots=0,
            mark_price=mark,
            leverage=records.config.default_leverage if state is None else state.leverage,
            venue_time_ns=records.clock_ns,
        )
    cost = records.money(state.cost_units)
    quantity = market.instrument.lots_to_quantity(state.lots)
    unrealized, maintenance, _ = margins_of(records, account)
    own = quantity * mark - cost
    own_maintenance = maintenance_margin(market.instrument, abs(quantity) * mark)
    others = records.money(account.wallet_units) + (unrealized - own) - (maintenance - own_maintenance)
    return Position(
        symbol=symbol,
        lots=state.lots,
        entry_price=shown(WIDE.divide(cost, quantity)),
        mark_price=mark,
        unrealized_pnl=shown(own),
        liquidation_price=liquidation_price(market.instrument, state.lots, cost, mark, others),
        leverage=state.leverage,
        venue_time_ns=records.clock_ns,
    )


def shown(value: Decimal) -> Decimal:
    """Round a figure that is shown, never booked, to 8 decimals."""
    return value.quantize(Decimal("1e-8"), context=WIDE)
