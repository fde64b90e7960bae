"""From recovered to trading: the lattice, durable state, leverage, the start checks.

`finish` is called until nothing of this is missing any more; each missing thing is a reason in the gate. A lattice is
laid once in a bot's life: from its stored anchor, else from where its own orders rest at the venue, else from the
configuration, else from the first valid price.
"""

from collections import Counter

from opensqt._core.grid import Lattice
from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Side
from opensqt.engine.bot import FLATTEN_SLOT, Bot
from opensqt.engine.commands import SetLeverage
from opensqt.engine.configured import grid_of
from opensqt.engine.risk.reasons import Code
from opensqt.engine.risk.start_checks import StartFacts, refusals
from opensqt.engine.strategy.classic_grid import (
    ClassicGrid,
    describe_lattice,
    interval_ticks,
    ratio_ppb,
    snap_to_ticks,
)

LEVERAGE_PATIENCE_NS = 10_000_000_000
START_CHECK_SPACING_NS = 10_000_000_000


def finish(bot: Bot, now_ns: int) -> None:
    """Go from recovered to trading, as far as what is known allows: lattice, durable state, leverage, start checks."""
    if not bot.attached or bot.instrument is None:
        return
    if not bot.proving:
        bot.gate.lift(Code.RECOVERING)
    if bot.grid is None and not _lay_lattice(bot, now_ns):
        bot.gate.add(Code.WAITING_FOR_PRICE, "no valid price yet to lay the lattice from", now_ns)
        return
    if bot.market.price2_ticks:
        bot.gate.lift(Code.WAITING_FOR_PRICE)
    if not bot.lattice_saved:
        if bot.gate.add(Code.WAITING_FOR_DISK, "the lattice is being made durable", now_ns):
            bot.outbox.record(bot.record())
        return
    bot.gate.lift(Code.WAITING_FOR_DISK)
    if bot.position.leverage == bot.config.leverage:
        bot.leverage_asked_ns = 0
        bot.gate.lift(Code.WAITING_FOR_LEVERAGE)
        bot.gate.lift(Code.LEVERAGE_REFUSED)
    if bot.start_checked or bot.proving:
        return
    if bot.market.price2_ticks == 0:
        bot.gate.add(Code.WAITING_FOR_PRICE, "no valid price yet for the start checks", now_ns)
    elif now_ns >= bot.next_start_check_ns:
        bot.next_start_check_ns = now_ns + START_CHECK_SPACING_NS
        _check_start(bot, now_ns)


def _lay_lattice(bot: Bot, now_ns: int) -> bool:
    instrument = bot.instrument
    assert instrument is not None, "a lattice needs units"
    tick_step = bot.units.tick_step if bot.units is not None else 1
    step = (interval_ticks(bot.config.grid, instrument, tick_step), ratio_ppb(bot.config.grid))
    stored = bot.restored.record
    if stored is not None and stored.anchor_ticks and (stored.interval_ticks, stored.ratio_ppb) != step:
        message = (
            f"the configured step is {step[0]} ticks or {step[1]} ppb, but this bot's lattice was made with "
            f"{stored.interval_ticks} ticks or {stored.ratio_ppb} ppb and its slots are counted in that; restore "
            "`grid.interval` (or `grid.ratio`), or stop it with `flatten` and begin anew under another id and tag"
        )
        bot.gate.add(Code.START_CHECK, message, now_ns)
        return False
    if bot.anchor_ticks == 0 and not bot.lattice_refusal:
        try:
            bot.anchor_ticks = _anchor_of_own_orders(bot, instrument)
        except RequestError as error:
            # Stays: pulling orders leaves fewer that could disagree, and makes nothing clearer.
            bot.lattice_refusal = error.message
    if bot.lattice_refusal:
        bot.anchor_ticks = 0
        bot.gate.add(Code.START_CHECK, bot.lattice_refusal, now_ns)
        return False
    if bot.anchor_ticks == 0 and bot.config.grid.anchor is not None:
        bot.anchor_ticks = snap_to_ticks(bot.config.grid.anchor, instrument)
    if bot.anchor_ticks == 0:
        price2 = bot.market.price2_ticks
        if price2 == 0:
            return False
        bot.anchor_ticks = (price2 + 1) // 2
    try:
        bot.grid = grid_of(bot, bot.config, instrument)
        bot.anchor_ticks = bot.grid.lattice.anchor_ticks
    except (RequestError, ValueError) as error:
        bot.gate.add(Code.START_CHECK, f"the grid cannot be laid: {error}; correct `grid`", now_ns)
        bot.anchor_ticks = 0
        return False
    for order in bot.orders.open.values():
        if "level_ticks" not in order.inputs and order.slot != FLATTEN_SLOT:
            order.live_price_ticks = bot.grid.at_its_level(order.slot, order.side, order.price_ticks)
    bot.orders.rebuild_live()
    if bot.past.spans or (bot.units is not None and not bot.units.is_plain):
        bot.mark_leaving()
    bot.journal("info", "LATTICE", describe_lattice(bot.grid.lattice, instrument), now_ns)
    bot.unsaid.everything = True
    return True


def _anchor_of_own_orders(bot: Bot, instrument: Instrument) -> int:
    """Return the anchor most of the bot's orders and fills at the venue agree on; 0 when there are none.

    Raises:
        RequestError: they agree on none, so they were made with another step than the configured one.
    """
    votes: Counter[int] = Counter()
    interval, ratio = interval_ticks(bot.config.grid, instrument), ratio_ppb(bot.config.grid)
    seen = [(order.slot, order.side, order.price_ticks) for order in bot.orders.open.values()]
    seen.extend(
        (booked.slot, booked.fill.side, booked.fill.price_ticks)
        for booked in bot.recent_fills
        if booked.slot is not None
    )
    for slot, side, price_ticks in seen:
        level = slot if side is Side.BUY else slot + 1
        if interval:
            votes[price_ticks - level * interval] += 1
        elif price_ticks > 0:
            guess = round(price_ticks / (1 + ratio / 10**9) ** level)
            for anchor in range(max(1, guess - 2), guess + 3):
                lattice = Lattice(anchor, 0, ratio)
                if level >= lattice.lowest_index and lattice.level_ticks(level) == price_ticks:
                    votes[anchor] += 1
    for anchor, _count in votes.most_common():
        if anchor > 0:
            _check_agreement(bot, anchor, interval, ratio)
            return anchor
    return 0


def _check_agreement(bot: Bot, anchor: int, interval: int, ratio: int) -> None:
    """Refuse to go on where a third of the open orders or more lies on another lattice. Raises RequestError."""
    lattice = Lattice(anchor, interval, ratio)
    resting = [order for order in bot.orders.open.values() if order.slot != FLATTEN_SLOT]
    agreeing = 0
    for order in resting:
        level = order.slot if order.side is Side.BUY else order.slot + 1
        agreeing += level >= lattice.lowest_index and lattice.level_ticks(level) == order.price_ticks
    if len(resting) > 2 and 3 * agreeing <= 2 * len(resting):
        raise RequestError(
            ErrorReason.FILTER_REJECTED,
            f"there is no stored state, and only {agreeing} of {len(resting)} orders of this bot at the venue lie on "
            "one lattice of the configured step: an edit of the running grid had changed it; set `grid.interval` (or "
            "`grid.ratio`) to the step that was in force, or restore the state file",
        )


def ask_leverage(bot: Bot, now_ns: int) -> None:
    """Set the leverage where it is not what is configured; trading waits for it."""
    if bot.position.leverage == bot.config.leverage or bot.stop_mode is not None:
        return
    bot.gate.add(Code.WAITING_FOR_LEVERAGE, f"leverage {bot.config.leverage} is being set", now_ns)
    bot.leverage_asked_ns = now_ns
    bot.outbox.send(SetLeverage(bot.symbol, bot.config.leverage))


def check_leverage(bot: Bot, now_ns: int) -> None:
    """Give up waiting for the leverage after a while, and say so."""
    if 0 < bot.leverage_asked_ns < now_ns - LEVERAGE_PATIENCE_NS:
        bot.leverage_asked_ns = 0
        bot.gate.lift(Code.WAITING_FOR_LEVERAGE)
        bot.gate.add(
            Code.LEVERAGE_REFUSED,
            f"the venue reports leverage {bot.position.leverage}, wanted is {bot.config.leverage}; set it by hand or "
            "change `leverage`",
            now_ns,
        )


def _check_start(bot: Bot, now_ns: int) -> None:
    grid = bot.grid
    assert grid is not None, "start checks need a lattice"
    unexplained_lots = bot.position.lots - bot.ledger.position_lots
    # Once a bot has begun, lots it cannot explain are a fault and not something to adopt.
    beginning = not bot.begun
    facts = StartFacts(
        account=bot.account,
        price2_ticks=bot.market.price2_ticks,
        held_lots=bot.ledger.slot_lots,
        held_cost_ticks_lots=bot.ledger.cost_ticks_lots,
        held=dict(bot.slots.holdings.items()),
        unknown_position_lots=unexplained_lots if beginning else 0,
        margin_mode=bot.position.margin_type if bot.position.leverage else "",
        mode=bot.mode,
        has_notional_cap=bot.gate.limits.max_notional_units > 0,
    )
    found = refusals(bot.config, grid, facts)
    if found:
        if bot.gate.add(Code.START_CHECK, "; ".join(found), now_ns):
            for message in found:
                bot.journal("alarm", Code.START_CHECK.value, message, now_ns)
        return
    bot.start_checked = True
    if not bot.begun:
        bot.begun = True
        bot.outbox.record(bot.record())
    if bot.gate.lift(Code.START_CHECK):
        bot.journal("info", Code.START_CHECK.value, "the start checks pass now", now_ns)
    if facts.unknown_position_lots > 0:
        _adopt_position(bot, grid, facts.unknown_position_lots, now_ns)


def _adopt_position(bot: Bot, grid: ClassicGrid, lots: int, now_ns: int) -> None:
    """Spread a position over the slots from the price upward, a level's size each, at its entry price."""
    instrument = grid.instrument
    entry = bot.position.entry_price or bot.market.mark_price(instrument)
    entry_ticks = snap_to_ticks(entry, instrument)
    slot = grid.lattice.index_near(bot.market.price2_ticks)
    left = lots
    while left > 0:
        size = min(left, max(grid.lots_at(slot), instrument.min_lots))
        if not grid.has_level(slot + 1):
            size = left
        bot.ledger.adopt(slot, size, size * entry_ticks)
        bot.slots.refresh(slot)
        left -= size
        slot += 1
    if bot.account_book is not None and bot.account_book.baseline_cash is not None:
        # Adopted lots are paid for in the ledger from now on; the account has paid for them long ago.
        bot.account_book.baseline_cash += instrument.money(lots * entry_ticks * instrument.units_per_tick_lot)
    bot.journal("warning", "POSITION_ADOPTED", f"{lots} lots at {entry} were taken over", now_ns)
