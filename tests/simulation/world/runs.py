"""One seeded run: faults drawn from the table while it trades, then calm, then everything must have converged."""

import time
import traceback
from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import structlog
from simulation.world.endings import check_endings
from simulation.world.faults import Fault, draw
from simulation.world.invariants import BrokenInvariantError
from simulation.world.timeline import SECOND, START_NS
from simulation.world.world import World

QUIET_NS = 3 * SECOND
FAULTS_NS = 45 * SECOND
AFTER_NS = 3 * SECOND


class Report(msgspec.Struct, kw_only=True):
    """What a run came to."""

    seed: int
    events: int
    digest: str
    wall_s: float
    cpu_s: float
    sim_s: float
    fills: int
    placements: int
    faults: list[str]
    violation: str = ""
    what: str = ""
    event: int = 0
    counts: dict[str, int] = {}
    recent: list[str] = []


def world_of(seed: int) -> World:
    """Return the world of a seed: some of the bot's settings vary with it."""
    rng = Random(f"{seed}:settings")
    grid: dict[str, Any] = {"price_source": rng.choice(("mid", "mid", "last"))}
    risk: dict[str, Any] = {"max_position": Decimal(rng.choice(("0.2", "0.3", "0.6")))}
    limit = rng.choice((40, 80, 300, 300))
    return World(
        seed, grid=grid, risk=risk, orders_per_10s=limit, engine={"on_vanish": rng.choice(("cancel", "reduce", "keep"))}
    )


def plan_of(seed: int) -> list[Fault]:
    """Return the faults of a seed."""
    return draw(Random(f"{seed}:faults"), QUIET_NS, QUIET_NS + FAULTS_NS)


def run_seed(
    seed: int, *, faults: Iterable[Fault] | None = None, keep_recent: int = 40, always_recent: bool = False
) -> Report:
    """Run one seed to its end, or to the first broken invariant."""
    # What the product logs is of no use here, and most of the time of a run with faults.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    plan = plan_of(seed) if faults is None else list(faults)
    began, began_cpu = time.perf_counter(), time.process_time()
    world = world_of(seed)
    violation: BrokenInvariantError | None = None
    try:
        world.plan(plan)
        world.start()
        world.run(QUIET_NS + FAULTS_NS + AFTER_NS)
        world.settle()
        world.check()
        check_endings(world)
    except BrokenInvariantError as error:
        violation = error
    except Exception as error:  # noqa: BLE001  a bug of product or world ends this seed, not all of them
        violation = BrokenInvariantError("no_exception", f"{type(error).__name__}: {error}")
        violation.__cause__ = error
    finally:
        world.close()
        structlog.reset_defaults()
    report = Report(
        seed=seed,
        events=world.timeline.happened,
        digest=world.timeline.digest,
        wall_s=time.perf_counter() - began,
        cpu_s=time.process_time() - began_cpu,
        sim_s=world.now_s,
        fills=len(world.exchange.fills),
        placements=world.checks.placements,
        faults=[str(fault) for fault in plan],
        counts=world.checks.counts,
    )
    if violation is not None or always_recent:
        report.recent = [_line(*entry) for entry in list(world.timeline.recent)[-keep_recent:]]
    if violation is not None:
        report.violation = violation.name
        report.what = violation.what
        report.event = world.timeline.happened
        if violation.__cause__ is not None:
            report.recent += traceback.format_exception(violation.__cause__)[-12:]
    return report


def _line(number: int, time_ns: int, label: str, detail: Any) -> str:
    text = "" if detail in (None, ()) else " " + ", ".join(str(part) for part in detail if not callable(part))
    return f"{number:>7} {(time_ns - START_NS) / SECOND:9.4f}  {label}{text[:300]}"
