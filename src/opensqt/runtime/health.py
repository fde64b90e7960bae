"""Health per service name (grpc.health.v1), set from anywhere on the loop without awaiting.

The library's asynchronous servicer can only be set by a coroutine; health often changes inside a callback, so this is
the same protocol over an event that is replaced at each change.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, final

import grpc
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped, unused-ignore]  # stubs are a package apart

_STATUS = health_pb2.HealthCheckResponse.ServingStatus


@final
class Health:
    """Answer Check and Watch; the empty name stands for the server as a whole."""

    def __init__(self) -> None:
        self._serving: dict[str, bool] = {"": True}
        self._changed = asyncio.Event()

    def set(self, service_name: str, serving: bool) -> None:
        """Set one service's health; watchers hear of it at once."""
        if self._serving.get(service_name) is serving:
            return
        self._serving[service_name] = serving
        self._wake()

    def is_serving(self, service_name: str) -> bool:
        """Return what Check would say of a service; an unknown one is not serving."""
        return self._serving.get(service_name, False)

    def stop(self) -> None:
        """Set every service to not serving, for a graceful shutdown."""
        self._serving = dict.fromkeys(self._serving, False)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _status(self, service_name: str) -> Any:
        serving = self._serving.get(service_name)
        if serving is None:
            return _STATUS.SERVICE_UNKNOWN
        return _STATUS.SERVING if serving else _STATUS.NOT_SERVING

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802  the protocol's name
        """Return the status now; NOT_FOUND for a service this server does not know."""
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"this server knows no service {request.service!r}")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    async def List(self, _request: Any, _context: Any) -> Any:  # noqa: N802  the protocol's name
        """Return the status of every service now."""
        statuses = {name: health_pb2.HealthCheckResponse(status=self._status(name)) for name in self._serving}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: Any, _context: Any) -> AsyncIterator[Any]:  # noqa: N802  the protocol's name
        """Stream the status at each change."""
        last: Any = None
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            await changed.wait()
