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
