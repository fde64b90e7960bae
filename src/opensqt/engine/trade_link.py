"""The engine's side of a Trade stream without I/O: hello, snapshot, one sequence without holes, heartbeats.

`ExchangeClient` carries its messages over gRPC; the simulation over its own wires.
"""

from collections.abc import Iterable
from typing import Any, Final, final

from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import ErrorReason, OpensqtError, StateError, UnavailableError
from opensqt.domain.fill import Fill
from opensqt.engine.bot import FILL_OVERLAP_NS
from opensqt.engine.commands import SendCommand, SetLeverage
from opensqt.engine.config import EngineConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Event
from opensqt.engine.wire_events import read_attached, read_items, write_batch, write_leverage
from opensqt.proto import trade_pb2

HEARTBEAT_S: Final = 1.0
SILENCE_S: Final = 5.0
SNAPSHOT_S: Final = 20.0

_VANISH = {
    "cancel": trade_pb2.VANISH_POLICY_CANCEL,
    "keep": trade_pb2.VANISH_POLICY_KEEP,
    "reduce": trade_pb2.VANISH_POLICY_REDUCE,
}


@final
class TradeLink:
    """One session after the other.

    Args:
        config: hello's facts.
        core: asked for watermark and epochs when a session begins.
    """

    def __init__(self, config: EngineConfig, core: EngineCore) -> None:
        self._config = config
        self._core = core
        self._session_epoch = 0
        self._sequence = 0
        self._heard_ns = 0
        self.sessions = 0

    @property
    def since_time_ns(self) -> int:
        """Return the venue time since which fills are asked for."""
        return max(0, self._core.watermark_ns - FILL_OVERLAP_NS)

    def hello(self) -> trade_pb2.TradeHello:
        """Return the first message of a session."""
        bots = list(self._core.bots.values())
        return trade_pb2.TradeHello(
            engine_id=self._config.engine_id,
            lease_epoch=max(bot.epoch for bot in bots),
            symbols=[bot.symbol for bot in bots],
            on_vanish=_VANISH[self._config.on_vanish],
            vanish_grace_ms=self._config.vanish_grace_ms,
            since_time_ns=self.since_time_ns,
            bots=[trade_pb2.BotLease(bot_tag=bot.tag, epoch=bot.epoch) for bot in bots],
        )

    def snapshot_of(self, first: trade_pb2.TradeEvent | None) -> trade_pb2.TradeSnapshot:
        """Return the snapshot in the connector's first message (None = the stream ended).

        Raises:
            UnavailableError: the stream ended before it.
            StateError: there is none in it.
        """
        if first is None:
            raise UnavailableError(ErrorReason.NOT_CONNECTED, "the connector closed the stream before its snapshot")
        if not first.items or first.items[0].WhichOneof("item") != "snapshot":
            raise StateError(ErrorReason.NOT_ATTACHED, "the connector's first message was not a snapshot")
        return first.items[0].snapshot

    def begin(self, first: trade_pb2.TradeEvent, earlier_fills: Iterable[Fill], monotonic_ns: int) -> list[Event]:
        """Begin a session with its first message; `earlier_fills` are those the snapshot had no room for."""
        attached = read_attached(first.items[0].snapshot, first.session_epoch, earlier_fills)
        self._session_epoch = first.session_epoch
        self._sequence = first.first_sequence + len(first.items)
        self._heard_ns = monotonic_ns
        self.sessions += 1
        return [attached, *read_items(first.items[1:])]

    def take(self, message: trade_pb2.TradeEvent, monotonic_ns: int) -> list[Event]:
        """Read one message.

        Raises:
            StateError: something before it was lost.
        """
        self._heard_ns = monotonic_ns
        if message.session_epoch != self._session_epoch or message.first_sequence != self._sequence:
            raise StateError(
                ErrorReason.NOT_ATTACHED,
                f"event {message.first_sequence} of session {message.session_epoch} came where {self._sequence} of "
                f"{self._session_epoch} was due: something was lost",
            )
        self._sequence += len(message.items)
        return read_items(message.items)

    def heartbeat(self, now_ns: int, monotonic_ns: int) -> trade_pb2.TradeRequest:
        """Return the next heartbeat.

        Raises:
            UnavailableError: the connector was silent for too long; the session is to be ended.
        """
        if monotonic_ns - self._heard_ns > SILENCE_S * NS_PER_S:
            raise UnavailableError(
                ErrorReason.NOT_CONNECTED, f"nothing was heard from the connector for {SILENCE_S:g} s"
            )
        heartbeat = trade_pb2.Heartbeat(sent_ns=now_ns, applied_sequence=self._sequence - 1)
        return trade_pb2.TradeRequest(heartbeat=heartbeat)

    def requests(
        self, commands: list[SendCommand], trigger_receive_ns: int, now_ns: int
    ) -> list[trade_pb2.TradeRequest]:
        """Write one turn's commands."""
        requests = [write_leverage(command) for command in commands if isinstance(command, SetLeverage)]
        batch: list[Any] = [command for command in commands if not isinstance(command, SetLeverage)]
        if batch:
            requests.append(write_batch(batch, trigger_receive_ns, now_ns))
        return requests

    def judge(self, error: OpensqtError) -> str:
        """Return why a session ended with an error.

        Raises:
            OpensqtError: this very error, when another session would end the same way.
        """
        if error.reason is ErrorReason.FENCED and self._outlive_lost_state(error):
            return "the state file is new, the bots are not: their run number was raised"
        if error.reason in (ErrorReason.FENCED, ErrorReason.BAD_CREDENTIALS, ErrorReason.ROLE_REQUIRED):
            raise error
        return f"{error.reason.value}: {error.message}"

    def _outlive_lost_state(self, error: OpensqtError) -> bool:
        """Raise the epochs of bots whose database is gone above the ones the connector remembers.

        Only before the first session and only without any stored run: otherwise being fenced means that a newer run
        of these bots is trading, and this one must end.
        """
        needed = error.metadata.get("needed", "")
        bots = list(self._core.bots.values())
        if self.sessions or not needed.isdecimal() or not all(bot.restored.is_new for bot in bots):
            return False
        for bot in bots:
            bot.epoch = max(bot.epoch, int(needed) + 1)
        return True
