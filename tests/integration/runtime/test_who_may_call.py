"""TLS, client certificates, tokens and roles, against the real server."""

import grpc
import pytest

from opensqt.domain.errors import ErrorReason
from opensqt.runtime.config import (
    ClientTlsConfig,
    ConfigError,
    GrpcClientConfig,
    GrpcServerConfig,
    Secret,
    TlsConfig,
    TokenConfig,
)
from opensqt.runtime.grpc_client import open_channel, to_typed_error

KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream", "UnaryWrite")
READ, TRADE = Secret("read-token-0123456789"), Secret("trade-token-0123456789")
TOKENS = (TokenConfig(token=READ, role="read"), TokenConfig(token=TRADE, role="trade"))
TRADE_ONLY = {f"/test.Probe/{kind}": "trade" for kind in KINDS}


async def refused(probe_call, channel, kind="UnaryUnary"):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await probe_call(channel, kind, is_silent=True)
    return caught.value


async def test_tls_works_and_the_server_proves_itself(certificates, serve_probe, probe_call):
    config = GrpcServerConfig(
        port=0, tls=TlsConfig(cert_file=certificates.server_cert, key_file=certificates.server_key)
    )
    async with serve_probe(config) as (server, _probe):
        address = f"127.0.0.1:{server.bound_port}"
        tls = ClientTlsConfig(ca_file=certificates.ca)
        async with open_channel(GrpcClientConfig(address=address, tls=tls)) as channel:
            assert await probe_call(channel, "UnaryUnary") == [b"x"]
        async with open_channel(GrpcClientConfig(address=address)) as channel:
            assert (await refused(probe_call, channel)).code() is grpc.StatusCode.UNAVAILABLE
        stranger = ClientTlsConfig(ca_file=certificates.stranger_cert)
        async with open_channel(GrpcClientConfig(address=address, tls=stranger)) as channel:
            assert (await refused(probe_call, channel)).code() is grpc.StatusCode.UNAVAILABLE


async def test_mtls_lets_in_only_certificates_of_its_authority(certificates, serve_probe, probe_call):
    config = GrpcServerConfig(
        port=0,
        tls=TlsConfig(
            cert_file=certificates.server_cert, key_file=certificates.server_key, client_ca_file=certificates.ca
        ),
    )
    async with serve_probe(config) as (server, _probe):
        address = f"127.0.0.1:{server.bound_port}"
        known = ClientTlsConfig(
            ca_file=certificates.ca, cert_file=certificates.client_cert, key_file=certificates.client_key
        )
        async with open_channel(GrpcClientConfig(address=address, tls=known)) as channel:
            assert await probe_call(channel, "StreamStream") == [b"x"]
        unknown = ClientTlsConfig(
            ca_file=certificates.ca, cert_file=certificates.stranger_cert, key_file=certificates.stranger_key
        )
        for tls in (unknown, ClientTlsConfig(ca_file=certificates.ca)):
            async with open_channel(GrpcClientConfig(address=address, tls=tls)) as channel:
                assert (await refused(probe_call, channel)).code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("kind", KINDS)
async def test_roles_are_kept_for_every_kind_of_call(kind, serve_probe, probe_call):
    async with serve_probe(GrpcServerConfig(port=0, tokens=TOKENS), roles=TRADE_ONLY) as (server, _probe):
        address = f"127.0.0.1:{server.bound_port}"
        async with open_channel(GrpcClientConfig(address=address, token=TRADE)) as channel:
            assert (await probe_call(channel, kind))[0] == b"x"
        async with open_channel(GrpcClientConfig(address=address, token=READ)) as channel:
            error = await refused(probe_call, channel, kind)
            assert error.code() is grpc.StatusCode.PERMISSION_DENIED
            assert to_typed_error(error).reason is ErrorReason.ROLE_REQUIRED
        for token in (None, Secret("a-token-nobody-was-given")):
            async with open_channel(GrpcClientConfig(address=address, token=token)) as channel:
                error = await refused(probe_call, channel, kind)
                assert error.code() is grpc.StatusCode.UNAUTHENTICATED
                assert to_typed_error(error).reason is ErrorReason.BAD_CREDENTIALS


async def test_a_read_token_reads(serve_probe, probe_call):
    async with serve_probe(GrpcServerConfig(port=0, tokens=TOKENS)) as (server, _probe):
        config = GrpcClientConfig(address=f"127.0.0.1:{server.bound_port}", token=READ)
        async with open_channel(config) as channel:
            assert await probe_call(channel, "UnaryUnary") == [b"x"]


async def test_without_tokens_loopback_may_trade(serve_probe, probe_call):
    async with (
        serve_probe(GrpcServerConfig(port=0), roles=TRADE_ONLY) as (server, _probe),
        open_channel(GrpcClientConfig(address=f"127.0.0.1:{server.bound_port}")) as channel,
    ):
        assert await probe_call(channel, "UnaryUnary") == [b"x"]


def test_all_interfaces_without_tls_is_refused_and_says_why():
    with pytest.raises(ConfigError) as caught:
        GrpcServerConfig(host="0.0.0.0", port=50051)
    [problem] = caught.value.problems
    assert problem.path == "host"
    assert "TLS" in problem.rule.upper()
    assert "127.0.0.1" in problem.fix


def test_off_loopback_the_server_must_know_its_callers(certificates):
    tls = TlsConfig(cert_file=certificates.server_cert, key_file=certificates.server_key)
    with pytest.raises(ConfigError) as caught:
        GrpcServerConfig(host="0.0.0.0", port=50051, tls=tls)
    assert caught.value.problems[0].path == "tokens"
    GrpcServerConfig(host="0.0.0.0", port=50051, tls=tls, tokens=TOKENS)


@pytest.mark.parametrize("host", ["10.0.0.5", "exchange.example.org", "[2001:db8::1]"])
def test_a_token_in_clear_text_off_loopback_is_refused(host):
    with pytest.raises(ConfigError) as caught:
        GrpcClientConfig(address=f"{host}:50051", token=READ)
    assert READ.reveal() not in str(caught.value)
    GrpcClientConfig(address=f"{host}:50051", token=READ, tls=ClientTlsConfig())


async def test_a_missing_certificate_is_a_config_error(tmp_path, serve_probe):
    tls = TlsConfig(cert_file=tmp_path / "no.pem", key_file=tmp_path / "no.key")
    with pytest.raises(ConfigError, match="readable PEM file"):
        async with serve_probe(GrpcServerConfig(port=0, tls=tls)):
            pass


async def test_a_caller_without_a_token_has_the_anonymous_role_and_a_wrong_token_never_falls_back(
    serve_probe, probe_call
):
    trading = GrpcServerConfig(port=0, tokens=TOKENS, anonymous_role="trade")
    async with serve_probe(trading, roles=TRADE_ONLY) as (server, _probe):
        address = f"127.0.0.1:{server.bound_port}"
        async with open_channel(GrpcClientConfig(address=address)) as channel:
            assert await probe_call(channel, "UnaryUnary") == [b"x"]
        async with open_channel(GrpcClientConfig(address=address, token=Secret("a-token-nobody-was-given"))) as channel:
            assert (await refused(probe_call, channel)).code() is grpc.StatusCode.UNAUTHENTICATED
    reading = GrpcServerConfig(port=0, tokens=TOKENS, anonymous_role="read")
    async with (
        serve_probe(reading, roles=TRADE_ONLY) as (server, _probe),
        open_channel(GrpcClientConfig(address=f"127.0.0.1:{server.bound_port}")) as channel,
    ):
        assert (await refused(probe_call, channel)).code() is grpc.StatusCode.PERMISSION_DENIED


def test_off_loopback_nobody_is_anonymous(certificates):
    tls = TlsConfig(cert_file=certificates.server_cert, key_file=certificates.server_key)
    with pytest.raises(ConfigError, match="anonymous_role"):
        GrpcServerConfig(host="0.0.0.0", port=0, tls=tls, tokens=TOKENS, anonymous_role="read")
