"""Orders before queries before polls, at the pace the exchange grants, and nobody waits for ever."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.ccxt_exchange import NOW_MS, SYMBOL, BaseError, FakeExchange, Sink, config

from opensqt.connector.commands import Place
from opensqt.connector.venues.ccxt_any.adapter import CcxtAdapter
from opensqt.connector.venues.ccxt_any.library import Library
from opensqt.connector.venues.ccxt_any.limiter import MAX_WAITING, Limiter
from opensqt.connector.venues.ccxt_any.pace import Lane, Pace, current_lane, in_lane
from opensqt.domain.clock import ManualClock
from opensqt.domain.order import OrderRequest, Side

RATE = 20.0
PATIENCE_S = 2.0


def pace() -> Pace[str]:
    return Pace(RATE, 1.0, PATIENCE_S)


def run(made: Pace[str], now_s: float, until_s: float) -> list[tuple[str, float]]:
    """Release whenever something is due; return who left when."""
    left = []
    while now_s <= until_s:
        left += [(key, round(now_s, 3)) for key in made.release(now_s)]
        pause_s = made.next_s(now_s)
        if pause_s is None:
            break
        now_s += max(pause_s, 1e-6)
    return left


def test_query_does_not_wait_for_polls_that_were_first() -> None:
    made = pace()
    made.join("trades", 20, Lane.POLL, 0)
    made.join("income", 30, Lane.POLL, 0)
    made.join("fills", 5, Lane.QUERY, 0.1)
    assert made.release(0.1) == ["fills"]


def test_order_goes_before_queries_that_wait() -> None:
    made = pace()
    made.join("income", 30, Lane.QUERY, 0)
    assert made.release(0) == ["income"]
    made.join("fills", 5, Lane.QUERY, 0)
    made.join("order", 1, Lane.ORDER, 0.1)
    assert [key for key, _ in run(made, 0.1, 10)] == ["order", "fills"]


def test_poll_leaves_no_debt_to_the_order_after_it() -> None:
    made = pace()
    made.join("income", 30, Lane.POLL, 0)
    assert run(made, 0, 10) == [("income", 1.5)]
    made.join("order", 1, Lane.ORDER, 1.5)
    assert made.release(1.5) == ["order"]


def test_queries_leave_a_debt_that_is_paid_before_the_next() -> None:
    made = pace()
    made.join("income", 30, Lane.QUERY, 0)
    made.join("fills", 5, Lane.QUERY, 0)
    assert run(made, 0, 10) == [("income", 0), ("fills", 1.5)]


def test_poll_is_never_stopped_by_queries() -> None:
    made = pace()
    made.join("book", 20, Lane.POLL, 0)
    left: list[str] = []
    for step in range(100):
        made.join("query", 5, Lane.QUERY, step * 0.1)
        left += made.release(step * 0.1)
        if "book" in left:
            break
    assert "book" in left
    # Ten queries a second for two seconds came before its patience was over; of those that came later, none passed it.
    assert left.count("query") == 20


def test_wait_that_was_given_up_costs_nothing() -> None:
    made = pace()
    made.join("first", 1, Lane.QUERY, 0)
    assert made.release(0) == ["first"]
    made.drop(made.join("given up", 30, Lane.QUERY, 0))
    made.join("second", 1, Lane.QUERY, 0)
    assert run(made, 0, 10) == [("second", 0.05)]


@given(st.lists(st.tuples(st.sampled_from(Lane), st.sampled_from([0.1, 1, 5, 20, 30]), st.floats(0, 1))))
def test_everybody_leaves_and_the_exchange_is_asked_no_faster_than_it_grants(
    asked: list[tuple[Lane, float, float]],
) -> None:
    made = pace()
    now_s, spent, dearest = 0.0, 0.0, 0.0
    costs = {}
    for number, (lane, cost, pause_s) in enumerate(asked):
        now_s += pause_s
        costs[str(number)] = cost
        dearest = max(dearest, cost)
        made.join(str(number), cost, lane, now_s)
        spent += sum(costs.pop(key) for key in made.release(now_s))
        assert spent <= now_s * RATE + dearest + 1e-6
    for key, _at_s in run(made, now_s, now_s + 10_000):
        del costs[key]
    assert not costs
    assert len(made) == 0


# ---- in the place of ccxt's limiter


def limiter(units_per_s: float = 1_000.0) -> Limiter:
    return Limiter({"cost": 1, "refillRate": units_per_s / 1_000, "capacity": 1}, PATIENCE_S, BaseError)


async def test_limiter_lets_a_later_order_and_query_pass_polls() -> None:
    limit = limiter()
    left: list[str] = []

    async def ask(name: str, lane: Lane, cost: float) -> None:
        with in_lane(lane):
            await limit(cost)
        left.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask("first", Lane.QUERY, 20))
        for _ in range(3):
            group.create_task(ask("poll", Lane.POLL, 30))
        group.create_task(ask("query", Lane.QUERY, 5))
        group.create_task(ask("order", Lane.ORDER, 1))
    assert left == ["first", "order", "query", "poll", "poll", "poll"]


async def test_limiter_refuses_what_finds_too_many_waiting() -> None:
    limit = limiter(0.001)
    await limit(None)
    waiting = [asyncio.ensure_future(limit(1)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(BaseError, match="wait for the exchange already"):
        await limit(1)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    refused = asyncio.ensure_future(limit(1))
    await asyncio.sleep(0)
    assert not refused.done(), "there is room again"
    refused.cancel()
    await asyncio.gather(refused, return_exceptions=True)


async def test_adapter_polls_in_the_last_lane_and_orders_in_the_first() -> None:
    lanes: dict[str, Lane] = {}

    def answer(name: str, value: object) -> Any:
        def said(*_arguments: object) -> object:
            lanes[name] = current_lane()
            return value

        return said

    exchange = FakeExchange(
        fetchBalance=answer("fetchBalance", {"USDT": {"free": "90", "used": "10", "total": "100"}}),
        fetchPositions=answer("fetchPositions", []),
        createOrder=answer("createOrder", {"id": "77"}),
    )
    clock, sink = ManualClock(NOW_MS * 1_000_000), Sink()
    settings = config(account_poll_ms=100, market_poll_ms=100)
    adapter = CcxtAdapter(settings, "live", clock, lambda *_: Library(exchange, BaseError))
    await adapter.start(sink)  # type: ignore[arg-type]
    assert lanes == {"fetchPositions": Lane.QUERY, "fetchBalance": Lane.QUERY}
    running = asyncio.ensure_future(adapter.run())
    async with asyncio.timeout(10):
        # Nothing tells that a round is over but its questions.
        while lanes["fetchBalance"] is not Lane.POLL:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    request = OrderRequest(
        symbol=SYMBOL, client_order_id="a1", side=Side.BUY, price_ticks=600_001, lots=3, instrument_revision=1
    )
    adapter.orders.submit([Place(1, request)])
    async with asyncio.timeout(10):
        while "createOrder" not in lanes:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert lanes["createOrder"] is Lane.ORDER
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await adapter.stop()
