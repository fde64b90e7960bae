"""Run one target for a while. The exit code is 0 when nothing was found."""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

MAX_INPUT = 4_096
INPUT_TIMEOUT_S = 5
MEMORY_MB = 2_048


def main() -> None:
    """Parse the command line and fuzz; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", help="one of --list")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fixtures", type=Path, help="a folder of recorded payloads to begin with")
    parser.add_argument("--corpus", type=Path, help="keep interesting inputs here (default: forget them)")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    with atheris.instrument_imports(include=["opensqt"]):
        from fuzz.targets import TARGETS, seeds
    if arguments.list:
        sys.stdout.write("\n".join(TARGETS) + "\n")
        return
    target = TARGETS.get(arguments.target)
    if target is None:
        parser.error(f"target was {arguments.target!r}; it must be one of {', '.join(TARGETS)}")
    corpus = arguments.corpus or Path(tempfile.mkdtemp(prefix="opensqt-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(arguments.target, arguments.fixtures)):
        (corpus / f"seed-{number}").write_bytes(data[:MAX_INPUT])
    options = [
        sys.argv[0],
        f"-max_total_time={arguments.seconds}",
        f"-seed={arguments.seed}",
        f"-max_len={MAX_INPUT}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        str(corpus),
    ]
    atheris.Setup(options, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
