"""One client process of the hop benchmarks: asks a connector as fast as it answers, or reads books and counts.

client.py '{"do": "round_trips", "address": "unix:...", "seconds": 2}'
client.py '{"do": "read", "address": "unix:...", "streams": 4, "symbol": "...", "seconds": 3, "pause_s": 0}'
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import opensqt.runtime  # noqa: F401  sets gRPC's environment before it is imported

import orjson  # isort: skip
import uvloop  # isort: skip

sys.path.append(str(Path(__file__).resolve().parent.parent / "e2e"))

from rig import begin_trade

from opensqt._core.histogram import Histogram
from opensqt.proto import exchange_pb2, market_data_pb2, trade_pb2
from opensqt.proto.exchange_pb2_grpc import ExchangeServiceStub
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import open_channel

PAUSE_S = 0.001
HURRY_S = 2.0


def figures(found: Histogram) -> dict[str, Any]:
    names = ((0.5, "p50"), (0.99, "p99"), (0.999, "p999"))
    return {"count": found.count, **{name: (found.quantile(q) or 0) / 1_000 for q, name in names}}


async def round_trips(options: dict[str, Any]) -> dict[str, Any]:
    """Measure a unary call, then a heartbeat on the Trade stream and its echo; each after a pause, as orders come."""
    pause_s = options.get("pause_s", PAUSE_S)
    async with open_channel(GrpcClientConfig(address=options["address"])) as channel:
        stub: Any = ExchangeServiceStub(channel)
        unary, stream = Histogram(), Histogram()
        request = exchange_pb2.GetNameRequest()
        until = time.monotonic() + options["seconds"]
        while time.monotonic() < until:
            await asyncio.sleep(pause_s)
            start = time.perf_counter_ns()
            await stub.GetName(request, timeout=5)
            unary.record(time.perf_counter_ns() - start)
        call, _first = await begin_trade(stub, options["symbol"])
        beat = 0
        until = time.monotonic() + options["seconds"]
        while time.monotonic() < until:
            await asyncio.sleep(pause_s)
            beat += 1
            start = time.perf_counter_ns()
            await call.write(trade_pb2.TradeRequest(heartbeat=trade_pb2.Heartbeat(sent_ns=beat)))
            while True:
                event = await call.read()
                if any(item.heartbeat.sent_ns == beat for item in event.items):
                    break
            stream.record(time.perf_counter_ns() - start)
        await call.done_writing()
        return {"unary": figures(unary), "stream": figures(stream)}


async def read(options: dict[str, Any]) -> dict[str, Any]:
    """Read books on some streams; `pause_s` makes a slow reader of it, which hurries once it was measured.

    Then it is seen what the connector held for it: `largest` is the most venue messages that came as one update.
    """
    latency, messages, merged, largest = Histogram(), [0], [0], [0]

    async def one() -> None:
        async with open_channel(GrpcClientConfig(address=options["address"])) as channel:
            stub: Any = ExchangeServiceStub(channel)
            request = market_data_pb2.SubscribeBookRequest(symbols=[options["symbol"]], depth=20)
            async for message in stub.SubscribeBook(request):
                now_ns = time.time_ns()
                messages[0] += 1
                for update in message.updates:
                    merged[0] += update.merged_count
                    largest[0] = max(largest[0], update.merged_count)
                    if update.merged_count:
                        latency.record(now_ns - update.publish_time_ns)
                if options["pause_s"]:
                    await asyncio.sleep(options["pause_s"])

    tasks = [asyncio.create_task(one()) for _ in range(options["streams"])]
    await asyncio.sleep(1.0)
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    await asyncio.to_thread(sys.stdin.buffer.readline)
    await asyncio.sleep(0.5)
    latency.reset()
    messages[0] = merged[0] = largest[0] = 0
    begun = time.process_time()
    await asyncio.sleep(options["seconds"])
    spent = time.process_time() - begun
    found = {"latency": figures(latency), "messages": messages[0], "merged": merged[0], "cpu_s": spent}
    if options["pause_s"]:
        options["pause_s"] = 0
        await asyncio.sleep(HURRY_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {**found, "largest": largest[0]}


def main() -> None:
    """Do one thing and print it."""
    options = orjson.loads(sys.argv[1])
    work = {"round_trips": round_trips, "read": read}[options["do"]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(orjson.dumps(runner.run(work(options))) + b"\n")


if __name__ == "__main__":
    main()
