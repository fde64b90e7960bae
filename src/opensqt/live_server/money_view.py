"""Days and the equity curve as the browser reads them: JSON-ready dicts, decimals as text, times in Unix ms."""

from typing import Any

from opensqt.live_server.units import decimal_text, ms
from opensqt.proto.engine_pb2 import DayPnl, EquityPoint

Json = dict[str, Any]


def day(pnl: DayPnl) -> Json:
    """Return a day's profit in its parts, which sum exactly to `equity_change`."""
    return {
        "date": pnl.date,
        "start_ms": ms(pnl.start_ns),
        "grid_profit": decimal_text(pnl.grid_profit),
        "inventory_pnl": decimal_text(pnl.inventory_pnl),
        "fees": decimal_text(pnl.fees),
        "funding": decimal_text(pnl.funding),
        "transfers": decimal_text(pnl.transfers),
        "equity_change": decimal_text(pnl.equity_change),
        "fills": pnl.fills,
        "maker_fills": pnl.maker_fills,
        "turnover": decimal_text(pnl.turnover),
        "cycles": pnl.cycles,
    }


def equity_point(point: EquityPoint) -> Json:
    """Return what the account and the bot were worth at a time."""
    return {
        "time_ms": ms(point.time_ns),
        "equity": decimal_text(point.equity),
        "equity_change": decimal_text(point.equity_change),
    }
