"""``lgsp doctor`` asks the systems from which the bus collects, takes nothing, and says who must do what."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.vdxp import stand_in
from gateway.cli.doctor import collecting, destinations
from gateway.config.settings import read_settings
from gateway.core.directory import System
from gateway.trust.keyring import Keyring
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.cli.test_doctor import answering, findings
from tests.province import a_province, write

AXIS = "H33.20/axis"
WHERE = f"{AXIS} (vdxp)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = a_province(tmp_path / "tinh")
    at_a_free_port(folder)
    return folder


def connect(folder: Path, url: str, adapter: str = "vdxp", **settings: Any) -> None:
    """Register a line to the axis."""
    chosen = {"url": url, "system_id": stand_in.SYSTEM, "secret_file": stand_in.SECRET_FILE, **settings}
    write(folder, "agencies/H33.20.toml", (
        'code = "H33.20"\nname = "Trung tâm"\nparent = "H33"\n[[systems]]\nname = "axis"\n'
        f'adapter = "{adapter}"\nsealing = "gateway"\nkey = "keys/H33.20-axis.pem"\n[systems.settings]\n'
        + "".join(f"{name} = {json.dumps(value)}\n" for name, value in chosen.items())
    ))  # fmt: skip
    applied = lgsp("-C", folder, "apply")
    assert applied.status == 0, applied.err


def about_the_axis(folder: Path, *options: str) -> list[dict[str, Any]]:
    """What is said of asking it, good or bad."""
    shown = lgsp("-C", folder, "doctor", "--json", *options)
    return [each for each in shown.json["findings"] if each["where"] == WHERE]


def files_in(folder: Path) -> list[Path]:
    """Every file and folder but the database's own."""
    return sorted(path for path in folder.rglob("*") if "lgsp.db" not in path.name)


async def test_an_axis_that_can_be_asked_is_in_order_and_keeps_what_waits(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    async with stand_in.agency(folder) as axis:
        # Larger than what stays in memory on its way.
        axis.put(stand_in.a_letter(7, files={"7.pdf": "JVBERi0x" * 80_000}), "G22")
        waiting = await axis.waiting()
        await asyncio.to_thread(connect, folder, axis.url, poll_seconds=60)
        before = files_in(folder)
        found = await asyncio.to_thread(about_the_axis, folder)
        assert await axis.waiting() == waiting
        assert len(waiting) == 1
    assert [each["severity"] for each in found] == ["ok"]
    assert files_in(folder) == before
    assert files_in(scratch) == []


async def test_a_gateway_that_runs_is_not_in_the_way(folder: Path) -> None:
    async with stand_in.agency(folder) as axis:
        await asyncio.to_thread(connect, folder, axis.url)
        settings = read_settings(folder)
        with living(folder, f"http://{settings.host}:{settings.port}"):
            found = await asyncio.to_thread(about_the_axis, folder)
    assert [each["severity"] for each in found] == ["ok"]


async def test_a_wrong_path_at_an_axis_that_lives_is_told(folder: Path) -> None:
    async with stand_in.agency(folder) as axis:
        await asyncio.to_thread(connect, folder, axis.url.replace("/XrdAdapter/adapter", "/no/such/place"))
        (found,) = await asyncio.to_thread(about_the_axis, folder)
    assert found["severity"] == "error"
    assert AXIS in found["do"]["vi"]
    assert "The administrator checks url" in found["do"]["en"]


async def test_a_secret_that_the_axis_does_not_know_is_told_and_not_shown(folder: Path) -> None:
    async with stand_in.agency(folder) as axis:
        write(folder, stand_in.SECRET_FILE, "x9y-another\n")
        await asyncio.to_thread(connect, folder, axis.url)
        (found,) = await asyncio.to_thread(about_the_axis, folder)
    assert found["severity"] == "error"
    assert "x9y" not in json.dumps(found)


def test_an_axis_that_is_not_there_is_told(folder: Path) -> None:
    write(folder, stand_in.SECRET_FILE, "made up\n")
    connect(folder, "http://127.0.0.1:9/XrdAdapter/adapter")
    found = [each for each in findings(folder, "destinations", "--active") if each["where"] == WHERE]
    assert [each["severity"] for each in found] == ["error"]
    assert "no connection" in found[0]["what"]["en"]
    assert AXIS in found[0]["do"]["vi"]


def test_without_active_tests_the_axis_is_not_asked(folder: Path) -> None:
    write(folder, stand_in.SECRET_FILE, "made up\n")
    with answering(200) as (url, asked):
        connect(folder, url)
        assert about_the_axis(folder, "--passive") == []
        assert asked == []


def test_a_secret_file_that_is_missing_is_told(folder: Path) -> None:
    with answering(200) as (url, _):
        write(folder, stand_in.SECRET_FILE, "made up\n")
        connect(folder, url)
        (folder / stand_in.SECRET_FILE).unlink()
        (found,) = about_the_axis(folder)
    assert "the secret of the axis cannot be read: No such file or directory" in found["what"]["en"]


def test_an_axis_that_says_nothing_is_not_waited_for_long(folder: Path) -> None:
    write(folder, stand_in.SECRET_FILE, "made up\n")
    settings = read_settings(folder)
    ring = Keyring.read(settings)

    async def work() -> Any:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        chosen = {"url": f"http://127.0.0.1:{port}", "system_id": "a", "secret_file": stand_in.SECRET_FILE}
        systems = [System(f"H33.{n}/axis", f"H33.{n}", "vdxp", settings=chosen) for n in range(4)]
        begun = time.monotonic()
        found = await collecting.on_collecting(settings, ring, systems, limit=0.3)
        took = time.monotonic() - begun
        server.close()
        return found, took

    found, took = asyncio.run(work())
    assert [each.severity for each in found] == ["warning"] * 4
    assert "0.3 seconds" in found[0].what.en
    assert took < 3


def test_a_provinces_own_adapter_that_breaks_is_told_by_its_name_alone(folder: Path) -> None:
    write(folder, "bridges/broken/settings.schema.json", '{"type": "object"}')
    write(folder, "bridges/broken/adapter.py", (
        'MODE = "push"\nCOLLECTS = True\n\n\ndef open_adapter(context):\n    raise RuntimeError("password x9y")\n'
    ))  # fmt: skip
    settings = read_settings(folder)
    object.__setattr__(settings, "adapter_folders", (folder / "bridges",))
    system = System("H33.20/own", "H33.20", "broken")
    (found,) = asyncio.run(collecting.on_collecting(settings, Keyring.read(settings), [system]))
    assert (found.severity, found.where) == ("error", "H33.20/own (broken)")
    assert found.what.en.endswith(": RuntimeError")


def shared(outbox: str, inbox: str) -> System:
    return System("H33.20/dms", "H33.20", "edxml_folder", settings={"outbox": outbox, "inbox": inbox})


def test_folders_of_an_agency_are_looked_at_and_its_adapter_is_not_asked(folder: Path) -> None:
    settings = read_settings(folder)
    (folder / "qlvb/di").mkdir(parents=True)
    write(folder, "qlvb/den", "a file")
    system = shared("qlvb/di", "qlvb/den")
    good, bad = destinations.on_folders(settings, [system])
    assert (good.severity, bad.severity) == ("ok", "error")
    assert bad.where == "H33.20/dms inbox: qlvb/den"
    assert asyncio.run(collecting.on_collecting(settings, Keyring.read(settings), [system])) == []


def test_a_share_that_fails_is_told_and_does_not_end_the_examination(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(path: object) -> Any:
        raise OSError(116, "Stale file handle", str(path))

    monkeypatch.setattr(os, "scandir", stale)
    found = destinations.on_folders(read_settings(folder), [shared("di", "den")])
    assert [(each.severity, each.what.en) for each in found] == [
        ("error", "The folder cannot be used (Stale file handle)")
    ] * 2


def test_a_share_that_hangs_is_told_in_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    scandir = os.scandir

    def hanging(path: Any) -> Any:
        if Path(path).name == "di":
            release.wait(30)
        return scandir(path)

    (folder / "di").mkdir()
    (folder / "den").mkdir()
    monkeypatch.setattr(os, "scandir", hanging)
    begun = time.monotonic()
    found = destinations.on_folders(read_settings(folder), [shared("di", "den")], limit=0.2)
    took = time.monotonic() - begun
    release.set()
    assert [each.severity for each in found] == ["error", "ok"]
    assert found[0].what.en == "No answer within 0.2 seconds"
    assert took < 2
