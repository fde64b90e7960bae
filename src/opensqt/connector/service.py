"""`ExchangeService` over gRPC: every RPC of the descriptor bound to the method that serves it.

The binding is made from the descriptor, so an RPC without a method fails at start, not at the first call. Streams may
yield bytes: what was serialised once for all readers passes through as it is.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio

from opensqt.proto import exchange_pb2
from opensqt.runtime.config import Role

SERVICE = exchange_pb2.DESCRIPTOR.services_by_name["ExchangeService"]
SERVICE_NAME: str = SERVICE.full_name

_TRADE_METHODS = (
    "PlaceOrder",
    "BatchPlaceOrders",
    "CancelOrder",
    "BatchCancelOrders",
    "CancelAllOrders",
    "AmendOrder",
    "Trade",
)

ROLES: dict[str, Role] = {f"/{SERVICE_NAME}/{method}": "trade" for method in _TRADE_METHODS}
"""Methods that need more than `read`."""


Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def make_handlers(parts: Iterable[object]) -> dict[str, Handler]:
    """Return the handler of each RPC by its name: the one part's method that has that name in snake case.

    Raises:
        LookupError: an RPC has no method, or two.
    """
    parts = tuple(parts)
    return {method.name: _handler(method, _find(method.name, parts)) for method in SERVICE.methods}


def add_service(server: aio.Server, handlers: Mapping[str, Handler]) -> None:
    """Add the service."""
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, dict(handlers)),))


def _find(rpc: str, parts: Iterable[object]) -> Any:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", rpc).lower()
    found = [getattr(part, name) for part in parts if hasattr(part, name)]
    if len(found) != 1:
        raise LookupError(f"{rpc} is served by {len(found)} methods named {name}; it needs exactly one")
    return found[0]


def _handler(method: Any, behaviour: Any) -> Handler:
    make: Any = grpc.unary_unary_rpc_method_handler
    if method.client_streaming:
        make = grpc.stream_stream_rpc_method_handler
    elif method.server_streaming:
        make = grpc.unary_stream_rpc_method_handler
    handler: Handler = make(
        behaviour,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=_to_bytes,
    )
    return handler


def _to_bytes(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()
