"""A disk that does not take writes: first nothing opens, then everything goes off the market; and back."""

from models.grid_venue import MS, World

from opensqt.domain.order import Side
from opensqt.engine.config import StoreConfig
from opensqt.engine.events import StoreHealth
from opensqt.engine.risk.reasons import Code, TradingState
from opensqt.engine.store.watch import MIB, StoreReading, StoreWatch

S = 1_000 * MS
WELL = StoreReading(room=100)
FULL = StoreReading(room=100, error="database or disk is full", backlog=3)


def watch() -> StoreWatch:
    return StoreWatch(StoreConfig(min_free_mb=64, stall_ms=2_000, halt_after_s=60))


def test_a_sound_disk_is_not_worth_a_word() -> None:
    made = watch()
    assert made.judge(WELL, 0) is None
    assert made.judge(StoreReading(room=100, backlog=3, oldest_wait_ns=1_900 * MS), S) is None


def test_a_full_disk_is_told_once_and_its_end_too() -> None:
    made = watch()
    told = made.judge(FULL, 0)
    assert told == StoreHealth(healthy=False, detail="database or disk is full")
    assert made.judge(FULL, S) is None
    assert made.judge(WELL, 2 * S) == StoreHealth(healthy=True)


def test_a_stalled_write_is_a_problem_without_any_error() -> None:
    told = watch().judge(StoreReading(room=100, backlog=1, oldest_wait_ns=2_500 * MS), 0)
    assert told is not None
    assert not told.healthy
    assert not told.lost
    assert "2500 ms" in told.detail


def test_after_the_patience_everything_must_go_and_a_pause_in_the_trouble_starts_it_anew() -> None:
    made = watch()
    made.judge(FULL, 0)
    assert made.judge(FULL, 59 * S) is None
    made.judge(WELL, 59 * S)
    made.judge(FULL, 60 * S)
    assert made.judge(FULL, 119 * S) is None
    told = made.judge(FULL, 120 * S)
    assert told is not None
    assert told.lost
    assert "disk is full" in told.detail
    assert made.judge(WELL, 121 * S) == StoreHealth(healthy=True)


def test_half_of_the_queue_is_all_that_is_risked() -> None:
    made = watch()
    assert made.judge(StoreReading(room=100, backlog=50), 0) is None
    told = made.judge(StoreReading(room=100, backlog=51), 0)
    assert told is not None
    assert told.lost


def test_a_refused_turn_is_never_forgiven_before_a_restart() -> None:
    made = watch()
    told = made.judge(StoreReading(room=100, lost=True), 0)
    assert told is not None
    assert told.lost
    assert "restart" in told.detail


def test_a_nearly_full_disk_stops_opening_and_never_cancels() -> None:
    made = watch()
    told = made.judge(StoreReading(room=100, free_bytes=63 * MIB), 0)
    assert told is not None
    assert (told.healthy, told.lost) == (False, False)
    assert made.judge(StoreReading(room=100, free_bytes=63 * MIB, backlog=1), 999 * S) is None
    assert made.judge(StoreReading(room=100, free_bytes=79 * MIB), 1_000 * S) is None, "a little more is not enough"
    assert made.judge(StoreReading(room=100, free_bytes=80 * MIB), 1_000 * S) == StoreHealth(healthy=True)


def test_bot_opens_nothing_while_its_state_is_not_saved_and_goes_on_after() -> None:
    world = World()
    world.start()
    world.turn(StoreHealth(healthy=False, detail="database or disk is full"))
    assert world.bot.gate.state is TradingState.REDUCING
    assert [r.level for r in world.bot.recent_journal if r.code == "STORE_STALLED"] == ["alarm"]
    before = len(world.venue.placed)
    world.price(299_775)
    world.settle()
    opened = [order for order in world.venue.placed[before:] if order.side is Side.BUY]
    assert not opened
    assert any(order.side is Side.SELL for order in world.venue.placed[before:]), "take-profits go on"
    assert world.venue.position == world.bot.ledger.position_lots > 0, "the ledger goes on in memory"
    world.turn(StoreHealth(healthy=True))
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE
    assert any(order.side is Side.BUY for order in world.venue.placed[before:])


def test_bot_leaves_the_market_when_its_state_is_lost_and_keeps_its_position() -> None:
    world = World()
    world.start()
    world.price(299_775)
    world.settle()
    held = world.venue.position
    world.turn(StoreHealth(healthy=False, detail="nothing was saved for 60 s", lost=True))
    world.settle()
    assert world.bot.gate.state is TradingState.HALTED
    assert Code.STORE_LOST in world.bot.gate.reasons
    assert not world.venue.open_orders
    assert world.venue.position == held > 0
    world.turn(StoreHealth(healthy=True))
    world.settle()
    world.check_settled()
    assert world.venue.open_orders
