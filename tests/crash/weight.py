"""How much of the venue's request weight the connector has used in the minute that runs."""

import grpc

from crash.world import World
from opensqt.proto import exchange_pb2, exchange_pb2_grpc


def used_weight(world: World) -> int:
    """Return what the connector counts; 0 while it does not answer."""
    with grpc.insecure_channel(f"unix:{world.connector_socket}") as channel:
        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        try:
            budget = stub.GetRateBudget(exchange_pb2.GetRateBudgetRequest(), timeout=2)
        except grpc.RpcError:
            return 0
    return max((window.used for window in budget.windows if window.name.startswith("weight")), default=0)
