"""The configuration file that `opensqt init` writes: every value explained, nothing that is dangerous by default."""

from decimal import Decimal
from pathlib import Path
from typing import final

import msgspec

from opensqt.cli.init_plan import GridPlan
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import plain

TAG = "g1"


@final
class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where to trade. `section` is the exchange's own; key files are given for modes that trade with an account."""

    exchange: str
    mode: str
    venue_symbol: str
    balance: Decimal
    leverage: int
    key_file: str = ""
    secret_file: str = ""


def connector_lines(account: Account) -> list[str]:
    """Return the lines below `connector:` that say where to trade."""
    lines = [f"  exchange: {account.exchange}", f"  mode: {account.mode}"]
    is_built_in = account.exchange == "paper"
    if not is_built_in:
        lines += [f"  {account.exchange}:", f"    symbols: [{account.venue_symbol}]"]
        if account.key_file:
            lines += [f"    api_key_file: {account.key_file}", f"    api_secret_file: {account.secret_file}"]
    if account.mode == "paper":
        lines += ["  paper:                      # the account, which exists only here"]
        lines += [f"    symbols: [{account.venue_symbol}]"] if is_built_in else []
        lines += [f"    balance: {plain(account.balance)}", f"    leverage: {account.leverage}"]
    return lines


def config_text(account: Account, instrument: Instrument, plan: GridPlan, state: Path) -> str:
    """Return the whole file."""
    quote, base = instrument.quote_asset, instrument.base_asset
    lines = [
        "# Written by `opensqt init`. Look at it with `opensqt grid preview`, check it with `opensqt doctor`,",
        "# run it with `opensqt up`. examples/paper.yaml in the sources explains every key there is.",
        "connector:",
        *connector_lines(account),
        "  grpc: {host: 127.0.0.1, port: 50051}",
        "  limits:                     # hard caps that no engine can pass",
        f"    max_order_notional: {plain(plan.max_order_notional)}",
        f"    max_position_notional: {plain(plan.max_notional * 2)}",
        f"    max_open_orders: {min(2 * plan.levels + 20, instrument.max_open_orders)}",
        "",
        "engine:",
        "  connector: {address: 127.0.0.1:50051}",
        "  grpc: {port: 50052}",
        f"  state_file: {state / 'engine.db'}",
        "  on_vanish: reduce           # if the engine is gone: buys are cancelled, take-profits stay",
        "  bots:",
        f"    - id: {instrument.base_asset.lower()}",
        f"      tag: {TAG}                 # marks its orders for life; never give it to another bot",
        f"      symbol: {instrument.symbol}",
        f"      leverage: {account.leverage}",
        "      existing_position: refuse",
        "      grid:",
        f"        interval: {plain(plan.interval)}            # {quote} between two levels",
        f"        order_quantity: {plain(plan.order_quantity)}      # {quote} per level",
        f"        buy_window: {plan.levels}",
        f"        sell_window: {plan.levels}",
        f"        max_open_orders: {min(plan.levels + 5, instrument.max_open_orders)}",
        f"        range: {{lower: {plain(plan.lower)}, action: hold}}   # nothing is bought below",
        "      risk:",
        f"        max_position: {plain(plan.max_position)}       # {base}, everything working and unknown included",
        f"        max_notional: {plain(plan.max_notional)}     # {quote}, the same",
        f"        max_leverage: {account.leverage}",
        f"        position_safety_check: {plan.levels}   # levels the account must afford: all of them",
        "        daily_loss: {percent: 10, action: reduce_only}",
        "        drawdown: {percent: 25, action: reduce_only}",
        "",
        "live_server:",
        "  connector: {address: 127.0.0.1:50051}",
        "  engine: {address: 127.0.0.1:50052}",
        "  port: 8081",
        "",
    ]
    return "\n".join(lines)
