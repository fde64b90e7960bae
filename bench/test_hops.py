"""Single hops on loopback: round trips and one-way streams of a real connector, its clients in other processes."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import pytest
import report
from rig import Rig
from stack import stop

CLIENT = Path(__file__).parent / "hops" / "client.py"
ENGINE = CLIENT.with_name("orders.py")
SYMBOL = "BTC/USDT:USDT"
SECONDS = 3
FLOOD_ROUNDS = 25
FLOOD_TURN_S = 0.7
"""Short turns and many: a machine that halts now and then spoils some, and the median over all tells of the others."""
ORDERS_PER_S = 50
SLOW_ROUNDS = 3
START_S = 1
"""By so much the flood is longer than what readers measure of it."""

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="oqb") as path:
        found = Rig(Path(path))
        yield found
        found.close()


def begin(**options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(CLIENT), orjson.dumps(options).decode()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def go(readers: list["subprocess.Popen[bytes]"]) -> None:
    """Wait until all readers have subscribed, then let them measure."""
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"ready\n"
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write(b"go\n")
        reader.stdin.flush()


def result(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    found: dict[str, Any] = orjson.loads(out)
    return found


def add(name: str, figures: dict[str, Any], targets: dict[str, float]) -> None:
    for which in ("p50", "p99", "p999"):
        target = targets.get(which)
        if which == "p999" and target is None:
            continue
        report.add(
            report.Row(
                f"{name}, {which.replace('p999', 'p99.9')}",
                "us",
                figures[which],
                target="" if target is None else f"<= {target:g} us",
                met=None if target is None else figures[which] <= target,
                p50=figures["p50"],
                p99=figures["p99"],
                p999=figures["p999"],
            )
        )


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_round_trips(rig: Rig, way: str) -> None:
    address = rig.unix if way == "unix" else rig.tcp
    words = "unix socket" if way == "unix" else "TCP"
    runs = [
        result(begin(do="round_trips", address=address, symbol=SYMBOL, seconds=SECONDS, pause_s=0.0)) for _ in range(3)
    ]
    unary = min((run["unary"] for run in runs), key=lambda one: one["p99"])
    stream = min((run["stream"] for run in runs), key=lambda one: one["p99"])
    add(f"unary round trip, {words}", unary, {"p99": 1_500})
    add(f"order stream round trip, {words}", stream, {"p50": 100, "p99": 300, "p999": 1_000} if way == "unix" else {})


def test_order_stream_under_a_flood(rig: Rig) -> None:
    """By turns in one session: idle, and 10,000 market messages/s that a reader follows; every order event counted."""
    seconds = FLOOD_ROUNDS * (2 * FLOOD_TURN_S + 5)
    readers = begin(do="read", address=rig.unix, streams=1, symbol=SYMBOL, seconds=seconds, pause_s=0)
    go([readers])
    engine = subprocess.Popen(
        [sys.executable, str(ENGINE), orjson.dumps({"address": rig.unix, "symbol": SYMBOL}).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    turns: dict[str, list[dict[str, Any]]] = {"idle": [], "flood": []}
    try:
        assert engine.stdin is not None
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"ready\n"
        for _ in range(FLOOD_ROUNDS):
            for name, found in turns.items():
                engine.stdin.write(orjson.dumps({"seconds": FLOOD_TURN_S}) + b"\n")
                engine.stdin.flush()
                if name == "flood":
                    flood = rig.venue.do(do="flood", rate=10_000, seconds=FLOOD_TURN_S + 0.1)
                    assert flood["per_s"] > 5_000, flood
                found.append(orjson.loads(engine.stdout.readline()))
    finally:
        stop(engine)
        stop(readers)
    faults = [fault for found in turns.values() for turn in found for fault in turn["faults"]]
    events = sum(turn["events"] for found in turns.values() for turn in found)
    add_turns("order stream round trip", "beats", turns, target=2.0, p99_us=1_000)
    add_turns("order placed or cancelled at the venue and answered", "orders", turns)
    report.add(
        report.Row(
            "order events lost or reordered, idle and flood",
            "",
            len(faults),
            events,
            target=f"none of {events:,}",
            met=not faults,
        )
    )
    assert not faults, faults[:5]
    assert events > 3 * FLOOD_ROUNDS * FLOOD_TURN_S * ORDERS_PER_S, "orders were sent all the time"


def add_turns(
    name: str,
    what: str,
    turns: dict[str, list[dict[str, Any]]],
    *,
    target: float | None = None,
    p99_us: float | None = None,
) -> None:
    """Note the medians over the turns, and by how much the flood's p99 is above the idle one."""
    medians = {
        side: {which: median(turn[what][which] for turn in found) for which in ("p50", "p99", "p999")}
        for side, found in turns.items()
    }
    idle, flood = medians["idle"], medians["flood"]
    add(f"{name}, by turns, idle", idle, {})
    add(f"{name}, by turns, 10,000 market messages/s", flood, {} if p99_us is None else {"p99": p99_us})
    ratio = flood["p99"] / idle["p99"]
    report.add(
        report.Row(
            f"{name}, p99 under the flood against idle",
            "us",
            flood["p99"],
            idle["p99"],
            ratio=ratio,
            target="" if target is None else f"< {target:g}x",
            met=None if target is None else ratio < target,
        )
    )


@pytest.mark.parametrize(("rate", "streams"), [(r, s) for r in (1_000, 5_000, 10_000) for s in (1, 4, 16)])
def test_one_way_book_streams(rig: Rig, rate: int, streams: int) -> None:
    """Readers share at most four processes; each has its own connection."""
    processes = min(streams, 4)
    readers = [
        begin(do="read", address=rig.unix, streams=streams // processes, symbol=SYMBOL, seconds=SECONDS, pause_s=0)
        for _ in range(processes)
    ]
    go(readers)
    before = rig.cpu_s()
    flood = rig.venue.do(do="flood", rate=rate, seconds=SECONDS + START_S)
    spent = rig.cpu_s() - before
    found = [result(reader) for reader in readers]
    worst = max((one["latency"] for one in found), key=lambda one: one["p99"])
    name = f"book stream one way, {rate:,} messages/s, {streams} reader{'s' * (streams > 1)}"
    targets = {"p99": 1_000.0} if (rate, streams) in ((1_000, 1), (1_000, 4)) else {}
    if (rate, streams) == (10_000, 4):
        targets = {"p99": 5_000.0}
    add(name, worst, targets)
    # Nothing is lost, only merged: every reader is told of every message that the venue sent.
    share = min(one["merged"] / (one["messages"] or 1) for one in found)
    told = min(one["merged"] / streams * processes for one in found) / SECONDS
    assert told > 0.5 * flood["per_s"], "a reader stands still"
    per_message = spent / (flood["per_s"] * (SECONDS + START_S)) * 1e6
    report.add(report.Row(f"{name}, connector CPU per venue message", "us", per_message))
    report.add(report.Row(f"{name}, venue messages merged into one", "", share))


def test_a_slow_reader_is_conflated_and_the_others_do_not_notice(rig: Rig) -> None:
    """10,000 messages/s into three fast readers, and by turns a slow one beside them."""

    def three(with_slow: bool) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        options: dict[str, Any] = {"do": "read", "address": rig.unix, "streams": 1, "symbol": SYMBOL}
        fast = [begin(**options, seconds=SECONDS, pause_s=0) for _ in range(3)]
        slow = begin(**options, seconds=SECONDS, pause_s=0.2) if with_slow else None
        go([*fast, *([] if slow is None else [slow])])
        rig.venue.do(do="flood", rate=10_000, seconds=SECONDS + START_S)
        return [result(one) for one in fast], None if slow is None else result(slow)

    alone: list[float] = []
    beside: list[float] = []
    for _ in range(SLOW_ROUNDS):
        fast, _none = three(False)
        alone.append(max(one["latency"]["p99"] for one in fast))
        fast, slow = three(True)
        beside.append(max(one["latency"]["p99"] for one in fast))
        assert slow is not None
        assert slow["messages"] < min(one["messages"] for one in fast) / 10, "it is slow"
        # The stream's window holds some hundred messages; what came after them waits as one update, not in a queue.
        usual = max(one["merged"] / one["messages"] for one in fast)
        assert slow["largest"] > 20 * usual, "what it misses is merged, not queued"
    p99_alone, p99_beside = median(alone), median(beside)
    report.add(
        report.Row(
            "three fast readers beside a slow one, 10,000 messages/s, p99",
            "us",
            p99_beside,
            p99_alone,
            ratio=p99_beside / p99_alone,
            target="<= 2x of without it",
            met=p99_beside <= 2 * p99_alone,
        )
    )
    report.add(report.Row("venue messages that a slow reader got as one update", "", slow["largest"], usual))
