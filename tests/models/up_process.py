"""A running `opensqt up` on a simulated venue, and the venue as somebody with the same key sees it."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from models.ports import free_port


class Up:
    """One run of a configuration on free ports; its state folder may be that of an earlier run."""

    def __init__(self, config: Path, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        sim, page, connector, engine = (free_port() for _ in range(4))
        self.page_url = f"http://127.0.0.1:{page}/"
        self.connector_address = f"127.0.0.1:{connector}"
        self.engine_address = f"127.0.0.1:{engine}"
        self.state = folder / "state"
        self.out, self.err = folder / "up.out", folder / "up.err"
        settings = {
            # Naming a section makes one: only a configuration with a simulated venue has a port for it.
            **({"SIM__PORT": sim} if "\nsim:" in config.read_text() else {}),
            "CONNECTOR__GRPC__PORT": connector,
            "ENGINE__GRPC__PORT": engine,
            "ENGINE__CONNECTOR__ADDRESS": self.connector_address,
            "ENGINE__STATE_FILE": self.state / "engine.db",
            "LIVE_SERVER__PORT": page,
            "LIVE_SERVER__CONNECTOR__ADDRESS": self.connector_address,
            "LIVE_SERVER__ENGINE__ADDRESS": self.engine_address,
            **(env or {}),
        }
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "opensqt.cli.main", "up", str(config), "--state", str(self.state), *arguments],
                env={**os.environ, **{f"OPENSQT_{name}": str(value) for name, value in settings.items()}},
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def words(self) -> str:
        """Return what it has printed."""
        return self.out.read_text(errors="replace") + self.err.read_text(errors="replace")

    def check(self) -> None:
        """Fail when it has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}:\n{self.words()}")

    def bot(self) -> dict[str, Any] | None:
        """Return what `opensqt status` says of the bot, None before it can be asked."""
        self.check()
        shown = subprocess.run(
            [sys.executable, "-m", "opensqt.cli.main", "status", "--json", "--state", str(self.state)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return dict(json.loads(shown.stdout)["bots"][0]) if shown.returncode == 0 else None

    def access(self) -> dict[str, Any]:
        """Return addresses and accounts of the simulated venue, as the run wrote them down for its user."""
        return dict(json.loads((self.state / "sim.json").read_text()))

    def at_the_venue(self, path: str, **params: Any) -> Any:
        """Ask the venue itself, with the connector's own key."""
        access = self.access()
        account = access["accounts"][0]
        query = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
        signature = hmac.new(account["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
        url = f"{access['rest']}{path}?{query}&signature={signature}"
        with urlopen(Request(url, headers={"X-MBX-APIKEY": account["key"]}), timeout=5) as reply:
            return json.load(reply)

    def interrupt(self, timeout_s: float = 60) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout_s)

    def close(self) -> None:
        """End whatever is left of it."""
        if self.process.poll() is None:
            try:
                self.interrupt()
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


@contextmanager
def running_up(config: Path, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Start a configuration and end it afterwards."""
    run = Up(config, folder, *arguments, env=env)
    try:
        yield run
    finally:
        run.close()
