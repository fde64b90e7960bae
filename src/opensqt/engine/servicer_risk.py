"""RiskService, the original's: metrics, limits, alerts, reconciliation, circuit breaker (a pause of opening)."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, final

from google.type.decimal_pb2 import Decimal as DecimalMessage

from opensqt.domain.convert_trade import decimal_message, read_decimal
from opensqt.domain.errors import ErrorReason, NotFoundError, invalid_field
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT, to_units
from opensqt.engine.api_messages import ZERO, choose_bots, ms, notional
from opensqt.engine.bot import Bot
from opensqt.engine.events import LimitsChanged, Pause, Resume
from opensqt.engine.risk.reasons import Code, TradingState
from opensqt.engine.servicer_engine import EngineServicer
from opensqt.engine.shell import EngineShell
from opensqt.proto import risk_pb2 as pb
from opensqt.proto.engine_pb2 import TRADING_STATE_HALTED, BotState, StateReason
from opensqt.proto.risk_pb2_grpc import RiskServiceServicer

KEPT_RECONCILIATIONS = 100
ALERT_LEVELS = ("warning", "alarm")

_PLACES = Decimal("0.00000001")


@final
class RiskServicer(RiskServiceServicer):
    """Serves RiskService over the shell."""

    def __init__(self, shell: EngineShell, engine: EngineServicer) -> None:
        self._shell = shell
        self._engine = engine
        self._reconciliations: OrderedDict[str, pb.GetReconciliationStatusResponse] = OrderedDict()
        self._last_reconciliation = 0

    async def GetRiskMetrics(self, request: pb.GetRiskMetricsRequest, _context: Any) -> pb.GetRiskMetricsResponse:  # noqa: N802
        """Return exposure against limits; risk_score is the used part of the tightest limit, 1 = reached."""
        chosen = choose_bots(self._shell.core, request.symbols)
        return pb.GetRiskMetricsResponse(metrics=[self._metrics(bot, one) for bot, one in chosen])

    async def GetPositionLimits(  # noqa: N802
        self, request: pb.GetPositionLimitsRequest, _context: Any
    ) -> pb.GetPositionLimitsResponse:
        """Return the hard limits of a symbol; 0 = none. The order size is in quote."""
        bot, instrument = self._one(request.symbol)
        limits = bot.gate.limits
        return pb.GetPositionLimitsResponse(
            symbol=bot.symbol,
            max_position_size=decimal_message(instrument.lots_to_quantity(limits.max_position_lots)),
            max_notional_value=decimal_message(instrument.money(limits.max_notional_units)),
            max_leverage=decimal_message(Decimal(limits.max_leverage)),
            max_order_size=decimal_message(instrument.money(limits.max_order_notional_units)),
        )

    async def UpdatePositionLimits(  # noqa: N802
        self, request: pb.UpdatePositionLimitsRequest, _context: Any
    ) -> pb.UpdatePositionLimitsResponse:
        """Set hard limits; a field left out stays, 0 takes the limit away. They outlive a restart."""
        bot, instrument = self._one(request.symbol)
        position = _limit(request, "max_position_size", request.max_position_size)
        if position:
            instrument.quantity_to_lots(position, "max_position_size")
        leverage = _limit(request, "max_leverage", request.max_leverage)
        if leverage is not None and (leverage != int(leverage) or leverage < bot.config.leverage):
            raise invalid_field(
                "max_leverage", leverage, f"must be a whole number, at least the bot's leverage {bot.config.leverage}"
            )
        scale = instrument.money_scale
        value = _limit(request, "max_notional_value", request.max_notional_value)
        order = _limit(request, "max_order_size", request.max_order_size)
        self._shell.take(
            [
                LimitsChanged(
                    bot_id=bot.id,
                    max_position_lots=_lots(instrument, position),
                    max_notional_units=None if value is None else to_units(value, scale),
                    max_order_notional_units=None if order is None else to_units(order, scale),
                    max_leverage=None if leverage is None else int(leverage),
                    reason=request.reason,
                )
            ]
        )
        return pb.UpdatePositionLimitsResponse(success=True, message="the limits hold from now on")

    async def GetExposure(  # noqa: N802
        self,
        request: pb.GetExposureRequest,  # noqa: ARG002  it has no fields
        _context: Any,
    ) -> pb.GetExposureResponse:
        """Return the notional of all positions and their parts of it."""
        chosen = choose_bots(self._shell.core, ())
        values = {bot.symbol: notional(bot, instrument) for bot, instrument in chosen}
        total = sum(values.values(), ZERO)
        unrealized = ZERO
        for bot, instrument in chosen:
            unrealized = EXACT.add(unrealized, bot.ledger.pnl(instrument, bot.market.mark_price(instrument)).inventory)
        equity = self._equity()
        return pb.GetExposureResponse(
            total_notional=decimal_message(total),
            total_unrealized_pnl=decimal_message(unrealized),
            portfolio_leverage=decimal_message(_ratio(total, equity)),
            exposures=[
                pb.SymbolExposure(
                    symbol=symbol,
                    notional_value=decimal_message(value),
                    percentage_of_portfolio=decimal_message(_ratio(value * 100, total)),
                )
                for symbol, value in values.items()
            ],
        )

    async def SubscribeRiskAlerts(  # noqa: N802
        self,
        request: pb.SubscribeRiskAlertsRequest,  # noqa: ARG002  it has no fields
        _context: Any,
    ) -> AsyncIterator[pb.RiskAlert]:
        """Stream what keeps a bot from trading freely now, then warnings and alarms as they are raised."""
        symbols = {bot.id: bot.symbol for bot in self._shell.core.bots.values()}
        async for event in self._shell.publisher.subscribe(()):
            for bot in event.snapshot.bots:
                for reason in bot.reasons:
                    yield _in_force(bot, reason)
            for entry in event.delta.journal:
                if entry.level in ALERT_LEVELS:
                    yield pb.RiskAlert(
                        symbol=symbols.get(entry.bot_id, ""),
                        alert_type=entry.code,
                        severity=entry.level,
                        message=entry.message,
                        timestamp=ms(entry.time_ns),
                        metadata={"bot_id": entry.bot_id},
                    )

    async def TriggerReconciliation(  # noqa: N802
        self, request: pb.TriggerReconciliationRequest, _context: Any
    ) -> pb.TriggerReconciliationResponse:
        """Prove orders and position of a symbol (empty = all) and keep the result under an id."""
        chosen = choose_bots(self._shell.core, [request.symbol])
        self._last_reconciliation += 1
        name = f"{self._shell.core.session_epoch}-{self._last_reconciliation}"
        started_ms = ms(self._shell.clock.now_ns())
        await self._engine.reconcile([bot for bot, _instrument in chosen])
        status = pb.GetReconciliationStatusResponse(
            reconciliation_id=name,
            status="unproven_orders" if any(bot.proving for bot, _one in chosen) else "completed",
            started_at=started_ms,
            completed_at=ms(self._shell.clock.now_ns()),
            results=[_reconciled(bot, instrument) for bot, instrument in chosen],
        )
        self._reconciliations[name] = status
        while len(self._reconciliations) > KEPT_RECONCILIATIONS:
            self._reconciliations.popitem(last=False)
        return pb.TriggerReconciliationResponse(reconciliation_id=name, status=status.status)

    async def GetReconciliationStatus(  # noqa: N802
        self, request: pb.GetReconciliationStatusRequest, _context: Any
    ) -> pb.GetReconciliationStatusResponse:
        """Return the result of an earlier reconciliation."""
        found = self._reconciliations.get(request.reconciliation_id)
        if found is None:
            raise NotFoundError(
                ErrorReason.NOT_FOUND, f"no reconciliation {request.reconciliation_id!r}; the last 100 are kept"
            )
        return found

    async def GetCircuitBreakerStatus(  # noqa: N802
        self, request: pb.GetCircuitBreakerStatusRequest, _context: Any
    ) -> pb.GetCircuitBreakerStatusResponse:
        """Say whether opening is barred, and why."""
        bot, _instrument = self._one(request.symbol)
        holding = sorted(bot.gate.reasons.values(), key=lambda reason: reason.since_ns)
        pnl = bot.pnl()
        return pb.GetCircuitBreakerStatusResponse(
            status=pb.CircuitBreakerStatus(
                symbol=bot.symbol,
                is_open=bot.gate.state is not TradingState.ACTIVE,
                reason="; ".join(f"{reason.code.value}: {reason.message}" for reason in holding),
                opened_at=ms(holding[0].since_ns) if holding else 0,
                consecutive_losses=_losses_in_a_row(bot),
                total_pnl=decimal_message(pnl.equity_change if pnl else ZERO),
            )
        )

    async def OpenCircuitBreaker(  # noqa: N802
        self, request: pb.OpenCircuitBreakerRequest, _context: Any
    ) -> pb.OpenCircuitBreakerResponse:
        """Pause opening; take-profits stay."""
        bot, _instrument = self._one(request.symbol)
        self._shell.take([Pause(bot.id, request.reason or "circuit breaker opened")])
        return pb.OpenCircuitBreakerResponse(success=True)

    async def CloseCircuitBreaker(  # noqa: N802
        self, request: pb.CloseCircuitBreakerRequest, _context: Any
    ) -> pb.CloseCircuitBreakerResponse:
        """Lift the pause; what else bars opening goes on to do so."""
        bot, _instrument = self._one(request.symbol)
        self._shell.take([Resume(bot.id)])
        return pb.CloseCircuitBreakerResponse(success=Code.OPERATOR_PAUSE not in bot.gate.reasons)

    def _one(self, symbol: str) -> tuple[Bot, Instrument]:
        if not symbol:
            raise invalid_field("symbol", "''", "must name the symbol it is about")
        chosen = choose_bots(self._shell.core, [symbol])
        if not chosen:
            raise NotFoundError(ErrorReason.NOT_FOUND, f"{symbol} is not known yet: the engine was never attached")
        return chosen[0]

    def _equity(self) -> Decimal:
        return sum(
            (book.account.margin_balance for book in self._shell.core.accounts.values() if book.account is not None),
            ZERO,
        )

    def _metrics(self, bot: Bot, instrument: Instrument) -> pb.SymbolRiskMetrics:
        mark = bot.market.mark_price(instrument)
        value, limits, equity = notional(bot, instrument), bot.gate.limits, self._equity()
        maintenance = bot.account.maintenance_margin if bot.account else ZERO
        used = {
            "max_position_size": _ratio(Decimal(abs(bot.position.lots)), Decimal(limits.max_position_lots)),
            "max_notional_value": _ratio(value, instrument.money(limits.max_notional_units)),
            "max_leverage": _ratio(_ratio(value, equity), Decimal(limits.max_leverage)),
            "maintenance_margin": _ratio(maintenance, equity),
        }
        tightest = max(used, key=lambda name: used[name])
        last = bot.market.last_ticks
        return pb.SymbolRiskMetrics(
            symbol=bot.symbol,
            position_size=decimal_message(instrument.lots_to_quantity(bot.position.lots)),
            notional_value=decimal_message(value),
            unrealized_pnl=decimal_message(bot.ledger.pnl(instrument, mark).inventory),
            leverage=decimal_message(_ratio(value, equity)),
            risk_score=decimal_message(used[tightest]),
            limit_breach=used[tightest] > 1,
            limit_type=tightest,
            last_price=decimal_message(instrument.ticks_to_price(last) if last else mark),
        )


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    """Return part / whole to 8 places; 0 when there is no whole."""
    return (part / whole).quantize(_PLACES) if whole > 0 else ZERO


def _limit(request: pb.UpdatePositionLimitsRequest, field: str, message: DecimalMessage) -> Decimal | None:
    if not request.HasField(field):  # type: ignore[arg-type]  # callers pass the names of its fields
        return None
    value = read_decimal(message, field)
    if value < 0:
        raise invalid_field(field, value, "must be 0 (no limit) or positive")
    return value


def _lots(instrument: Instrument, size: Decimal | None) -> int | None:
    if size is None:
        return None
    return instrument.quantity_to_lots(size) if size else 0


def _in_force(bot: BotState, reason: StateReason) -> pb.RiskAlert:
    return pb.RiskAlert(
        symbol=bot.symbol,
        alert_type=reason.code,
        severity="alarm" if bot.state == TRADING_STATE_HALTED else "warning",
        message=reason.message,
        timestamp=ms(reason.since_ns),
        metadata={"bot_id": bot.bot_id},
    )


def _reconciled(bot: Bot, instrument: Instrument) -> pb.ReconciliationResult:
    ours, theirs = bot.ledger.position_lots, bot.position.lots
    return pb.ReconciliationResult(
        symbol=bot.symbol,
        position_match=ours == theirs,
        local_position=decimal_message(instrument.lots_to_quantity(ours)),
        exchange_position=decimal_message(instrument.lots_to_quantity(theirs)),
        divergence=decimal_message(instrument.lots_to_quantity(theirs - ours)),
        corrected=bool(bot.corrections),
    )


def _losses_in_a_row(bot: Bot) -> int:
    losses = 0
    for booked in reversed(bot.recent_fills):
        if booked.profit_ticks_lots > 0:
            break
        losses += booked.profit_ticks_lots < 0
    return losses
