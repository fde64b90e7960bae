"""Orders to the paper venue: executed in the driver's next turn, answered when the venue's answer is durable."""

import asyncio
from collections.abc import Sequence
from typing import final

from opensqt.connector.commands import Amend, Cancel, CancelAll, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.connector.venues.paper.driver import PaperDriver
from opensqt.connector.venues.paper.market import ACCOUNT
from opensqt.domain.account import Position
from opensqt.domain.clock import Clock
from opensqt.domain.errors import ErrorReason
from opensqt.domain.status_map import error_for
from opensqt.matching.events import CommandDone, VenueEvent
from opensqt.matching.events import Outcome as VenueOutcome
from opensqt.matching.venue import SimulatedVenue
from opensqt.matching.view import VenueView

_OUTCOMES = {outcome.name: outcome for outcome in Outcome}


@final
class PaperOrderEntry:
    """The venue's order entry. Positive command ids are the gateway's tokens, negative ones our own."""

    def __init__(self, driver: PaperDriver, view: VenueView, clock: Clock) -> None:
        self._driver = driver
        self._view = view
        self._clock = clock
        self._sent_ns: dict[int, int] = {}
        self._waiting: dict[int, asyncio.Future[CommandDone]] = {}
        self._next_own_id = -1

    def submit(self, commands: Sequence[VenueCommand]) -> None:
        """Send commands to the venue; they are executed in the driver's next turn."""
        if commands:
            sent_ns = self._clock.now_ns()
            self._sent_ns.update((command.token, sent_ns) for command in commands)
            self._driver.do(lambda venue, now_ns: self._execute(venue, commands, now_ns))

    async def set_leverage(self, symbol: str, leverage: int) -> Position:
        """Set a symbol's leverage."""
        command_id = self._next_own_id
        self._next_own_id -= 1
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = waiting
        self._driver.do(lambda venue, now_ns: venue.set_leverage(ACCOUNT, symbol, leverage, command_id, now_ns))
        try:
            done = await waiting
        finally:
            self._waiting.pop(command_id, None)
        if done.reason is not None:
            raise error_for(done.reason, done.message)
        return self._view.position(ACCOUNT, symbol)

    def take_answer(self, done: CommandDone) -> OutcomeReport | None:
        """Turn the venue's answer into a report; None when it answers a command of our own."""
        if done.command_id < 0:
            waiting = self._waiting.get(done.command_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(done)
            return None
        return OutcomeReport(
            token=done.command_id,
            outcome=_OUTCOMES[done.outcome.name],
            reason=done.reason,
            message=done.message,
            order=done.order,
            sent_ns=self._sent_ns.pop(done.command_id, 0),
            acknowledged_ns=self._clock.now_ns(),
        )

    def _execute(self, venue: SimulatedVenue, commands: Sequence[VenueCommand], now_ns: int) -> list[VenueEvent]:
        events: list[VenueEvent] = []
        for command in commands:
            events += self._send(venue, command, now_ns)
        return events

    def _send(self, venue: SimulatedVenue, command: VenueCommand, now_ns: int) -> list[VenueEvent]:
        if isinstance(command, Place):
            request = command.request
            existing = venue.view.order(ACCOUNT, request.symbol, client_order_id=request.client_order_id)
            if existing is not None:
                # Exchanges differ in how long they remember an id; this one does not forget.
                return [
                    CommandDone(
                        account=ACCOUNT,
                        time_ns=now_ns,
                        command_id=command.token,
                        outcome=VenueOutcome.REJECTED,
                        reason=ErrorReason.DUPLICATE_CLIENT_ID,
                        message=f"client order id {request.client_order_id} was used before",
                        client_order_id=request.client_order_id,
                        order=existing,
                    )
                ]
            return venue.place(ACCOUNT, request, command.token, now_ns)
        if isinstance(command, Amend):
            return venue.amend(
                ACCOUNT,
                command.symbol,
                command.client_order_id,
                price_ticks=command.price_ticks,
                total_lots=command.total_lots,
                instrument_revision=command.instrument_revision,
                command_id=command.token,
                now_ns=now_ns,
            )
        if isinstance(command, Cancel):
            return venue.cancel(
                ACCOUNT,
                command.symbol,
                client_order_id=command.client_order_id,
                exchange_order_id=command.exchange_order_id,
                command_id=command.token,
                now_ns=now_ns,
            )
        assert isinstance(command, CancelAll), "the last of four kinds"
        return venue.cancel_all(ACCOUNT, command.symbol, "", command.token, now_ns)
