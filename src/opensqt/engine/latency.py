"""What the engine measures of the way: of every book message, of every turn that sends, and of every answer.

All of it hangs on times that messages carry (see `opensqt.domain.latency`), so one process sees the whole way. Its own
times are the machine's Unix time, as the connector's are; the core's steady time is another one.
"""

from typing import final

from opensqt.domain.clock import Clock
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.engine.events import Result
from opensqt.proto import market_data_pb2


@final
class EngineLatency:
    """The engine's board, and what is on its way.

    Args:
        clock: the machine's.
    """

    def __init__(self, clock: Clock) -> None:
        self.board = LatencyBoard(Hop, clock.monotonic_ns)
        self.now_ns = clock.now_ns
        self.read_ns = 0
        """When the message that caused the current turn was read; set by whoever reads messages."""
        self._decided_ns: dict[int, int] = {}
        self._trigger_ns: dict[int, int] = {}
        self._venue = self.board.recorder(Hop.VENUE)
        self._decode = self.board.recorder(Hop.DECODE)
        self._publish = self.board.recorder(Hop.PUBLISH)
        self._deliver = self.board.recorder(Hop.DELIVER)
        self._decide = self.board.recorder(Hop.DECIDE)
        self._submit = self.board.recorder(Hop.SUBMIT)
        self._send = self.board.recorder(Hop.SEND)
        self._acknowledge = self.board.recorder(Hop.ACKNOWLEDGE)
        self._answer = self.board.recorder(Hop.ANSWER)
        self._tick_to_order = self.board.recorder(Hop.TICK_TO_ORDER)
        self._round_trip = self.board.recorder(Hop.ORDER_ROUND_TRIP)

    def read(self) -> None:
        """Note that a message was read now."""
        self.read_ns = self.now_ns()

    def took_book(self, update: market_data_pb2.BookUpdate) -> None:
        """Measure one book update of the message that was read; one without a venue message has no times."""
        decoded_ns = update.decode_time_ns
        if not update.merged_count or not decoded_ns:
            return
        published_ns = update.publish_time_ns
        self._venue(update.receive_time_ns - update.venue_time_ns)
        self._decode(decoded_ns - update.receive_time_ns)
        self._publish(published_ns - decoded_ns)
        self._deliver(self.read_ns - published_ns)

    def decided(self, command_ids: list[int], trigger_ns: int) -> int:
        """Measure a decision, remember what it sends, and return the time of the decision.

        Args:
            command_ids: of the commands; each gets exactly one answer while the session lasts.
            trigger_ns: when the connector received what caused it; 0 = it was no market data.
        """
        now_ns = self.now_ns()
        if self.read_ns:
            self._decide(now_ns - self.read_ns)
        for command_id in command_ids:
            self._decided_ns[command_id] = now_ns
            if trigger_ns:
                self._trigger_ns[command_id] = trigger_ns
        return now_ns

    def answered(self, result: Result) -> None:
        """Measure the way of a command that has its answer; of one that never left, nothing."""
        decided_ns = self._decided_ns.pop(result.command_id, 0)
        trigger_ns = self._trigger_ns.pop(result.command_id, 0)
        if not decided_ns or not result.sent_ns or not result.received_ns:
            return
        self._submit(result.received_ns - decided_ns)
        self._send(result.sent_ns - result.received_ns)
        if trigger_ns:
            self._tick_to_order(result.sent_ns - trigger_ns)
        if result.acknowledged_ns:
            self._acknowledge(result.acknowledged_ns - result.sent_ns)
            self._answer(self.read_ns - result.acknowledged_ns)
            self._round_trip(self.read_ns - decided_ns)

    def detached(self) -> None:
        """Forget what was on its way."""
        self._decided_ns.clear()
        self._trigger_ns.clear()
