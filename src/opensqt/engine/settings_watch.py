"""Asks for leverage and margin mode now and then: not every venue tells when somebody changes them by hand."""

import asyncio

import structlog

from opensqt.domain.errors import OpensqtError
from opensqt.engine.events import Event, SettingsSeen
from opensqt.engine.shell import EngineShell
from opensqt.proto import exchange_pb2
from opensqt.runtime.grpc_client import call

QUERY_S = 5.0

_log = structlog.get_logger(__name__)


async def watch_settings(shell: EngineShell, period_s: float) -> None:
    """Ask for ever; an answer that fails is no news, and is asked for again."""
    while True:
        await asyncio.sleep(period_s)
        client = shell.client
        if client is None or not shell.core.attached:
            continue
        events: list[Event] = []
        for symbol in list(shell.core.by_symbol):
            try:
                answer = await call(
                    client.stub.GetPositions, exchange_pb2.GetPositionsRequest(symbol=symbol), timeout_s=QUERY_S
                )
            except OpensqtError as error:
                _log.warning("settings_not_checked", symbol=symbol, error=str(error))
                continue
            events.extend(
                SettingsSeen(symbol, position.leverage, position.margin_type)
                for position in answer.positions
                if position.symbol == symbol
            )
        if events:
            shell.take(events)
