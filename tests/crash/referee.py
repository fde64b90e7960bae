"""Compares what the venue did with what the engine wrote down, after everything was stopped."""

import contextlib
import sqlite3
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from crash.look import Look
from crash.report import Report
from crash.world import CAPS, SYMBOL, WALLET, World
from opensqt.matching.sources.instruments import known_instrument
from opensqt.proto import engine_pb2

MARK_LAG_BPS = 5
"""The venue's mark moves between the connector's check and the order's arrival; it is published once per second."""

_FILLS = "SELECT trade_id, side, price_ticks, lots, fee, client_order_id FROM fills"

INSTRUMENT = known_instrument("BTCUSDT")


def compare(report: Report, truth: dict[str, Any], database: Path) -> None:
    """Fill in what the books say of each other. The position must be flat: then money needs no price."""
    theirs = {fill["trade_id"]: _venue_fill(fill) for fill in truth["fills"]}
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT trade_id, side, price_ticks, lots, fee, client_order_id FROM fills"
        ).fetchall()
        flows = dict(connection.execute("SELECT id, amount FROM cash_flows").fetchall())
    ours = {row[0]: (row[1], row[2], row[3], Decimal(row[4]), row[5]) for row in rows}
    counts = Counter(row[0] for row in rows)
    report.fills_at_venue, report.fills_in_ledger = len(theirs), len(rows)
    report.fills_lost = len(theirs.keys() - ours.keys())
    report.fills_doubled = sum(count - 1 for count in counts.values()) + len(ours.keys() - theirs.keys())
    report.fills_different = sum(ours[name] != theirs[name] for name in ours.keys() & theirs.keys())
    fundings = {flow["id"]: flow for flow in truth["cash_flows"] if flow["symbol"]}
    report.cash_flows_different = abs(len(fundings) - len(flows))
    wallet = Decimal(WALLET) + sum((Decimal(amount) for amount in flows.values()), Decimal(0))
    for side, price_ticks, lots, fee, _client_order_id in ours.values():
        sign = 1 if side == 1 else -1
        wallet -= sign * INSTRUMENT.money(INSTRUMENT.notional_units(price_ticks, lots)) + fee
    report.wallet_by_ledger = f"{wallet:f}"
    report.wallet_at_venue = f"{Decimal(truth['balances']['wallet_balance']):f}"
    if Decimal(report.wallet_at_venue) == wallet:
        report.wallet_by_ledger = report.wallet_at_venue
    judge_caps(report, truth, CAPS)
    if truth["positions"]:
        report.problems.append(f"the position was to be flat: {truth['positions']}")
    if truth["open_orders"]:
        report.problems.append(f"{len(truth['open_orders'])} orders are left after the stop")


def stop_flat(report: Report, look: Look, world: World) -> None:
    """Stop the bot with nothing left, then the services in order; what is not as asked for is a problem."""
    answer = None
    for _ in range(3):
        # One that could not finish in its time says what is left, and is to be tried again.
        answer = look.call("Stop", engine_pb2.StopRequest(mode=engine_pb2.STOP_MODE_FLATTEN), 60.0)
        if answer is not None and answer.verified and not answer.open_orders_left and not answer.position_lots_left:
            break
    if answer is None or not answer.verified or answer.open_orders_left or answer.position_lots_left:
        report.problems.append(f"the bot did not stop flat: {answer}, the engine says {look.bot()}")
    if not look.agreement(30):
        report.problems.append("engine and venue do not agree on the last fills")
    bot = look.bot()
    report.unexplained = bot.pnl.unexplained.value if bot is not None else "not known"
    if report.unexplained != "0":
        report.problems.append(f"the engine calls {report.unexplained} unexplained")
    for name in ("live_server", "engine", "connector"):
        service = world.services[name]
        code = service.stop() if service.process is not None else 0
        if code:
            report.problems.append(f"{name} ended with {code} when it was asked to stop")


def judge_caps(report: Report, truth: dict[str, Any], caps: dict[str, int]) -> None:
    """Hold the highest values seen at the venue against what the connector was told."""
    peaks = truth["peaks"].get(SYMBOL, {})
    report.peaks = peaks
    report.orders, report.amendments = peaks.get("orders", 0), peaks.get("amendments", 0)
    for peak, cap in (
        ("open_orders", "max_open_orders"),
        ("order_notional", "max_order_notional"),
        ("exposure_notional", "max_position_notional"),
        ("orders_per_second", "max_orders_per_second"),
        ("collar_bps", "price_collar_bps"),
    ):
        slack = MARK_LAG_BPS if cap == "price_collar_bps" else 0
        if Decimal(peaks.get(peak, 0)) > caps[cap] + slack:
            report.cap_violations.append(f"{peak} reached {peaks[peak]}, {cap} is {caps[cap]}")


def _venue_fill(fill: dict[str, Any]) -> tuple[Any, ...]:
    return fill["side"], fill["price_ticks"], fill["lots"], Decimal(fill["fee"]), fill["client_order_id"]
