"""What every call to our servers passes: who is it, how long may it take, how did it end.

Order, outermost first: MetricsInterceptor, AuthInterceptor, DeadlineInterceptor, ErrorInterceptor. Each works for the
four kinds of calls; a check that needs only the call's metadata costs nothing per message.
"""

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, final

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc import aio

from opensqt.domain.errors import (
    AuthError,
    ErrorReason,
    InternalError,
    OpensqtError,
    OutcomeUnknownError,
    RoleError,
    invalid_field,
)
from opensqt.runtime.config_types import Role, TokenConfig
from opensqt.runtime.metrics import RPC_METRICS, RpcMetrics
from opensqt.runtime.rich_status import to_status

DEFAULT_DEADLINE_S = 30.0
HEALTH_PREFIX = "/grpc.health.v1.Health/"

_log = structlog.get_logger(__name__)

# gRPC's handler and context are generic over messages an interceptor never looks into.
Handler = Any
Context = Any
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]
Guard = Callable[[Context], "contextlib.AbstractAsyncContextManager[None]"]


def wrap_handler(
    handler: Handler, guard: Guard, *, unary_only: bool = False, refuse_malformed: bool = False
) -> Handler:
    """Return a handler of the same kind that runs inside `guard(context)`.

    A response stream stays what it was, an async generator or a coroutine that writes, because gRPC tells them apart.
    With `refuse_malformed`, bytes that are no message raise INVALID_FIELD inside the guard: left to gRPC, they end
    in a status UNKNOWN that shows our library's words.
    """
    tolerate = refuse_malformed and handler.request_deserializer is not None
    check = (_WholeRequests if handler.request_streaming else _whole) if tolerate else _as_it_is
    serialise = {
        "request_deserializer": _tolerant(handler.request_deserializer) if tolerate else handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if not handler.response_streaming:
        behaviour = handler.stream_unary if handler.request_streaming else handler.unary_unary
        if unary_only and handler.request_streaming:
            return handler

        async def unary(request: Any, context: Context) -> Any:
            async with guard(context):
                return await behaviour(check(request), context)

        make = (
            grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        )
        return make(unary, **serialise)
    if unary_only:
        return handler
    streaming = handler.stream_stream if handler.request_streaming else handler.unary_stream

    async def generate(request: Any, context: Context) -> AsyncIterator[Any]:
        async with guard(context), contextlib.aclosing(streaming(check(request), context)) as responses:
            async for response in responses:
                yield response

    async def write(request: Any, context: Context) -> None:
        async with guard(context):
            await streaming(check(request), context)

    make = grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
    return make(generate if inspect.isasyncgenfunction(streaming) else write, **serialise)


_MALFORMED = object()
"""Stands for bytes that could not be read as a message."""


def _tolerant(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read_or_mark(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return _MALFORMED

    return read_or_mark


def _as_it_is(request: Any) -> Any:
    return request


def _whole(request: Any) -> Any:
    if request is _MALFORMED:
        raise invalid_field("request", "malformed", "its bytes must be a message of the type the method takes")
    return request


@final
class _WholeRequests:
    """A request stream that raises at the first message that could not be read."""

    def __init__(self, requests: AsyncIterator[Any]) -> None:
        self._requests = aiter(requests)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return _whole(await anext(self._requests))


@final
class ErrorInterceptor(aio.ServerInterceptor):
    """Turn errors into statuses: ours with reason and details, unknown ones into INTERNAL that shows nothing."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wrap the handler."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = handler_call_details.method

        @contextlib.asynccontextmanager
        async def guard(context: Context) -> AsyncIterator[None]:
            try:
                yield
            except OpensqtError as error:
                await context.abort_with_status(to_status(error))
            except (aio.AbortError, GeneratorExit):
                raise
            except Exception:  # noqa: BLE001  every bug ends here, is logged whole, and leaks nothing
                _log.exception("rpc_crashed", method=method)
                bug = InternalError(ErrorReason.INTERNAL, f"{method} failed by a bug of the server; its log says more")
                await context.abort_with_status(to_status(bug))

        return wrap_handler(handler, guard, refuse_malformed=True)


@final
class AuthInterceptor(aio.ServerInterceptor):
    """Let in who shows a token whose role suffices; without configured tokens everybody here may trade.

    A caller who shows no token at all has the anonymous role, if there is one; a wrong token never falls back to it.
    Health is open to all: whoever restarts a service must be able to ask without a secret.
    """

    def __init__(
        self, tokens: Sequence[TokenConfig], roles: Mapping[str, Role], anonymous_role: Role | None = None
    ) -> None:
        self._tokens = tuple(tokens)
        self._anonymous_role = anonymous_role
        self._roles = roles

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Return the handler, or one that refuses."""
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None or not self._tokens or method.startswith(HEALTH_PREFIX):
            return handler
        error = self._check(method, handler_call_details.invocation_metadata)
        return handler if error is None else _refusing(handler, error)

    def _check(self, method: str, metadata: Any) -> OpensqtError | None:
        role = self._role_of(metadata)
        if role is None:
            return AuthError(
                ErrorReason.BAD_CREDENTIALS,
                "the call carried no known token: send metadata `authorization: Bearer <token>`",
            )
        needed = self._roles.get(method, "read")
        if needed == "trade" and role != "trade":
            return RoleError(
                ErrorReason.ROLE_REQUIRED,
                f"{method} needs the role `trade`; the caller has `{role}`",
                metadata={"role": role, "needed": needed},
            )
        return None

    def _role_of(self, metadata: Any) -> Role | None:
        shown = ""
        for key, value in metadata or ():
            if key == "authorization" and isinstance(value, str) and value[:7].lower() == "bearer ":
                shown = value[7:].strip()
        if not shown:
            return self._anonymous_role
        found: Role | None = None
        # Every token is compared, always, so that time says nothing about which one came close.
        for known in self._tokens:
            if known.token.matches(shown):
                found = known.role
        return found


def _refusing(handler: Handler, error: OpensqtError) -> Handler:
    status = to_status(error)

    async def refuse(_request: Any, context: Context) -> None:
        await context.abort_with_status(status)

    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(refuse)
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(refuse)
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(refuse)
    return grpc.unary_unary_rpc_method_handler(refuse)


@final
class DeadlineInterceptor(aio.ServerInterceptor):
    """Bound unary calls: by the caller's deadline, or by ours when it sent none."""

    def __init__(self, default_s: float = DEFAULT_DEADLINE_S) -> None:
        self._default_s = default_s

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wrap unary handlers."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = handler_call_details.method

        @contextlib.asynccontextmanager
        async def guard(context: Context) -> AsyncIterator[None]:
            if context.time_remaining() is not None:  # gRPC cancels the call itself
                yield
                return
            try:
                async with asyncio.timeout(self._default_s):
                    yield
            except TimeoutError:
                late = OutcomeUnknownError(
                    ErrorReason.OUTCOME_UNKNOWN,
                    f"{method} took longer than {self._default_s:g} s, the limit for calls without a deadline;"
                    " query before trying again",
                )
                await context.abort_with_status(to_status(late))

        return wrap_handler(handler, guard, unary_only=True)


@final
class MetricsInterceptor(aio.ServerInterceptor):
    """Count calls by method and status, time unary ones, gauge open streams."""

    def __init__(self, metrics: RpcMetrics = RPC_METRICS) -> None:
        self._metrics = metrics

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Wrap the handler; a method nobody serves is not counted, so labels stay bounded."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = handler_call_details.method
        metrics = self._metrics
        streaming = handler.request_streaming or handler.response_streaming

        @contextlib.asynccontextmanager
        async def guard(context: Context) -> AsyncIterator[None]:
            started = time.perf_counter()
            if streaming:
                metrics.open_streams.labels(method).inc()
            try:
                yield
            except asyncio.CancelledError:
                metrics.handled.labels(method, "CANCELLED").inc()
                raise
            except BaseException:
                metrics.handled.labels(method, _code_name(context.code())).inc()
                raise
            else:
                metrics.handled.labels(method, "OK").inc()
            finally:
                if streaming:
                    metrics.open_streams.labels(method).dec()
                else:
                    metrics.seconds.labels(method).observe(time.perf_counter() - started)

        return wrap_handler(handler, guard)


_CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def _code_name(code: Any) -> str:
    if isinstance(code, grpc.StatusCode):
        return code.name
    return _CODE_NAMES.get(code, "UNKNOWN") or "UNKNOWN"
