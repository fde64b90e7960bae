"""The first message of a Trade stream, checked: who the engine is and what it claims."""

from opensqt.connector.leases import Lease, VanishPolicy
from opensqt.connector.mirror import AccountMirror
from opensqt.connector.symbols import canonical
from opensqt.domain.client_id import MAX_EPOCH, bot_prefix
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import invalid_field
from opensqt.domain.wire_enum import read_enum
from opensqt.proto import trade_pb2

MAX_GRACE_MS = 3_600_000
MAX_ENGINE_ID = 64
MAX_BOTS = 100
MAX_SYMBOLS = 1_000


def lease_of(hello: trade_pb2.TradeHello, mirror: AccountMirror) -> Lease:
    """Read a hello.

    Raises:
        RequestError: a field is missing or senseless; names it.
    """
    if not hello.engine_id:
        raise invalid_field("hello.engine_id", "empty", "name the engine")
    if len(hello.engine_id) > MAX_ENGINE_ID:
        raise invalid_field(
            "hello.engine_id", f"{len(hello.engine_id)} characters", f"must have at most {MAX_ENGINE_ID}"
        )
    if hello.lease_epoch < 1:
        raise invalid_field("hello.lease_epoch", hello.lease_epoch, "must be positive and rise with every run")
    if not 1 <= len(hello.symbols) <= MAX_SYMBOLS:
        raise invalid_field("hello.symbols", f"{len(hello.symbols)} entries", f"name 1 to {MAX_SYMBOLS} symbols")
    if len(hello.bots) > MAX_BOTS:
        raise invalid_field("hello.bots", f"{len(hello.bots)} entries", f"must have at most {MAX_BOTS}")
    policy = read_enum(VanishPolicy, hello.on_vanish, "hello.on_vanish")
    if not 0 <= hello.vanish_grace_ms <= MAX_GRACE_MS:
        raise invalid_field("hello.vanish_grace_ms", hello.vanish_grace_ms, f"must be between 0 and {MAX_GRACE_MS}")
    if policy is not VanishPolicy.KEEP and not hello.bots:
        raise invalid_field(
            "hello.bots", "empty", f"on_vanish {policy.name} needs the bots' tags: only their orders are cancelled"
        )
    if hello.since_time_ns < 0:
        raise invalid_field("hello.since_time_ns", hello.since_time_ns, "must be 0 or a venue time in ns")
    bots = {bot.bot_tag: bot.epoch for bot in hello.bots}
    if len(bots) != len(hello.bots):
        raise invalid_field("hello.bots", "the same tag twice", "name each bot once")
    for tag, epoch in bots.items():
        bot_prefix(tag)
        if not 1 <= epoch <= MAX_EPOCH:
            raise invalid_field(f"hello.bots epoch of {tag}", epoch, f"must be between 1 and {MAX_EPOCH}")
    return Lease(
        engine_id=hello.engine_id,
        epoch=hello.lease_epoch,
        symbols=tuple(dict.fromkeys(canonical(mirror, symbol, "hello.symbols") for symbol in hello.symbols)),
        bots=bots,
        on_vanish=policy,
        grace_ns=hello.vanish_grace_ms * NS_PER_MS,
    )
