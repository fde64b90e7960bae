"""The engine's configuration: bounds, contradictions, and every problem at once."""

from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.engine.config import DEFAULT_PORT, BotConfig, EngineConfig, GridConfig
from opensqt.runtime.config import ConfigError, load_config

GOOD = """
connector: {address: "127.0.0.1:50051"}
state_file: engine.db
bots:
  - id: eth
    tag: eth1
    symbol: ETH/USDT:USDT
    grid: {interval: 2, order_quantity: 30}
"""


def load(tmp_path: Path, text: str) -> EngineConfig:
    path = tmp_path / "engine.yaml"
    path.write_text(text)
    return load_config(path, EngineConfig, env={})


def test_small_config_has_safe_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.grpc.port == DEFAULT_PORT
    assert config.grpc.host == "127.0.0.1"
    bot = config.bots[0]
    assert bot.existing_position == "refuse"
    assert bot.risk.position_safety_check == 100
    assert bot.grid.max_open_orders == 100
    assert config.on_vanish == "reduce"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("interval: 2", "interval: 0", "bots[0].grid.interval"),
        ("interval: 2", "interval: 2, ratio: 0.01", "bots[0].grid.ratio"),
        ("interval: 2", "spacing: geometric", "bots[0].grid.ratio"),
        ("tag: eth1", "tag: ETH", "bots[0].tag"),
        ("tag: eth1", "tag: eth1\n    leverage: 50", "bots[0].leverage"),
        ("order_quantity: 30", "order_quantity: -1", "bots[0].grid.order_quantity"),
        ("state_file", "statefile", "statefile"),
    ],
)
def test_problem_names_its_key(tmp_path: Path, old: str, new: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert path in {problem.path for problem in caught.value.problems}
    assert all(problem.fix for problem in caught.value.problems)


def test_bots_share_neither_id_nor_tag_nor_symbol(tmp_path: Path) -> None:
    twice = GOOD + GOOD.split("bots:\n")[1]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, twice)
    assert {problem.path for problem in caught.value.problems} == {"bots[1].id", "bots[1].tag", "bots[1].symbol"}


def test_a_symbol_in_the_exchanges_spelling_gets_its_unified_name() -> None:
    bot = BotConfig(
        id="btc", tag="btc", symbol="BTCUSDT", grid=GridConfig(interval=Decimal(30), order_quantity=Decimal(130))
    )

    assert bot.symbol == "BTC/USDT:USDT"


def test_a_symbol_without_a_quote_currency_is_refused_with_the_fix() -> None:
    with pytest.raises(ConfigError, match="unified name"):
        BotConfig(id="b", tag="b", symbol="BTC", grid=GridConfig(interval=Decimal(30), order_quantity=Decimal(130)))
