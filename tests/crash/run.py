"""One run: start everything, kill and restart, stop in order, compare."""

import time
from pathlib import Path

from crash.look import Look
from crash.plan import SERVICES, Plan
from crash.referee import compare, stop_flat
from crash.report import MAX_RECOVERY_S, Report
from crash.weight import used_weight
from crash.world import FAULTS, World, wait_until
from opensqt.runtime.crash_points import EXIT_CODE

START_S = 60.0
GIVE_UP_S = 60.0
HOOK_S = 4.0
MAX_USED_WEIGHT = 1_300
"""Of the 2400 request weights that the venue grants an address per minute. A start of the connector and an engine that
attaches cost about 130 together, and queries may use two thirds: killing faster than that would measure how long the
venue makes everybody wait, and not how long OpenSQT needs."""
WEIGHT_WINDOW_S = 61.0
_KILLED = (-9, EXIT_CODE)


class Run:
    """Kills until enough have died.

    Args:
        folder: for configurations, logs and the ledger.
        kills: how many.
        seed: of the venue, its faults and the kills.
        say: told what happens.
        max_recovery_s: from a death until the bot quotes again.
    """

    def __init__(
        self, folder: Path, kills: int, seed: int, say: object = None, *, max_recovery_s: float = MAX_RECOVERY_S
    ) -> None:
        self._kills = kills
        self._world = World(folder, seed=seed)
        self._plan = Plan(seed)
        self._armed: dict[str, str] = {}
        self._say = say if callable(say) else lambda _text: None
        self.report = Report(seed, max_recovery_s)

    def __call__(self) -> Report:
        began_s = time.monotonic()
        report, world = self.report, self._world
        try:
            world.start()
            with Look(world) as look:
                if not wait_until(lambda: look.quoting(0) and world.page_is_up(), START_S):
                    report.problems.append(f"the bot did not start to quote:\n{self._words()}")
                    return report
                world.sim.call("POST", "/faults", {"faults": FAULTS})
                while report.kills < self._kills and not report.problems:
                    self._step(look)
                if not report.problems:
                    self._finish(look)
        finally:
            world.close()
            report.took_s = time.monotonic() - began_s
        report.judge()
        return report

    # ---- killing

    def _step(self, look: Look) -> None:
        kill = self._plan.next()
        time.sleep(kill.pause_s)
        if set(kill.victims) != {"live_server"}:
            wait_until(lambda: used_weight(self._world) <= MAX_USED_WEIGHT, WEIGHT_WINDOW_S)
        killed_ns, killed_s = time.time_ns(), time.monotonic()
        for name in kill.victims:
            killed_s = max(killed_s, self._end(name))
        for name in kill.victims:
            self._start(name, kill.hooks[name])
        look.reset()
        self._recover(look, kill.victims, killed_ns, killed_s)

    def _end(self, name: str) -> float:
        """Kill a service, or let it come to its crash point; return when it died."""
        service = self._world.services[name]
        if self._armed.pop(name, "") and wait_until(lambda: service.code is not None, HOOK_S, 0.01):
            self._died(name, at_point=True)
        elif service.code is None:
            service.kill()
            self._died(name, at_point=False)
        return time.monotonic()

    def _start(self, name: str, hook: str) -> None:
        self._world.services[name].start(hook)
        if hook:
            self._armed[name] = hook

    def _died(self, name: str, *, at_point: bool) -> None:
        report = self.report
        code = self._world.services[name].code
        if code not in _KILLED:
            report.problems.append(f"{name} ended by itself with {code}:\n{self._world.services[name].last_words()}")
        report.kills += 1
        report.kills_by_service[name] = report.kills_by_service.get(name, 0) + 1
        if at_point:
            report.kills_at_crash_points[name] = report.kills_at_crash_points.get(name, 0) + 1

    def _recover(self, look: Look, victims: tuple[str, ...], killed_ns: int, killed_s: float) -> None:
        """Wait until everything works again; who dies meanwhile at its crash point is started again, unarmed."""
        world, report = self._world, self.report
        trades = any(name != "live_server" for name in victims)
        deadline_s = time.monotonic() + GIVE_UP_S
        quoting_s = page_s = 0.0
        while not (quoting_s and page_s):
            time.sleep(0.03)
            for name in SERVICES:
                if world.services[name].code is not None:
                    self._armed.pop(name, None)
                    self._died(name, at_point=True)
                    killed_ns, killed_s, quoting_s, page_s = time.time_ns(), time.monotonic(), 0.0, 0.0
                    self._start(name, "")
                    trades |= name != "live_server"
                    victims = tuple(dict.fromkeys((*victims, name)))
                    look.reset()
            if report.problems:
                return
            if not quoting_s and look.quoting(killed_ns if trades else 0):
                quoting_s = time.monotonic()
            if not page_s and quoting_s and world.page_is_up():
                page_s = time.monotonic()
            if time.monotonic() > deadline_s:
                report.problems.append(f"{' and '.join(victims)} not back after {GIVE_UP_S:g} s:\n{self._words()}")
                return
        took_s = (quoting_s if trades else page_s) - killed_s
        key = " + ".join(sorted(victims))
        report.recovered(key, took_s)
        look.watch_orphans()
        self._say(f"{report.kills:4} killed {key}: quoting again after {took_s:.2f} s")

    # ---- the end

    def _finish(self, look: Look) -> None:
        world, report = self._world, self.report
        faults = world.sim.call("GET", "/faults")["faults"]
        struck = {fault["fault"]["kind"]: fault["strikes"] for fault in faults}
        report.lost_replies, report.lost_requests = struck.get("lost_reply", 0), struck.get("lost_request", 0)
        world.sim.call("DELETE", "/faults")
        for name in list(self._armed):
            self._end(name)
            self._start(name, "")
        if not wait_until(lambda: look.quoting(0), GIVE_UP_S):
            report.problems.append(f"the bot does not quote at the end:\n{self._words()}")
            return
        if not look.agreement(30):
            report.problems.append("engine and venue do not agree on orders and fills after 30 quiet seconds")
        look.watch_orphans()
        report.orphan_orders = len(look.orphans)
        stop_flat(report, look, world)
        compare(report, world.sim.audit(), world.database)

    def _words(self) -> str:
        parts = [f"--- {name}\n{service.last_words(12)}" for name, service in self._world.services.items()]
        return "\n".join(parts)
