"""A channel that adds the token to every call's metadata, of all four kinds.

Not by client interceptors: grpc.aio then wraps each call, moves every message of a stream through one more queue, and
reports a lost connection to a writer as an error of its own instead of the call's status.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, final

import grpc
from grpc import aio

from opensqt.runtime.secret import Secret


@final
class TokenChannel(aio.Channel):
    """Pass everything on to a channel, with the token."""

    def __init__(self, channel: aio.Channel, token: Secret) -> None:
        self._channel = channel
        self._header = ("authorization", f"Bearer {token.reveal()}")

    async def __aenter__(self) -> "TokenChannel":
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._channel.close(None)

    async def close(self, grace: float | None = None) -> None:
        """Close the channel; running calls have `grace` seconds."""
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the channel's connectivity."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return when the connectivity differs from what was seen last."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Return when the channel is connected."""
        await self._channel.channel_ready()

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        """Return a method with one request and one response."""
        return self._with_token(self._channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """Return a method with one request and many responses."""
        return self._with_token(self._channel.unary_stream(*args, **kwargs))

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        """Return a method with many requests and one response."""
        return self._with_token(self._channel.stream_unary(*args, **kwargs))

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        """Return a method with many requests and many responses."""
        return self._with_token(self._channel.stream_stream(*args, **kwargs))

    def _with_token(self, method: Callable[..., Any]) -> Callable[..., Any]:
        header = self._header

        def call(*args: Any, metadata: Any = None, **kwargs: Any) -> Any:
            return method(*args, metadata=(*(metadata or ()), header), **kwargs)

        return call
