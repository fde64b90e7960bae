"""What operators decide: pause, resume, stop, reconcile, limits, edits of the grid. Decisions outlive a restart."""

import msgspec

from opensqt.domain.order_state import OrderState
from opensqt.engine import grid_edit
from opensqt.engine.bot import Bot
from opensqt.engine.commands import AuditRecord
from opensqt.engine.events import EditGrid, Leave, LimitsChanged, Pause, Reconcile, Resume, Stop
from opensqt.engine.recovery import prove
from opensqt.engine.risk.reasons import Code
from opensqt.engine.risk_duty import begin_losses_anew

_LIFTED_BY_RESUME = (
    Code.OPERATOR_PAUSE,
    Code.START_CHECK,
    Code.POSITION_MISMATCH,
    Code.OVERSOLD,
    Code.LEVERAGE_REFUSED,
    Code.CREDENTIALS_REFUSED,
    Code.LIQUIDATED,
)

OperatorEvent = Pause | Resume | Stop | Leave | Reconcile | LimitsChanged | EditGrid


def apply(bot: Bot, event: OperatorEvent, now_ns: int) -> None:
    """Carry an operator's decision out."""
    if isinstance(event, Pause):
        _pause(bot, event, now_ns)
    elif isinstance(event, Resume):
        _resume(bot, event, now_ns)
    elif isinstance(event, Stop):
        bot.stop_mode = event.mode
        bot.gate.stop()
        _decided(bot, "kill" if event.killed else "stop", event.mode.name.lower(), event.who, now_ns)
    elif isinstance(event, Leave):
        bot.stop_mode = event.mode
        bot.is_ending = True
        bot.gate.stop()
        bot.journal("info", "LEAVING", f"the engine ends: {event.mode.name.lower()}", now_ns)
    elif isinstance(event, Reconcile):
        bot.corrections.clear()
        bot.reconciler.soon(now_ns)
        for order in list(bot.orders.open.values()):
            order.query_at_ns = now_ns
            order.queries = 0
            bot.proving.add(order.client_order_id)
        bot.outbox.record(AuditRecord(time_ns=now_ns, bot_id=bot.id, action="reconcile", detail="", who=event.who))
    elif isinstance(event, EditGrid):
        grid_edit.take(bot, event, now_ns)
    else:
        _limit(bot, event, now_ns)


def _pause(bot: Bot, event: Pause, now_ns: int) -> None:
    bot.paused_reason = event.reason or "paused by an operator"
    bot.gate.add(Code.OPERATOR_PAUSE, bot.paused_reason, now_ns)
    _decided(bot, "pause", bot.paused_reason, event.who, now_ns)


def _resume(bot: Bot, event: Resume, now_ns: int) -> None:
    bot.paused_reason = ""
    bot.stop_mode = None
    bot.start_checked = False
    bot.next_start_check_ns = 0
    for code in _LIFTED_BY_RESUME:
        bot.gate.lift(code)
    begin_losses_anew(bot)
    bot.mode_refusal = ""
    bot.gate.restart()
    bot.position_differs_since_ns = 0
    # Waiting lets the start checks run before anything is quoted.
    bot.gate.add(Code.RECOVERING, "resumed; checking", now_ns)
    for order in list(bot.orders.open.values()):
        if order.state is OrderState.UNKNOWN:
            prove(bot, order, "resumed", now_ns)
    _decided(bot, "resume", "", event.who, now_ns)


def _limit(bot: Bot, event: LimitsChanged, now_ns: int) -> None:
    changes = {
        name: value
        for name in ("max_position_lots", "max_notional_units", "max_order_notional_units", "max_leverage")
        if (value := getattr(event, name)) is not None
    }
    bot.limits_changed = True
    bot.gate.limits = msgspec.structs.replace(bot.gate.limits, **changes) if changes else bot.gate.limits
    text = ", ".join(f"{name}={value}" for name, value in changes.items())
    _decided(bot, "limits", f"{text} ({event.reason})", event.who, now_ns)


def _decided(bot: Bot, action: str, detail: str, who: str, now_ns: int) -> None:
    bot.gate.changed = True
    said = f"{detail} (by {who})".strip() if who else detail
    bot.journal("info", f"OPERATOR_{action.upper()}", said, now_ns)
    bot.outbox.record(AuditRecord(time_ns=now_ns, bot_id=bot.id, action=action, detail=detail, who=who))
    bot.outbox.record(bot.record())
