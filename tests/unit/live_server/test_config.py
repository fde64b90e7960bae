from pathlib import Path

import pytest

from opensqt.live_server.config import LiveServerConfig
from opensqt.runtime.config import ConfigError, load_config

GOOD = """
connector: {address: "127.0.0.1:50051", token_file: read.token}
engine: {address: "unix:/run/engine.sock"}
operator_token: operator-token-of-the-tests
"""


def load(tmp_path: Path, text: str) -> LiveServerConfig:
    (tmp_path / "read.token").write_text("read-token-of-the-tests\n")
    path = tmp_path / "live_server.yaml"
    path.write_text(text)
    return load_config(path, LiveServerConfig, env={})


def problems(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return {problem.path: problem.rule for problem in caught.value.problems}


def test_defaults_stay_on_this_machine(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert (config.host, config.port) == ("127.0.0.1", 8081)
    assert config.connector.token is not None
    assert config.connector.token.reveal() == "read-token-of-the-tests"
    assert "operator-token" not in repr(config)


def test_page_off_loopback_needs_a_login(tmp_path: Path) -> None:
    assert "login_token" in problems(tmp_path, GOOD + "host: 0.0.0.0\n")["host"]
    assert load(tmp_path, GOOD + "host: 0.0.0.0\nlogin_token: login-token-of-the-tests\n").host == "0.0.0.0"


def test_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    assert "16 characters" in problems(tmp_path, GOOD + "login_token: short\n")["login_token"]


def test_unknown_key_is_refused(tmp_path: Path) -> None:
    assert "portt" in problems(tmp_path, GOOD + "portt: 1\n")
