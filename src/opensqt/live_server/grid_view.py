"""An edit of a grid as the browser reads it: JSON-ready dicts, decimals as text, times in Unix ms."""

from typing import Any

from opensqt.live_server import names
from opensqt.live_server.units import decimal_text, ms, optional_decimal_text
from opensqt.proto.engine_pb2 import (
    ApplyGridResponse,
    GridCarry,
    GridFigures,
    GridStep,
    GridVersion,
    PreviewGridResponse,
)

Json = dict[str, Any]


def preview(answer: PreviewGridResponse) -> Json:
    """Return what an edit would do: every order it touches, what the grid then needs, why it is refused."""
    return {
        "base_version": answer.base_version,
        "steps": [_step(step) for step in answer.steps],
        "untouched_orders": answer.untouched_orders,
        "carries": [_carry(carry) for carry in answer.carries],
        "before": _figures(answer.figures_before),
        "after": _figures(answer.figures_after),
        "refusals": list(answer.refusals),
        "warnings": list(answer.warnings),
        "what": list(answer.what),
        "preview_token": answer.preview_token,
        "expires_ms": ms(answer.expires_ns),
    }


def applied(answer: ApplyGridResponse) -> Json:
    """Return what was done, and the version that is in force."""
    return {"version": answer.version, "applied": preview(answer.applied)}


def version(item: GridVersion) -> Json:
    """Return one version of a grid's settings."""
    return {
        "version": item.version,
        "time_ms": ms(item.time_ns),
        "action": item.action,
        "operator": item.operator,
        "what": list(item.what),
        "undo_version": item.undo_version,
        "is_current": item.is_current,
    }


def _step(step: GridStep) -> Json:
    return {
        "kind": names.grid_step(step.kind),
        "side": names.side(step.side),
        "slot": step.slot,
        "price": decimal_text(step.price),
        "quantity": decimal_text(step.quantity),
        "old_price": optional_decimal_text(step.old_price),
        "old_quantity": optional_decimal_text(step.old_quantity),
        "reduce_only": step.reduce_only,
        "order": step.client_order_id,
        "reason": step.reason,
    }


def _carry(carry: GridCarry) -> Json:
    return {
        "from_slot": carry.from_slot,
        "to_slot": carry.to_slot,
        "quantity": decimal_text(carry.quantity),
        "old_take_profit": decimal_text(carry.old_take_profit),
        "new_take_profit": decimal_text(carry.new_take_profit),
    }


def _figures(figures: GridFigures) -> Json:
    return {
        "worst_case_position": decimal_text(figures.worst_case_position),
        "worst_case_notional": decimal_text(figures.worst_case_notional),
        "margin_needed": decimal_text(figures.margin_needed),
        "equity": decimal_text(figures.equity),
        "liquidation_price": optional_decimal_text(figures.liquidation_price),
        "step": decimal_text(figures.step),
        "profit_per_cycle": decimal_text(figures.profit_per_cycle),
        "buy_orders": figures.buy_orders,
        "sell_orders": figures.sell_orders,
    }
