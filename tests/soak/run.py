"""One soak: three processes, a sample of each every simulated hour, and a verdict on how they grew."""

import contextlib
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml
from crash.world import Service, wait_until
from models.ports import free_port

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
MAX_GROWTH_MB_PER_DAY = 1.0
_MB = 1_048_576


@dataclass(frozen=True)
class Sample:
    """One process at one simulated time."""

    day: float
    resident_mb: float
    handles: int
    threads: int


@dataclass
class Growth:
    """What became of one process."""

    first_mb: float = 0.0
    last_mb: float = 0.0
    mb_per_day: float = 0.0
    handles: tuple[int, int] = (0, 0)
    threads: tuple[int, int] = (0, 0)


@dataclass
class Soak:
    """The numbers. `problems` is empty when nothing piles up."""

    simulated_days: float
    warm_up_days: float
    fills: int = 0
    orders: int = 0
    took_s: float = 0.0
    growth: dict[str, Growth] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = [
            f"{self.simulated_days:.2f} simulated days, measured after {self.warm_up_days:.2f}, in {self.took_s:.0f} s",
            f"  {self.orders} orders, {self.fills} fills",
        ]
        for name, grown in self.growth.items():
            lines.append(
                f"  {name:12} {grown.first_mb:7.1f} -> {grown.last_mb:7.1f} MB, {grown.mb_per_day:+.2f} MB per day; "
                f"handles {grown.handles[0]} -> {grown.handles[1]}, threads {grown.threads[0]} -> {grown.threads[1]}"
            )
        lines += [f"PROBLEM: {problem}" for problem in self.problems] or ["nothing piles up"]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": not self.problems}


def run(
    folder: Path,
    files: Sequence[Path],
    *,
    days: float,
    warm_up_days: float,
    speed: float,
    max_mb_per_day: float = MAX_GROWTH_MB_PER_DAY,
    say: Callable[[str], None] = lambda _text: None,
) -> Soak:
    """Replay a capture for some simulated days (warm-up included) and judge what grew."""
    soak = Soak(days, warm_up_days)
    page = free_port()
    services = _services(folder, files, speed, page)
    samples: dict[str, list[Sample]] = {name: [] for name in services}
    began_s = time.monotonic()
    try:
        for service in services.values():
            service.start()
        if not wait_until(lambda: _is_up(page), 60):
            soak.problems.append(f"the page is not up: {services['connector'].last_words()}")
            return soak
        began_s = time.monotonic()
        while (day := (time.monotonic() - began_s) * speed / DAY_S) < days:
            time.sleep(HOUR_S / speed)
            for name, service in services.items():
                if service.code is not None:
                    soak.problems.append(f"{name} ended with {service.code}: {service.last_words()}")
                    return soak
                samples[name].append(_sample(service, day))
            say(
                f"day {day:.2f}: "
                + ", ".join(f"{name} {taken[-1].resident_mb:.1f} MB" for name, taken in samples.items())
            )
    finally:
        for name in ("live_server", "engine", "connector"):
            services[name].stop()
        soak.took_s = time.monotonic() - began_s
    with contextlib.closing(sqlite3.connect(folder / "engine.db")) as connection:
        soak.fills = connection.execute("SELECT count(*) FROM fills").fetchone()[0]
        soak.orders = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
    _judge(soak, samples, max_mb_per_day)
    return soak


def _judge(soak: Soak, samples: dict[str, list[Sample]], max_mb_per_day: float) -> None:
    for name, taken in samples.items():
        kept = [sample for sample in taken if sample.day >= soak.warm_up_days]
        first, last = kept[0], kept[-1]
        slope, _ = statistics.linear_regression([s.day for s in kept], [s.resident_mb for s in kept])
        grown = Growth(
            first.resident_mb,
            last.resident_mb,
            slope,
            (first.handles, last.handles),
            (first.threads, last.threads),
        )
        soak.growth[name] = grown
        if slope > max_mb_per_day:
            soak.problems.append(f"{name} grows by {slope:.2f} MB per simulated day")
        # One may be in use at the moment of a sample; two more at every one of the last are not.
        if min(s.handles for s in kept[-5:]) > max(s.handles for s in kept[:5]) + 1:
            soak.problems.append(f"{name} has {last.handles} open files, it had {first.handles}")
        if min(s.threads for s in kept[-5:]) > max(s.threads for s in kept[:5]):
            soak.problems.append(f"{name} has {last.threads} threads, it had {first.threads}")
    if not soak.fills:
        soak.problems.append("nothing was traded: this run shows nothing")


def _sample(service: Service, day: float) -> Sample:
    assert service.process is not None, "it was started"
    proc = Path("/proc") / str(service.process.pid)
    pages = int((proc / "statm").read_text().split()[1])
    return Sample(
        day,
        pages * os.sysconf("SC_PAGE_SIZE") / _MB,
        len(list((proc / "fd").iterdir())),
        len(list((proc / "task").iterdir())),
    )


def _is_up(page: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{page}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _services(folder: Path, files: Sequence[Path], speed: float, page: int) -> dict[str, Service]:
    connector_socket, engine_socket = folder / "c.sock", folder / "e.sock"
    documents: dict[str, dict[str, Any]] = {
        "connector": {
            "grpc": {"unix_socket": str(connector_socket)},
            "paper": {
                "source": "replay",
                "files": [str(path.resolve()) for path in files],
                "loop": True,
                "speed": speed,
                "state_file": str(folder / "paper.db"),
            },
            "state_file": str(folder / "connector.json"),
        },
        "engine": {
            "connector": {"address": f"unix:{connector_socket}"},
            "grpc": {"unix_socket": str(engine_socket)},
            "state_file": str(folder / "engine.db"),
            "bots": [
                {
                    "id": "nexo",
                    "tag": "nexo",
                    "symbol": "NEXO/USDT:USDT",
                    "grid": {
                        "spacing": "geometric",
                        "ratio": "0.002",
                        "order_quantity": 20,
                        "buy_window": 10,
                        "sell_window": 10,
                    },
                }
            ],
        },
        "live_server": {
            "connector": {"address": f"unix:{connector_socket}"},
            "engine": {"address": f"unix:{engine_socket}"},
            "port": page,
        },
    }
    services = {}
    for name, document in documents.items():
        config = folder / f"{name}.yaml"
        config.write_text(yaml.safe_dump(document))
        services[name] = Service(name, config, folder / f"{name}.log")
    return services
