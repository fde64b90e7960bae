"""`python -m crash --kills 200`: run, print the report, exit 1 when anything was lost."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from crash.run import Run


def main() -> int:
    parser = argparse.ArgumentParser(prog="crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--keep", action="store_true", help="keep logs and ledger even when all is well")
    arguments = parser.parse_args()
    # Ends as Ctrl-C does: what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(tempfile.mkdtemp(prefix="opensqt-crash-"))

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    report = Run(folder, arguments.kills, arguments.seed, say)()
    sys.stdout.write((json.dumps(report.as_json()) if arguments.json else report.text()) + "\n")
    if report.problems or arguments.keep:
        say(f"logs and ledger are in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
