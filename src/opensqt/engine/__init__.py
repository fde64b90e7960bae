"""The engine: strategy, slots, risk, ledger and their persistence. It knows the market only through the connector.

Decisions live in `core.EngineCore`, a synchronous object that turns events into commands; sockets, the database and the
clock live in the shells around it (`exchange_client`, `store`, `app`).
"""

from opensqt.runtime import grpc_env as grpc_env  # gRPC reads its environment when it is first imported
