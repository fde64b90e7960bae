"""A service stops cleanly on the first signal, hard on the second, and says why it ended by its exit code."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import asyncio, sys
from opensqt.domain.errors import ErrorReason, StateError
from opensqt.runtime.config import ConfigError, LogConfig
from opensqt.runtime.lifecycle import run_service
from opensqt.runtime.logs import configure_logging
configure_logging("probe", LogConfig(format="json"))
"""


def start(body: str, call: str = 'run_service("probe", main)') -> subprocess.Popen[str]:
    code = f"{PRELUDE}\n{textwrap.dedent(body)}\nsys.exit({call})\n"
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


WAITS = """
async def main(lifecycle):
    async def tick():
        try:
            await asyncio.sleep(60)
        finally:
            print("task closed", flush=True)
    lifecycle.supervise(tick(), "tick")
    print("ready", flush=True)
    await lifecycle.stop_event.wait()
    print("closing", flush=True)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_service_cleanly(signum):
    process = start(WAITS)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    process.send_signal(signum)
    code, out, err = finish(process)
    assert (code, out) == (0, "closing\ntask closed\n"), err


def test_a_second_signal_stops_it_hard():
    process = start(
        """
        async def main(lifecycle):
            print("ready", flush=True)
            await lifecycle.stop_event.wait()
            print("stuck", flush=True)
            await asyncio.sleep(60)
        """
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130


def test_a_stop_that_hangs_ends_after_its_time():
    process = start(
        """
        async def main(lifecycle):
            lifecycle.stop_event.set()
            print("ready", flush=True)
            lifecycle.stop_event.clear()
            await lifecycle.stop_event.wait()
            await asyncio.sleep(60)
        """,
        'run_service("probe", main, stop_timeout_s=0.2)',
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    code, _out, err = finish(process)
    assert code == 130
    assert "not stopped within 0.2 s" in err


@pytest.mark.parametrize(
    ("raises", "code", "says"),
    [
        ('ConfigError.single("grid.interval", -5, "must be greater than 0", "raise it")', 78, "grid.interval"),
        ('StateError(ErrorReason.LEVERAGE_LIMIT, "leverage is 50, the limit 10")', 1, "leverage is 50"),
    ],
)
def test_known_errors_end_with_their_message_and_without_a_traceback(raises, code, says):
    returned, _out, err = finish(start(f"async def main(lifecycle):\n    raise {raises}"))
    assert returned == code
    assert says in err
    assert "Traceback" not in err


def test_a_supervised_task_that_fails_stops_the_service():
    code, out, err = finish(
        start(
            """
            async def main(lifecycle):
                async def fail():
                    raise ZeroDivisionError("a bug")
                lifecycle.supervise(fail(), "fail")
                try:
                    await lifecycle.stop_event.wait()
                finally:
                    print("main closed", flush=True)
            """
        )
    )
    assert (code, out) == (1, "main closed\n")
    assert "ZeroDivisionError" in err


def test_mains_number_is_the_exit_code():
    assert finish(start("async def main(lifecycle):\n    return 3"))[0] == 3


def test_no_thread_holds_the_loop_up_for_longer_than_an_order_may_take():
    code, out, err = finish(
        start(
            """
            async def main(lifecycle):
                print(sys.getswitchinterval())
            """
        )
    )
    assert (code, float(out)) == (0, pytest.approx(0.0005)), err
