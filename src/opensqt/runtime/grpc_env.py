"""The environment gRPC's core reads when it is first imported.

Turning off the event engine's client and listener halves the round trip of a bidirectional stream in Python:
the older poller wakes the asyncio thread directly instead of through another pool. A value the user set stays.
"""

import os

EXPERIMENTS = "-event_engine_client,-event_engine_listener"

os.environ.setdefault("GRPC_EXPERIMENTS", EXPERIMENTS)
# Its fork handlers would print warnings at every subprocess and we never fork without exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Its core writes closed connections and taken ports to standard error; what matters reaches us as a status or an error.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
