"""`python -m soak FILES...`: replay, print the numbers, exit 1 when anything piles up."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from soak.run import MAX_GROWTH_MB_PER_DAY, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="raw captures, in the order they were recorded")
    parser.add_argument("--days", type=float, default=7.0, help="simulated, warm-up included")
    parser.add_argument(
        "--warm-up-days", type=float, default=4.5, help="until the engine remembers as many ended orders as it may"
    )
    parser.add_argument("--speed", type=float, default=1_000.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")

    with tempfile.TemporaryDirectory(prefix="opensqt-soak-") as folder:
        soak = run(
            Path(folder),
            arguments.files,
            days=arguments.days,
            warm_up_days=arguments.warm_up_days,
            speed=arguments.speed,
            max_mb_per_day=MAX_GROWTH_MB_PER_DAY,
            say=say,
        )
    sys.stdout.write((json.dumps(soak.as_json()) if arguments.json else soak.text()) + "\n")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
