"""Any edits of a grid in any state: nothing held is lost, and what is sent is what the preview said."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from models.grid_venue import Venue, World, config, instrument

from opensqt._core.grid import Lattice
from opensqt.domain.order import Side
from opensqt.engine.commands import Cancel, Place
from opensqt.engine.events import EditGrid
from opensqt.engine.grid_preview import preview
from opensqt.engine.grid_values import Preview, StepKind
from opensqt.engine.lattices import LatticePast, carried, carried_lot, span_of

_interval = st.sampled_from(["1.5", "2", "2.5", "3", "4", "7", "10", "25"]).map(Decimal)
_edits = st.fixed_dictionaries(
    {},
    optional={
        "interval": _interval,
        "order_quantity": st.sampled_from([15, 30, 45, 90]).map(Decimal),
        "buy_window": st.integers(1, 15),
        "sell_window": st.integers(1, 15),
        "max_open_orders": st.integers(2, 30),
        "max_position": st.sampled_from(["0", "0.03", "0.1", "0.5"]).map(Decimal),
        "max_notional": st.sampled_from(["0", "90", "300"]).map(Decimal),
        "range_lower": st.sampled_from(["0", "2960", "2990"]).map(Decimal),
        "range_upper": st.sampled_from(["0", "3030", "3100"]).map(Decimal),
    },
)
_moves = st.one_of(
    st.tuples(st.just("price"), st.integers(-900, 900)),
    st.tuples(st.just("edit"), _edits),
    st.tuples(st.just("undo"), st.none()),
    st.tuples(st.just("fill"), st.integers(1, 9)),
    st.tuples(st.just("kill"), st.none()),
)


def parts(world: World) -> tuple[int, int, int, int]:
    lots = world.bot.ledger.slots.values()
    return (
        sum(lot.lots for lot in lots),
        sum(lot.cost_ticks_lots for lot in lots),
        sum(lot.cycles for lot in lots),
        sum(lot.profit_ticks_lots for lot in lots),
    )


def edit(world: World, changes: dict[str, object], *, undo: bool) -> None:
    bot = world.bot
    found = preview(bot, {} if undo else changes, world.venue.now_ns, undo=undo)  # type: ignore[arg-type]
    before, sent = parts(world), len(world.sent)
    highest = {carry.from_slot: carry for carry in found.carries}
    world.cap_is_old = False
    world.turn(
        EditGrid(
            bot_id="eth",
            changes={} if undo else changes,  # type: ignore[arg-type]
            undo=undo,
            expected_version=found.base_version,
            preview_token=found.token,
        )
    )
    assert parts(world) == before, "an edit changed what the slots hold or earned"
    answer = bot.edit_answer
    assert answer is not None
    assert (answer.reason is None) == (not found.refusals)
    world.settle()
    if found.refusals:
        assert len(world.sent) == sent, "a refused edit sent something"
        return
    assert all(carry.new_take_profit_ticks >= carry.old_take_profit_ticks for carry in highest.values())
    check_sent(world, found, sent)


def check_sent(world: World, found: Preview, since: int) -> None:
    commands = world.sent[since:]
    placed = {c.request.client_order_id: c.request for c in commands if isinstance(c, Place)}
    cancelled = {c.client_order_id for c in commands if isinstance(c, Cancel)}
    # What was placed and taken back on the way (a remnant that joined its neighbour) is no part of a preview.
    came = [request for client_id, request in placed.items() if client_id not in cancelled]
    if not any(record.code == "REMNANT_MERGED" for record in world.bot.recent_journal):
        assert len(came) == len(placed)
    news = [step for step in found.steps if step.kind is not StepKind.CANCEL]
    assert sorted((one.side, one.price_ticks, one.lots) for one in came) == sorted(
        (step.side, step.price_ticks, step.lots) for step in news
    )
    gone = {step.client_order_id for step in found.steps if step.kind is not StepKind.ADD}
    assert cancelled - placed.keys() == gone


def check_quiet(world: World) -> None:
    bot = world.bot
    world.check_settled()
    assert parts(world)[0] == world.venue.position
    assert sum(lot.profit_ticks_lots for lot in bot.ledger.slots.values()) == bot.ledger.totals.grid_profit_ticks_lots
    grid = bot.grid
    for order in bot.orders.open.values():
        assert order.live_price_ticks == grid.price_of(order.slot, order.side), "an order rests at no level"
    cap = bot.gate.limits.max_position_lots
    buys = [o for o in world.venue.open_orders if o.side is Side.BUY]
    if cap and buys:
        assert world.venue.position + sum(o.remaining_lots for o in buys) <= cap
    sells = sum(o.remaining_lots for o in world.venue.open_orders if o.side is Side.SELL)
    assert sells <= world.venue.position


@settings(max_examples=120, deadline=None)
@given(st.lists(_moves, min_size=3, max_size=14), st.integers(0, 1_000))
def test_edits_lose_nothing_and_send_what_the_preview_said(moves: list[tuple[str, object]], seed: int) -> None:
    # Free of fees, so that a narrow step is no reason to refuse.
    venue = Venue(spec=instrument(maker_fee_rate=Decimal(0)))
    world = World(settings=config(risk={"max_orders_per_second": 1000}), venue=venue, seed=seed)
    world.start()
    for kind, value in moves:
        if kind == "price":
            assert isinstance(value, int)
            world.price(max(295_000, min(305_000, world.venue.bid + value)))
            world.settle()
        elif kind == "fill":
            assert isinstance(value, int)
            resting = sorted(world.venue.open_orders, key=lambda o: abs(2 * o.price_ticks - 2 * world.venue.bid))
            sells = [o for o in resting if o.side is Side.BUY or o.remaining_lots <= world.venue.position]
            if sells:
                world.venue.fill(sells[0].client_order_id, value)
                world.settle()
        elif kind == "kill":
            world.kill()
            world.start()
        else:
            edit(world, value if isinstance(value, dict) else {}, undo=kind == "undo")
        world.cap_is_old = False
        check_quiet(world)


@settings(max_examples=60, deadline=None)
@given(st.lists(_moves, min_size=4, max_size=12), st.integers(0, 1_000))
def test_edits_while_everything_moves_end_in_one_truth(moves: list[tuple[str, object]], seed: int) -> None:
    # Nothing is settled between the moves: edits meet orders in flight, fills on their way and lost replies.
    venue = Venue(spec=instrument(maker_fee_rate=Decimal(0)))
    world = World(settings=config(risk={"max_orders_per_second": 1000}), venue=venue, seed=seed)
    world.start()
    world.cap_is_old = False
    for kind, value in moves:
        if kind == "price":
            assert isinstance(value, int)
            world.price(max(295_000, min(305_000, world.venue.bid + value)))
            world.deliver_shuffled() if seed % 2 else world.deliver(3)
        elif kind == "fill":
            world.venue.lose_replies = 1
        elif kind == "kill":
            world.kill()
            world.start()
        else:
            changes = value if isinstance(value, dict) else {}
            found = preview(world.bot, changes, world.venue.now_ns)  # type: ignore[arg-type]
            world.turn(
                EditGrid(
                    bot_id="eth",
                    changes=changes,  # type: ignore[arg-type]
                    expected_version=found.base_version,
                    preview_token=found.token,
                )
            )
            assert (world.bot.edit_answer.reason is None) == (not found.refusals)
    world.settle(200)
    check_quiet(world)


_lattice = st.one_of(
    st.tuples(st.integers(1, 3000), st.just(0)), st.tuples(st.just(0), st.integers(10_000, 300_000_000))
)


@settings(deadline=None)
@given(st.integers(1_000, 500_000), st.lists(_lattice, min_size=2, max_size=5), st.integers(-300, 300), st.booleans())
def test_a_carried_slot_never_sells_lower_and_ids_say_the_same_as_the_books(
    anchor: int, steps: list[tuple[int, int]], slot: int, buys: bool
) -> None:
    lattices = [Lattice(anchor, *step) for step in steps]
    first = lattices[0]
    if slot < first.lowest_index:
        return
    try:
        first.level_ticks(slot + 1)
        past = LatticePast()
        now, side = slot, Side.BUY if buys else Side.SELL
        for epoch, (old, new) in enumerate(pairwise(lattices), start=10):
            past = past.then(old, new, epoch)
            before, now = now, carried(old, new, now, side)
            if buys:
                assert new.level_ticks(now) >= old.level_ticks(before)
                assert now == new.lowest_index or new.level_ticks(now - 1) < old.level_ticks(before)
            else:
                assert now == carried_lot(old, new, before)
                assert new.level_ticks(now + 1) >= old.level_ticks(before + 1)
    except ValueError:
        return  # off the table of a geometric lattice
    assert past.slot_now(9, slot, side) == now
    assert past.spans[0] == span_of(first, 0)
