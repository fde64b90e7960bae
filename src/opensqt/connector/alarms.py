"""What the connector wakes people for: sessions down for long, a ban, a dead-man switch that needs approval. Pure."""

from collections.abc import Mapping
from typing import NamedTuple, final

import msgspec

from opensqt.domain.clock import NS_PER_S
from opensqt.runtime.alerts import Level

SESSION_PATIENCE_NS = 60 * NS_PER_S
BAN_WORTH_A_WORD_NS = 5 * NS_PER_S
CERTIFICATE_WORTH_A_WORD_S = 7 * 86_400


class AlarmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The connector at one moment; `circuit_left_ns` is for how long the venue wants no request, `certificates_left_s`
    how long the certificate of each of its hosts is still good."""

    market_up: bool
    private_up: bool
    reason: str = ""
    circuit_left_ns: int = 0
    circuit_reason: str = ""
    needs_approval: frozenset[str] = frozenset()
    certificates_left_s: Mapping[str, int] = {}


class Alarm(NamedTuple):
    """One thing to tell."""

    level: Level
    key: str
    title: str
    text: str


@final
class ConnectorAlarms:
    """Tells the beginning and the end of each trouble once."""

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._down_since_ns: dict[str, int] = {}
        self._told: set[str] = set()

    def judge(self, facts: AlarmFacts, now_ns: int) -> list[Alarm]:
        """Return what is news."""
        found: list[Alarm] = []
        for name, is_up in (("market data", facts.market_up), ("account stream", facts.private_up)):
            self._session(found, name, is_up, facts.reason, now_ns)
        banned = facts.circuit_left_ns > (0 if "ban" in self._told else BAN_WORTH_A_WORD_NS)
        seconds = facts.circuit_left_ns // NS_PER_S
        text = f"{self._exchange} takes no request for {seconds} s: {facts.circuit_reason}"
        self._change(found, "ban", banned, text, f"{self._exchange} takes requests again")
        for symbol in sorted(facts.needs_approval):
            key = f"dead man {symbol}"
            text = f"the dead-man switch of {symbol} needs approval at {self._exchange}: nothing cancels if we vanish"
            self._change(found, key, True, text, "")
        self._told -= {key for key in self._told if key.startswith("dead man ")} - {
            f"dead man {symbol}" for symbol in facts.needs_approval
        }
        for host, left_s in facts.certificates_left_s.items():
            text = f"the TLS certificate of {host} runs out in {left_s // 3600} h; nobody can be reached there after"
            is_near = left_s < CERTIFICATE_WORTH_A_WORD_S
            self._change(found, f"certificate {host}", is_near, text, f"{host} has a new TLS certificate")
        return found

    def _session(self, found: list[Alarm], name: str, is_up: bool, reason: str, now_ns: int) -> None:
        if is_up:
            self._down_since_ns.pop(name, None)
        else:
            self._down_since_ns.setdefault(name, now_ns)
        since_ns = self._down_since_ns.get(name, now_ns)
        down_ns = now_ns - since_ns
        text = f"the {name} of {self._exchange} is down for {down_ns // NS_PER_S} s: {reason or 'no reason known'}"
        too_long = not is_up and down_ns >= SESSION_PATIENCE_NS
        self._change(found, name, too_long, text, f"the {name} of {self._exchange} is up again")

    def _change(self, found: list[Alarm], key: str, holds: bool, begins: str, ends: str) -> None:
        if holds and key not in self._told:
            self._told.add(key)
            found.append(Alarm("alarm", key, key, begins))
        elif not holds and key in self._told:
            self._told.discard(key)
            found.append(Alarm("info", f"{key} over", key, ends))
