"""The door to ccxt: absent, it says which extra is missing; present, it opens what was configured."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from opensqt.connector.config import ConnectorConfig
from opensqt.connector.registry import make_adapter
from opensqt.connector.venues.ccxt_any.config import CcxtConfig
from opensqt.connector.venues.ccxt_any.library import open_exchange
from opensqt.domain.clock import ManualClock
from opensqt.runtime.config import ConfigError
from opensqt.runtime.secret import Secret

# ccxt and its dependencies warn about themselves; that is not ours to judge.
pytestmark = pytest.mark.filterwarnings("default")

KRAKEN = CcxtConfig(exchange_id="krakenfutures", api_key=Secret("k"), api_secret=Secret("s"))


def config(**changes: Any) -> ConnectorConfig:
    return ConnectorConfig(exchange="ccxt", mode="live", ccxt=msgspec.structs.replace(KRAKEN, **changes))


def test_connector_imports_no_ccxt_before_it_is_chosen() -> None:
    code = (
        "import sys, opensqt.connector.app, opensqt.connector.venues.ccxt_any.adapter; sys.exit('ccxt' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_without_ccxt_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt.async_support", None)
    with pytest.raises(ConfigError, match=r"opensqt\[connector,ccxt\]"):
        make_adapter(config(), ManualClock())


def test_account_without_a_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ccxt\.api_key"):
        config(api_key=None, api_secret=None)


def test_request_may_not_outlive_its_command() -> None:
    with pytest.raises(ConfigError, match="request_timeout_ms"):
        config(request_timeout_ms=6_000)


class TestWithCcxt:
    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("ccxt", reason="ccxt is not installed here; the extra [ccxt] has it")

    def test_unknown_exchange_is_refused_by_name(self) -> None:
        with pytest.raises(ConfigError, match="nosuchexchange"):
            open_exchange(CcxtConfig(exchange_id="nosuchexchange"), "live")

    def test_unknown_address_is_refused_and_the_known_ones_are_named(self) -> None:
        with pytest.raises(ConfigError, match="fapiPublic"):
            open_exchange(CcxtConfig(exchange_id="binanceusdm", urls={"rest": "http://127.0.0.1:1"}), "live")

    async def test_exchange_gets_its_keys_its_limiter_and_no_retries(self) -> None:
        exchange: Any = open_exchange(KRAKEN, "live").exchange
        assert (exchange.apiKey, exchange.secret, exchange.enableRateLimit) == ("k", "s", True)
        assert (exchange.number, exchange.options["maxRetriesOnFailure"]) == (str, 0)
        await exchange.close()
