"""The control endpoint under `/sim`: status, and setting, listing and removing faults. Not part of any venue."""

from typing import Any, final

import msgspec
import orjson
from aiohttp import web

from opensqt.sim.fault_kinds import ACTION_KINDS, Fault, FaultKind, Schedule
from opensqt.sim.host import Host

_MAX_FILLS = 100_000


class FaultRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be posted: faults, and seeded schedules of them."""

    faults: tuple[Fault, ...] = ()
    schedule: Schedule | None = None


@final
class Control:
    """Answers the operator of the simulator."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/sim/status", self._status),
            web.get("/sim/audit", self._audit),
            web.get("/sim/faults", self._list),
            web.post("/sim/faults", self._add),
            web.delete("/sim/faults", self._clear),
            web.delete("/sim/faults/{id}", self._remove),
        ]

    async def _status(self, _: web.Request) -> web.Response:
        host = self._host
        exchange = host.venue.exchange
        return _json(
            {
                "venue": "binance",
                "time_ms": exchange.now_ms,
                "server_time_ms": host.venue.server_ms(),
                "symbols": list(exchange.rules),
                "accounts": list(exchange.users),
                "market_over": host.market_over,
                "connections": host.connections.listing(),
                "fault_kinds": [kind.value for kind in FaultKind],
            }
        )

    async def _audit(self, request: web.Request) -> web.Response:
        """Tell the truth about one account: what it holds, every fill, and the peaks it reached."""
        host = self._host
        host.turn()
        name = request.query.get("account", "")
        exchange = host.venue.exchange
        if name not in exchange.users:
            return _json({"error": f"account was {name!r}; it must be one of {', '.join(exchange.users)}"}, status=400)
        view = exchange.venue.view
        value = {
            "time_ns": exchange.now_ns,
            "balances": view.balances(name),
            "positions": view.positions(name),
            "open_orders": view.open_orders(name),
            "fills": view.fills(name, limit=_MAX_FILLS),
            "cash_flows": view.cash_flows(name),
            "peaks": exchange.audit.peaks(name),
        }
        return web.Response(body=msgspec.json.encode(value), content_type="application/json")

    async def _list(self, _: web.Request) -> web.Response:
        return _json({"faults": self._host.plan.listing(self._host.real_ms())})

    async def _add(self, request: web.Request) -> web.Response:
        """Take one fault, or `{"faults": [...], "schedule": {...}}`; what happens at once has happened on return."""
        body = await request.read()
        host = self._host
        try:
            wanted = _read(body)
            for fault in (*wanted.faults, *(wanted.schedule.faults if wanted.schedule else ())):
                host.actions.check(fault)
            host.turn()
            now_ms = host.real_ms()
            ids = []
            for fault in wanted.faults:
                if fault.kind in ACTION_KINDS and fault.kind is not FaultKind.DISCONNECT and not fault.after_ms:
                    host.actions.act(fault)
                else:
                    ids.append(host.plan.add(fault, now_ms))
            if wanted.schedule is not None:
                ids += host.plan.add_schedule(wanted.schedule, now_ms)
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
            return _json({"error": str(error)}, status=400)
        host.turn()
        return _json({"ids": ids})

    async def _clear(self, _: web.Request) -> web.Response:
        self._host.plan.clear()
        self._host.turn()
        return _json({})

    async def _remove(self, request: web.Request) -> web.Response:
        text = request.match_info["id"]
        if not text.isdigit() or not self._host.plan.remove(int(text)):
            return _json({"error": f"no fault {text} is set"}, status=404)
        self._host.turn()
        return _json({})


def _read(body: bytes) -> FaultRequest:
    if b'"kind"' in body and b'"faults"' not in body:
        return FaultRequest(faults=(msgspec.json.decode(body, type=Fault),))
    return msgspec.json.decode(body, type=FaultRequest)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
