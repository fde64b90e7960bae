"""`python -m soak FILES...`: replay, print the numbers, exit 1 when anything piles up."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from soak.run import MAX_GROWTH_MB_PER_DAY, run

FULL_AFTER_DAYS = 4.5
"""By then the engine remembers as many ended orders as it may."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="raw captures, in the order they were recorded")
    parser.add_argument("--days", type=float, default=7.0, help="simulated, warm-up included")
    parser.add_argument("--warm-up-days", type=float, help="default: until bounded memories are full, at most 60 %%")
    parser.add_argument("--speed", type=float, default=1_000.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    warm_up_days = (
        min(FULL_AFTER_DAYS, 0.6 * arguments.days) if arguments.warm_up_days is None else arguments.warm_up_days
    )
    if not 0 <= warm_up_days < arguments.days:
        parser.error(f"--warm-up-days was {warm_up_days}; it must be less than --days {arguments.days}")

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")

    with tempfile.TemporaryDirectory(prefix="opensqt-soak-") as folder:
        soak = run(
            Path(folder),
            arguments.files,
            days=arguments.days,
            warm_up_days=warm_up_days,
            speed=arguments.speed,
            max_mb_per_day=MAX_GROWTH_MB_PER_DAY,
            say=say,
        )
    sys.stdout.write((json.dumps(soak.as_json()) if arguments.json else soak.text()) + "\n")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
