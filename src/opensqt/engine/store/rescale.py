"""Stored rows in finer units: a filter of the instrument changed, and every number of ticks or lots is multiplied.

It is one record among the others of its turn, so that it is on disk together with what follows from it, or not at all;
and what came before it in the same turn is multiplied with the rest.
"""

import sqlite3

import msgspec

from opensqt.domain.ledger import Ledger, LedgerTotals
from opensqt.engine.commands import RescaleRecord
from opensqt.engine.orders import rescaled_inputs

_encoder = msgspec.json.Encoder(decimal_format="string")

_SLOTS = """
    UPDATE slots SET lots = lots * :lots, cost_ticks_lots = cost_ticks_lots * :both,
    profit_ticks_lots = profit_ticks_lots * :both WHERE bot_id = :bot"""
_ORDERS = """
    UPDATE orders SET price_ticks = price_ticks * :ticks, lots = lots * :lots, filled_lots = filled_lots * :lots,
    filled_ticks_lots = filled_ticks_lots * :both, inputs = rescaled_inputs(inputs, :ticks, :lots)
    WHERE bot_id = :bot"""
_FILLS = """
    UPDATE fills SET price_ticks = price_ticks * :ticks, lots = lots * :lots,
    cumulative_filled_lots = cumulative_filled_lots * :lots, profit_ticks_lots = profit_ticks_lots * :both
    WHERE bot_id = :bot"""
_EQUITY = "UPDATE equity SET position_lots = position_lots * :lots WHERE bot_id = :bot"


def rescale_rows(connection: sqlite3.Connection, record: RescaleRecord) -> None:
    """Multiply everything stored of a bot; the caller owns the transaction."""
    ticks, lots = record.tick_factor, record.lot_factor
    connection.create_function("rescaled_inputs", 3, _inputs, deterministic=True)
    for update in (_SLOTS, _ORDERS, _FILLS, _EQUITY):
        connection.execute(update, {"bot": record.bot_id, "ticks": ticks, "lots": lots, "both": ticks * lots})
    row = connection.execute("SELECT document FROM totals WHERE bot_id = ?", (record.bot_id,)).fetchone()
    if row is not None:
        ledger = Ledger(msgspec.json.decode(row[0], type=LedgerTotals))
        ledger.rescale(ticks, lots)
        document = _encoder.encode(ledger.totals).decode()
        connection.execute("UPDATE totals SET document = ? WHERE bot_id = ?", (document, record.bot_id))


def _inputs(text: str, tick_factor: int, lot_factor: int) -> str:
    inputs = msgspec.json.decode(text, type=dict[str, str])
    return _encoder.encode(rescaled_inputs(inputs, tick_factor, lot_factor)).decode()
