"""A gRPC channel without gRPC: calls of this process to a service of this process, with the same semantics.

`LocalChannel` takes the handlers that a server would serve and offers what `grpc.aio.Channel` offers, so stubs and
clients need not know: unary calls, streams, deadlines, cancelling, statuses with their details. Requests are handed
over as they are; responses that were serialised for several readers are read back.

A stream is bounded on both ways like a real one: a writer waits for a slow reader. What runs here is trusted: there are
no tokens, and no interceptors.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, final

import grpc
import structlog
from grpc import aio

from opensqt.domain.errors import ErrorReason, InternalError, OpensqtError
from opensqt.runtime.rich_status import to_status

MAX_BUFFERED: Final = 64
MAX_REQUESTS: Final = 1_000

Handler = Any
_NOTHING: Final = aio.Metadata()
_END: Final = object()

_log = structlog.get_logger(__name__)


@final
class LocalChannel(aio.Channel):
    """Calls to handlers of this process.

    Args:
        handlers: by full method name, as in "/package.Service/Method".
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._calls: set[LocalStream] = set()

    async def __aenter__(self) -> "LocalChannel":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self, _grace: float | None = None) -> None:
        """Cancel what still runs."""
        for call in tuple(self._calls):
            call.cancel()

    def get_state(self, _try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return READY: there is nothing that could be away."""
        return grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait for ever unless something else than READY was seen."""
        if last_observed_state is grpc.ChannelConnectivity.READY:
            await asyncio.Event().wait()

    async def channel_ready(self) -> None:
        """Return at once."""

    def unary_unary(self, method: str, *_args: Any, **kwargs: Any) -> Any:
        """Return a method with one request and one response."""
        behaviour = self._handler(method).unary_unary
        read = _reader(kwargs)

        async def call(request: Any, *, timeout: float | None = None, **_options: Any) -> Any:  # noqa: ASYNC109
            try:
                async with asyncio.timeout(timeout):
                    return read(await behaviour(request, None))
            except TimeoutError:
                raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
            except OpensqtError as error:
                raise _typed(error) from None
            except aio.AioRpcError:
                raise
            except Exception:  # noqa: BLE001  as a server: every bug ends here, is logged whole, and leaks nothing
                raise _bug(method) from None

        return call

    def unary_stream(self, method: str, *_args: Any, **kwargs: Any) -> Any:
        """Return a method with one request and many responses."""
        behaviour = self._handler(method).unary_stream
        read = _reader(kwargs)

        def call(request: Any, *, timeout: float | None = None, **_options: Any) -> LocalStream:
            return self._begin(LocalStream(method, lambda _requests: behaviour(request, None), read), timeout)

        return call

    def stream_stream(self, method: str, *_args: Any, **kwargs: Any) -> Any:
        """Return a method with many requests and many responses."""
        behaviour = self._handler(method).stream_stream
        read = _reader(kwargs)

        def call(*, timeout: float | None = None, **_options: Any) -> LocalStream:
            return self._begin(LocalStream(method, lambda requests: behaviour(requests, None), read), timeout)

        return call

    def stream_unary(self, method: str, *_args: Any, **_kwargs: Any) -> Any:
        """Refuse: no service of ours has such a method."""
        raise NotImplementedError(f"{method}: many requests with one response are not offered in one process")

    def _handler(self, method: str) -> Handler:
        # A stub binds all methods when it is made; one that nobody serves must fail when it is called.
        return self._handlers.get(method, _Unserved(method))

    def _begin(self, call: "LocalStream", timeout_s: float | None) -> "LocalStream":
        self._calls.add(call)
        call.start(timeout_s, self._calls.discard)
        return call


@final
class LocalStream:
    """One running stream, with the methods of grpc.aio's call objects that clients use."""

    def __init__(
        self, method: str, serve: Callable[[AsyncIterator[Any]], AsyncIterator[Any]], read: Callable[[Any], Any]
    ) -> None:
        self._method = method
        self._serve = serve
        self._read = read
        self._requests: asyncio.Queue[Any] = asyncio.Queue(MAX_REQUESTS)
        self._responses: deque[Any] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._status: aio.AioRpcError | None = None
        self._ended = asyncio.Event()
        self._is_cancelled = False
        self._is_done_writing = False
        self._task: asyncio.Task[None] | None = None

    def start(self, timeout_s: float | None, forget: Callable[["LocalStream"], None]) -> None:
        """Begin to serve; called once, by the channel."""
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._pump(), name=f"local {self._method}")
        timer = None if timeout_s is None else loop.call_later(timeout_s, self._expire)

        def over(_task: "asyncio.Task[None]") -> None:
            if timer is not None:
                timer.cancel()
            forget(self)

        self._task.add_done_callback(over)

    # ---- the client's side

    async def write(self, request: Any) -> None:
        """Send one request. Raises as grpc.aio does once the call is over."""
        if self._ended.is_set() or self._is_done_writing:
            self._raise_status()
            raise asyncio.InvalidStateError("the call is over, or its side of it is closed")
        await self._requests.put(request)

    def write_nowait(self, request: Any) -> bool:
        """Send one request at once; False when the call is over, which its reader learns.

        Raises:
            asyncio.QueueFull: the service does not keep up.
        """
        if self._ended.is_set() or self._is_done_writing:
            return False
        self._requests.put_nowait(request)
        return True

    async def done_writing(self) -> None:
        """Close the requests."""
        if not self._is_done_writing:
            self._is_done_writing = True
            await self._requests.put(_END)

    async def read(self) -> Any:
        """Return the next response, or EOF."""
        while not self._responses:
            if self._ended.is_set():
                self._raise_status()
                return aio.EOF
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            except asyncio.CancelledError:
                self.cancel()
                raise
            finally:
                self._reader = None
        response = self._responses.popleft()
        if self._writer is not None:
            _wake(self._writer)
        return self._read(response)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (response := await self.read()) is not aio.EOF:
            yield response

    def cancel(self) -> bool:
        """End the call from the client's side."""
        if self._ended.is_set():
            return False
        self._is_cancelled = True
        self._end(_error(grpc.StatusCode.CANCELLED, "Locally cancelled by application!"))
        if self._task is not None:
            self._task.cancel()
        return True

    def cancelled(self) -> bool:
        """Return whether the client ended it."""
        return self._is_cancelled

    def done(self) -> bool:
        """Return whether it is over."""
        return self._ended.is_set()

    async def code(self) -> grpc.StatusCode:
        """Return the status, once there is one."""
        await self._ended.wait()
        return grpc.StatusCode.OK if self._status is None else self._status.code()

    async def details(self) -> str:
        """Return what the status says, once there is one."""
        await self._ended.wait()
        return "" if self._status is None else self._status.details() or ""

    # ---- the service's side

    async def _pump(self) -> None:
        try:
            async with contextlib.aclosing(self._serve(self._incoming())) as responses:  # type: ignore[type-var]
                async for response in responses:
                    if len(self._responses) >= MAX_BUFFERED:
                        await self._room()
                    self._responses.append(response)
                    if self._reader is not None:
                        _wake(self._reader)
        except OpensqtError as error:
            self._end(_typed(error))
        except aio.AioRpcError as error:
            self._end(error)
        except Exception:  # noqa: BLE001  as a server: every bug ends here, is logged whole, and leaks nothing
            self._end(_bug(self._method))
        else:
            self._end(None)

    async def _incoming(self) -> AsyncIterator[Any]:
        while (request := await self._requests.get()) is not _END:
            yield request

    async def _room(self) -> None:
        self._writer = asyncio.get_running_loop().create_future()
        try:
            await self._writer
        finally:
            self._writer = None

    def _expire(self) -> None:
        if not self._ended.is_set():
            self._end(_error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
            if self._task is not None:
                self._task.cancel()

    def _end(self, status: aio.AioRpcError | None) -> None:
        if self._ended.is_set():
            return
        self._status = status
        if status is not None:
            self._responses.clear()
        self._ended.set()
        if self._reader is not None:
            _wake(self._reader)

    def _raise_status(self) -> None:
        if self._is_cancelled:
            raise asyncio.CancelledError
        if self._status is not None:
            raise self._status


@final
class _Unserved:
    """Stands for a method that nobody serves."""

    def __init__(self, method: str) -> None:
        self._method = method

    async def unary_unary(self, _request: Any, _context: Any) -> Any:
        raise _error(grpc.StatusCode.UNIMPLEMENTED, f"{self._method} is not served here")

    async def unary_stream(self, _request: Any, _context: Any) -> AsyncIterator[Any]:
        raise _error(grpc.StatusCode.UNIMPLEMENTED, f"{self._method} is not served here")
        yield

    stream_stream = unary_stream


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _reader(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    deserialise = options.get("response_deserializer")

    def read(response: Any) -> Any:
        return deserialise(response) if deserialise is not None and isinstance(response, bytes) else response

    return read


def _error(code: grpc.StatusCode, details: str, trailers: aio.Metadata = _NOTHING) -> aio.AioRpcError:
    return aio.AioRpcError(code, _NOTHING, trailers, details=details)


def _typed(error: OpensqtError) -> aio.AioRpcError:
    status = to_status(error)
    return _error(status.code, status.details, aio.Metadata(*status.trailing_metadata))


def _bug(method: str) -> aio.AioRpcError:
    _log.exception("rpc_crashed", method=method)
    return _typed(InternalError(ErrorReason.INTERNAL, f"{method} failed by a bug of the server; its log says more"))
