"""How the core's commands are carried out, as far as no I/O is needed: where each goes, how often to attach anew."""

from collections.abc import Iterable
from typing import Final, final

from opensqt.domain.clock import NS_PER_S
from opensqt.engine.commands import (
    Cancel,
    Command,
    Place,
    Query,
    Reattach,
    SendCommand,
    SetLeverage,
    StoreRecord,
)

REATTACH_SPACING_NS: Final = 10 * NS_PER_S

_SENT = (Place, Cancel, Query, SetLeverage)


def sort_commands(commands: Iterable[Command]) -> tuple[list[SendCommand], list[StoreRecord], Reattach | None]:
    """Return what goes to the connector, what goes to the disk, and whether the session is to begin anew."""
    sends: list[SendCommand] = []
    records: list[StoreRecord] = []
    reattach: Reattach | None = None
    for command in commands:
        if isinstance(command, _SENT):
            sends.append(command)
        elif isinstance(command, Reattach):
            with_market = command.with_market or (reattach is not None and reattach.with_market)
            reattach = Reattach(command.reason, with_market)
        else:
            records.append(command)
    return sends, records, reattach


@final
class ReattachPace:
    """Spaces the sessions the core asks for: proving everything takes its time."""

    def __init__(self) -> None:
        self._last_ns: int | None = None

    def wait_ns(self, monotonic_ns: int) -> int:
        """Return how long to wait before attaching anew; 0 = now, and it is counted as done."""
        if self._last_ns is not None and monotonic_ns < self._last_ns + REATTACH_SPACING_NS:
            return self._last_ns + REATTACH_SPACING_NS - monotonic_ns
        self._last_ns = monotonic_ns
        return 0
