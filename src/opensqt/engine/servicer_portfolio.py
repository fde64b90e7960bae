"""PortfolioService, the original's, as far as a grid engine has real values for it."""

from decimal import Decimal
from typing import Any, final

from opensqt.domain.convert_trade import decimal_message, read_decimal
from opensqt.domain.errors import ErrorReason, UnavailableError, UnsupportedError
from opensqt.domain.money import EXACT
from opensqt.engine.api_messages import ZERO, choose_bots
from opensqt.engine.shell import EngineShell
from opensqt.proto import portfolio_pb2 as pb
from opensqt.proto.portfolio_pb2_grpc import PortfolioServiceServicer

_PLACES = Decimal("0.00000001")


@final
class PortfolioServicer(PortfolioServiceServicer):
    """Serves PortfolioService; health is 1 - maintenance margin / equity, so 1 is free and 0 is liquidation."""

    def __init__(self, shell: EngineShell) -> None:
        self._shell = shell

    async def GetRiskProfile(  # noqa: N802
        self,
        request: pb.GetRiskProfileRequest,  # noqa: ARG002  it has no fields
        _context: Any,
    ) -> pb.RiskProfile:
        """Return equity, maintenance margin and what is free."""
        equity, maintenance = self._account()
        return pb.RiskProfile(
            adjusted_equity=decimal_message(equity),
            total_maintenance_margin=decimal_message(maintenance),
            available_headroom=decimal_message(EXACT.subtract(equity, maintenance)),
            health_score=decimal_message(_health(equity, maintenance)),
            is_unified=False,
        )

    async def SimulateMargin(self, request: pb.SimulateMarginRequest, _context: Any) -> pb.SimulateMarginResponse:  # noqa: N802
        """Return the health after changing positions; `proposals` are signed base quantities by symbol."""
        equity, maintenance = self._account()
        for symbol, message in request.proposals.items():
            change = read_decimal(message, f"proposals[{symbol}]")
            for bot, instrument in choose_bots(self._shell.core, [symbol]):
                size = instrument.lots_to_quantity(bot.position.lots)
                grown = EXACT.subtract(abs(EXACT.add(size, change)), abs(size))
                value = EXACT.multiply(grown, bot.market.mark_price(instrument))
                maintenance = EXACT.add(maintenance, EXACT.multiply(value, instrument.maintenance_margin_rate))
        maintenance = max(maintenance, ZERO)
        return pb.SimulateMarginResponse(
            projected_health_score=decimal_message(_health(equity, maintenance)),
            would_liquidate=maintenance >= equity,
        )

    async def GetTargetPositions(  # noqa: N802
        self,
        request: pb.GetTargetPositionsRequest,  # noqa: ARG002  it has no fields
        _context: Any,
    ) -> pb.GetTargetPositionsResponse:
        """Return what the grids want to hold now: the lots of their slots, at the mark, against equity."""
        equity, _maintenance = self._account()
        targets = []
        for bot, instrument in choose_bots(self._shell.core, ()):
            size = instrument.lots_to_quantity(bot.ledger.slot_lots)
            value = EXACT.multiply(size, bot.market.mark_price(instrument))
            targets.append(
                pb.TargetPosition(
                    symbol=bot.symbol,
                    weight=decimal_message((value / equity).quantize(_PLACES) if equity > 0 else ZERO),
                    notional=decimal_message(value),
                    exchange=self._shell.core.exchange,
                    quality_score=decimal_message(Decimal(1)),
                )
            )
        return pb.GetTargetPositionsResponse(targets=targets)

    async def GetMarketScores(  # noqa: N802
        self,
        request: pb.GetMarketScoresRequest,  # noqa: ARG002  it has no fields
        _context: Any,
    ) -> pb.GetMarketScoresResponse:
        """Refuse: this engine compares no exchanges."""
        raise UnsupportedError(
            ErrorReason.NOT_SUPPORTED,
            "a grid engine trades one exchange and scores no opportunities between exchanges; GetTargetPositions and "
            "GetRiskProfile carry its real values",
        )

    def _account(self) -> tuple[Decimal, Decimal]:
        accounts = [book.account for book in self._shell.core.accounts.values() if book.account is not None]
        if not accounts:
            raise UnavailableError(
                ErrorReason.NOT_CONNECTED, "no account is known yet: the engine was never attached to its connector"
            )
        equity = sum((account.margin_balance for account in accounts), ZERO)
        return equity, sum((account.maintenance_margin for account in accounts), ZERO)


def _health(equity: Decimal, maintenance: Decimal) -> Decimal:
    if equity <= 0:
        return ZERO
    return max(ZERO, 1 - maintenance / equity).quantize(_PLACES)
