"""TLS certificates of a venue, read from real servers: dates, one that has run out, nobody there."""

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import structlog
import trustme
from aiohttp import web

from opensqt.connector.certificates import CertificateWatch
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.venues.binance.config import LIVE, Endpoints, public_endpoints, tls_hosts
from opensqt.connector.venues.binance.errors import Failure
from opensqt.connector.venues.binance.limits import KNOWN_WINDOWS
from opensqt.connector.venues.binance.requests_market import server_time
from opensqt.connector.venues.binance.rest import Credentials, RestClient
from opensqt.connector.venues.binance.stream_client import open_link
from opensqt.runtime.clock import SystemClock

NOON = dt.datetime(2031, 5, 6, 12, 0, tzinfo=dt.UTC)


@asynccontextmanager
async def served(authority: trustme.CA, not_after: dt.datetime) -> AsyncIterator[str]:
    """A TLS server whose certificate ends then; yields `host:port`."""
    certificate = authority.issue_cert("localhost", not_after=not_after)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        yield f"localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_f50_the_day_a_certificate_runs_out_is_known(authority: trustme.CA, context: ssl.SSLContext) -> None:
    async with served(authority, NOON) as host:
        watch = CertificateWatch((host, host), SystemClock(), context)
        assert await watch.read()
        assert watch.expires_s == {host: int(NOON.timestamp())}
        assert watch.left_s()[host] == pytest.approx(NOON.timestamp() - SystemClock().now_ns() / 1e9, abs=5)
    assert not await watch.read(), "nobody is there any more"
    assert watch.expires_s == {host: int(NOON.timestamp())}, "what was read is not forgotten"


async def test_f50_one_that_has_run_out_is_said_with_what_to_do(authority: trustme.CA, context: ssl.SSLContext) -> None:
    gone = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    async with served(authority, gone) as host:
        watch = CertificateWatch((host,), SystemClock(), context)
        with structlog.testing.capture_logs() as lines:
            assert not await watch.read()
        assert watch.expires_s == {}
        (line,) = lines
        assert (line["event"], line["host"]) == ("certificate_refused", host)
        assert "expired" in line["why"]
        assert "clock" in line["fix"]


async def test_f50_sessions_send_nothing_to_a_host_whose_certificate_has_run_out(
    authority: trustme.CA, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    clock = SystemClock()
    async with served(authority, gone) as host:
        # Neither client takes a context of ours: they trust whom the system trusts.
        monkeypatch.setattr(ssl, "create_default_context", lambda *_args, **_options: context)
        monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)
        rest = RestClient(
            f"https://{host}", Credentials(), RateBudget(KNOWN_WINDOWS), clock, lambda: 0, timeout_ms=5_000
        )
        rest.open()
        try:
            failure = await rest.send(server_time())
        finally:
            await rest.close()
        assert isinstance(failure, Failure)
        assert "certificate has expired" in failure.message
        with pytest.raises(ConnectionError, match="certificate has expired"):
            await open_link(f"wss://{host}/stream", lambda _data: None, lambda _why: None)


def test_the_hosts_of_the_venue_are_watched_and_loopback_without_tls_is_not() -> None:
    assert tls_hosts(LIVE) == (
        "fapi.binance.com",
        "fstream.binance.com",
        "ws-fapi.binance.com",
        "api.binance.com",
    )
    assert tls_hosts(public_endpoints(LIVE)) == ("fapi.binance.com", "fstream.binance.com")
    assert tls_hosts(Endpoints(rest="http://127.0.0.1:1", public="ws://127.0.0.1:1")) == ()


def test_a_host_is_shown_without_what_opens_it() -> None:
    urls = Endpoints(rest="https://me:secret@proxy.example:8443/fapi", public="wss://[2001:db8::1]:9443/public")
    assert tls_hosts(urls) == ("proxy.example:8443", "[2001:db8::1]:9443")
