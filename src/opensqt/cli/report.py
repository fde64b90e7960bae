"""The report at the end of a timed run: what was traded, what it brought, and that the parts sum exactly."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import final

import msgspec

from opensqt.cli.bot_summary import PNL_COUNTS, PNL_FIELDS
from opensqt.proto import engine_pb2

PARTS = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers")
_PRECISION = 60


@final
class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over all bots; amounts in the settle asset, exact."""

    symbols: tuple[str, ...]
    assets: tuple[str, ...]
    seconds: float
    counts: dict[str, int]
    amounts: dict[str, Decimal]

    @property
    def difference(self) -> Decimal:
        """Return the change in equity minus the sum of its parts: zero, or there is a bug."""
        with localcontext() as context:
            context.prec = _PRECISION
            return self.amounts["equity_change"] - sum((self.amounts[part] for part in PARTS), Decimal(0))

    @property
    def sums_exactly(self) -> bool:
        """Return whether the parts sum to the change in equity, to the last digit."""
        return self.difference == 0

    def as_json(self) -> dict[str, object]:
        """Return plain values; decimals as strings without exponents."""
        return {
            "symbols": list(self.symbols),
            "asset": ",".join(self.assets),
            "seconds": self.seconds,
            **self.counts,
            **{name: format(amount, "f") for name, amount in self.amounts.items()},
            "sums_exactly": self.sums_exactly,
            "difference": format(self.difference, "f"),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return name and value, for a table."""
        asset = ",".join(self.assets)
        counts = [(name.replace("_", " "), str(self.counts[name])) for name in PNL_COUNTS]
        amounts = [(name.replace("_", " "), f"{self.amounts[name]:f} {asset}") for name in PNL_FIELDS]
        verdict = "exactly the equity change" if self.sums_exactly else f"OFF by {self.difference:f} {asset}"
        return [*counts, *amounts, ("parts sum to", verdict)]


def make_report(bots: Sequence[engine_pb2.BotState], seconds: float) -> Report:
    """Return the totals of all bots."""
    with localcontext() as context:
        context.prec = _PRECISION
        amounts = {
            name: sum((Decimal(getattr(bot.pnl, name).value or "0") for bot in bots), Decimal(0)) for name in PNL_FIELDS
        }
    return Report(
        symbols=tuple(bot.symbol for bot in bots),
        assets=tuple(sorted({bot.pnl.asset for bot in bots})),
        seconds=seconds,
        counts={name: sum(getattr(bot.pnl, name) for bot in bots) for name in PNL_COUNTS},
        amounts=amounts,
    )
