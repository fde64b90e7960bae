"""What a demo is started with: sound configurations, and a clear end for what cannot be."""

import gzip
import socket

import pytest

from opensqt.cli import demo as demo_module
from opensqt.cli.demo_config import DemoPorts, DemoSettings, demo_config
from opensqt.cli.demo_grid import grid_for_synthetic
from opensqt.cli.main import invoke
from opensqt.cli.ports import free_port_near, socket_folder
from opensqt.cli.state_dir import StateDir
from opensqt.cli.up import plan_of
from opensqt.runtime.config_types import MAX_SOCKET_PATH_BYTES

LINE = b'1721346000000000000 {"stream":"ethusdt@bookTicker","data":{"s":"ETHUSDT","b":"3421.55","a":"3421.56"}}\n'
PORTS = DemoPorts(page=8081, connector=50051, engine=50052)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Catch the plan of a demo instead of running it."""
    plans = []

    def catch(plan, duration_s, *, as_json):
        plans.append(plan)
        return 0

    monkeypatch.setattr(demo_module, "operate", catch)
    monkeypatch.chdir(tmp_path)
    return plans


def settings(**changes):
    base = {
        "source": "synthetic",
        "symbol": "BTC/USDT:USDT",
        "seed": 1,
        "speed": 1.0,
        "grid": grid_for_synthetic("BTCUSDT"),
    }
    return DemoSettings(**(base | changes))


def test_the_demos_configuration_is_sound_and_safe(tmp_path):
    config = demo_config(settings(), tmp_path, sockets=tmp_path, ports=PORTS)
    assert config.connector is not None
    assert config.engine is not None
    assert config.live_server is not None
    [bot] = config.engine.bots
    assert bot.leverage <= 5
    assert bot.grid.buy_window >= 10
    assert config.connector.grpc.host == config.engine.grpc.host == config.live_server.host == "127.0.0.1"
    assert {token.role for token in config.connector.grpc.tokens} == {"read", "trade"}
    reader = config.live_server.connector.token
    assert reader in [token.token for token in config.connector.grpc.tokens if token.role == "read"]


def test_a_plan_writes_private_configs_and_starts_the_services_in_order(tmp_path):
    folder = StateDir(tmp_path)
    folder.prepare(fresh=False)
    plan = plan_of("demo", demo_config(settings(), tmp_path, sockets=tmp_path, ports=PORTS), folder)
    assert [spec.name for spec in plan.specs] == ["connector", "engine", "live_server"]
    assert plan.page_url == "http://127.0.0.1:8081"
    for name in ("connector", "engine", "live_server"):
        assert (tmp_path / f"{name}.yaml").stat().st_mode & 0o077 == 0


def test_the_symbol_of_a_replay_comes_from_its_capture(started, tmp_path):
    (tmp_path / "eth.jsonl.gz").write_bytes(gzip.compress(LINE))
    assert invoke(["demo", "--replay", "eth.jsonl.gz", "--port", str(free_port_near(18081)), "--no-browser"]) == 0
    assert started[0].state.path == tmp_path / "var" / "demo-replay-ETHUSDT"
    text = (started[0].state.path / "connector.yaml").read_text()
    assert str(tmp_path / "eth.jsonl.gz") in text
    assert "ETH/USDT:USDT" in (started[0].state.path / "engine.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--replay", "nowhere.gz"], 2, "no such capture file"),
        (["--source", "replay"], 2, "needs --replay"),
        (["--replay"], 2, "--replay was given no file"),
        (["--symbol", ""], 2, "no quote currency"),
        (["--source", "synthetic", "--replay", "eth.jsonl.gz"], 2, "no meaning"),
        (["--replay", "cut.jsonl.gz"], 1, "cut off"),
        (["--replay", "back.jsonl.gz"], 1, "line 2: the receive time goes back"),
        (["--replay", "eth.jsonl.gz", "--symbol", "BTCUSDT"], 2, "is of ETHUSDT"),
        (["--symbol", "NOPEUSDT"], 2, "choose --symbol from"),
        (["--speed", "0"], 2, "--speed was 0"),
        (["--for", "-1"], 2, "--for was -1"),
        (["--port", "0"], 2, "a port was 0"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(started, tmp_path, capsys, arguments, code, says):
    (tmp_path / "eth.jsonl.gz").write_bytes(gzip.compress(LINE))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(LINE * 50)[:-12])
    (tmp_path / "back.jsonl.gz").write_bytes(gzip.compress(LINE + LINE.replace(b"1721346", b"1721345")))
    assert invoke(["demo", "--no-browser", *arguments]) == code
    shown = capsys.readouterr()
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert started == []


@pytest.mark.parametrize("option", ["--port", "--connector-port", "--engine-port"])
def test_a_port_in_use_is_said_with_the_option_to_change(started, capsys, option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        others = [] if option == "--port" else ["--port", str(free_port_near(18081))]
        assert invoke(["demo", "--no-browser", *others, option, port]) == 1
    assert f"port {port} on 127.0.0.1 is in use" in capsys.readouterr().err
    assert started == []


def test_a_market_that_differs_from_the_last_runs_begins_fresh(started, tmp_path, capsys):
    port = ["--port", str(free_port_near(18081)), "--no-browser"]
    assert invoke(["demo", *port]) == 0
    state = started[0].state.path
    (state / "engine.db").write_text("ledger")
    assert invoke(["demo", *port]) == 0
    assert (state / "engine.db").exists()
    assert invoke(["demo", *port, "--seed", "2"]) == 0
    assert not (state / "engine.db").exists()
    assert "differs from that of the last run" in capsys.readouterr().out


def test_socket_paths_stay_below_the_systems_limit(tmp_path):
    assert socket_folder(tmp_path) == tmp_path
    deep = tmp_path / ("x" * 100)
    folder = socket_folder(deep)
    assert len(str(folder / "connector.sock")) <= MAX_SOCKET_PATH_BYTES
    assert folder.stat().st_mode & 0o077 == 0
    folder.rmdir()
