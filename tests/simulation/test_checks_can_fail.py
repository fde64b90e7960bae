"""A rule is broken on purpose, and the invariant of its name says so: the checker can fail.

Each case changes one thing in a running world (a connector that loses a fill, an engine that sends again, ...) and runs
seeds until something breaks; what breaks must be the promise that this rule keeps.
"""

import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from simulation.world.endings import check_endings
from simulation.world.invariants import INVARIANTS, BrokenInvariantError
from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.connector.rate_budget import Lane
from opensqt.domain.errors import ErrorReason, LimitError
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order, Side
from opensqt.engine.commands import OrderRecord, Place
from opensqt.engine.events import BookTop, Event
from opensqt.engine.risk.reasons import Code

Mutation = Callable[[World], None]


def every_core(world: World, change: Callable[[Any], None]) -> None:
    """Change this run of the engine and every later one."""
    started = world.engine.on_started

    def again() -> None:
        started()
        change(world.engine.core)

    world.engine.on_started = again


def every_connector(world: World, change: Callable[[Any], None]) -> None:
    """Change this run of the connector and every later one."""
    started = world.connector.on_started

    def again() -> None:
        started()
        change(world.connector.core)

    world.connector.on_started = again


def connector_drops_fills(world: World) -> None:
    """Every third fill goes nowhere: not into the mirror, not to the engine, not into any history."""

    def change(core: Any) -> None:
        on_fill, seen = core.on_fill, [0]

        def drop(fill: Fill) -> None:
            seen[0] += 1
            if seen[0] % 3:
                on_fill(fill)

        core.on_fill = drop
        view = world.exchange.view
        fills = view.fills
        view.fills = lambda *args, **kwargs: [f for f in fills(*args, **kwargs) if int(f.trade_id) % 3]

    every_connector(world, change)


def ledger_forgets_trade_ids(world: World) -> None:
    """The ledger no longer knows which trades it has booked."""

    def change(core: Any) -> None:
        for bot in core.bots.values():
            bot.ledger._check = lambda _fill: None

    every_core(world, change)
    world.weather["user"].duplicate = 0.5
    every_connector(world, lambda core: setattr(core.mirror, "on_fill", lambda _fill: True))


def engine_sends_again(world: World) -> None:
    """An order without an answer is given up and its slot quoted anew."""

    def change(core: Any) -> None:
        for bot in core.bots.values():
            table, add = bot.orders, bot.orders.add

            def forget(order: Any, evidence: str, table: Any = table, add: Any = add) -> None:
                add(order, evidence)
                if len(table.by_id) % 7 == 0:
                    table.open.pop(order.client_order_id)
                    table.live.remove(order.handle)

            table.add = forget

    every_core(world, change)


def gateway_invents_a_terminal_state(world: World) -> None:
    """A command without an answer is called rejected when its time is over."""

    def change(core: Any) -> None:
        gateway = core.gateway
        on_outcome = gateway.on_outcome

        def invent(report: Any, now_ns: int) -> Any:
            if report.reason is ErrorReason.OUTCOME_UNKNOWN:
                report = msgspec.structs.replace(
                    report, outcome=type(report.outcome).REJECTED, reason=ErrorReason.VENUE_REJECTED
                )
            return on_outcome(report, now_ns)

        gateway.on_outcome = invent

    every_connector(world, change)
    world.weather["reply"].drop = 0.3
    world.weather["user"].extra_ns = 4 * SECOND


def one_denial_is_proof(world: World) -> None:
    """The venue's word that it has no such order is believed while the placement may still arrive."""

    def change(core: Any) -> None:
        core.gateway.arrival_left_ns = lambda _client_order_id, _now_ns: 0
        core.gateway.unsettled._window_ns = 0

    every_connector(world, change)
    world.weather["order"].extra_ns = 1_800 * MS
    for step in range(40):
        world.timeline.at(world.timeline.now_ns + step * 300 * MS, None, "fault", world.inject, "api.break")


def engine_has_no_cap(world: World) -> None:
    """The room for opening orders is not looked at."""

    def change(core: Any) -> None:
        for bot in core.bots.values():
            bot.gate.opening_room_lots = lambda *_args, **_kwargs: 1 << 40

    every_core(world, change)


def engine_quotes_on_a_bad_book(world: World) -> None:
    """Every book is believed, whatever anybody says of it."""

    def change(core: Any) -> None:
        for bot in core.bots.values():
            take_top, add = bot.market.take_top, bot.gate.add

            def believe(top: BookTop, take_top: Any = take_top) -> None:
                if top.bid_ticks:
                    take_top(msgspec.structs.replace(top, valid=True))

            def ignore(code: Code, message: str, now_ns: int, add: Any = add, **kwargs: Any) -> bool:
                return code not in (Code.BOOK_NOT_VALID, Code.MARKET_STREAM_DOWN) and add(
                    code, message, now_ns, **kwargs
                )

            bot.market = _Proxy(bot.market, take_top=believe)
            bot.gate.add = ignore

    every_core(world, change)
    world.timeline.at(world.timeline.now_ns + 3 * SECOND, None, "fault", world.inject, "market.silent", 60.0)


def engine_ignores_that_its_account_is_silent(world: World) -> None:
    """What the connector says of the account's stream is not looked at."""

    def change(core: Any) -> None:
        for bot in core.bots.values():
            judge = bot.gate.set

            def ignore(code: Code, holds: bool, message: str, now_ns: int, judge: Any = judge) -> bool:
                return code is not Code.PRIVATE_STREAM_DOWN and judge(code, holds, message, now_ns)

            bot.gate.set = ignore

    every_core(world, change)
    for step in range(20):
        world.timeline.at(world.timeline.now_ns + step * SECOND, None, "fault", world.inject, "user.break")


class _Proxy:
    """A market view with one method exchanged; slotted classes cannot be changed in place."""

    def __init__(self, inner: Any, **changed: Any) -> None:
        object.__setattr__(self, "_inner", inner)
        object.__setattr__(self, "_changed", changed)

    def __getattr__(self, name: str) -> Any:
        changed = object.__getattribute__(self, "_changed")
        inner = object.__getattribute__(self, "_inner")
        return changed[name] if name in changed else getattr(inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_inner"), name, value)


def limiter_has_no_reserve(world: World) -> None:
    """Cancels wait like everything else."""

    def change(core: Any) -> None:
        budget = core.budget
        take, count = budget.take, [0]

        def strict(lane: Lane, now_ns: int, amounts: Any = None) -> None:
            count[0] += 1
            if lane is Lane.CANCEL and count[0] % 5 == 0:
                raise LimitError(ErrorReason.RATE_LIMITED, "no room", retry_after_ms=100)
            take(lane, now_ns, amounts)

        budget.take = strict
        watched = world.checks.watch_limiter
        watched(budget)

    every_connector(world, change)


def limiter_counts_nothing(world: World) -> None:
    """The connector sends as much as it likes."""
    every_connector(world, lambda core: setattr(core.budget, "take", lambda *_args, **_kwargs: None))
    world.exchange.orders_per_10s = 20


def fee_is_booked_as_profit(world: World) -> None:
    """The ledger books every fee with the wrong sign."""

    def change(core: Any) -> None:
        for bot in core.bots.values():
            count = bot.ledger._count
            bot.ledger._count = lambda fill, count=count: count(msgspec.structs.replace(fill, fee=-fill.fee))

    every_core(world, change)


def publisher_forgets_orders(world: World) -> None:
    """Orders that ended are not told to the page."""
    started = world.engine.on_started

    def again() -> None:
        started()
        publisher: Any = world.checks.publisher
        add = publisher._add_orders

        def forget(bot: Any, unsaid: Any, delta: Any) -> None:
            add(bot, unsaid, delta)
            del delta.removed_client_order_ids[:]

        publisher._add_orders = forget

    world.engine.on_started = again


def random_number_of_the_machine(world: World) -> None:
    """Something reads the machine's own randomness."""
    world.timeline.at(world.timeline.now_ns + SECOND, None, f"tick {random.SystemRandom().random()}", lambda: None)


def restart_forgets_a_slot(world: World) -> None:
    """What the slots went through is not read back as it was."""
    read = world.engine.disk.read

    def forget(configs: Any, now_ns: int) -> Any:
        restored = read(configs, now_ns)
        for bot in restored.bots.values():
            for lot in bot.slots.values():
                lot.cycles += 1
        return restored

    world.engine.disk.read = forget  # type: ignore[method-assign]


def newest_message_wins(world: World) -> None:
    """A report overwrites what was known, however old it is."""

    def overwrite(core: Any, event: Fill | Order, now_ns: int) -> None:
        if isinstance(event, Order):
            bot = core.by_symbol[event.symbol]
            tracked = bot.orders.by_id[event.client_order_id]
            tracked.venue_filled_lots = event.filled_lots
            tracked.state = event.state
            bot.orders.sync(tracked)
        else:
            core.handle(event, now_ns)

    world.tell = overwrite


def book_loses_a_level(world: World) -> None:
    """The bids of every change are left out of the connector's book."""

    def change(core: Any) -> None:
        adapter = world.connector.adapter
        on_diff = adapter.sync.on_diff

        def keep(data: bytes, now_ns: int) -> bool:
            return on_diff(re.sub(rb'"b":.*?,"a":', b'"b":[],"a":', data), now_ns)

        adapter.sync = _Proxy(adapter.sync, on_diff=keep)

    every_connector(world, change)


def sells_below_own_bids(world: World) -> None:
    """Take-profits are sent one level below their own, whatever rests there."""
    every_core(world, lambda _core: None)
    turn = world.engine.on_turn

    def lower(events: list[Event], commands: list[Any]) -> None:
        for index, command in enumerate(commands):
            if isinstance(command, Place) and command.request.side is Side.SELL:
                request = msgspec.structs.replace(command.request, price_ticks=command.request.price_ticks - 600)
                commands[index] = Place(command.command_id, request)
        turn(events, commands)

    world.engine.on_turn = lower


def fills_count_backwards(world: World) -> None:
    """An older cumulative size replaces a newer one in what the engine says of an order."""
    turn, seen = world.engine.on_turn, set[str]()

    def older(events: list[Event], commands: list[Any]) -> None:
        for index, command in enumerate(commands):
            if isinstance(command, OrderRecord) and command.order.filled_lots:
                if command.order.client_order_id in seen:
                    order = msgspec.structs.replace(command.order, filled_lots=0)
                    commands[index] = msgspec.structs.replace(command, order=order)
                seen.add(command.order.client_order_id)
        turn(events, commands)

    world.engine.on_turn = older


CASES: dict[str, list[Mutation]] = {
    "fills_never_lost": [connector_drops_fills],
    "fills_never_doubled": [ledger_forgets_trade_ids],
    "cumulative_filled_monotone": [fills_count_backwards],
    "terminal_state_needs_venue_evidence": [gateway_invents_a_terminal_state, one_denial_is_proof],
    "worst_case_within_cap": [engine_has_no_cap],
    "own_bid_below_own_ask": [sells_below_own_bids],
    "one_order_per_slot_and_side": [engine_sends_again],
    "no_quote_unless_book_valid": [engine_quotes_on_a_bad_book],
    "no_opening_while_account_is_silent": [engine_ignores_that_its_account_is_silent],
    "cancel_never_blocked_by_limiter": [limiter_has_no_reserve],
    "pnl_parts_sum_to_equity": [fee_is_booked_as_profit],
    "replica_hash_equals_engine_hash": [publisher_forgets_orders],
    "same_seed_same_log": [random_number_of_the_machine],
    "restart_is_idempotent": [restart_forgets_a_slot],
    "permuted_events_same_final_state": [newest_message_wins],
    "book_equals_naive_model": [book_loses_a_level],
    "limiter_never_exceeds_venue_window": [limiter_counts_nothing],
}


def test_every_invariant_has_a_case() -> None:
    assert set(CASES) == set(INVARIANTS)


def broken_by(mutation: Mutation | None, seed: int) -> tuple[str, str]:
    world = World(seed, risk={"max_position": Decimal("0.3")})
    if mutation is not None:
        mutation(world)
    try:
        world.start()
        world.run(12 * SECOND)
        world.settle(20 * SECOND)
        world.check()
        check_endings(world)
    except BrokenInvariantError as error:
        return error.name, error.what
    finally:
        world.close()
    return "", world.timeline.digest


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_broken_without_a_mutation(seed: int) -> None:
    assert broken_by(None, seed)[0] == ""


@pytest.mark.parametrize(
    ("name", "mutation"),
    [pytest.param(name, case, id=case.__name__) for name, cases in CASES.items() for case in cases],
)
def test_the_invariant_catches_it(name: str, mutation: Mutation) -> None:
    if name == "same_seed_same_log":
        assert broken_by(mutation, 1)[1] != broken_by(mutation, 1)[1]
        return
    found = [broken_by(mutation, seed) for seed in (1, 2, 3)]
    assert name in {broken for broken, _what in found}, found
