"""What a service manager hears of ``lgsp serve``, and what the operator's book tells people to type."""

from __future__ import annotations

import configparser
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.manager import heartbeat, messenger
from tests.cli.desk import ROOT, lgsp
from tests.cli.living import at_a_free_port, living
from tests.province import a_province


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(10)
        yield line


def test_the_manager_hears_ready_then_signs_of_life_then_stopping(manager: socket.socket, tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    url = at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    with living(folder, url, environ={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}):
        assert manager.recv(100) == b"READY=1"
        assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    said: list[bytes] = []
    manager.settimeout(1)
    while not said or said[-1] != b"STOPPING=1":
        said.append(manager.recv(100))
    assert set(said) <= {b"WATCHDOG=1", b"STOPPING=1"}


def test_an_abstract_socket_is_one_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind("\0lgsp-test-manager")
        line.settimeout(5)
        messenger({"NOTIFY_SOCKET": "@lgsp-test-manager"})("READY=1")
        assert line.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nobody/listens/here"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    messenger({"NOTIFY_SOCKET": address})("READY=1")
    messenger({})("READY=1")


@pytest.mark.parametrize(
    ("told", "seconds"), [("60000000", 30.0), ("200000", 0.1), ("0", None), ("", None), ("soon", None)]
)
def test_a_sign_of_life_comes_twice_in_the_time_allowed(told: str, seconds: float | None) -> None:
    assert heartbeat({"WATCHDOG_USEC": told}) == seconds


def test_the_unit_starts_serve_waits_for_ready_and_may_write_into_its_own_folder_alone() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # the way configparser is told to keep case
    unit.read(ROOT / "deploy/single/lgsp.service")
    service = unit["Service"]
    assert (service["Type"], service["User"]) == ("notify", "lgsp")
    assert service["ExecStart"].split()[-1] == "serve"
    assert int(service["TimeoutStopSec"]) > 15, "the gateway drains within 15 seconds"
    assert service["ReadWritePaths"] == "/var/lib/lgsp"
    assert (service["ProtectSystem"], service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == (
        "strict", "yes", "",
    )  # fmt: skip
