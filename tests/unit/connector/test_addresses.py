"""A name server that fails does not cut off a venue that was reached before."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from opensqt.connector.addresses import KNOWN_HOSTS, RememberingResolver


class Names(AbstractResolver):
    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        if host not in self.answers:
            raise OSError(-3, "Temporary failure in name resolution")
        return [
            ResolveResult(hostname=host, host=self.answers[host], port=port, family=family, proto=0, flags=0),
        ]

    async def close(self) -> None:
        self.answers.clear()


async def test_f50_a_name_that_no_longer_resolves_keeps_its_last_addresses() -> None:
    names = Names()
    resolver = RememberingResolver(names)
    names.answers["fapi.example"] = "192.0.2.1"
    assert (await resolver.resolve("fapi.example", 443))[0]["host"] == "192.0.2.1"
    del names.answers["fapi.example"]
    assert (await resolver.resolve("fapi.example", 443))[0]["host"] == "192.0.2.1"
    names.answers["fapi.example"] = "192.0.2.2"
    assert (await resolver.resolve("fapi.example", 443))[0]["host"] == "192.0.2.2", "a venue that moved is followed"
    del names.answers["fapi.example"]
    assert (await resolver.resolve("fapi.example", 443))[0]["host"] == "192.0.2.2"
    assert names.asked == 4, "the name server is asked every time"


async def test_a_name_that_never_resolved_is_an_error() -> None:
    with pytest.raises(OSError, match="name resolution"):
        await RememberingResolver(Names()).resolve("nowhere.example", 443)


async def test_hosts_are_forgotten_beyond_the_limit() -> None:
    names = Names()
    resolver = RememberingResolver(names)
    for number in range(KNOWN_HOSTS + 1):
        names.answers[f"h{number}"] = "192.0.2.1"
        await resolver.resolve(f"h{number}")
    names.answers.clear()
    assert await resolver.resolve("h1")
    with pytest.raises(OSError, match="name resolution"):
        await resolver.resolve("h0")
