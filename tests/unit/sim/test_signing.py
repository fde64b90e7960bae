"""Signatures as the venue checks them: documented vectors, every key kind, every place of parameters."""

import base64
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from models.sim_bench import SimBench

from opensqt.sim.dialects.binance.api_types import Request
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.signing import KeyKind, Verifier, check_time, split_signature, ws_payload
from opensqt.sim.keys import make_keys


def test_documented_vectors_verify(recorded: Any) -> None:
    checked = 0
    for vector in recorded("sign_vectors"):
        if vector.get("secret") and "HMAC" in vector["alg"] and vector.get("verified_here"):
            assert Verifier(KeyKind.HMAC, vector["secret"]).check(
                vector["string_to_sign"].encode(), vector["signature"]
            ), vector["origin"]
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize(
    ("query", "body", "signed"),
    [
        ("a=1&b=2&signature=ff", "", b"a=1&b=2"),
        ("", "a=1&b=2&signature=ff", b"a=1&b=2"),
        ("a=1", "b=2&signature=ff", b"a=1b=2"),
        ("a=1&signature=ff", "b=2", b"a=1b=2"),
        ("signature=ff", "b=2", b"b=2"),
    ],
)
def test_query_and_body_are_signed_without_a_separator(query: str, body: str, signed: bytes) -> None:
    assert split_signature(query, body) == (signed, "ff")


def test_a_signature_that_is_not_last_is_none() -> None:
    with pytest.raises(ApiError, match="-1102"):
        split_signature("signature=ff&a=1", "")


def test_websocket_parameters_are_signed_sorted_and_unencoded() -> None:
    params = {"symbol": "BTCUSDT", "apiKey": "k", "timestamp": 5, "reduceOnly": True, "signature": "x"}
    assert ws_payload(params) == b"apiKey=k&reduceOnly=true&symbol=BTCUSDT&timestamp=5"


def test_timestamp_rule_is_exact() -> None:
    check_time(10_999, 5_000, 10_000)
    check_time(5_000, 5_000, 10_000)
    with pytest.raises(ApiError, match="1000ms ahead"):
        check_time(11_000, 5_000, 10_000)
    with pytest.raises(ApiError, match="outside of the recvWindow"):
        check_time(4_999, 5_000, 10_000)


def test_signature_case_does_not_matter_but_one_digit_does() -> None:
    verifier = Verifier(KeyKind.HMAC, "s")
    signature = "00" * 32
    assert not verifier.check(b"a", signature)


def test_ed25519_and_rsa_keys_sign_rest_requests() -> None:
    private_rsa = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = private_rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    pairs = make_keys(1, 1, pem)
    bench = SimBench(users=pairs)
    by_kind = {pair.kind: pair for pair in pairs}
    bench.advance(1)
    query = f"timestamp={bench.now_ms}"
    ed = load_pem_private_key(by_kind[KeyKind.ED25519].secret.encode(), None)
    signatures = {
        KeyKind.ED25519: ed.sign(query.encode()),
        KeyKind.RSA: private_rsa.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256()),
    }
    for kind, raw in signatures.items():
        signature = quote(base64.b64encode(raw).decode(), safe="")
        for text, status in ((signature, 200), ("AAAA", 400)):
            request = Request(
                method="GET",
                path="/fapi/v3/balance",
                query=f"{query}&signature={text}",
                api_key=by_kind[kind].key,
            )
            assert bench.venue.request(request).status == status, kind


def test_requests_are_refused_by_key_signature_and_time(bench: SimBench) -> None:
    path = "/fapi/v3/balance"
    assert bench.venue.request(Request(method="GET", path=path)).status == 401
    unknown = bench.venue.request(Request(method="GET", path=path, api_key="nobody"))
    assert (unknown.status, b"-2015" in unknown.body) == (401, True)
    assert bench.code("GET", path, timestamp=bench.now_ms - 6_000) == -1021
    assert bench.code("GET", path, timestamp=bench.now_ms + 5_000) == -1021
    assert bench.ok("GET", path, timestamp=bench.now_ms - 6_000, recvWindow=10_000)
    bad = Request(method="GET", path=path, query=f"timestamp={bench.now_ms}&signature=00", api_key=bench.user.pair.key)
    assert b"-1022" in bench.venue.request(bad).body
    unsigned = Request(method="GET", path=path, query=f"timestamp={bench.now_ms}", api_key=bench.user.pair.key)
    assert b"-1102" in bench.venue.request(unsigned).body


def test_clock_offset_moves_server_time_and_the_timestamp_rule(bench: SimBench) -> None:
    bench.venue.clock_offset_ms = 9_000
    assert bench.get("/fapi/v1/time")["serverTime"] == bench.venue.exchange.now_ms + 9_000
    assert bench.code("GET", "/fapi/v3/balance") == -1021


def test_revoked_key_is_refused_everywhere(bench: SimBench) -> None:
    bench.user.is_revoked = True
    assert bench.code("GET", "/fapi/v3/balance") == -2015
    assert bench.ask(bench.ws(), "v2/account.balance")["error"]["code"] == -2015
