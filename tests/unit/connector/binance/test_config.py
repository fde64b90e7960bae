"""Configuration: what belongs together, where the venue is, and which limits a failure closes."""

from pathlib import Path

import pytest

from opensqt.connector.config import ConnectorConfig
from opensqt.connector.rate_budget import Lane, RateBudget
from opensqt.connector.venues.binance.config import LIVE, TESTNET, BinanceConfig, Endpoints, endpoints_of
from opensqt.connector.venues.binance.errors import http_failure
from opensqt.connector.venues.binance.rest import limit_circuit
from opensqt.connector.venues.paper.config import PaperConfig
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import LimitError
from opensqt.runtime.config import ConfigError, load_config
from opensqt.runtime.secret import Secret


def test_addresses_come_from_the_mode_and_may_all_be_given() -> None:
    assert endpoints_of("live", Endpoints()) == LIVE
    assert endpoints_of("testnet", Endpoints()) == TESTNET
    moved = endpoints_of("live", Endpoints(public="wss://elsewhere/public/"))
    assert moved.public == "wss://elsewhere/public"
    assert moved.rest == LIVE.rest


def test_live_wallet_is_never_asked_about_an_account_elsewhere() -> None:
    assert endpoints_of("live", Endpoints(rest="http://127.0.0.1:1")).wallet == ""


def test_key_without_secret_is_refused_and_neither_is_shown() -> None:
    with pytest.raises(ConfigError) as raised:
        BinanceConfig(api_key=Secret("k" * 20))
    assert "kkkk" not in str(raised.value)


def test_paper_trading_on_the_live_market_needs_no_key_and_nothing_of_the_built_in_market() -> None:
    assert ConnectorConfig(exchange="binance").mode == "paper"
    with pytest.raises(ConfigError, match=r"paper\.speed"):
        ConnectorConfig(exchange="binance", paper=PaperConfig(speed=2.0))


def test_modes_that_a_venue_does_not_have_are_refused() -> None:
    with pytest.raises(ConfigError, match="mode"):
        ConnectorConfig(mode="live")
    with pytest.raises(ConfigError, match="mode"):
        ConnectorConfig(exchange="ccxt", mode="paper")


def test_real_account_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="api_key"):
        ConnectorConfig(exchange="binance", mode="testnet")
    (tmp_path / "key").write_text("abc\n")
    (tmp_path / "secret").write_text("def\n")
    (tmp_path / "c.yaml").write_text(
        "exchange: binance\nmode: live\nbinance:\n  symbols: [BTCUSDT]\n"
        f"  api_key_file: {tmp_path / 'key'}\n  api_secret_file: {tmp_path / 'secret'}\n  leverage: 5\n"
    )
    config = load_config(tmp_path / "c.yaml", ConnectorConfig, env={})
    assert config.binance.api_key is not None
    assert config.binance.api_key.reveal().strip() == "abc"
    assert config.binance.leverage == 5


def test_limits_named_by_the_venue_close_the_circuit_as_far_as_they_reach() -> None:
    budget = RateBudget([])
    overrun = http_failure(429, b'{"code":-1003,"msg":"Too many requests"}', {"Retry-After": "7"},
                           changes_state=False, now_ms=0)  # fmt: skip
    assert overrun is not None
    limit_circuit(budget, overrun, 0)
    budget.take(Lane.CANCEL, 0)
    with pytest.raises(LimitError) as raised:
        budget.take(Lane.QUERY, 0)
    assert raised.value.retry_after_ms == 7_000
    banned = http_failure(418, b'{"code":-1003,"msg":"banned until 1700000060000."}', {},
                          changes_state=False, now_ms=1_700_000_000_000)  # fmt: skip
    assert banned is not None
    limit_circuit(budget, banned, 0)
    with pytest.raises(LimitError):
        budget.take(Lane.CANCEL, 59 * NS_PER_S)
    budget.take(Lane.CANCEL, 60 * NS_PER_S)
