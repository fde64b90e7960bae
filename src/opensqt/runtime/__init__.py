"""Service plumbing without a trading word: config, logs, lifecycle, gRPC, SQLite, metrics.

Importing this package sets gRPC's environment first, because gRPC reads it once, when it is imported.
"""

from opensqt.runtime import grpc_env

__all__ = ["grpc_env"]
