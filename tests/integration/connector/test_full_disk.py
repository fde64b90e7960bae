"""A full disk: the connector does not begin on one, does not end by one, and saves when there is room again."""

import asyncio
import errno
from pathlib import Path

import pytest
from models.connector_rig import connector_config, running_connector

from opensqt.connector import state_file
from opensqt.connector.state_file import ConnectorState, StateFile
from opensqt.domain.errors import UnavailableError
from opensqt.runtime.config import ConfigError


def full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_may_pass_but_a_wrong_path_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        StateFile(tmp_path / "file" / "connector.json").save(ConnectorState())
    monkeypatch.setattr(state_file.os, "fsync", full)
    with pytest.raises(UnavailableError, match="No space left on device"):
        StateFile(tmp_path / "connector.json").save(ConnectorState())


async def test_running_connector_outlives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_connector(connector_config(tmp_path)) as connector:
        saved = (tmp_path / "connector.json").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(state_file.os, "fsync", full)
            connector.core.leases.restore([], {"demo": 7}, 0)
            await asyncio.sleep(0.6)
            assert connector.core.is_serving
            assert (tmp_path / "connector.json").read_bytes() == saved
        for _ in range(50):
            await asyncio.sleep(0.1)
            if (tmp_path / "connector.json").read_bytes() != saved:
                break
        assert StateFile(tmp_path / "connector.json").load().bot_epochs == {"demo": 7}
