"""The `opensqt` command: starts the services together, checks configuration, watches and controls what runs.

One module per command; `main` names them all and imports only the one that is asked for.
"""

from opensqt.runtime import grpc_env as grpc_env  # gRPC reads its environment when it is first imported
