"""Ending trading for good: the kill switch, and what a SIGTERM does.

Both take two ways in turn. First the bots themselves: they stop opening, cancel, and close the position with what they
know of their own orders. Then the long arm (`kill_switch`), past bots and core, which also does the verifying: only
the venue's answer says that nothing is left. From the first moment on the shell lets nothing of the killed symbols pass
that could open, whatever a bot may decide.
"""

from collections.abc import Sequence
from typing import final

import structlog

from opensqt.domain.errors import ErrorReason, UnavailableError
from opensqt.engine.bot import Bot
from opensqt.engine.events import Leave, Stop, StopMode
from opensqt.engine.kill_switch import KillSwitch, KillTarget, describe, is_clean
from opensqt.engine.shell import EngineShell
from opensqt.engine.winding import is_wound_down
from opensqt.proto import engine_pb2

EXIT_LEFT = 3
EXIT_UNVERIFIED = 4
"""Exit codes of an engine that was to leave nothing behind."""

ORDERLY_CANCEL_S = 4.0
ORDERLY_FLATTEN_S = 7.0
DIRECT_S = 5.0
"""Together less than what the lifecycle gives a service to stop."""

_log = structlog.get_logger(__name__)


@final
class Stopper:
    """Stops bots of a shell."""

    def __init__(self, shell: EngineShell) -> None:
        self._shell = shell

    async def kill(
        self, bots: Sequence[Bot], *, flatten: bool, everything: bool, who: str, reason: str = ""
    ) -> engine_pb2.KillResponse:
        """Stop bots for good, leave nothing of theirs at the venue, and say what is left."""
        mode = StopMode.FLATTEN if flatten else StopMode.CANCEL
        self._shell.barred.update(bot.symbol for bot in bots)
        _log.warning("kill", bots=[bot.id for bot in bots], flatten=flatten, everything=everything, who=who)
        for bot in bots:
            try:
                bot.journal("alarm", "KILLED", reason or "the kill switch was used", self._shell.clock.now_ns())
                self._shell.take([Stop(bot.id, mode, who, killed=True)])
            except Exception as error:  # noqa: BLE001  a bot in a bad state is no reason to leave its orders
                _log.error("kill_past_bot", bot=bot.id, error=repr(error), exc_info=error)
        killed = await self._clear(bots, mode, everything=everything)
        return engine_pb2.KillResponse(
            symbols=killed, is_clean=is_clean(killed, flatten=flatten, everything=everything)
        )

    async def leave(self, on_stop: str) -> int:
        """Do what the configuration wants of a SIGTERM; returns the exit code. Bots stopped before stay as they are."""
        bots = [bot for bot in self._shell.core.bots.values() if bot.stop_mode is None]
        if on_stop == "keep" or not bots:
            return 0
        mode = StopMode[on_stop.upper()]
        self._shell.barred.update(bot.symbol for bot in bots)
        self._shell.take([Leave(bot.id, mode) for bot in bots])
        killed = await self._clear(bots, mode, everything=False)
        for one in killed:
            _log.info("left", what=describe(one))
        if is_clean(killed, flatten=mode is StopMode.FLATTEN, everything=False):
            return 0
        return EXIT_LEFT if all(one.is_verified for one in killed) else EXIT_UNVERIFIED

    async def _clear(self, bots: Sequence[Bot], mode: StopMode, *, everything: bool) -> list[engine_pb2.KilledSymbol]:
        flatten = mode is StopMode.FLATTEN
        patience_s = ORDERLY_FLATTEN_S if flatten else ORDERLY_CANCEL_S
        if self._shell.core.attached:
            await self._shell.wait_until(lambda: all(is_wound_down(bot) for bot in bots), patience_s)
        client = self._shell.client
        if client is None:
            raise UnavailableError(ErrorReason.NOT_CONNECTED, "there is no connector to go through")
        killed = []
        for bot in bots:
            arm = KillSwitch(
                client.stub,
                self._shell.clock,
                patience_s=DIRECT_S,
                collar_bps=bot.config.risk.flatten_collar_bps,
            )
            target = KillTarget(bot.id, bot.symbol, bot.tag, bot.epoch)
            killed += await arm.kill_all([target], flatten=flatten, everything=everything)
        return killed
