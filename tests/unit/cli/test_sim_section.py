"""A simulated venue in an umbrella configuration: how it is started, and how the connector comes to trade on it."""

import json
import socket
import stat
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import yaml

from opensqt.cli.errors import CliError
from opensqt.cli.main import invoke
from opensqt.cli.ports import free_port_near
from opensqt.cli.services import START_ORDER, STOP_ORDER
from opensqt.cli.sim_section import SimConfig, sim_accounts, sim_argv
from opensqt.cli.sim_state import begin_on_sim
from opensqt.cli.state_dir import StateDir
from opensqt.cli.umbrella_config import UmbrellaConfig, load_any
from opensqt.cli.up import plan_of
from opensqt.runtime.config import ConfigError
from opensqt.sim.app import _exchange, _parse, _server

CONNECTOR = "connector: {exchange: binance, mode: testnet, binance: {endpoints: from_sim%s}}\n"


def load(tmp_path: Path, text: str) -> UmbrellaConfig:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    loaded = load_any(path)
    assert isinstance(loaded, UmbrellaConfig)
    return loaded


def problems(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return {problem.path: str(problem) for problem in caught.value.problems}


@pytest.fixture(scope="module")
def example(project_root: Path) -> UmbrellaConfig:
    loaded = load_any(project_root / "examples" / "binance-sim.yaml")
    assert isinstance(loaded, UmbrellaConfig)
    return loaded


def test_the_connector_gets_addresses_and_keys_of_the_simulator(tmp_path):
    config = load(tmp_path, "sim: {port: 9321, seed: 7}\n" + CONNECTOR % "")
    assert config.sim is not None
    assert config.connector is not None
    binance = config.connector.binance
    assert binance.endpoints.rest == "http://127.0.0.1:9321"
    assert binance.endpoints.order_api == "ws://127.0.0.1:9321/ws-fapi/v1"
    assert all(
        "127.0.0.1:9321" in url for name in ("public", "market", "private") if (url := getattr(binance.endpoints, name))
    )
    assert binance.endpoints.wallet == ""
    first = sim_accounts(config.sim)[0]
    assert binance.api_key is not None
    assert binance.api_secret is not None
    assert (binance.api_key.reveal(), binance.api_secret.reveal()) == (first["key"], first["secret"])
    assert config.trades_on_sim


def test_the_environment_moves_the_simulator_and_the_connector_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSQT_SIM__PORT", "9322")
    monkeypatch.setenv("OPENSQT_CONNECTOR__BINANCE__ENDPOINTS", "from_sim")
    config = load(tmp_path, "sim: {}\nconnector: {exchange: binance, mode: testnet, binance: {}}\n")
    assert config.connector is not None
    assert config.connector.binance.endpoints.rest == "http://127.0.0.1:9322"


@pytest.mark.parametrize("key", ["api_key: real", "api_secret_file: secret.txt", "passphrase: real"])
def test_a_key_beside_from_sim_is_refused_and_not_shown(tmp_path, key):
    found = problems(tmp_path, "sim: {}\n" + CONNECTOR % f", {key}")
    [(path, text)] = found.items()
    assert path == f"connector.binance.{key.split(':', maxsplit=1)[0]}"
    assert "simulator's own keys" in text
    assert "was real" not in text


def test_from_sim_needs_a_simulator(tmp_path):
    assert "needs a `sim` section" in problems(tmp_path, CONNECTOR % "")["connector.binance.endpoints"]


def test_live_mode_is_refused_on_a_simulator(tmp_path):
    text = "sim: {}\n" + (CONNECTOR % "").replace("testnet", "live")
    assert "not the live venue" in problems(tmp_path, text)["connector.mode"]


def test_problems_of_the_section_are_listed_with_all_others(tmp_path):
    text = "sim: {port: 0, speed: -1}\nlive_server: {connector: {address: x}, engine: {address: '127.0.0.1:1'}}\n"
    found = problems(tmp_path, text + CONNECTOR % ", api_key: real")
    assert {"sim.port", "sim.speed", "live_server.connector.address", "connector.binance.api_key"} <= found.keys()


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ("{source: replay}", "sim.files"),
        ("{files: [a.gz]}", "sim.files"),
        ("{symbols: [NOPEUSDT]}", "sim.symbols"),
        ("{symbols: []}", "sim.symbols"),
        ("{venue: kraken}", "sim.venue"),
    ],
)
def test_what_no_simulator_can_play_is_refused(tmp_path, section, path):
    assert list(problems(tmp_path, f"sim: {section}\n")) == [path]


def test_a_port_of_the_simulator_is_not_used_twice(tmp_path):
    found = problems(tmp_path, "sim: {port: 9323}\nconnector: {grpc: {port: 9323}}\n")
    assert "is used by `sim.port` already" in found["connector.grpc.port"]


def test_captures_are_found_beside_the_configuration(tmp_path):
    config = load(tmp_path, "sim: {source: replay, files: [captures/a.gz, captures/b.gz]}\n")
    assert config.sim is not None
    argv = sim_argv(config.sim)
    start = argv.index("--replay")
    assert argv[start + 1 : start + 3] == [str(tmp_path / "captures/a.gz"), str(tmp_path / "captures/b.gz")]


def test_every_setting_reaches_the_program(tmp_path):
    config = SimConfig(
        port=9324,
        symbols=("ETHUSDT", "BTCUSDT"),
        seed=5,
        speed=2.5,
        accounts=3,
        wallet=Decimal("250.5"),
        enforce_limits=False,
        legacy_fields=True,
        connection_lifetime_s=60,
        ping_interval_s=7,
        pong_timeout_s=9,
        listen_key_minutes=2,
    )
    arguments = _parse(sim_argv(config)[3:])
    assert (arguments.symbols, arguments.speed, arguments.loop) == ("ETHUSDT,BTCUSDT", 2.5, False)
    server, exchange = _server(arguments), _exchange(arguments)
    assert (server.port, server.fault_seed, server.listen_key_validity_ms) == (9324, 5, 120_000)
    assert (server.times.lifetime_s, server.times.ping_every_s, server.times.pong_within_s) == (60, 7, 9)
    assert (exchange.wallet, exchange.legacy_fields, exchange.limits.is_enforced) == (Decimal("250.5"), True, False)
    made = [(pair.name, pair.key, pair.secret) for pair in exchange.users]
    assert made == [(one["name"], one["key"], one["secret"]) for one in sim_accounts(config)]
    replay = SimConfig(source="replay", files=(tmp_path / "a.gz",), loop=True)
    assert _parse(sim_argv(replay)[3:]).loop is True


def test_the_example_starts_the_venue_first_and_stops_it_last(example, tmp_path):
    folder = StateDir(tmp_path)
    folder.prepare(fresh=False)
    plan = plan_of("binance-sim", example, folder)
    assert [spec.name for spec in plan.specs] == [name for name in START_ORDER if name != "embedded"]
    assert (START_ORDER[0], STOP_ORDER[-1]) == ("sim", "sim")
    assert set(START_ORDER) == set(STOP_ORDER)


def test_embedded_takes_the_place_of_connector_and_engine(example, tmp_path):
    folder = StateDir(tmp_path)
    folder.prepare(fresh=False)
    plan = plan_of("binance-sim", msgspec.structs.replace(example, embedded=True), folder)
    assert [spec.name for spec in plan.specs] == ["sim", "embedded", "live_server"]
    written = yaml.safe_load((tmp_path / "embedded.yaml").read_text())
    assert set(written) == {"connector", "engine"}
    assert stat.S_IMODE((tmp_path / "embedded.yaml").stat().st_mode) == 0o600


def test_embedded_needs_both_sections(example):
    with pytest.raises(ConfigError) as raised:
        msgspec.structs.replace(example, embedded=True, engine=None)
    assert raised.value.problems[0].path == "embedded"


def test_keys_lie_in_private_files_and_on_no_command_line(example, tmp_path):
    folder = StateDir(tmp_path)
    folder.prepare(fresh=False)
    plan = plan_of("binance-sim", example, folder)
    access = json.loads((tmp_path / "sim.json").read_text())
    assert access["rest"] == "http://127.0.0.1:8090"
    secrets = [account["secret"] for account in access["accounts"]]
    assert len(secrets) == 3  # two with HMAC, one with Ed25519
    command_lines = " ".join(part for spec in plan.specs for part in spec.argv)
    assert not any(secret in command_lines for secret in secrets)
    for name in ("sim.json", "connector.yaml"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_a_configuration_written_out_for_the_connector_trades_on_the_simulator(example, tmp_path):
    folder = StateDir(tmp_path)
    folder.prepare(fresh=False)
    plan_of("binance-sim", example, folder)
    assert load_any(tmp_path / "connector.yaml").binance == example.connector.binance  # type: ignore[attr-defined]


def test_a_ledger_of_an_earlier_simulated_run_is_removed(tmp_path):
    state = tmp_path / "deep" / "engine.db"
    assert begin_on_sim(state) is False
    for part in ("", "-wal", "-shm"):
        state.with_name(state.name + part).write_text("ledger")
    assert begin_on_sim(state) is True
    assert [path.name for path in state.parent.iterdir()] == ["engine.db.sim"]


def test_a_ledger_of_another_venue_is_never_touched(tmp_path):
    state = tmp_path / "engine.db"
    state.write_text("real money")
    with pytest.raises(CliError, match="state_file of its own"):
        begin_on_sim(state)
    assert state.read_text() == "real money"
    assert not (tmp_path / "engine.db.sim").exists()


def test_a_port_in_use_is_said_before_anything_starts(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "config.yaml").write_text(f"sim: {{port: {port}}}\n")
        assert invoke(["up", str(tmp_path / "config.yaml"), "--state", str(tmp_path / "state")]) == 1
    assert "choose another with sim.port" in capsys.readouterr().err


def test_a_missing_capture_ends_the_start_with_its_name(tmp_path, capfd):
    path = tmp_path / "config.yaml"
    path.write_text(f"sim: {{port: {free_port_near(18090)}, source: replay, files: [nowhere.gz]}}\n")
    assert invoke(["up", str(path), "--state", str(tmp_path / "state")]) == 1
    assert "nowhere.gz" in capfd.readouterr().err
