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


def test_page_off_loopback_needs_tls_or_a_proxy_that_speaks_it(tmp_path: Path) -> None:
    open_text = GOOD + "host: 0.0.0.0\nlogin_token: login-token-of-the-tests\n"
    assert "clear text" in problems(tmp_path, open_text)["host"]
    assert load(tmp_path, open_text + "tls_by_proxy: true\n").host == "0.0.0.0"
    tls = "tls: {cert_file: page.pem, key_file: page.key}\n"
    assert load(tmp_path, open_text + tls).tls is not None


def test_operators_have_names_and_tokens_of_their_own(tmp_path: Path) -> None:
    ann = "{name: ann, token: token-of-ann-in-the-tests}"
    config = load(tmp_path, GOOD + f"operators: [{ann}]\n")
    assert [operator.name for operator in config.operators] == ["ann"]
    assert "token-of-ann" not in repr(config)
    twice = "{name: bob, token: token-of-ann-in-the-tests}"
    assert "share" in problems(tmp_path, GOOD + f"operators: [{ann}, {twice}]\n")["operators"]
    same = "{name: operator, token: another-token-of-tests}"
    assert "share" in problems(tmp_path, GOOD + f"operators: [{same}]\n")["operators"]
    assert "16 characters" in problems(tmp_path, GOOD + "operators: [{name: x, token: short}]\n")["operators[0].token"]


def test_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    assert "16 characters" in problems(tmp_path, GOOD + "login_token: short\n")["login_token"]


def test_unknown_key_is_refused(tmp_path: Path) -> None:
    assert "portt" in problems(tmp_path, GOOD + "portt: 1\n")
