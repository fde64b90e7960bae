"""The connector's configuration."""

from pathlib import Path
from typing import Annotated

import msgspec

from opensqt.connector.registry import VENUES, VenueSections
from opensqt.connector.veto import VetoConfig
from opensqt.runtime.alerts import AlertsConfig
from opensqt.runtime.config import GrpcServerConfig, LogConfig, MetricsConfig

DEFAULT_PORT = 50051


class ConnectorConfig(VenueSections, frozen=True, forbid_unknown_fields=True):
    """One connector: one exchange account. The venues' part is `VenueSections`, in the registry.

    `state_file` keeps what must outlive a restart and is not the venue's: leases of engines and the session epoch.
    `max_book_age_ms`: a book whose feed is silent for longer is STALE; with the default within 5 s, whenever it is
    looked at. `command_timeout_ms`: a command that the venue has not answered by then has the outcome UNKNOWN.
    `limits` are the hard caps (see `VetoConfig`).
    """

    grpc: GrpcServerConfig = GrpcServerConfig(port=DEFAULT_PORT)
    limits: VetoConfig = VetoConfig()
    state_file: Path = Path("connector.json")
    max_book_age_ms: Annotated[int, msgspec.Meta(ge=100)] = 4_500
    command_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 5_000
    alerts: AlertsConfig = AlertsConfig()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()

    def __post_init__(self) -> None:
        """Check what fields break together."""
        VENUES[self.exchange].check(self)
