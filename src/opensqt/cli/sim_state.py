"""State files made on a simulated venue: worthless after the run, since the venue forgets, and never real ones.

A file is marked beside it (`engine.db` by `engine.db.sim`) before it is first used there. A marked file of an earlier
run is removed, so that every run begins with an empty venue and an empty ledger. One without the mark was made on
another venue: it is never touched, and the run is refused.
"""

from pathlib import Path

from opensqt.cli.errors import CliError

_PARTS = ("", "-wal", "-shm")


def begin_on_sim(state_file: Path) -> bool:
    """Make room for a new ledger; returns whether an earlier one was removed.

    Raises CliError when the file there was not made on a simulated venue, or cannot be removed.
    """
    mark = state_file.with_name(f"{state_file.name}.sim")
    try:
        found = state_file.exists()
        if found and not mark.exists():
            raise CliError(
                f"the state file {state_file} holds a ledger of another venue, not of a simulated one; give the"
                " configuration with the simulator a state_file of its own"
            )
        state_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.write_text("The ledger beside this was made on a simulated venue.\n", encoding="utf-8")
        for part in _PARTS:
            state_file.with_name(state_file.name + part).unlink(missing_ok=True)
    except OSError as error:
        raise CliError(f"the state at {state_file} cannot be replaced ({error.strerror})") from None
    return found
