"""What our own code costs on the way of a tick, without sockets, gRPC and a loop; see `path.py`."""

import report
from path import stages


def test_stages_of_the_way() -> None:
    """The embedded mode cannot be faster than this, whatever the machine's wake-ups cost."""
    for stage, found in stages().items():
        best, p50, p99 = (
            (found.min or 0) / 1_000,
            (found.quantile(0.5) or 0) / 1_000,
            (found.quantile(0.99) or 0) / 1_000,
        )
        report.add(report.Row(f"CPU of the way, {stage}, best", "us", best, p50=p50, p99=p99))


def test_stages_of_the_way_at_the_pace_of_a_market() -> None:
    """The same code 200 times a second finds caches and branch tables that others have used since."""
    hot = {stage: found.quantile(0.5) or 0 for stage, found in stages(500).items()}
    for stage, found in stages(500, pause_s=0.005).items():
        p50, p99 = ((found.quantile(q) or 0) / 1_000 for q in (0.5, 0.99))
        at_once = hot[stage] / 1_000
        name = f"CPU of the way, {stage}, 200/s, p50"
        report.add(report.Row(name, "us", p50, at_once, ratio=p50 / at_once, p50=p50, p99=p99))
