"""The first grid comes from the engine's own core: its orders, its refusals, its figures."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from opensqt.cli.doctor_check import Status
from opensqt.cli.doctor_venue import grid_findings
from opensqt.cli.first_grid import FirstGrid, VenueFacts, first_grid
from opensqt.cli.venue_view import Touch
from opensqt.domain.account import Account, Position
from opensqt.engine.config import BotConfig, EngineConfig, GridConfig
from opensqt.engine.risk.config import RiskConfig
from opensqt.matching.sources.instruments import known_instrument
from opensqt.runtime.config import GrpcClientConfig

ETH = known_instrument("ETHUSDT")
NOW_NS = 1_700_000_000_000_000_000


def _bot(**grid: object) -> BotConfig:
    settings: dict[str, object] = {
        "interval": Decimal(2),
        "anchor": Decimal(3000),
        "order_quantity": Decimal(30),
        "buy_window": 10,
        **grid,
    }
    return BotConfig(id="eth", tag="eth", symbol="ETHUSDT", grid=GridConfig(**settings), leverage=5)  # type: ignore[arg-type]


def _facts(price: str = "3001.30", *, money: str = "10000", lots: int = 0) -> VenueFacts:
    amount = Decimal(money)
    last = ETH.price_to_ticks(Decimal(price))
    return VenueFacts(
        instrument=ETH,
        account=Account(asset="USDT", wallet_balance=amount, available_balance=amount, margin_balance=amount),
        position=Position(symbol=ETH.symbol, lots=lots, entry_price=Decimal(3000)),
        touch=Touch(last - 1, last + 1, last),
    )


def _grid(bot: BotConfig, facts: VenueFacts) -> FirstGrid:
    config = EngineConfig(
        connector=GrpcClientConfig(address="127.0.0.1:50051"), state_file=Path("engine.db"), bots=(bot,)
    )
    return first_grid(config, bot, facts, NOW_NS)


def test_the_worked_example_of_the_rules_is_shown_order_by_order() -> None:
    grid = _grid(_bot(), _facts())

    assert grid.refusals == ()
    assert [order.price for order in grid.orders] == [str(price) for price in range(3000, 2982, -2)]
    assert {order.side for order in grid.orders} == {"buy"}
    assert grid.orders[0].quantity == "0.01"
    assert grid.figures["step"] == "2"
    assert grid.figures["profit_per_unit"] == "0.7988"  # 2 - (3002 + 3004) * 0.0002, at the highest level in reach


def test_a_slow_order_pace_still_shows_every_order() -> None:
    bot = msgspec.structs.replace(_bot(), risk=RiskConfig(max_orders_per_second=2))

    assert len(_grid(bot, _facts()).orders) == 9


def test_a_grid_that_would_not_start_is_shown_with_the_reason_and_sends_nothing() -> None:
    grid = _grid(_bot(order_quantity=Decimal(5)), _facts())

    assert grid.orders == ()
    assert "smallest workable order_quantity" in grid.refusals[0]


@pytest.mark.parametrize(("facts", "word"), [(_facts(lots=50), "existing_position"), (_facts(money="10"), "deposit")])
def test_what_the_account_holds_is_judged_as_at_a_start(facts: VenueFacts, word: str) -> None:
    grid = _grid(_bot(), facts)

    assert grid.orders == ()
    assert word in " ".join(grid.refusals)
    assert [finding.status for finding in grid_findings("bot eth", grid, facts)] == [Status.FAILED]


def test_a_step_that_goes_mostly_into_fees_is_a_warning() -> None:
    facts = _facts()
    findings = grid_findings("bot eth", _grid(_bot(interval=Decimal("1.4")), facts), facts)

    assert [finding.status for finding in findings] == [Status.OK] * 3 + [Status.WARNING]


def test_what_a_step_earns_and_where_it_ends_is_said_in_one_unit() -> None:
    facts = _facts()
    says = " | ".join(finding.detail for finding in grid_findings("bot eth", _grid(_bot(), facts), facts))

    assert "earns 0.7988 USDT per ETH after 1.2012 of fees: " in says
    assert "no liquidation at any price" in says
