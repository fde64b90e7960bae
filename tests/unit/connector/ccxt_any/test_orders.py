"""One call per command, one outcome per call, and nobody's fate invented."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from models.ccxt_exchange import SYMBOL, BaseError, FakeExchange, Sink, ccxt_error, config, order_row, trade_row

from opensqt.connector.commands import Amend, Cancel, CancelAll, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.connector.venues.ccxt_any.adapter import CcxtAdapter
from opensqt.connector.venues.ccxt_any.library import Library
from opensqt.connector.venues.ccxt_any.order_entry import MAX_IN_FLIGHT
from opensqt.domain.clock import NS_PER_S, ManualClock
from opensqt.domain.errors import ErrorReason, NotFoundError, StateError, UnavailableError, UnsupportedError
from opensqt.domain.order import OrderRequest, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState

REQUEST = OrderRequest(
    symbol=SYMBOL, client_order_id="a1", side=Side.BUY, price_ticks=600_001, lots=3, instrument_revision=1
)
OrderNotFound = ccxt_error("OrderNotFound", "InvalidOrder", "ExchangeError")
RequestTimeout = ccxt_error("RequestTimeout", "NetworkError", "OperationFailed")


class Desk:
    """A started adapter on a fake exchange."""

    def __init__(self, **changes: Any) -> None:
        self.exchange = FakeExchange(createOrder={"id": "77"}, fetchOrder=OrderNotFound)
        self.clock = ManualClock(1_700_000_000 * NS_PER_S)
        self.sink = Sink()
        library = Library(self.exchange, BaseError)
        self.adapter = CcxtAdapter(config(**changes), "live", self.clock, lambda _config, _mode: library)

    async def send(self, *commands: VenueCommand) -> list[OutcomeReport]:
        before = len(self.sink.reports)
        self.adapter.orders.submit(commands)
        assert len(self.sink.reports) == before, "an outcome was pushed from inside the call that sends"
        async with asyncio.timeout(5):
            # The tasks are the adapter's own; a turn of the loop each is all they need.
            while len(self.sink.reports) < before + len(commands):  # noqa: ASYNC110
                await asyncio.sleep(0)
        self.clock.advance(NS_PER_S)
        return self.sink.reports[before:]

    async def look(self) -> None:
        await self.adapter._account_poll.once(self.sink)  # type: ignore[arg-type]
        self.clock.advance(NS_PER_S)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    found = Desk(amend=True)
    await found.adapter.start(found.sink)  # type: ignore[arg-type]
    yield found
    await found.adapter.stop()


async def test_placement_is_sent_exactly_as_asked_and_confirmed_by_an_id_alone(desk: Desk) -> None:
    (report,) = await desk.send(Place(1, REQUEST))
    assert desk.exchange.calls[-1] == (
        "createOrder",
        (SYMBOL, "limit", "buy", "3", "60000.1", {"clientOrderId": "a1", "postOnly": True}),
    )
    assert report.outcome is Outcome.CONFIRMED
    assert report.order is not None
    assert (report.order.exchange_order_id, report.order.state) == ("77", OrderState.LIVE)


async def test_market_order_has_no_price_and_reduce_only_is_asked_for(desk: Desk) -> None:
    request = OrderRequest(
        symbol=SYMBOL,
        client_order_id="a1",
        side=Side.SELL,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        price_ticks=0,
        lots=3,
        reduce_only=True,
        instrument_revision=1,
    )
    await desk.send(Place(1, request))
    arguments = desk.exchange.calls[-1][1]
    assert arguments == (SYMBOL, "market", "sell", "3", None, {"clientOrderId": "a1", "reduceOnly": True})


@pytest.mark.parametrize(
    "answer",
    [
        RequestTimeout("slow"),
        ccxt_error("NetworkError")("reset"),
        ccxt_error("ExchangeNotAvailable", "NetworkError")("502"),
        ccxt_error("ExchangeError")("an answer that ccxt cannot place"),
        OrderNotFound("asked after sending"),
        KeyError("orderId"),
        OSError("reset by peer"),
        {"status": "open"},
        None,
    ],
)
async def test_placement_that_may_exist_is_unknown_and_never_sent_again(desk: Desk, answer: object) -> None:
    desk.exchange.answers["createOrder"] = answer
    (report,) = await desk.send(Place(1, REQUEST))
    assert (report.outcome, report.reason) == (Outcome.UNKNOWN, ErrorReason.OUTCOME_UNKNOWN)
    assert desk.exchange.count("createOrder") == 1


async def test_placement_that_did_not_answer_in_time_is_unknown(desk: Desk) -> None:
    desk.exchange.answers["createOrder"] = lambda *_: asyncio.sleep(60)
    (report,) = await desk.send(Place(1, REQUEST))
    assert report.outcome is Outcome.UNKNOWN
    assert "no answer within 0.2 seconds" in report.message


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("InsufficientFunds", ErrorReason.INSUFFICIENT_MARGIN),
        ("InvalidOrder", ErrorReason.VENUE_REJECTED),
        ("DuplicateOrderId", ErrorReason.DUPLICATE_CLIENT_ID),
        ("AuthenticationError", ErrorReason.BAD_CREDENTIALS),
    ],
)
async def test_refused_placement_says_why(desk: Desk, name: str, reason: ErrorReason) -> None:
    desk.exchange.answers["createOrder"] = ccxt_error(name)("no")
    (report,) = await desk.send(Place(1, REQUEST))
    assert (report.outcome, report.reason) == (Outcome.REJECTED, reason)


async def test_rate_limit_stops_new_orders_but_lets_cancels_pass(desk: Desk) -> None:
    desk.exchange.answers["createOrder"] = ccxt_error("RateLimitExceeded", "NetworkError")("slow down")
    (report,) = await desk.send(Place(1, REQUEST))
    assert (report.outcome, report.retry_after_ms) == (Outcome.REJECTED, 1_000)
    assert "slow down" in desk.sink.budget.circuit(desk.clock.monotonic_ns() - NS_PER_S)[1]


async def test_ticks_of_another_instrument_revision_are_refused_before_sending(desk: Desk) -> None:
    desk.adapter._instruments.clear()
    (report,) = await desk.send(Place(1, REQUEST))
    assert (report.outcome, report.reason) == (Outcome.REJECTED, ErrorReason.UNKNOWN_SYMBOL)
    assert desk.exchange.count("createOrder") == 0


async def test_commands_beyond_what_may_wait_are_refused(desk: Desk) -> None:
    desk.exchange.answers["createOrder"] = lambda *_: asyncio.sleep(60)
    reports = await desk.send(*(Place(token, REQUEST) for token in range(MAX_IN_FLIGHT + 2)))
    assert [report.reason for report in reports].count(ErrorReason.RATE_LIMITED) == 2


async def test_cancel_by_client_id_finds_the_exchanges_id(desk: Desk) -> None:
    desk.exchange.answers["fetchOpenOrders"] = [order_row("91", clientOrderId="b7")]
    desk.exchange.answers["cancelOrder"] = order_row("91", clientOrderId="b7", status="canceled")
    (report,) = await desk.send(Cancel(1, SYMBOL, "b7"))
    assert ("cancelOrder", ("91", SYMBOL)) in desk.exchange.calls
    assert report.order is not None
    assert report.order.state is OrderState.CANCELED


async def test_cancel_of_an_order_that_nobody_knows_is_refused_unsent(desk: Desk) -> None:
    (report,) = await desk.send(Cancel(1, SYMBOL, "zz"))
    assert (report.outcome, report.reason) == (Outcome.REJECTED, ErrorReason.UNKNOWN_ORDER)
    assert desk.exchange.count("cancelOrder") == 0


async def test_cancel_that_was_only_accepted_does_not_end_the_order(desk: Desk) -> None:
    await desk.send(Place(1, REQUEST))
    desk.exchange.answers["cancelOrder"] = {"id": "77", "status": None}
    (report,) = await desk.send(Cancel(2, SYMBOL, "a1"))
    assert (report.outcome, report.order) == (Outcome.CONFIRMED, None)


async def test_amendment_names_the_total_and_keeps_the_id(desk: Desk) -> None:
    await desk.send(Place(1, REQUEST))
    desk.exchange.answers["editOrder"] = {"id": "77"}
    amend = Amend(
        token=2,
        symbol=SYMBOL,
        client_order_id="a1",
        exchange_order_id="",
        side=Side.BUY,
        price_ticks=599_000,
        total_lots=5,
        instrument_revision=1,
    )
    (report,) = await desk.send(amend)
    assert desk.exchange.calls[-1] == ("editOrder", ("77", SYMBOL, "limit", "buy", "5", "59900.0"))
    assert report.order is not None
    assert (report.order.price_ticks, report.order.lots) == (599_000, 5)


async def test_cancel_all_without_such_a_method_cancels_one_by_one(desk: Desk) -> None:
    desk.exchange.has["cancelAllOrders"] = "emulated"
    desk.exchange.answers["fetchOpenOrders"] = [order_row("91"), order_row("92", clientOrderId="a2")]
    desk.exchange.answers["cancelOrder"] = lambda name, _symbol: OrderNotFound("gone") if name == "91" else {}
    (report,) = await desk.send(CancelAll(1, SYMBOL))
    assert report.outcome is Outcome.CONFIRMED
    assert desk.exchange.count("cancelOrder") == 2


# ---- settling


async def test_unknown_order_is_found_by_each_of_its_traces(desk: Desk) -> None:
    row = order_row("91", clientOrderId="b7", status="closed", filled="3")
    ask = desk.adapter.account.order
    desk.exchange.answers["fetchOrders"] = [row]
    assert (await ask(SYMBOL, "b7", "")).state is OrderState.FILLED
    executed = order_row("92", clientOrderId="b8", status="closed", filled="3")
    desk.exchange.answers["fetchMyTrades"] = [trade_row(order="92")]
    desk.exchange.answers["fetchOrder"] = lambda name, *_: executed if name == "92" else OrderNotFound("none")
    assert (await ask(SYMBOL, "b8", "")).exchange_order_id == "92"
    direct = order_row("93", clientOrderId="b9")
    desk.exchange.answers["fetchOrder"] = lambda *_: direct
    assert (await ask(SYMBOL, "b9", "")).exchange_order_id == "93"


async def test_order_is_denied_only_when_every_way_answered_so(desk: Desk) -> None:
    ask = desk.adapter.account.order
    with pytest.raises(NotFoundError):
        await ask(SYMBOL, "b7", "")
    for name in ("fetchOpenOrders", "fetchOrders", "fetchMyTrades", "fetchOrder"):
        before = desk.exchange.answers[name]
        desk.exchange.answers[name] = RequestTimeout("slow")
        with pytest.raises(UnavailableError, match="slow"):
            await ask(SYMBOL, "b7", "")
        desk.exchange.answers[name] = before


async def test_answer_with_another_order_is_not_believed(desk: Desk) -> None:
    desk.exchange.answers["fetchOrder"] = order_row("93", clientOrderId="somebody-elses")
    with pytest.raises(NotFoundError):
        await desk.adapter.account.order(SYMBOL, "b7", "")


async def test_execution_of_an_order_without_client_id_leaves_the_fate_open(desk: Desk) -> None:
    desk.exchange.answers["fetchMyTrades"] = [trade_row(order="92")]
    nameless = order_row("92", clientOrderId=None)
    desk.exchange.answers["fetchOrder"] = lambda name, *_: nameless if name == "92" else OrderNotFound("none")
    with pytest.raises(UnavailableError, match="not known"):
        await desk.adapter.account.order(SYMBOL, "b7", "")


# ---- the account in turns


async def test_order_that_vanished_is_asked_for_and_its_fills_come_first(desk: Desk) -> None:
    await desk.send(Place(1, REQUEST))
    desk.exchange.answers["fetchMyTrades"] = [trade_row(), trade_row("t2", amount="2", price="60000.0")]
    desk.exchange.answers["fetchOrder"] = order_row(status="closed", filled="3")
    desk.sink.pushed.clear()
    await desk.look()
    assert [name for name, _ in desk.sink.pushed][:3] == ["on_fill", "on_fill", "on_order"]
    (order,) = desk.sink.of("on_order")
    assert (order.state, order.filled_ticks_lots) == (OrderState.FILLED, 600_001 + 2 * 600_000)
    assert desk.sink.of("on_fill")[0].client_order_id == "a1"
    desk.sink.pushed.clear()
    await desk.look()
    assert desk.sink.pushed == [], "nothing changed"


async def test_vanished_order_that_is_forgotten_needs_two_denials_to_count_as_cancelled(desk: Desk) -> None:
    await desk.send(Place(1, REQUEST))
    await desk.look()
    assert [order.state for order in desk.sink.of("on_order")] == [OrderState.LIVE]
    await desk.look()
    assert desk.sink.of("on_order")[-1].state is OrderState.CANCELED


async def test_listing_that_was_asked_for_before_a_cancel_does_not_open_the_order_again(desk: Desk) -> None:
    await desk.send(Place(1, REQUEST))
    desk.exchange.answers["cancelOrder"] = order_row(status="canceled")
    await desk.send(Cancel(2, SYMBOL, "a1"))
    desk.exchange.answers["fetchOpenOrders"] = [order_row()]
    await desk.look()
    assert desk.sink.of("on_order")[-1].state is OrderState.CANCELED


@pytest.mark.parametrize("name", ["fetchOpenOrders", "fetchMyTrades", "fetchPositions", "fetchBalance"])
async def test_query_that_failed_is_an_error_and_changes_nothing(desk: Desk, name: str) -> None:
    await desk.send(Place(1, REQUEST))
    desk.exchange.answers["fetchOpenOrders"] = [order_row()]
    await desk.look()
    desk.sink.pushed.clear()
    for answer in (RequestTimeout("slow"), {"not": "a list"} if name != "fetchBalance" else []):
        desk.exchange.answers[name] = answer
        with pytest.raises(UnavailableError):
            await desk.look()
        assert desk.sink.pushed == []


# ---- start


async def test_exchange_that_cannot_tell_the_fate_of_orders_is_refused() -> None:
    desk = Desk()
    desk.exchange.has |= {"fetchMyTrades": None, "fetchOrder": False, "fetchOrders": "emulated"}
    desk.exchange.has["fetchClosedOrders"] = None
    with pytest.raises(UnsupportedError, match="fetchMyTrades, fetchOrder"):
        await desk.adapter.start(desk.sink)  # type: ignore[arg-type]
    await desk.adapter.stop()


async def test_capabilities_promise_nothing_that_is_missing() -> None:
    desk = Desk(amend=True)
    found = desk.adapter.capabilities
    assert (found.exchange, found.max_batch_place, found.max_batch_cancel) == ("ccxt:fake", 1, 1)
    assert not any((found.stream_order_entry, found.dead_man_switch, found.book_checksum, found.hedge_mode))
    assert (found.amend, found.kline_intervals) == (True, ("1m",))
    assert not Desk().adapter.capabilities.amend


async def test_leverage_beyond_the_limit_is_refused_as_such(desk: Desk) -> None:
    desk.exchange.answers["setLeverage"] = ccxt_error("BadRequest", "ExchangeError")("too high")
    with pytest.raises(StateError) as raised:
        await desk.adapter.orders.set_leverage(SYMBOL, 99)
    assert raised.value.reason is ErrorReason.LEVERAGE_LIMIT
    desk.exchange.answers["setLeverage"] = ccxt_error("NoChange", "OperationRejected", "ExchangeError")("is so")
    assert (await desk.adapter.orders.set_leverage(SYMBOL, 9)).leverage == 9


async def test_changed_filter_is_a_new_revision(desk: Desk) -> None:
    market = desk.exchange.answers["loadMarkets"][SYMBOL]
    await desk.adapter.market.refresh_instruments()
    assert desk.adapter.instruments[SYMBOL].revision == 1
    desk.exchange.answers["loadMarkets"] = {SYMBOL: market | {"precision": {"price": "0.5", "amount": "1"}}}
    await desk.adapter.market.refresh_instruments()
    assert desk.adapter.instruments[SYMBOL].revision == 2
    (report,) = await desk.send(Place(1, REQUEST))
    assert report.reason is ErrorReason.STALE_INSTRUMENT
