"""Single hops on loopback: round trips and one-way streams of a real connector, its clients in other processes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import report
from stack import EXCHANGE, PROGRAMS, VenueProcess, client, connector_section, free_port, start_service, stop, wait_for

CLIENT = Path(__file__).parent / "hops" / "client.py"
SYMBOL = "BTC/USDT:USDT"
SECONDS = 3
START_S = 1
"""By so much the flood is longer than what readers measure of it."""

pytestmark = pytest.mark.full


class Rig:
    """The benchmark's venue and a connector on it."""

    def __init__(self, folder: Path) -> None:
        self.venue = VenueProcess()
        self.tcp = f"127.0.0.1:{(port := free_port())}"
        self.unix = f"unix:{folder / 'connector.sock'}"
        section = connector_section(self.venue, folder, tcp_port=port)
        self.connector = start_service("connector", PROGRAMS["connector"], section, folder)
        wait_for(client(folder / "connector.sock"), EXCHANGE, [self.connector])

    def cpu_s(self) -> float:
        """Return the CPU time the connector has used."""
        fields = Path(f"/proc/{self.connector.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        stop(self.connector)
        self.venue.close()


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
    seconds = 2 * SECONDS + 6  # the asking process has to start, too
    readers = begin(do="read", address=rig.unix, streams=1, symbol=SYMBOL, seconds=seconds, pause_s=0)
    go([readers])
    asking = begin(do="round_trips", address=rig.unix, symbol=SYMBOL, seconds=SECONDS, pause_s=0.0)
    flood = rig.venue.do(do="flood", rate=10_000, seconds=seconds)
    found = result(asking)
    result(readers)
    assert flood["per_s"] > 5_000
    add("order stream round trip, 10,000 market messages/s", found["stream"], {"p99": 1_000})


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
    """10,000 messages/s into one slow and three fast readers."""

    def three(with_slow: bool) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        options: dict[str, Any] = {"do": "read", "address": rig.unix, "streams": 1, "symbol": SYMBOL}
        fast = [begin(**options, seconds=SECONDS, pause_s=0) for _ in range(3)]
        slow = begin(**options, seconds=SECONDS, pause_s=0.2) if with_slow else None
        go([*fast, *([] if slow is None else [slow])])
        rig.venue.do(do="flood", rate=10_000, seconds=SECONDS + START_S)
        return [result(one) for one in fast], None if slow is None else result(slow)

    alone, _ = three(False)
    beside, slow = three(True)
    assert slow is not None
    p99_alone = max(one["latency"]["p99"] for one in alone)
    p99_beside = max(one["latency"]["p99"] for one in beside)
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
    fast_rate = min(one["messages"] for one in beside)
    assert slow["messages"] < fast_rate / 10, "it is slow"
    # The stream's own window holds some hundred messages before the connector begins to merge for it.
    assert slow["merged"] / max(1, slow["messages"]) > 10, "what it misses is merged, not queued"
