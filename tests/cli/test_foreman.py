"""``lgsp serve --workers``: what people, service managers and scrapers meet at a gateway of several processes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.api.door import open_door
from gateway.cli.foreman import Foreman
from tests.cli.desk import ROOT, choose_port, lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.cluster.fleet import is_alive, workers_of
from tests.province import a_province

WORKERS = ("-m", "gateway", "-C", "{folder}", "serve", "--workers", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = a_province(tmp_path / "tinh")
    assert lgsp("-C", folder, "apply").status == 0
    return folder


@pytest.fixture
def crew(folder: Path) -> Iterator[Living]:
    """A gateway of two workers, both at work."""
    with living(folder, at_a_free_port(folder), command=WORKERS) as alive:
        until(lambda: "".join(alive.log).count('"gateway.started"') == 2)
        yield alive


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def metrics(alive: Living) -> str:
    with urllib.request.urlopen(f"{alive.url}/metrics", timeout=10) as answer:  # noqa: S310 - our own gateway
        return str(answer.read(), "utf-8")


def test_the_figures_of_all_workers_are_told_whoever_is_asked_and_all_end_when_told_to(crew: Living) -> None:
    workers = workers_of(crew.pid)
    where_they_meet = Path(Path(f"/proc/{workers[0]}/cmdline").read_text("utf-8").split("\0")[-2])
    assert where_they_meet.stat().st_mode & 0o077 == 0, "nobody else reaches them"
    for _ in range(2):
        told = metrics(crew)
        assert sorted(re.findall(r'process_resident_memory_bytes{worker="(\d)"}', told)) == ["1", "2"]
        assert told.count("# TYPE lgsp_requests_total counter") == 1
    crew.process.terminate()
    assert crew.process.wait(20) == 0
    assert not any(map(is_alive, workers))
    assert not where_they_meet.exists()


def test_workers_whose_foreman_is_killed_end_and_give_the_port_back(crew: Living) -> None:
    workers = workers_of(crew.pid)
    crew.kill()
    until(lambda: not any(map(is_alive, workers)))
    with socket.create_server(("127.0.0.1", int(crew.url.rpartition(":")[2]))):
        pass


def test_a_new_worker_that_cannot_start_leaves_the_old_ones_at_work(crew: Living, folder: Path) -> None:
    before = workers_of(crew.pid)
    (folder / "keys/webhook.pem").unlink()
    os.kill(crew.pid, signal.SIGHUP)
    until(lambda: '"worker.not-renewed"' in "".join(crew.log))
    assert workers_of(crew.pid) == before
    assert crew.ask("/health/ready")[0] == 200


async def test_a_worker_that_stands_still_is_ended_and_replaced(tmp_path: Path) -> None:
    ready_and_silent = (
        "import socket, sys, time; place = sys.argv.index('--seat');"
        "socket.socket(fileno=int(sys.argv[place + 3])).send(b'READY=1\\n');"
        "open(sys.argv[place + 4] + '/lives', 'a').write('x'); time.sleep(60)"
    )
    said: list[str] = []
    with open_door("127.0.0.1", 0) as door:
        foreman = Foreman(1, (sys.executable, "-c", ready_and_silent), door, tmp_path, said.append, {}, patience=0.3)
        running = asyncio.create_task(foreman.run())
        async with asyncio.timeout(20):
            while not (tmp_path / "lives").exists() or len((tmp_path / "lives").read_text("ascii")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == 1, "a worker that does not end in good order is told"
    assert said == ["READY=1", "STOPPING=1"]


async def test_a_worker_that_dies_while_others_are_renewed_is_replaced_once(tmp_path: Path) -> None:
    ready_after_a_moment = (
        "import os, socket, sys, time; place = sys.argv.index('--seat');"
        "open(sys.argv[place + 4] + '/lives', 'a').write(f'{sys.argv[place + 1]} {os.getpid()}\\n'); time.sleep(0.5);"
        "socket.socket(fileno=int(sys.argv[place + 3])).send(b'READY=1\\n'); time.sleep(60)"
    )

    async def lives(count: int) -> list[list[str]]:
        found: list[list[str]] = []
        while len(found) < count:
            await asyncio.sleep(0.02)
            if (tmp_path / "lives").exists():
                found = [line.split() for line in (tmp_path / "lives").read_text("ascii").splitlines()]
        return found

    with open_door("127.0.0.1", 0) as door, capture_logs() as said:
        foreman = Foreman(2, (sys.executable, "-c", ready_after_a_moment), door, tmp_path, lambda _: None, {})
        running = asyncio.create_task(foreman.run())
        async with asyncio.timeout(20):
            second = (await lives(2))[1]
            await foreman._workers[2].is_ready.wait()
            os.kill(os.getpid(), signal.SIGHUP)
            await lives(3)
            os.kill(int(second[1]), signal.SIGKILL)
            while not any(line["event"] == "workers.renewed" for line in said):  # noqa: ASYNC110 - a plain list
                await asyncio.sleep(0.02)
        at_work = len(foreman._workers.keys() | foreman._resting.keys())
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert at_work == 2


async def test_a_worker_that_could_not_be_started_for_a_while_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cli.foreman._LONGEST_REST", 0.05)
    program, lives = tmp_path / "worker", tmp_path / "lives"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, socket, sys, time; place = sys.argv.index('--seat')\n"
        "open(sys.argv[place + 4] + '/lives', 'a').write(f'{os.getpid()} ')\n"
        "socket.socket(fileno=int(sys.argv[place + 3])).send(b'READY=1\\n'); time.sleep(60)\n",
        "ascii",
    )
    program.chmod(0o700)

    def told(event: str) -> int:
        return sum(line["event"] == event for line in said)

    with open_door("127.0.0.1", 0) as door, capture_logs() as said:
        foreman = Foreman(1, (str(program),), door, tmp_path, lambda _: None, {})
        running = asyncio.create_task(foreman.run())
        async with asyncio.timeout(20):
            while not foreman._is_begun:  # noqa: ASYNC110 - a plain flag
                await asyncio.sleep(0.02)
            program.rename(tmp_path / "away")
            os.kill(os.getpid(), signal.SIGHUP)
            while not told("worker.not-renewed"):  # noqa: ASYNC110 - a plain list
                await asyncio.sleep(0.02)
            os.kill(int(lives.read_text("ascii")), signal.SIGKILL)
            while told("worker.not-started") < 2:  # noqa: ASYNC110 - a plain list
                await asyncio.sleep(0.02)
            (tmp_path / "away").rename(program)
            while len(lives.read_text("ascii").split()) < 2:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)
        await running


def serve(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(each.format(folder=folder) for each in WORKERS)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_taken_port_is_one_message(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        choose_port(folder, taken.getsockname()[1])
        shown = serve(folder)
    assert shown.returncode == 1
    assert shown.stderr.count("✗") == 1
    assert "gateway.listen" in shown.stderr


def test_what_keeps_a_worker_from_starting_is_told_once_and_nothing_goes_on(folder: Path) -> None:
    at_a_free_port(folder)
    (folder / "keys/webhook.pem").unlink()
    shown = serve(folder)
    assert shown.returncode == 1
    assert shown.stderr.count("✗") == 1
    assert "keys/webhook.pem" in shown.stderr


def test_the_manager_hears_ready_signs_of_life_and_stopping_from_the_foreman(folder: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with living(folder, at_a_free_port(folder), command=WORKERS, environ=environ):
            heard = [manager.recv(100)]
            while b"READY=1" not in heard:
                heard.append(manager.recv(100))
            heard += [manager.recv(100) for _ in range(10)]
        manager.settimeout(1)
        while heard[-1] != b"STOPPING=1":
            heard.append(manager.recv(100))
    assert heard.count(b"READY=1") == 1
    assert heard.count(b"WATCHDOG=1") >= 10
    assert heard.count(b"STOPPING=1") == 1
