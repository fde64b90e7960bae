"""What a bot would send first, and what that grid needs and earns: the engine's own core, fed what the venue says.

Nothing is sent: the core's commands are read instead. So the orders shown are those a bot without a past would place at
this price, with every start check and limit applied, and not an estimate of them.
"""

from decimal import Decimal
from typing import Any, final

import msgspec

from opensqt.cli.venue_view import Touch
from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT, plain
from opensqt.domain.order import OrderRequest, Side
from opensqt.engine.bot import Bot
from opensqt.engine.commands import Command, Place
from opensqt.engine.config import BotConfig, EngineConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Attached, BookTop, LastTrade, Saved, Timer
from opensqt.engine.restored import Restored, RestoredBot
from opensqt.engine.risk.start_checks import MAX_LEVELS, StartFacts, liquidation_price, worst_case
from opensqt.engine.strategy.classic_grid import ClassicGrid

_CENT = Decimal("0.01")
_TURNS = 1_000
"""Turns of one second at most: a slow order pace spreads the first orders over several."""


@final
class VenueFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says of one symbol."""

    instrument: Instrument
    account: Account | None
    position: Position
    touch: Touch


@final
class FirstOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order as it would be sent; price in quote, quantity in base."""

    side: str
    slot: int
    price: str
    quantity: str
    notional: str
    reduce_only: bool


@final
class FirstGrid(msgspec.Struct, frozen=True, kw_only=True):
    """The first orders, nearest to the price first, and the grid's figures. Money is in the settle asset."""

    bot_id: str
    symbol: str
    price: str
    asset: str
    orders: tuple[FirstOrder, ...]
    figures: dict[str, str]
    refusals: tuple[str, ...]
    """Why the bot would not start, each with the number, the limit and the fix; empty when it would."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for a program."""
        return {**msgspec.to_builtins(self), "ok": not self.refusals}


def first_grid(config: EngineConfig, bot_config: BotConfig, facts: VenueFacts, now_ns: int) -> FirstGrid:
    """Return what a new bot of this configuration would do now.

    Args:
        config: the engine's.
        bot_config: one of its bots.
        facts: the venue's word; the bot's symbol may be in either spelling.
        now_ns: Unix time.
    """
    instrument = facts.instrument
    mine = msgspec.structs.replace(bot_config, symbol=instrument.symbol)
    core = EngineCore(
        msgspec.structs.replace(config, bots=(mine,)),
        Restored(bots={mine.id: RestoredBot(epoch=1, started_ns=now_ns)}),
    )
    bot = core.bots[mine.id]
    placed = [command.request for command in _play(core, mine, facts, now_ns) if isinstance(command, Place)]
    price2 = bot.market.price2_ticks
    placed.sort(key=lambda request: abs(2 * request.price_ticks - price2))
    return FirstGrid(
        bot_id=mine.id,
        symbol=instrument.symbol,
        price=plain(instrument.ticks_to_price(price2) / 2),
        asset=instrument.settle_asset,
        orders=tuple(_order(bot, request) for request in placed),
        figures={} if bot.grid is None else _figures(mine, bot.grid, facts, price2),
        refusals=tuple(f"{code.value}: {reason.message}" for code, reason in bot.gate.reasons.items()),
    )


def _play(core: EngineCore, config: BotConfig, facts: VenueFacts, now_ns: int) -> list[Command]:
    """Let the core attach, see one price, and send until it has nothing more to send."""
    symbol, touch = facts.instrument.symbol, facts.touch
    # The leverage is set as configured before the first order; what that needs is among the checks.
    position = msgspec.structs.replace(facts.position, leverage=config.leverage)
    attached = Attached(
        session_epoch=1,
        exchange="",
        mode="",
        instruments=(facts.instrument,),
        positions=(position,),
        accounts=() if facts.account is None else (facts.account,),
        venue_time_ns=now_ns,
    )
    sent = core.handle_batch(
        [
            attached,
            BookTop(symbol, touch.bid_ticks, touch.ask_ticks, valid=True),
            LastTrade(symbol, touch.last_ticks),
        ],
        now_ns,
    )
    sent += core.handle(Saved(config.id), now_ns)
    for turn in range(1, _TURNS):
        more = [command for command in core.handle(Timer(), now_ns + turn * NS_PER_S) if isinstance(command, Place)]
        sent += more
        if not more:
            break
    return sent


def _order(bot: Bot, request: OrderRequest) -> FirstOrder:
    instrument = bot.instrument
    assert instrument is not None, "an order has units"
    return FirstOrder(
        side="buy" if request.side is Side.BUY else "sell",
        slot=bot.orders.by_id[request.client_order_id].slot,
        price=plain(instrument.ticks_to_price(request.price_ticks)),
        quantity=plain(instrument.lots_to_quantity(request.lots)),
        notional=plain(instrument.money(instrument.notional_units(request.price_ticks, request.lots))),
        reduce_only=request.reduce_only,
    )


def _figures(config: BotConfig, grid: ClassicGrid, facts: VenueFacts, price2_ticks: int) -> dict[str, str]:
    instrument, account = grid.instrument, facts.account
    start = StartFacts(
        account=account,
        price2_ticks=price2_ticks,
        held_lots=0,
        held_cost_ticks_lots=0,
        unknown_position_lots=facts.position.lots,
    )
    low, high = grid.reach(price2_ticks)
    if high - low >= MAX_LEVELS:
        return {}  # refused, with the number
    lots, cost, lowest = worst_case(grid, start)
    buy = instrument.ticks_to_price(grid.lattice.level_ticks(high))
    sell = instrument.ticks_to_price(grid.lattice.level_ticks(high + 1))
    fees = EXACT.multiply(EXACT.add(buy, sell), instrument.maker_fee_rate)
    profit = EXACT.subtract(EXACT.subtract(sell, buy), fees)
    notional = instrument.money(cost * instrument.units_per_tick_lot)
    figures = {
        "step": plain(sell - buy),
        "fees_per_unit": plain(fees),
        "profit_per_unit": plain(profit),
        "profit_per_cycle": plain(EXACT.multiply(profit, instrument.lots_to_quantity(grid.lots_at(high)))),
        "lowest_level": plain(instrument.ticks_to_price(lowest)),
        "worst_case_position": plain(instrument.lots_to_quantity(lots)),
        "worst_case_notional": plain(notional),
        "margin_needed": plain((notional / config.leverage).quantize(_CENT)),
    }
    if account is not None:
        liquidation = liquidation_price(instrument, lots, cost, account.wallet_balance)
        figures["equity"] = plain(account.margin_balance)
        figures["liquidation_price"] = plain(liquidation.quantize(_CENT)) if liquidation else "none"
    return figures
