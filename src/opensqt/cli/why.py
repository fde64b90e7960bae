"""`opensqt why ORDER`: the slot, the rule and what it saw, the config version, and what became of the order."""

import asyncio
from pathlib import Path
from typing import Any

from opensqt.cli.engine_client import engine_client, find_engine
from opensqt.cli.errors import EXIT_OK
from opensqt.cli.options import Config, Json, State, time_text
from opensqt.cli.output import print_json, print_line, print_table
from opensqt.proto import engine_pb2, types_pb2


def why(order: str, /, *, state: State = None, config: Config = None, json: Json = False) -> int:
    """Explain an order of the running engine.

    Args:
        order: its client order id, or the venue's id.
    """
    return asyncio.run(_why(order, state, config, json))


async def _why(order_id: str, state: Path | None, config: Path | None, as_json: bool) -> int:
    async with engine_client(find_engine(state, config)) as client:
        answer = await client.explain(order_id)
    facts = _facts(answer)
    if as_json:
        fills = [
            {
                "trade_id": fill.trade_id,
                "price_ticks": fill.price_ticks,
                "lots": fill.lots,
                "fee": fill.fee.value or "0",
                "fee_asset": fill.fee_asset,
                "time": time_text(fill.venue_time_ns),
            }
            for fill in answer.fills
        ]
        print_json({**facts, "inputs": dict(answer.inputs), "history": list(answer.history), "fills": fills})
        return EXIT_OK
    print_table(facts["client_order_id"], [(name.replace("_", " "), str(value)) for name, value in facts.items()])
    print_table("what the rule saw", sorted(answer.inputs.items()))
    print_line("history")
    for line in answer.history:
        print_line(f"  {line}")
    for fill in answer.fills:
        print_line(
            f"  filled {fill.lots} lots at {fill.price_ticks} ticks, fee {fill.fee.value or '0'} {fill.fee_asset}"
            f" ({time_text(fill.venue_time_ns)}, trade {fill.trade_id})"
        )
    return EXIT_OK


def _facts(answer: engine_pb2.ExplainResponse) -> dict[str, Any]:
    order = answer.order
    return {
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "bot_id": answer.bot_id,
        "symbol": order.symbol,
        "slot": answer.slot,
        "rule": answer.rule,
        "config_version": answer.config_version,
        "side": types_pb2.OrderSide.Name(order.side).removeprefix("ORDER_SIDE_").lower(),
        "price_ticks": order.price_ticks,
        "lots": order.lots,
        "filled_lots": order.filled_lots,
        "reduce_only": order.reduce_only,
        "state": types_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_").lower(),
        "created": time_text(order.created_time_ns),
        "updated": time_text(order.updated_time_ns),
    }
