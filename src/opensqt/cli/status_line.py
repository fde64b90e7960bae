"""A compact line about what runs: redrawn in place on a terminal, one plain line every few seconds elsewhere."""

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, final

from opensqt.cli.bot_summary import state_name
from opensqt.cli.output import is_terminal, print_line
from opensqt.proto import engine_pb2

if TYPE_CHECKING:
    from rich.live import Live

PLAIN_EVERY = 5


def status_text(bots: list[engine_pb2.BotState], health: Mapping[str, bool], seconds: float) -> str:
    """Return one line: time, services that are down, and per bot state, price, orders, fills and PnL."""
    down = [name for name, healthy in health.items() if not healthy]
    parts = [f"{int(seconds):>4d} s"]
    if down:
        parts.append(f"not healthy: {', '.join(down)}")
    for bot in bots:
        pnl = bot.pnl
        orders = sum(not order.foreign for order in bot.orders)
        parts.append(
            f"{bot.symbol} {_state(bot)}  price {bot.last_price.value or '-'}  orders {orders}  fills {pnl.fills}"
            f"  pnl {_short(pnl.equity_change.value)} = grid {_short(pnl.grid_profit.value)}"
            f" + inventory {_short(pnl.inventory_pnl.value)} + fees {_short(pnl.fees.value)}"
            f" + funding {_short(pnl.funding.value)} {pnl.asset}"
        )
    return "  ".join(parts)


def _state(bot: engine_pb2.BotState) -> str:
    """Return the state, and why, when it is not the normal one."""
    codes = ", ".join(reason.code for reason in bot.reasons)
    return f"{state_name(bot)} ({codes})" if codes else state_name(bot)


def _short(amount: str) -> str:
    """Cut a decimal text to four places, for the eye only."""
    whole, point, fraction = (amount or "0").partition(".")
    return f"{whole}{point}{fraction[:4]}"


@final
class StatusLine:
    """Shows status lines and notices; `to_stderr` keeps standard output free for the JSON report.

    `closed` turns true when whoever read our output has left: nothing more is shown then, and nothing is raised.
    """

    def __init__(self, *, to_stderr: bool) -> None:
        self._to_stderr = to_stderr
        self._live: Live | None = None
        self._count = 0
        self.closed = False

    def __enter__(self) -> Self:
        if not self._to_stderr and is_terminal():
            from rich.console import Console
            from rich.live import Live

            self._live = Live("", console=Console(highlight=False), auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def notice(self, text: str) -> None:
        """Print a line that stays."""
        if self._live is not None:
            self._live.console.print(text, markup=False)
        else:
            self._print(text)

    def update(self, text: str) -> None:
        """Show the newest status; called once a second."""
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(text), refresh=True)
        elif self._count % PLAIN_EVERY == 0:
            self._print(text)
        self._count += 1

    def _print(self, text: str) -> None:
        try:
            print_line(text, to_stderr=self._to_stderr)
        except OSError:
            self.closed = True
