"""`opensqt check`: the example is sound, and a broken file gets every problem at once."""

import json

import pytest

from opensqt.cli.main import invoke
from opensqt.cli.umbrella_config import UmbrellaConfig, client_of, dump_config, guess_service, load_any
from opensqt.connector.config import ConnectorConfig
from opensqt.engine.config import EngineConfig
from opensqt.runtime.config import GrpcServerConfig, Secret, TokenConfig
from opensqt.runtime.config_problems import EXIT_CONFIG

BROKEN = """
connector:
  grpc: {host: 0.0.0.0, port: 50051}
  paper: {speed: -5, sped: 2}
engine:
  connector: {address: nowhere}
  state_file: e.db
  bots:
    - id: one
      tag: Much-Too-Long
      symbol: BTC/USDT:USDT
      grid: {interval: 0, order_quantity: 130}
live_server:
  connector: {address: "127.0.0.1:50051"}
  engine: {address: "127.0.0.1:50052"}
  port: 123456
"""
PATHS = {
    "connector.grpc.host",
    "connector.paper.speed",
    "connector.paper.sped",
    "engine.connector.address",
    "engine.bots[0].tag",
    "engine.bots[0].grid.interval",
    "live_server.port",
}


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN)
    return path


@pytest.mark.parametrize("name", ["paper.yaml", "binance-sim.yaml"])
def test_an_annotated_example_has_no_problems(project_root, capsys, name):
    assert invoke(["check", str(project_root / "examples" / name)]) == 0
    assert "no problems" in capsys.readouterr().out


def test_every_problem_is_listed_with_path_value_rule_and_fix(broken, capsys):
    assert invoke(["check", str(broken)]) == 78
    text = capsys.readouterr().err
    for path in PATHS:
        [line] = [line for line in text.splitlines() if line.strip().startswith(f"{path}:")]
        assert "Fix:" in line
    assert "was -5" in text


def test_json_output_is_one_object(broken, capsys):
    assert invoke(["check", "--json", str(broken)]) == 78
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert {problem["path"] for problem in found["problems"]} == PATHS
    assert all(problem["rule"] and problem["fix"] for problem in found["problems"])


def test_a_missing_file_ends_with_78(tmp_path, capsys):
    assert invoke(["check", str(tmp_path / "nowhere.yaml")]) == 78
    assert "does not exist" in capsys.readouterr().err


def test_the_environment_lies_over_the_sections(project_root, monkeypatch, capsys):
    monkeypatch.setenv("OPENSQT_ENGINE__LOG__LEVEL", "loud")
    assert invoke(["check", str(project_root / "examples" / "paper.yaml")]) == 78
    assert "engine.log.level" in capsys.readouterr().err


def test_a_port_used_twice_is_found(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text(
        "connector: {grpc: {port: 8081}}\n"
        "live_server: {connector: {address: '127.0.0.1:8081'}, engine: {address: '127.0.0.1:50052'}}\n"
    )
    assert invoke(["check", str(path)]) == 78


@pytest.mark.parametrize(
    ("document", "service"),
    [
        ({"connector": {"grpc": {}}, "engine": {}}, None),
        ({"exchange": "paper", "paper": {}}, "connector"),
        ({"connector": {"address": "x:1"}, "bots": [], "state_file": "x"}, "engine"),
        ({"connector": {"address": "x:1"}, "engine": {"address": "x:2"}, "port": 1}, "live_server"),
    ],
)
def test_a_file_tells_whose_it_is(document, service):
    assert guess_service(document) == service


def test_a_dumped_configuration_loads_to_the_same(tmp_path, project_root):
    loaded = load_any(project_root / "examples" / "paper.yaml")
    assert isinstance(loaded, UmbrellaConfig)
    for name, type_ in (("connector", ConnectorConfig), ("engine", EngineConfig)):
        section = getattr(loaded, name)
        path = tmp_path / f"{name}.yaml"
        path.write_text(dump_config(section))
        again = load_any(path)
        assert isinstance(again, type_)
        assert dump_config(again) == dump_config(section).replace(": paper.db", f": {tmp_path}/paper.db").replace(
            ": connector.json", f": {tmp_path}/connector.json"
        )


def test_our_own_server_is_reached_with_its_strongest_token():
    tokens = (
        TokenConfig(token=Secret("trade-token-0123456789"), role="trade"),
        TokenConfig(token=Secret("read-token-0123456789"), role="read"),
    )
    found = client_of(GrpcServerConfig(port=50052, unix_socket="/run/engine.sock", tokens=tokens))
    assert found.address == "unix:/run/engine.sock"
    assert found.token == tokens[0].token


def test_the_doctor_says_of_every_problem_once_what_to_do(broken, capsys):
    assert invoke(["doctor", str(broken), "--json"]) == EXIT_CONFIG
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["detail"].partition(":")[0] for finding in findings} == PATHS
    assert all(finding["fix"] and finding["fix"] not in finding["detail"] for finding in findings)
    assert "correct it" not in {finding["fix"] for finding in findings}
