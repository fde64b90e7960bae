"""What the hop benchmarks run on: the benchmark's venue, a connector on it, and the Trade sessions of their clients."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import opensqt.runtime  # noqa: F401  sets gRPC's environment before it is imported

from stack import EXCHANGE, PROGRAMS, VenueProcess, client, connector_section, start_service, stop, wait_for  # isort: skip

from models.ports import free_port

from opensqt.proto import trade_pb2


class Rig:
    """A venue and a connector, with `limits` instead of the benchmark's own."""

    def __init__(self, folder: Path, **limits: int) -> None:
        self.venue = VenueProcess()
        self.tcp = f"127.0.0.1:{(port := free_port())}"
        self.config = client(folder / "connector.sock")
        self.unix = self.config.address
        section = connector_section(self.venue, folder, tcp_port=port)
        section["limits"].update(limits)
        begun = time.monotonic()
        self.connector: subprocess.Popen[bytes] = start_service("connector", PROGRAMS["connector"], section, folder)
        wait_for(self.config, EXCHANGE, [self.connector])
        self.serving_after_s = time.monotonic() - begun

    def cpu_s(self) -> float:
        """Return the CPU time the connector has used."""
        fields = Path(f"/proc/{self.connector.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        stop(self.connector)
        self.venue.close()


async def begin_trade(stub: Any, symbol: str) -> tuple[Any, trade_pb2.TradeEvent]:
    """Begin a Trade session as an engine of its own; return the call and its first event, the snapshot."""
    call = stub.Trade()
    hello = trade_pb2.TradeHello(
        engine_id=f"bench-{time.time_ns()}",
        lease_epoch=1,
        symbols=[symbol],
        on_vanish=trade_pb2.VANISH_POLICY_KEEP,
    )
    await call.write(trade_pb2.TradeRequest(hello=hello))
    return call, await call.read()
