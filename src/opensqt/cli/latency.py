"""`opensqt latency`: how long every hop takes, from the venue's event to the venue's answer."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from opensqt.cli.engine_client import EngineClient, engine_client, find_engine
from opensqt.cli.output import CLEAR, is_terminal, print_columns, print_json, print_line
from opensqt.domain.latency import HOP_TEXTS, Hop
from opensqt.proto import latency_pb2

WATCH_S = 1.0

_KNOWN = frozenset(Hop)
_HEAD = ("hop", "p50", "p99", "p99.9", "max", "count", "what")


def latency(
    *,
    state: Annotated[Path | None, Parameter(help="State folder of the instance.")] = None,
    config: Annotated[Path | None, Parameter(help="Config file the instance was started with.")] = None,
    json: Annotated[bool, Parameter(help="Print one JSON object; with --watch one per second.", negative="")] = False,
    watch: Annotated[bool, Parameter(help="Print again every second.", negative="")] = False,
    since_start: Annotated[bool, Parameter(help="Of all time, not of the last minutes.", negative="")] = False,
) -> int:
    """Show the latency of every hop as the running engine sees it.

    A quantile is within 1 %. Hops between two machines contain the difference of their clocks.
    """
    return asyncio.run(_latency(state, config, as_json=json, watch=watch, since_start=since_start))


async def _latency(state: Path | None, config: Path | None, *, as_json: bool, watch: bool, since_start: bool) -> int:
    async with engine_client(find_engine(state, config)) as client:
        await _show(client, as_json=as_json, redraw=False, since_start=since_start)
        while watch:
            await asyncio.sleep(WATCH_S)
            await _show(client, as_json=as_json, redraw=is_terminal(), since_start=since_start)
    return 0


async def _show(client: EngineClient, *, as_json: bool, redraw: bool, since_start: bool) -> None:
    answer = await client.get_latency(since_start=since_start)
    if as_json:
        print_json(as_dict(answer))
        return
    if redraw:
        print_line(CLEAR)
    print_columns(f"latency of the last {answer.window_ms / 1000:.0f} s", _HEAD, [_row(hop) for hop in answer.hops])


def as_dict(answer: latency_pb2.GetLatencyResponse) -> dict[str, Any]:
    """Return the answer as it is printed for programs: hop -> figures in ns."""
    return {
        "window_ms": answer.window_ms,
        "hops": {
            hop.hop: {
                "count": hop.count,
                "p50_ns": hop.p50_ns,
                "p99_ns": hop.p99_ns,
                "p999_ns": hop.p999_ns,
                "max_ns": hop.max_ns,
            }
            for hop in answer.hops
        },
    }


def _row(hop: latency_pb2.HopLatency) -> tuple[str, ...]:
    figures = (hop.p50_ns, hop.p99_ns, hop.p999_ns, hop.max_ns)
    text = HOP_TEXTS[Hop(hop.hop)] if hop.hop in _KNOWN else ""
    return (hop.hop, *(duration_text(ns) for ns in figures), f"{hop.count}", text)


def duration_text(ns: int) -> str:
    """Return a duration in the unit a person would choose, with three digits."""
    for size, unit in ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")):
        if ns >= size:
            return f"{ns / size:.3g} {unit}" if ns < 1000 * size else f"{ns / size:.0f} {unit}"
    return f"{ns} ns"
