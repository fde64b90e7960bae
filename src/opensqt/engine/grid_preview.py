"""What an edit of a running grid would do at this moment, found by doing it to a copy of the bot.

Nothing here changes the bot. A preview with refusals has no token and cannot be applied; each refusal says the number,
the limit and the fix. The token names the preview: bot, version, changes and time.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import ErrorReason, NotFoundError, OpensqtError
from opensqt.domain.money import plain
from opensqt.domain.order import OrderType, Side
from opensqt.engine import grid_lay
from opensqt.engine.bot import FLATTEN_SLOT, KEPT_VERSIONS, Bot
from opensqt.engine.config import BotConfig
from opensqt.engine.grid_scratch import copy_of, play, settle_in_flight
from opensqt.engine.grid_settings import Settings, config_of, describe, settings_of, with_settings
from opensqt.engine.grid_steps import Resting, steps_between
from opensqt.engine.grid_values import Carry, Figures, Preview
from opensqt.engine.risk.reasons import Code, TradingState
from opensqt.engine.risk.start_checks import MAX_LEVELS, StartFacts, refusals, worst_case
from opensqt.engine.strategy.classic_grid import ClassicGrid
from opensqt.runtime.config import ConfigError

PREVIEW_LIFE_NS = 300 * NS_PER_S
"""How long a preview may be applied: an older one shows a market that is gone."""

_DOUBTS = (Code.OVERSOLD, Code.POSITION_MISMATCH, Code.INSTRUMENT_CHANGED, Code.LIQUIDATED)


def preview(bot: Bot, changes: Settings, now_ns: int, *, undo: bool = False) -> Preview:
    """Return what changing some settings would do now, or going back to the version before."""
    found = Preview(bot_id=bot.id, base_version=bot.config_version, time_ns=now_ns, before=bot.config)
    unready = _unready(bot)
    if unready:
        return msgspec.structs.replace(found, refusals=(unready,))
    before = grid_lay.in_force(bot)
    try:
        wanted = undo_settings(bot, before) if undo else changes
        after = with_settings(before, wanted)
    except ConfigError as error:
        return msgspec.structs.replace(found, before=before, refusals=tuple(map(str, error.problems)))
    except OpensqtError as error:
        return msgspec.structs.replace(found, before=before, refusals=(error.message,))
    what = tuple(describe(before, after))
    grid = bot.grid
    assert grid is not None, "an unready bot was refused above"
    found = msgspec.structs.replace(
        found, before=before, after=after, what=what, figures_before=_figures(grid, _facts(bot))
    )
    if not what:
        return msgspec.structs.replace(
            found, refusals=("nothing would change: every value is what holds already; change at least one",)
        )
    return _try(bot, found, after, token_of(bot, changes, now_ns, undo=undo), now_ns)


def token_of(bot: Bot, changes: Settings, time_ns: int, *, undo: bool) -> str:
    """Return the name of a preview; the same question at the same time has the same."""
    said = [bot.id, bot.config_version, bot.epoch, undo, sorted((name, str(value)) for name, value in changes.items())]
    digest = blake2b(msgspec.json.encode([*said, time_ns]), digest_size=12).hexdigest()
    return f"{time_ns:x}-{digest}"


def undo_settings(bot: Bot, in_force: BotConfig) -> Settings:
    """Return the settings of the version an undo goes back to.

    Raises:
        OpensqtError: there is none, or it is not kept any more.
    """
    current = next((one for one in bot.versions if one.version == bot.config_version), None)
    target = current.undo_version if current is not None else 0
    record = next((one for one in bot.versions if one.version == target), None)
    if record is None:
        why = f"only the newest {KEPT_VERSIONS} are kept" if target else "it is the first"
        raise NotFoundError(
            ErrorReason.NOT_FOUND, f"there is no version before version {bot.config_version} to go back to: {why}"
        )
    then = settings_of(config_of(record.document))
    now = settings_of(in_force)
    return {name: value for name, value in then.items() if value != now[name]}


def _unready(bot: Bot) -> str:
    """Return why this bot cannot be edited now; empty when it can."""
    if bot.grid is None or bot.instrument is None:
        return "the lattice is not laid yet, so there is nothing to edit; wait until the bot has started"
    if not bot.attached:
        return "the connector is down, so nobody knows what rests at the venue; start it and try again"
    if bot.gate.stopped:
        return "the bot is stopped; resume it, or change its configuration file"
    if bot.proving or not bot.lattice_saved:
        return "the bot is still matching its orders with the venue; try again in a moment"
    stalled = bot.gate.reasons.get(Code.STORE_STALLED)
    if stalled is not None:
        return f"an edit must be durable, and {stalled.message}; free the disk first"
    if bot.market.price2_ticks == 0:
        return f"there is no valid price ({bot.market.invalid_reason}); an edit is shown and made at a price"
    doubt = next((bot.gate.reasons[code] for code in _DOUBTS if code in bot.gate.reasons), None)
    if doubt is not None:
        return f"the position is in doubt ({doubt.message}); settle that first"
    return ""


def _try(bot: Bot, found: Preview, after: BotConfig, token: str, now_ns: int) -> Preview:
    twin = copy_of(bot)
    settle_in_flight(twin)
    resting = _resting(twin)
    try:
        carries = grid_lay.lay(twin, after, now_ns)
    except (OpensqtError, ValueError) as error:
        return msgspec.structs.replace(found, refusals=(f"the grid cannot be laid: {error}; change it",))
    grid = twin.grid
    assert grid is not None, "it was laid just now"
    facts = _facts(twin)
    refused = (*refusals(after, grid, facts), *_carry_refusals(twin, carries), *_range_refusals(twin, after))
    warnings = tuple(_warnings(twin, grid))
    sent = play(twin, now_ns)
    steps, untouched = steps_between(twin, resting, sent)
    open_orders = twin.orders.open.values()
    return msgspec.structs.replace(
        found,
        steps=tuple(steps),
        untouched=untouched,
        resting_buys=sum(order.side is Side.BUY for order in open_orders),
        resting_sells=sum(order.side is Side.SELL for order in open_orders),
        carries=tuple(carry for carry in carries if carry.is_change),
        figures_after=_figures(grid, facts),
        interval_ticks=grid.lattice.interval_ticks,
        ratio_ppb=grid.lattice.ratio_ppb,
        refusals=refused,
        warnings=warnings,
        token="" if refused else token,
    )


def _resting(bot: Bot) -> dict[str, Resting]:
    return {
        order.client_order_id: Resting(order.side, order.slot, order.price_ticks, order.lots, order.reduce_only)
        for order in bot.orders.open.values()
        if order.order_type is OrderType.LIMIT and order.slot != FLATTEN_SLOT
    }


def _facts(bot: Bot) -> StartFacts:
    return StartFacts(
        account=bot.account,
        price2_ticks=bot.market.price2_ticks,
        held_lots=bot.ledger.slot_lots,
        held_cost_ticks_lots=sum(lot.cost_ticks_lots for lot in bot.ledger.slots.values()),
        held=dict(bot.slots.holdings.items()),
        unknown_position_lots=0,
    )


def _figures(grid: ClassicGrid, facts: StartFacts) -> Figures | None:
    low, high = grid.reach(facts.price2_ticks)
    if high - low >= MAX_LEVELS:
        return None  # refused elsewhere, with the number
    lots, cost, lowest = worst_case(grid, facts)
    return Figures(
        price2_ticks=facts.price2_ticks,
        lowest_ticks=lowest,
        lots=lots,
        cost_ticks_lots=cost,
        top_ticks=grid.lattice.level_ticks(high),
        step_ticks=grid.lattice.step_ticks(high),
        top_lots=grid.lots_at(high),
    )


def _carry_refusals(bot: Bot, carries: Iterable[Carry]) -> Iterable[str]:
    instrument = bot.instrument
    assert instrument is not None, "carried lots have units"
    for slot, lot in sorted(bot.ledger.slots.items()):
        if lot.lots > instrument.max_lots:
            met = sum(1 for carry in carries if carry.to_slot == slot)
            yield (
                f"{met} lots would meet in one slot, {plain(instrument.lots_to_quantity(lot.lots))} "
                f"{instrument.base_asset}, more than the {plain(instrument.lots_to_quantity(instrument.max_lots))} the "
                "venue takes in one order; choose a narrower step"
            )


def _range_refusals(bot: Bot, config: BotConfig) -> Iterable[str]:
    limits, grid = config.grid.range, bot.grid
    assert grid is not None, "it was laid just now"
    if limits is None or limits.action == "hold":
        return
    lower, upper = grid.range_ticks
    price2 = bot.market.price2_ticks
    if (lower and price2 < 2 * lower) or (upper and price2 > 2 * upper):
        price = plain(grid.instrument.ticks_to_price(price2) / 2)
        yield (
            f"the price {price} is outside of the range already, so this edit would {limits.action} the bot at once; "
            "widen the range, or stop the bot if that is what is wanted"
        )


def _warnings(bot: Bot, grid: ClassicGrid) -> Iterable[str]:
    instrument, limits, held = grid.instrument, bot.gate.limits, bot.worst_long_lots
    if limits.max_position_lots and held > limits.max_position_lots:
        yield (
            f"{plain(instrument.lots_to_quantity(held))} {instrument.base_asset} are held, above max_position "
            f"{plain(instrument.lots_to_quantity(limits.max_position_lots))}: nothing is bought until less is held"
        )
    if bot.gate.state is not TradingState.ACTIVE:
        for code, reason in bot.gate.reasons.items():
            if code is not Code.WAITING_FOR_DISK:
                yield f"the bot is held back ({code.value}: {reason.message}); orders wait until that is over"
    low, high = grid.window(bot.market.price2_ticks)
    if low > high:
        yield "the price is outside of the range: nothing is bought until it is back"
    unknown = sum(1 for order in bot.orders.open.values() if order.state.value == "UNKNOWN")
    if unknown:
        yield f"the outcome of {unknown} orders is not known yet; their slots wait for it"
