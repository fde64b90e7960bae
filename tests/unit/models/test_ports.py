"""Ports of test services: a stack asks for several before it listens on the first."""

import socket

import pytest
from models import ports


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_untried", ports.shuffled())  # the run's own are left for its stacks
    given = [ports.free_port() for _ in range(500)]
    assert len(set(given)) == len(given)


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port := ports.free_port()))
        taken.listen()
        monkeypatch.setattr(ports, "_untried", [*range(port + 1, port + 50), port])
        assert ports.free_port() != port


def test_that_no_port_is_left_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_untried", [])
    with pytest.raises(AssertionError, match="no port is left between"):
        ports.free_port()
