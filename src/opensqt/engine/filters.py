"""An instrument's filters change while we trade: the bot goes over to the new ones in one turn, and trades on.

What no longer fits is cancelled: orders at prices, or of sizes, that the venue does not take any more. The lattice is
laid on the new ticks under a new epoch, as an edit lays one (see `grid_lay`): what the slots hold is carried over, a
take-profit never comes down, and a fill of an order of before still finds its slot. Nothing is rounded in the ledger,
because a bot counts in the finest units its instrument ever had (see `units`): finer filters multiply everything it
counts, coarser ones leave it and only restrict what is sent. The new lattice is durable before the first order on it;
a run that ends before that finds the stored units other than the venue's and takes the same way again.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple, TypeVar

import msgspec

from opensqt._core.grid import Lattice
from opensqt.domain.errors import RequestError
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.money import plain
from opensqt.engine import grid_lay
from opensqt.engine.bot import Bot
from opensqt.engine.commands import GridVersionRecord
from opensqt.engine.configured import configured_limits, grid_of
from opensqt.engine.events import BookTop
from opensqt.engine.lattices import LatticeSpan, span_of
from opensqt.engine.rescale import rescale
from opensqt.engine.risk.reasons import Code
from opensqt.engine.strategy.classic_grid import interval_ticks, ratio_ppb
from opensqt.engine.units import (
    MAX_FACTOR,
    Units,
    UnitSpan,
    UnknownRevisionError,
    common_unit,
    factor_between,
    spans_with,
)
from opensqt.engine.upkeep import judge_book

T = TypeVar("T")

BY_HAND = "cancel its orders and close its position by hand, then start this bot anew with another id and tag"


class _Before(NamedTuple):
    """What a bot counted in so far, and what the venue took."""

    tick_size: Decimal
    lot_size: Decimal
    tick_step: int
    lot_step: int
    spans: tuple[UnitSpan, ...]


def counted(bot: Bot, read: Callable[[Units, T], T], event: T, now_ns: int) -> T | None:
    """Return what the venue tells in the bot's units; None, with an alarm, where nobody can say what it counts in."""
    if bot.units is None:
        return event
    try:
        return read(bot.units, event)
    except UnknownRevisionError as error:
        message = f"a {type(event).__name__.lower()} of {bot.symbol} cannot be read: {error}; compare the account, "
        message += "then restart the engine"
        if bot.gate.add(Code.INSTRUMENT_CHANGED, message, now_ns):
            bot.journal("alarm", Code.INSTRUMENT_CHANGED.value, message, now_ns)
        return None


def take_top(bot: Bot, top: BookTop) -> None:
    """Take the touch; one of a revision that is not known yet prices nothing until it is."""
    if bot.units is not None and not top.revision:
        top = msgspec.structs.replace(top, revision=bot.units.revision)
    bot.newest_top = top
    if bot.units is not None:
        try:
            top = bot.units.top(top)
        except UnknownRevisionError as error:
            market = bot.market
            top = BookTop(top.symbol, market.bid_ticks, market.ask_ticks, False, str(error), top.receive_ns)
    bot.market.take_top(top)


def take_instrument(bot: Bot, instrument: Instrument, now_ns: int) -> None:
    """Take a revision of the filters."""
    bot.gate.set(
        Code.SYMBOL_NOT_TRADING,
        instrument.status is not InstrumentStatus.TRADING,
        f"{bot.symbol} is {instrument.status.name} at the venue",
        now_ns,
    )
    before = _before(bot, instrument)
    tick_size = common_unit(before.tick_size, instrument.tick_size)
    lot_size = common_unit(before.lot_size, instrument.lot_size)
    factors = (factor_between(before.tick_size, tick_size), factor_between(before.lot_size, lot_size))
    steps = (factor_between(instrument.tick_size, tick_size), factor_between(instrument.lot_size, lot_size))
    why = _why_not(bot, instrument, max(*factors, *steps))
    bot.gate.set(Code.INSTRUMENT_CHANGED, bool(why), why, now_ns)
    if why:
        return
    old_step = before.tick_step * factors[0]
    old_lattice = _lattice(bot, factors[0], old_step)
    is_first = bot.instrument is None
    units = Units(tick_size, lot_size, instrument.revision, spans_with(before.spans, instrument))
    if factors != (1, 1):
        counted_before = msgspec.structs.replace(instrument, tick_size=before.tick_size, lot_size=before.lot_size)
        rescale(bot, *factors, counted_before, units.view(instrument))
    bot.units, bot.instrument = units, units.view(instrument)
    bot.slots.lot_step = units.lot_step
    bot.slots.refresh_all()
    if is_first:
        bot.gate.limits = bot.restored.limits or configured_limits(bot.config, bot.instrument)
    bot.unsaid.everything = True
    moved = _moved(before, instrument)
    if moved:
        _lay(bot, old_lattice, old_step, moved, now_ns)
    elif bot.grid is not None and bot.instrument != bot.grid.instrument:
        bot.grid = grid_of(bot, bot.config, bot.instrument)
    if not is_first and bot.lattice_saved and before.spans != units.spans:
        bot.outbox.record(bot.record())
    if bot.newest_top is not None:
        was_valid = bot.market.valid
        take_top(bot, bot.newest_top)
        if was_valid is not bot.market.valid:
            judge_book(bot, now_ns)


def _before(bot: Bot, instrument: Instrument) -> _Before:
    units, stored = bot.units, bot.restored.record
    if units is not None:
        return _Before(units.tick_size, units.lot_size, units.tick_step, units.lot_step, units.spans)
    if stored is not None and stored.tick_size:
        sizes = Decimal(stored.tick_size), Decimal(stored.lot_size)
        return _Before(*sizes, stored.tick_step, stored.lot_step, stored.unit_spans)
    return _Before(instrument.tick_size, instrument.lot_size, 1, 1, ())


def _why_not(bot: Bot, instrument: Instrument, largest_factor: int) -> str:
    """Return why a bot cannot go over to a revision; empty when it can."""
    known = bot.instrument
    if known is not None and known.contract_multiplier != instrument.contract_multiplier:
        return (
            f"the contract of {bot.symbol} was worth {known.contract_multiplier} {instrument.base_asset} and is worth "
            f"{instrument.contract_multiplier} now: that is another instrument; {BY_HAND}"
        )
    if largest_factor > MAX_FACTOR:
        return (
            f"tick or lot size of {bot.symbol} changed to {plain(instrument.tick_size)} and "
            f"{plain(instrument.lot_size)}, which is more than {MAX_FACTOR} times finer or coarser; {BY_HAND}"
        )
    return ""


def _moved(before: _Before, instrument: Instrument) -> tuple[str, ...]:
    """Return in words which of the venue's units changed."""
    pairs = (
        ("tick_size", before.tick_size * before.tick_step, instrument.tick_size),
        ("lot_size", before.lot_size * before.lot_step, instrument.lot_size),
    )
    return tuple(f"{name} {plain(old)} -> {plain(new)}" for name, old, new in pairs if old != new)


def _lattice(bot: Bot, tick_factor: int, old_step: int) -> Lattice | None:
    """Return the lattice the slots are counted on, in the new units."""
    stored = bot.restored.record
    if bot.grid is not None:
        return span_of(bot.grid.lattice, 0).rescaled(tick_factor).lattice()
    if stored is None or not stored.anchor_ticks or not (stored.interval_ticks or stored.ratio_ppb):
        return None
    span = LatticeSpan(0, stored.anchor_ticks * tick_factor, stored.interval_ticks * tick_factor, stored.ratio_ppb)
    return msgspec.structs.replace(span, unit_ticks=old_step if stored.ratio_ppb else 1).lattice()


def _lay(bot: Bot, old: Lattice | None, old_step: int, moved: tuple[str, ...], now_ns: int) -> None:
    """Lay the lattice on the prices the venue takes now."""
    instrument = bot.instrument
    assert instrument is not None, "a lattice needs units"
    wanted = (interval_ticks(bot.config.grid, instrument, old_step), ratio_ppb(bot.config.grid))
    if old is None or (bot.grid is None and wanted != (old.interval_ticks, old.ratio_ppb)):
        return  # there is none yet, or it was made with another step than configured: the start says so
    try:
        grid = grid_of(bot, bot.config, instrument)
        grid_lay.carry_over(bot, old, grid.lattice)
    except (RequestError, ValueError) as error:
        bot.grid = None
        why = f"{', '.join(moved)} of {bot.symbol}, and the grid cannot be laid on it: {error}; {BY_HAND}"
        bot.gate.add(Code.INSTRUMENT_CHANGED, why, now_ns)
        bot.journal("alarm", Code.INSTRUMENT_CHANGED.value, why, now_ns)
        return
    bot.grid, bot.anchor_ticks = grid, grid.lattice.anchor_ticks
    if grid.lattice != old:
        grid_lay.relay(bot, old, grid.lattice, now_ns)
    bot.mark_leaving()
    bot.next_start_check_ns = 0
    _write_down(bot, moved, now_ns)


def _write_down(bot: Bot, moved: tuple[str, ...], now_ns: int) -> None:
    """Make the change a version of the grid, as an edit is; an undo after it takes back the edit before it."""
    current = next((one for one in bot.versions if one.version == bot.config_version), None)
    bot.config_version += 1
    record = GridVersionRecord(
        bot_id=bot.id,
        version=bot.config_version,
        time_ns=now_ns,
        action="filters",
        who="",
        what=moved,
        undo_version=current.undo_version if current is not None else 0,
        document=msgspec.json.encode(bot.config).decode(),
    )
    bot.versions.append(record)
    text = f"version {bot.config_version}: the venue changed {', '.join(moved)}; the lattice is laid on it"
    bot.journal("warning", "GRID_FILTERS", text, now_ns)
    bot.outbox.record(record)
    bot.outbox.record(bot.record())
