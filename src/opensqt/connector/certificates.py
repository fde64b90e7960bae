"""When the TLS certificates of the venue's hosts run out: seen before the day comes, not on it.

A handshake of its own, a few times a day, reads each; the sessions stay as they are. One that has run out, or a clock
of this machine that is far off, fails the handshake: the sessions then say so themselves, and this says what to do.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Final, final
from urllib.parse import urlsplit

import structlog

from opensqt.domain.clock import NS_PER_S, Clock

HTTPS_PORT: Final = 443
READ_EVERY_S: Final = 6 * 3600.0
READ_AGAIN_S: Final = 600.0
HANDSHAKE_TIMEOUT_S: Final = 10.0
X509_HAS_EXPIRED: Final = 10
"""OpenSSL's verification error; source: openssl/x509_vfy.h."""

_log = structlog.get_logger(__name__)


@final
class CertificateWatch:
    """The certificates of some hosts.

    Args:
        hosts: `name` or `name:port`.
        clock: of this process.
        context: whom to trust; the system's authorities when left out.
    """

    def __init__(self, hosts: Sequence[str], clock: Clock, context: ssl.SSLContext | None = None) -> None:
        self._hosts = tuple(dict.fromkeys(hosts))
        self._clock = clock
        self._context = context
        self._expires_s: dict[str, int] = {}

    @property
    def expires_s(self) -> Mapping[str, int]:
        """Return when each certificate that could be read runs out, in seconds since 1970."""
        return self._expires_s

    def left_s(self) -> dict[str, int]:
        """Return the seconds that each certificate is still good for."""
        now_s = self._clock.now_ns() // NS_PER_S
        return {host: expires_s - now_s for host, expires_s in self._expires_s.items()}

    async def run(self) -> None:
        """Read all of them now and then, until cancelled."""
        while self._hosts:
            is_complete = await self.read()
            await asyncio.sleep(READ_EVERY_S if is_complete else READ_AGAIN_S)
        await asyncio.Event().wait()

    async def read(self) -> bool:
        """Read all of them once; return whether each could be read. One that could not keeps its last date."""
        context = self._context or ssl.create_default_context()
        found = [await self._read_one(host, context) for host in self._hosts]
        return all(found)

    async def _read_one(self, host: str, context: ssl.SSLContext) -> bool:
        address = urlsplit(f"//{host}")
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                _reader, writer = await asyncio.open_connection(
                    address.hostname, address.port or HTTPS_PORT, ssl=context
                )
        except ssl.SSLCertVerificationError as error:
            _log.error("certificate_refused", host=host, why=error.verify_message, fix=_fix(error))
            return False
        except (OSError, TimeoutError) as error:
            _log.warning("certificate_not_read", host=host, why=f"{type(error).__name__}: {error}")
            return False
        certificate = writer.get_extra_info("peercert")
        writer.close()
        self._expires_s[host] = int(ssl.cert_time_to_seconds(certificate["notAfter"]))
        return True


def _fix(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == X509_HAS_EXPIRED:
        return "compare this machine's clock with the time; if it is right, only the venue can renew its certificate"
    return "this machine's authorities may be old, or somebody is between it and the venue; nothing is sent"
