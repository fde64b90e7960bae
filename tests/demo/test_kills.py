"""`kill -9` of each service in turn, under a trading demo: nothing lost, nothing doubled, everything back by itself."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from models.demo_process import Demo, running_demo, wait_until

from opensqt.domain.client_id import parse_client_order_id
from opensqt.proto import engine_pb2, engine_pb2_grpc, exchange_pb2, exchange_pb2_grpc

pytestmark = pytest.mark.slow

SYMBOL = "BTC/USDT:USDT"


class Look:
    """Reads both sides of a demo: what the venue holds and what the engine believes."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo

    def bot(self) -> engine_pb2.BotState | None:
        with grpc.insecure_channel(self.demo.engine_address) as channel:
            try:
                reply = engine_pb2_grpc.EngineServiceStub(channel).GetStatus(engine_pb2.GetStatusRequest(), timeout=3)
            except grpc.RpcError:
                return None
            return reply.bots[0] if reply.connector_up else None

    def venue_orders(self) -> list[str]:
        with grpc.insecure_channel(self.demo.connector_address) as channel:
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            reply = stub.GetOpenOrders(exchange_pb2.GetOpenOrdersRequest(symbol=SYMBOL), timeout=5)
            return [order.client_order_id for order in reply.orders]

    def venue_trade_ids(self) -> list[str]:
        with grpc.insecure_channel(self.demo.connector_address) as channel:
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            ids: list[str] = []
            token = ""
            while True:
                reply = stub.GetFills(
                    exchange_pb2.GetFillsRequest(symbol=SYMBOL, page_token=token, limit=1000), timeout=5
                )
                ids.extend(fill.trade_id for fill in reply.fills)
                token = reply.next_page_token
                if not token:
                    return ids

    def settled(self) -> engine_pb2.BotState | None:
        """Return the bot once engine and venue agree on every fill and every order, else None."""
        try:
            return self._settled()
        except grpc.RpcError:  # one of them is away, as it is meant to be now and then here
            return None

    def _settled(self) -> engine_pb2.BotState | None:
        before = self.venue_trade_ids()
        bot = self.bot()
        if bot is None or bot.state != engine_pb2.TRADING_STATE_ACTIVE:
            return None
        ours = {order.order.client_order_id for order in bot.orders if not order.foreign}
        if bot.pnl.fills != len(before) or self.venue_trade_ids() != before:
            return None
        return bot if set(self.venue_orders()) == ours and len(ours) >= 10 else None


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    state: Path = tmp_path_factory.mktemp("killed") / "state"
    with running_demo(state, "--seed", "7") as demo:
        looking = Look(demo)
        wait_until(lambda: (bot := looking.bot()) and bot.pnl.fills >= 3, 90, "the first fills", every_s=0.5)
        yield looking


def assert_consistent(look: Look, anchor_ticks: int, interval_ticks: int, fills_before: int) -> None:
    bot = wait_until(look.settled, 60, "engine and venue to agree", every_s=0.3)
    assert (bot.grid.anchor_ticks, bot.grid.interval_ticks) == (anchor_ticks, interval_ticks), "the lattice moved"
    trade_ids = look.venue_trade_ids()
    assert len(trade_ids) == len(set(trade_ids)) >= fills_before
    ids = [parse_client_order_id(order.order.client_order_id) for order in bot.orders if not order.foreign]
    assert all(ids)
    per_slot = Counter((parsed.slot, parsed.side) for parsed in ids if parsed)
    assert max(per_slot.values()) == 1, "two orders in one slot"
    assert bot.pnl.unexplained.value == "0"
    assert bot.pnl.history_complete


@pytest.mark.timeout(240)
@pytest.mark.parametrize("service", ["engine", "connector", "live_server"])
def test_a_killed_service_is_back_and_nothing_is_lost_or_doubled(look: Look, service: str) -> None:
    demo = look.demo
    before = wait_until(look.settled, 60, "engine and venue to agree before the kill", every_s=0.3)
    others = {name: pid for name, pid in demo.pids().items() if name != service}
    old = demo.kill(service)
    demo.wait_back(service, old)
    wait_until(demo.health, 30, "the page to answer")
    assert_consistent(look, before.grid.anchor_ticks, before.grid.interval_ticks, before.pnl.fills)
    assert {name: pid for name, pid in demo.pids().items() if name != service} == others, "another service died too"
    # And it goes on trading: a new fill arrives, booked by the engine.
    fills = len(look.venue_trade_ids())
    wait_until(lambda: (bot := look.bot()) and bot.pnl.fills > fills, 90, "a fill after the kill", every_s=0.5)


@pytest.mark.timeout(120)
def test_ctrl_c_stops_all_three_and_exits_zero(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "state")
    try:
        demo.wait_ready()
        children = demo.pids()
        assert set(children) == {"connector", "engine", "live_server"}
        assert demo.interrupt() == 0, demo.text()
        assert not [pid for pid in children.values() if Path(f"/proc/{pid}").exists()]
    finally:
        demo.close()
