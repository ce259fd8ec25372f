"""A server that comes back finds its port free: nobody was lent it meanwhile."""

import socket

import pytest

from streams.broker import ports


def test_no_port_is_one_that_connections_are_lent() -> None:
    found = ports.free(50)

    assert len(set(found)) == 50
    assert not set(found) & set(ports.lent())


def test_what_connections_are_lent_is_what_the_system_says() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as lent:
        assert lent.getsockname()[1] in ports.lent()


def test_a_port_that_somebody_has_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not ports.is_free(server.getsockname()[1])


def test_where_nothing_is_free_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: False)

    with pytest.raises(OSError, match="free"):
        ports.free(2)
