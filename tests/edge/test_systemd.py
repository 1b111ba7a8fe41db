import socket

import pytest

from cart.edge.systemd import Notifier


@pytest.fixture
def systemd(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def test_systemd_hears_the_life_of_the_service(systemd):
    notifier = Notifier(systemd.getsockname())
    notifier.ready("weighing")
    notifier.alive()
    notifier.stopping()
    assert [systemd.recv(200) for _ in range(3)] == [b"READY=1\nSTATUS=weighing", b"WATCHDOG=1", b"STOPPING=1"]


def test_the_address_comes_from_the_environment(systemd, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.getsockname())
    Notifier().alive()
    assert systemd.recv(200) == b"WATCHDOG=1"


def test_an_abstract_address_works():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # the kernel picks a free abstract name
        listener.settimeout(5)
        Notifier("@" + listener.getsockname()[1:].decode()).alive()
        assert listener.recv(200) == b"WATCHDOG=1"


def test_without_systemd_it_is_silent(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready("nobody listens")


def test_a_dead_or_full_socket_never_holds_up_the_loop(systemd, tmp_path):
    Notifier(str(tmp_path / "gone")).alive()
    notifier = Notifier(systemd.getsockname())
    for _ in range(5_000):  # far more than the socket's buffer holds
        notifier.alive()
