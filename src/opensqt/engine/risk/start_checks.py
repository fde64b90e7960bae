"""What must hold before a bot's first order. Every refusal says the number, the limit and the fix.

The worst case is the whole buy window (with a lower limit of the range: every level down to it) filled on top of what
is held: its margin must be covered, and the price at which the account would be liquidated must lie below the lowest
level.
"""

from decimal import Decimal

import msgspec

from opensqt.domain.account import Account
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.money import EXACT, plain
from opensqt.engine.config import BotConfig
from opensqt.engine.strategy.classic_grid import ClassicGrid

LIVE = "live"
_CENT = Decimal("0.01")

MAX_LEVELS = 10_000
"""A range with more levels is a mistake, and would take long to sum up."""


class StartFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks look at. `price2_ticks` is twice the reference price; lots and cost are what the slots hold."""

    account: Account | None
    price2_ticks: int
    held_lots: int
    held_cost_ticks_lots: int
    held: dict[int, int] = {}
    """Lots by slot: a level that is full is not bought again before it was sold."""
    unknown_position_lots: int
    """Position of the venue that no slot explains."""
    margin_mode: str = ""
    """As the venue reports it; empty = not known."""
    mode: str = ""
    has_notional_cap: bool = True


def refusals(config: BotConfig, grid: ClassicGrid, facts: StartFacts) -> list[str]:
    """Return why the bot must not start; empty when it may."""
    instrument = grid.instrument
    low, high = grid.reach(facts.price2_ticks)
    if high - low >= MAX_LEVELS:
        return [
            (
                f"{high - low + 1} levels lie between range.lower and the price, more than the {MAX_LEVELS} a grid may "
                "have; raise `grid.range.lower` or widen the step"
            )
        ]
    found = [
        *_check_instrument(config, instrument),
        *_check_margin_mode(config, facts),
        *_check_second_key(config, grid, facts),
        *_check_size(config, grid, facts),
        *_check_profit(config, grid, facts),
        *_check_position(config, instrument, facts),
    ]
    if facts.account is None:
        found.append("no account was reported by the venue; check that the connector's key may read the account")
    else:
        found.extend(_check_money(config, grid, facts, facts.account))
    return found


def _check_instrument(config: BotConfig, instrument: Instrument) -> list[str]:
    found = []
    if instrument.status is not InstrumentStatus.TRADING:
        found.append(f"{instrument.symbol} is {instrument.status.name} at the venue; wait until it trades")
    if config.leverage > instrument.max_leverage:
        found.append(
            f"leverage {config.leverage} is above the venue's maximum {instrument.max_leverage} for "
            f"{instrument.symbol}; lower `leverage`"
        )
    if config.grid.max_open_orders > instrument.max_open_orders:
        found.append(
            f"max_open_orders {config.grid.max_open_orders} is above the venue's limit {instrument.max_open_orders}; "
            "lower `grid.max_open_orders`"
        )
    return found


def _check_second_key(config: BotConfig, grid: ClassicGrid, facts: StartFacts) -> list[str]:
    """With real money a slip in one number must meet another that disagrees with it."""
    if facts.mode != LIVE or facts.has_notional_cap:
        return []
    _lots, cost, _lowest = worst_case(grid, facts)
    worst = grid.instrument.money(cost * grid.instrument.units_per_tick_lot).quantize(_CENT)
    return [
        (
            f"no `risk.max_notional` is set for {config.symbol}; with real money it is needed as a second check of the "
            f"sizes: with every level filled this grid holds {plain(worst)} {grid.instrument.quote_asset}; set it to "
            "what you are ready to hold"
        )
    ]


def _check_margin_mode(config: BotConfig, facts: StartFacts) -> list[str]:
    if facts.margin_mode in ("", config.margin_mode):
        return []
    return [
        (
            f"margin mode of {config.symbol} is {facts.margin_mode} at the venue and must be {config.margin_mode} as "
            "configured; change it there, or set `margin_mode`"
        )
    ]


def _check_size(config: BotConfig, grid: ClassicGrid, facts: StartFacts) -> list[str]:
    instrument = grid.instrument
    _low, high = grid.reach(facts.price2_ticks)
    level = grid.lattice.level_ticks(high)
    lots = grid.lots_at(high)
    enough = instrument.notional_units(level, lots) >= instrument.min_notional_units
    if lots < instrument.min_lots or not enough:
        # Rounding down to lots costs up to one lot at lower levels, so the highest level is the dearest to satisfy.
        return [
            (
                f"order_quantity {plain(config.grid.order_quantity)} buys "
                f"{plain(instrument.lots_to_quantity(lots))} {instrument.base_asset} at "
                f"{plain(instrument.ticks_to_price(level))}, below the venue's minimum; the smallest workable "
                f"order_quantity is {plain(grid.smallest_workable_quantity(level))} {instrument.quote_asset}"
            )
        ]
    if lots > instrument.max_lots:
        return [
            (
                f"order_quantity {plain(config.grid.order_quantity)} buys more than the venue's maximum of "
                f"{plain(instrument.lots_to_quantity(instrument.max_lots))} {instrument.base_asset} per order; lower it"
            )
        ]
    return []


def _check_profit(config: BotConfig, grid: ClassicGrid, facts: StartFacts) -> list[str]:
    instrument = grid.instrument
    _low, high = grid.reach(facts.price2_ticks)
    buy = instrument.ticks_to_price(grid.lattice.level_ticks(high))
    sell = instrument.ticks_to_price(grid.lattice.level_ticks(high + 1))
    fees = EXACT.multiply(EXACT.add(buy, sell), instrument.maker_fee_rate)
    profit = EXACT.subtract(EXACT.subtract(sell, buy), fees)
    if profit > 0:
        return []
    fewest = (2 * buy * instrument.maker_fee_rate / (1 - instrument.maker_fee_rate)).quantize(_CENT) + _CENT
    step = "interval" if config.grid.interval is not None else "ratio"
    need = plain(fewest) if step == "interval" else plain((fewest / buy).quantize(Decimal("0.000001")))
    return [
        (
            f"one step earns {plain(EXACT.subtract(sell, buy))} and pays {plain(fees)} in fees (maker rate "
            f"{plain(instrument.maker_fee_rate)}): {plain(profit)} per {instrument.base_asset}, which must be above 0; "
            f"raise `grid.{step}` to at least {need}"
        )
    ]


def _check_position(config: BotConfig, instrument: Instrument, facts: StartFacts) -> list[str]:
    lots = facts.unknown_position_lots
    if lots == 0:
        return []
    size = f"{plain(instrument.lots_to_quantity(abs(lots)))} {instrument.base_asset}"
    if lots < 0:
        return [
            (f"a short position of {size} exists on {instrument.symbol} and a long grid cannot take it over; close it")
        ]
    if config.existing_position == "refuse":
        return [
            (
                f"a position of {size} exists on {instrument.symbol} that this bot did not open; close it, or set "
                "`existing_position: adopt` to let the grid sell it"
            )
        ]
    return []


def _check_money(config: BotConfig, grid: ClassicGrid, facts: StartFacts, account: Account) -> list[str]:
    instrument = grid.instrument
    equity = account.margin_balance
    asset = account.asset
    if equity <= 0:
        return [f"the account holds {plain(equity)} {asset}, which must be above 0; deposit, or use another account"]
    found = []
    affordable = int(equity * config.leverage / config.grid.order_quantity)
    if affordable < config.risk.position_safety_check:
        workable = (equity * config.leverage / config.risk.position_safety_check).quantize(_CENT)
        found.append(
            f"the account affords {affordable} levels of {plain(config.grid.order_quantity)} {asset} at leverage "
            f"{config.leverage}, fewer than the {config.risk.position_safety_check} of `risk.position_safety_check`; "
            f"lower `grid.order_quantity` to {plain(workable)} or deposit"
        )
    lots, cost, lowest = worst_case(grid, facts)
    margin = instrument.money(cost * instrument.units_per_tick_lot) / config.leverage
    if margin > equity:
        found.append(
            f"with every level filled the position needs {plain(margin.quantize(_CENT))} {asset} of margin at leverage "
            f"{config.leverage}, more than the {plain(equity.quantize(_CENT))} in the account; lower "
            "`grid.order_quantity` or `grid.buy_window`"
        )
    liquidation = liquidation_price(instrument, lots, cost, account.wallet_balance)
    lowest_price = instrument.ticks_to_price(lowest)
    if liquidation >= lowest_price:
        found.append(
            f"with every level filled the account would be liquidated at {plain(liquidation.quantize(_CENT))}, which "
            f"must be below the lowest level {plain(lowest_price)}; lower `grid.order_quantity`, `grid.buy_window` or "
            "the interval"
        )
    cap = config.risk.max_position
    if cap is not None and instrument.lots_to_quantity(grid.lots_at(grid.reach(facts.price2_ticks)[1])) > cap:
        found.append(f"risk.max_position {plain(cap)} is smaller than one level's order; raise it")
    return found


def worst_case(grid: ClassicGrid, facts: StartFacts) -> tuple[int, int, int]:
    """Return lots and cost (ticks times lots) with every level in reach bought, and the lowest one's price in ticks."""
    low, high = grid.reach(facts.price2_ticks)
    lots, cost = facts.held_lots + max(facts.unknown_position_lots, 0), facts.held_cost_ticks_lots
    cost += max(facts.unknown_position_lots, 0) * facts.price2_ticks // 2
    for slot in range(low, high + 1):
        size = max(0, grid.lots_at(slot) - facts.held.get(slot, 0))
        lots += size
        cost += size * grid.lattice.level_ticks(slot)
    return lots, cost, grid.lattice.level_ticks(low)


def liquidation_price(instrument: Instrument, lots: int, cost_ticks_lots: int, wallet: Decimal) -> Decimal:
    """Return where wallet + position profit would equal the maintenance margin, cross margin; 0 when nowhere.

    wallet + q * P - cost = mmr * q * P  =>  P = (cost - wallet) / (q * (1 - mmr))
    """
    quantity = instrument.lots_to_quantity(lots)
    if quantity <= 0:
        return Decimal(0)
    cost = instrument.money(cost_ticks_lots * instrument.units_per_tick_lot)
    return max(Decimal(0), (cost - wallet) / (quantity * (1 - instrument.maintenance_margin_rate)))
