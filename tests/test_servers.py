"""The tests' own servers: fresh for each test, shared by all processes, killed and started again, gone at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aio_pika
import asyncpg  # type: ignore[import-untyped]
import pytest

from tests.servers import PrivatePostgres, Unavailable, packages
from tests.servers.rabbitmq import RabbitApi

ROOT = Path(__file__).resolve().parents[1]


async def test_each_test_has_a_database_of_its_own(postgres_url: str, postgres_server: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE kept (n int)")
    assert await connection.fetchval("SELECT current_database()") != postgres_server.rpartition("/")[2]
    await connection.close()


async def test_each_test_has_a_virtual_host_of_its_own(rabbit_url: str, rabbit_api: RabbitApi) -> None:
    connection = await aio_pika.connect(rabbit_url)
    channel = await connection.channel()
    await channel.declare_queue("kept")
    assert set(rabbit_api.queues(rabbit_url.rpartition("/")[2])) == {"kept"}
    await connection.close()


async def test_a_killed_server_starts_again_with_what_it_had_promised() -> None:
    with PrivatePostgres() as server:
        connection = await asyncpg.connect(server.url)
        await connection.execute("CREATE TABLE kept (n int)")
        server.kill()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")
        connection.terminate()

        server.start()
        again = await asyncpg.connect(server.url)
        assert await again.fetchval("SELECT count(*) FROM kept") == 0
        server.pause()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await again.fetchval("SELECT 1")
        server.resume()
        again.terminate()
    assert not server.folder.exists()


def test_however_a_run_ends_its_servers_end_with_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import os, time\ndef test_x(postgres_server):\n    print(os.environ['LGSP_TEST_RUN'], flush=True)\n"
        "    print(postgres_server, flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "pytest", "-s", "-p", "tests.conftest", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LGSP_TEST_")}
    run = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, env={**environment, "PYTHONPATH": str(ROOT)}, text=True
    )
    assert run.stdout is not None
    with run.stdout:
        folder = next(line for line in run.stdout if "lgsp-run" in line)
        url = next(line for line in run.stdout if "postgresql://" in line)
        run.send_signal(signal.SIGKILL)
        run.wait(10)

    end = time.monotonic() + 10
    while _serves(url.split()[-1]) or Path(folder.split()[-1]).exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def a_program(path: Path, text: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_of_several_versions_the_newest_is_used(tmp_path: Path) -> None:
    a_program(tmp_path / "9" / "bin" / "served")
    newest = a_program(tmp_path / "15" / "bin" / "served")
    assert packages.binary("served", "served", f"{tmp_path}/*/bin") == newest


def test_what_is_missing_is_installed_where_we_may_without_starting_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, policy = tmp_path / "bin" / "served", tmp_path / "policy-rc.d"
    a_program(
        tmp_path / "apt" / "apt-get",
        f'echo "$@" >> {tmp_path}/asked; [ -x {policy} ] && ! {policy} && cp "$0" {served}',
    )
    served.parent.mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/apt:{os.environ['PATH']}")
    monkeypatch.setattr(packages, "_POLICY", policy)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert packages.binary("served", "served-server", f"{tmp_path}/bin") == served
    update, install = (tmp_path / "asked").read_text().splitlines()
    assert "update" in update
    assert install.endswith("served-server")
    assert not policy.exists()


def test_what_is_missing_and_cannot_be_installed_is_told_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match="served-server"):
        packages.binary("served", "served-server", f"{tmp_path}/bin")


def _serves(url: str) -> bool:
    port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.socket() as looking:
        return looking.connect_ex(("127.0.0.1", port)) == 0
