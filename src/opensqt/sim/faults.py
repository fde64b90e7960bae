"""Decides what goes wrong, when: a pure object of set faults, a seed and the time given with every question.

The server asks it about each request, frame and connection; the answers say what to do, never how. The same faults,
seed and sequence of questions give the same answers.
"""

from fnmatch import fnmatchcase
from typing import Final, final

import msgspec

from opensqt.matching.exact import SplitMix64
from opensqt.sim.fault_kinds import ACTION_KINDS, FRAME_KINDS, REQUEST_KINDS, Fault, FaultKind, Schedule

_MILLION: Final = 1_000_000
_EXECUTES_BY_DEFAULT: Final = frozenset({FaultKind.LATENCY, FaultKind.REPLY_LATENCY, FaultKind.LOST_REPLY})
_UNCLEAR: Final = frozenset(
    {
        FaultKind.UNKNOWN_503,
        FaultKind.TIMEOUT_408,
        FaultKind.BUS_UNKNOWN,
        FaultKind.BACKEND_TIMEOUT,
        FaultKind.BAD_GATEWAY_502,
        FaultKind.HANG,
    }
)
MAX_FAULTS: Final = 10_000


class RequestFate(msgspec.Struct, kw_only=True):
    """What happens to one request. `reply` None = the true one; `is_lost` = the connection is cut instead."""

    delay_ms: int = 0
    reply_delay_ms: int = 0
    executes: bool = True
    is_lost: bool = False
    hangs: bool = False
    reply: FaultKind | None = None
    retry_after_s: int = 0


class FrameFate(msgspec.Struct, kw_only=True):
    """What happens to one frame."""

    copies: int = 1
    delay_ms: int = 0
    is_held: bool = False
    """Sent after the next frame of the connection."""
    is_corrupt: bool = False


class _Armed(msgspec.Struct):
    """A fault that was set."""

    id: int
    fault: Fault
    begins_ms: int
    ends_ms: int
    strikes: int = 0


@final
class FaultPlan:
    """The faults that are set.

    Args:
        seed: of every chance taken.
    """

    def __init__(self, seed: int) -> None:
        self._random = SplitMix64(seed)
        self._armed: dict[int, _Armed] = {}
        self._next_id = 1

    # ---- setting

    def add(self, fault: Fault, now_ms: int) -> int:
        """Set a fault; return its id.

        Raises:
            ValueError: there are too many.
        """
        if len(self._armed) >= MAX_FAULTS:
            raise ValueError(f"{MAX_FAULTS} faults are set already; remove some first")
        number = self._next_id
        self._next_id += 1
        begins_ms = now_ms + fault.after_ms
        ends_ms = begins_ms + fault.for_ms if fault.for_ms else 1 << 62
        self._armed[number] = _Armed(number, fault, begins_ms, ends_ms)
        return number

    def add_schedule(self, schedule: Schedule, now_ms: int) -> list[int]:
        """Set a seeded storm; return the ids in order of time.

        Raises:
            ValueError: it names no faults, or there are too many.
        """
        if not schedule.faults:
            raise ValueError("a schedule draws from a list of faults; name at least one")
        random = SplitMix64(schedule.seed)
        at_ms = 0
        ids = []
        for _ in range(schedule.count):
            at_ms += 1 + random.below(max(1, 2 * schedule.every_ms))
            fault = schedule.faults[random.below(len(schedule.faults))]
            ids.append(self.add(msgspec.structs.replace(fault, after_ms=fault.after_ms + at_ms), now_ms))
        return ids

    def remove(self, number: int) -> bool:
        """Remove a fault; return whether it was set."""
        return self._armed.pop(number, None) is not None

    def clear(self) -> None:
        """Remove every fault."""
        self._armed.clear()

    def listing(self, now_ms: int) -> list[dict[str, object]]:
        """Return the faults that are set, with how often each has struck."""
        self._forget(now_ms)
        return [
            {
                "id": armed.id,
                "fault": msgspec.to_builtins(armed.fault),
                "strikes": armed.strikes,
                "begins_in_ms": max(0, armed.begins_ms - now_ms),
            }
            for armed in self._armed.values()
        ]

    # ---- questions

    def on_request(self, route: str, now_ms: int) -> RequestFate:
        """Decide the fate of a request."""
        fate = RequestFate()
        for armed in self._striking(REQUEST_KINDS, route, "", now_ms):
            fault = armed.fault
            if fault.kind is FaultKind.LATENCY:
                fate.delay_ms += self._duration(fault)
            elif fault.kind is FaultKind.REPLY_LATENCY:
                fate.reply_delay_ms += self._duration(fault)
            elif fate.reply is None and not fate.is_lost:
                self._break(fate, fault)
        return fate

    def on_frame(self, route: str, stream: str, now_ms: int) -> FrameFate:
        """Decide the fate of a frame."""
        fate = FrameFate()
        for armed in self._striking(FRAME_KINDS, route, stream, now_ms):
            fault = armed.fault
            if fault.kind is FaultKind.DROP_FRAME:
                fate.copies = 0
            elif fault.kind is FaultKind.DUPLICATE_FRAME:
                fate.copies = min(fate.copies * 2, 2)
            elif fault.kind is FaultKind.REORDER_FRAME:
                fate.is_held = True
            elif fault.kind is FaultKind.CORRUPT_FRAME:
                fate.is_corrupt = True
            else:
                fate.delay_ms += self._duration(fault)
        return fate

    def strikes(self, kind: FaultKind, route: str, now_ms: int) -> bool:
        """Return whether a fault of a kind meets a connection on a route now."""
        return bool(self._striking(frozenset({kind}), route, "", now_ms))

    def active(self, kind: FaultKind, now_ms: int) -> list[Fault]:
        """Return the faults of a kind that are in force, without striking."""
        return [
            armed.fault
            for armed in self._armed.values()
            if armed.fault.kind is kind and armed.begins_ms <= now_ms < armed.ends_ms
        ]

    def take_actions(self, now_ms: int) -> list[Fault]:
        """Return the things that happen now, each once, in order of their time."""
        due = [
            armed for armed in self._armed.values() if armed.fault.kind in ACTION_KINDS and armed.begins_ms <= now_ms
        ]
        for armed in due:
            del self._armed[armed.id]
        return [armed.fault for armed in sorted(due, key=_begins)]

    def corrupt(self, data: bytes) -> bytes:
        """Return a frame with one byte changed or its end cut off."""
        if not data:
            return data
        at = self._random.below(len(data))
        if self._random.below(2):
            return data[:at]
        return data[:at] + bytes((32 + self._random.below(95),)) + data[at + 1 :]

    # ---- parts

    def _striking(self, kinds: frozenset[FaultKind], route: str, stream: str, now_ms: int) -> list[_Armed]:
        if not self._armed:
            return []
        found = []
        for armed in list(self._armed.values()):
            fault = armed.fault
            if (
                fault.kind not in kinds
                or not armed.begins_ms <= now_ms < armed.ends_ms
                or not fnmatchcase(route, fault.route)
                or not fnmatchcase(stream, fault.stream)
                or self._random.below(_MILLION) >= fault.probability * _MILLION
            ):
                continue
            armed.strikes += 1
            found.append(armed)
            if fault.count and armed.strikes >= fault.count:
                del self._armed[armed.id]
        return found

    def _break(self, fate: RequestFate, fault: Fault) -> None:
        executed = fault.executed
        if executed is None:
            executed = fault.kind in _EXECUTES_BY_DEFAULT or (fault.kind in _UNCLEAR and bool(self._random.below(2)))
        fate.executes = executed
        fate.retry_after_s = fault.retry_after_s
        if fault.kind in {FaultKind.LOST_REQUEST, FaultKind.LOST_REPLY}:
            fate.is_lost = True
            fate.executes = fault.kind is FaultKind.LOST_REPLY
        elif fault.kind is FaultKind.HANG:
            fate.hangs = True
        else:
            fate.reply = fault.kind
            if fault.kind is FaultKind.UNREADABLE_REPLY:
                fate.executes = True

    def _duration(self, fault: Fault) -> int:
        return fault.ms + (self._random.below(fault.jitter_ms + 1) if fault.jitter_ms else 0)

    def _forget(self, now_ms: int) -> None:
        for number in [armed.id for armed in self._armed.values() if armed.ends_ms <= now_ms]:
            del self._armed[number]


def _begins(armed: _Armed) -> tuple[int, int]:
    return armed.begins_ms, armed.id
