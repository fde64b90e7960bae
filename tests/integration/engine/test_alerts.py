"""An alarm of a bot's journal reaches its owner over HTTP, from a running engine."""

import http.server
import json
import threading
from pathlib import Path

import msgspec
import pytest
from models.engine_rig import Engine, grpc_settings, until
from models.grid_connector import FakeConnector
from models.grid_venue import Venue, config

from opensqt.runtime.alerts import AlertsConfig
from opensqt.runtime.config import GrpcClientConfig, Secret

pytestmark = pytest.mark.slow


def remove_state(folder: Path) -> None:
    for path in folder.glob("engine.db*"):
        path.unlink()


async def test_an_alarm_in_the_journal_is_sent_and_an_info_is_not(tmp_path: Path) -> None:
    received: list[dict[str, str]] = []

    class Sink(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    connector = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await connector.start()
    settings = msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=grpc_settings(f"{tmp_path}/e.sock"),
        state_file=tmp_path / "engine.db",
        alerts=AlertsConfig(urls=Secret(f"json://127.0.0.1:{server.server_port}/hook")),
    )
    engine = Engine(settings, f"{tmp_path}/e.sock")
    try:
        await engine.start()
        await until(lambda: len(connector.venue.open_orders) == 9)
        await engine.stop()
        remove_state(tmp_path)
        await engine.start()
        await until(lambda: received)
        await engine.stop()
    finally:
        await engine.close()
        await connector.stop()
        server.shutdown()
        thread.join()
        server.server_close()
    assert [told["title"] for told in received] == ["OpenSQT engine: eth HISTORY_INCOMPLETE"]
    assert "9 orders" in received[0]["message"]
