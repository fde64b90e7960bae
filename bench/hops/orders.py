"""An engine of the hop benchmarks: orders and heartbeats at fixed times, every event of the session counted.

    orders.py '{"address": "unix:...", "symbol": "..."}'

Each line on standard input, `{"seconds": 2}`, is one turn; its figures come back as one line. The session lives through
all turns, and so does the count of its events. Latency counts from the time a request was *meant* to leave: a stall
counts against every request it delays.
"""

import asyncio
import sys
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import opensqt.runtime  # noqa: F401  sets gRPC's environment before it is imported

import orjson  # isort: skip
import uvloop  # isort: skip
from grpc import aio  # isort: skip

sys.path.append(str(Path(__file__).resolve().parent.parent / "e2e"))

from client import figures
from rig import begin_trade
from timer import SPIN_NS, Timer

from opensqt._core.histogram import Histogram
from opensqt.proto import trade_pb2, types_pb2
from opensqt.proto.exchange_pb2_grpc import ExchangeServiceStub
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import open_channel

BEAT_NS = 4_000_000
BEATS_PER_ORDER = 5
RESTING = 10
"""Orders that rest before the oldest is cancelled."""
WARM_BEATS = 50
DRAIN_S = 1.0
PRICE_TICKS = 590_000
LOTS = 3


class Account:
    """What the session has told, and what it must have told by now."""

    def __init__(self, first: trade_pb2.TradeEvent) -> None:
        self.next_sequence = first.first_sequence + len(first.items)
        self.revision = first.items[0].snapshot.instruments[0].revision
        self.commands: dict[int, int] = {}
        self.states: defaultdict[str, list[int]] = defaultdict(list)
        self.resting: deque[str] = deque()
        self.placed = 0
        self.cancelled = 0
        self.events = 0
        self.faults: list[str] = []
        self.beats = Histogram()
        self.orders = Histogram()
        self.late = Histogram()

    def take(self, event: trade_pb2.TradeEvent) -> None:
        now_ns = time.monotonic_ns()
        if event.first_sequence != self.next_sequence:
            self.faults.append(f"event {event.first_sequence} came where {self.next_sequence} was due")
        self.next_sequence = event.first_sequence + len(event.items)
        for item in event.items:
            kind = item.WhichOneof("item")
            if kind == "heartbeat":
                self.beats.record(now_ns - item.heartbeat.sent_ns)
            elif kind == "result":
                self._result(item.result, now_ns)
            elif kind == "order":
                self.events += 1
                self.states[item.order.client_order_id].append(item.order.state)

    def _result(self, result: trade_pb2.CommandResult, now_ns: int) -> None:
        self.events += 1
        meant_ns = self.commands.pop(result.command_id, None)
        if meant_ns is None:
            self.faults.append(f"command {result.command_id} was answered twice")
        elif result.outcome != trade_pb2.COMMAND_OUTCOME_CONFIRMED:
            self.faults.append(f"{result.client_order_id}: {result.message}")
        else:
            self.orders.record(now_ns - meant_ns)

    def check(self) -> None:
        """Note what is missing: every order has two results, and told that it rests and then that it is cancelled."""
        if self.commands:
            self.faults.append(f"{len(self.commands)} commands have no result")
        whole = [types_pb2.ORDER_STATE_LIVE, types_pb2.ORDER_STATE_CANCELED]
        for number in range(self.placed):
            states = self.states[_order_id(number)]
            wanted = whole if number < self.cancelled else whole[:1]
            if states != wanted:
                names = [types_pb2.OrderState.Name(state) for state in states]
                self.faults.append(f"order {number} told {', '.join(names) or 'nothing'}")


def _order_id(number: int) -> str:
    return f"bench{number}"


class Engine:
    """Sends what is due and counts what comes."""

    def __init__(self, call: Any, symbol: str, first: trade_pb2.TradeEvent) -> None:
        self._call = call
        self._symbol = symbol
        self._command_id = 0
        self.account = Account(first)

    async def turn(self, seconds: float) -> dict[str, Any]:
        account, is_due = self.account, asyncio.Event()
        timer = Timer(is_due.set)
        events = account.events
        due_ns = time.monotonic_ns() + 50_000_000
        for beat in range(int(seconds * 1e9 / BEAT_NS)):
            if time.monotonic_ns() < due_ns - SPIN_NS:
                timer.set(due_ns - SPIN_NS)
                await is_due.wait()
                is_due.clear()
                while time.monotonic_ns() < due_ns:
                    pass
            account.late.record(time.monotonic_ns() - due_ns)
            await self._call.write(trade_pb2.TradeRequest(heartbeat=trade_pb2.Heartbeat(sent_ns=due_ns)))
            if beat % BEATS_PER_ORDER == 2:
                await self._call.write(self._commands(due_ns))
            if beat == WARM_BEATS:
                for histogram in (account.beats, account.orders, account.late):
                    histogram.reset()
            due_ns += BEAT_NS
        timer.close()
        await asyncio.sleep(DRAIN_S)
        account.check()
        return {
            "beats": figures(account.beats),
            "orders": figures(account.orders),
            "late": figures(account.late),
            "events": account.events - events,
            "faults": account.faults,
        }

    def _commands(self, due_ns: int) -> trade_pb2.TradeRequest:
        account = self.account
        batch = trade_pb2.CommandBatch()
        order_id = _order_id(account.placed)
        place = batch.commands.add(command_id=self._next(due_ns)).place
        place.symbol, place.instrument_revision = self._symbol, account.revision
        place.side, place.type = types_pb2.ORDER_SIDE_BUY, types_pb2.ORDER_TYPE_LIMIT
        place.time_in_force, place.post_only = types_pb2.TIME_IN_FORCE_GTX, True
        place.price_ticks, place.lots, place.client_order_id = PRICE_TICKS - account.placed % 500, LOTS, order_id
        account.placed += 1
        account.resting.append(order_id)
        if len(account.resting) > RESTING:
            cancel = batch.commands.add(command_id=self._next(due_ns)).cancel
            cancel.symbol, cancel.client_order_id = self._symbol, account.resting.popleft()
            account.cancelled += 1
        return trade_pb2.TradeRequest(commands=batch)

    def _next(self, due_ns: int) -> int:
        self._command_id += 1
        self.account.commands[self._command_id] = due_ns
        return self._command_id


async def main(options: dict[str, Any]) -> None:
    """Hold one session until standard input ends."""
    async with open_channel(GrpcClientConfig(address=options["address"])) as channel:
        stub: Any = ExchangeServiceStub(channel)
        call, first = await begin_trade(stub, options["symbol"])
        engine = Engine(call, options["symbol"], first)

        async def read() -> None:
            # Not `async for`: the snapshot was read by hand, and the two ways do not mix on one call.
            while (event := await call.read()) is not aio.EOF:
                engine.account.take(event)

        reading = asyncio.create_task(read())
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        _say(b"ready")
        while line := await reader.readline():
            _say(orjson.dumps(await engine.turn(orjson.loads(line)["seconds"])))
        await call.done_writing()
        reading.cancel()


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(orjson.loads(sys.argv[1])))
