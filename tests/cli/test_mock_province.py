"""``lgsp mock province``: a whole province on this machine, wired to a real gateway, the same again for a seed."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.mocked.fate import Fate, fates
from gateway.cli.mocked.tally import Tally
from gateway.client.bus import Bus
from gateway.client.upload import Upload
from gateway.core.content import InMemory
from tests.cli.desk import ROOT, lgsp
from tests.cli.living import living
from tests.province import a_province

PLACES = {
    system["adapter"]: f"{agency['code']}/{system['name']}"
    for file in (ROOT / "deploy/mock-province/agencies").glob("*.toml")
    for agency in [tomllib.loads(file.read_text("utf-8"))]
    for system in agency["systems"]
}


class Mock:
    """The province in a process of its own, and what it told so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.told.extend(json.loads(line) for line in self.process.stdout)

    def until(self, is_so: Callable[[list[dict[str, Any]]], bool], seconds: float = 40) -> None:
        """Wait for what it will tell before long."""
        end = time.monotonic() + seconds
        while not is_so(list(self.told)):
            assert self.process.poll() is None, self.told[-5:]
            assert time.monotonic() < end, Counter((each["event"], each.get("system")) for each in self.told)
            time.sleep(0.05)


@contextmanager
def a_mock(*options: str | Path) -> Iterator[Mock]:
    command = [sys.executable, "-m", "gateway", "mock", "province", "--json", *map(str, options)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Mock(process)
        finally:
            process.terminate()
            assert process.wait(10) == 0


def short(*options: str | Path) -> list[dict[str, Any]]:
    """What a province tells that ends by itself."""
    ended = lgsp("mock", "province", "--json", *options)
    assert ended.status == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_a_whole_province_lives_at_a_real_gateway_behind_lines_that_are_bad(tmp_path: Path) -> None:
    folder = tmp_path / "tinh"
    line = "commune=offline:0.3,rate:512kbit,cut:40k,window:1s"
    with a_mock("--write", folder, "--seed", "7", "--every", "0.5", "--profile", line) as mock:
        mock.until(lambda told: any(each["event"] == "ready" for each in told))
        bus = next(each["bus"] for each in mock.told if each["event"] == "written")
        with living(folder, bus):

            def happened(told: list[dict[str, Any]]) -> bool:
                reached = {each["system"] for each in told if each["event"] in {"arrived", "fetched"}}
                sent = {each["system"] for each in told if each["event"] == "sent" and each["what"]}
                deeds = {each["what"] for each in told if each["event"] == "life"}
                return (
                    {"H33.01/onestop", "H33.01/app", "H33.07/onestop", "H33.16/dms", "H33.05/dms"} <= reached
                    and {"H33.07.03/dms", "H33.16/dms"} <= sent
                    and {"filed", "received", "worked-on", "issued", "handed-over", "returned", "over"} <= deeds
                )

            mock.until(happened)
            mock.process.terminate()
            mock.process.wait(10)
    (summary,) = [each for each in mock.told if each["event"] == "summary"]
    figures = summary["kinds"]
    assert all(line["doubled"] == 0 for line in figures.values()), figures
    assert {"dossier", "status", "step", "draft", "signing", "document", "file"} <= set(figures)
    assert figures["status"]["seen"] > 0
    listening = {each["name"]: each for each in mock.told if each["event"] == "listening"}
    assert set(PLACES) <= {*listening, *(each["name"] for each in mock.told if each["event"] == "left-out")}
    assert listening["dvcqg"]["url"].startswith("http://127.0.0.1:")


def test_a_province_that_was_written_before_is_wired_anew_and_keeps_its_keys(tmp_path: Path) -> None:
    folder = tmp_path / "tinh"
    first = short("--write", folder, "--only", "vnpost", "--for", "0")
    keys = {path: path.read_bytes() for path in (folder / "keys").rglob("*.pem")}
    again = short("--write", folder, "--only", "vnpost", "--for", "0")

    def one(told: list[dict[str, Any]], event: str) -> dict[str, Any]:
        return next(each for each in told if each["event"] == event)

    assert one(first, "written") == one(again, "written")
    assert one(again, "listening")["url"] in (folder / "agencies/H33.91.toml").read_text("utf-8")
    assert {path: path.read_bytes() for path in keys} == keys


def test_a_bad_line_stands_between_the_bus_and_who_is_behind_it(tmp_path: Path) -> None:
    told = short("--write", tmp_path / "tinh", "--only", "vnpost", "--profile", "vnpost=latency:10ms", "--for", "0")
    plain = short("--write", tmp_path / "other", "--only", "vnpost", "--for", "0")
    (line,) = [each["url"] for each in told if each["event"] == "listening"]
    (place,) = [each["url"] for each in plain if each["event"] == "listening"]
    assert line in (tmp_path / "tinh/agencies/H33.91.toml").read_text("utf-8")
    assert line.rpartition(":")[2].isdigit() == place.rpartition(":")[2].isdigit()


def test_the_same_seed_has_the_same_dossiers_and_another_seed_others() -> None:
    def drawn(seed: int) -> list[Fate]:
        return list(itertools.islice(fates(f"{seed} 1", {"portal", "counter", "district"}), 30))

    first = drawn(7)
    assert drawn(7) == first
    assert drawn(8) != first
    assert len({fate.code for fate in first}) == 30
    assert {fate.end for fate in first} == {"handed-over", "withdrawn", "returned"}
    assert {fate.origin for fate in first} == {"portal", "counter", "district"}


def test_without_a_portal_dossiers_are_filed_at_the_counter_and_without_an_office_nowhere() -> None:
    assert {fate.origin for fate in itertools.islice(fates("7 1", {"counter"}), 5)} == {"counter"}
    assert list(fates("7 1", set())) == []


def test_what_was_brought_is_counted_as_seen_missing_or_doubled() -> None:
    tally = Tally()
    for number, times in enumerate((0, 1, 3)):
        tally.bring("step", str(number), seen=lambda times=times: times)  # type: ignore[misc]
    tally.bring("order", "1")
    assert tally.count() == {
        "step": {"brought": 3, "taken": 3, "seen": 2, "missing": 1, "doubled": 2},
        "order": {"brought": 1, "taken": 1, "seen": 0, "missing": 0, "doubled": 0},
    }
    assert tally.missing() == ["step 0"]


def test_software_without_a_place_is_told_and_can_be_had() -> None:
    left = [each["name"] for each in short("--only", "vnpost", "--for", "0") if each["event"] == "left-out"]
    assert {"skeleton", "amqp", "webhook"} <= set(left)
    told = short("--with", "skeleton", "--only", "skeleton", "--for", "0")
    assert [each["system"] for each in told if each["event"] == "listening"] == ["H33.99/skeleton"]


@pytest.mark.parametrize(
    "fault", ["vnpost.slow=0.1", "vnpost.twice=true", "vnpost.number_status=1", "vnpost.refusal=99+98", "H33.91.lost=2"]
)
def test_faults_are_switched_on_by_name(fault: str) -> None:
    assert short("--only", "vnpost", "--fault", fault, "--for", "0")


def test_a_fault_of_one_call_may_be_scripted() -> None:
    assert short("--only", "dvcqg", "--fault", "dvcqg.DongBoHoSoMC=lost-reply", "--for", "0")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--fault", "vnpost.nothing=1"], "number_status"),
        (["--fault", "vnpost.slow=fast"], "0.0"),
        (["--fault", "nobody.slow=1"], "vnpost"),
        (["--profile", "nobody=rate:64kbit"], "vnpost"),
        (["--profile", "vnpost=rate:slow"], "rate:slow"),
    ],
)
def test_what_cannot_be_wished_for_is_refused_with_what_can(options: list[str], told: str) -> None:
    ended = lgsp("mock", "province", "--only", "vnpost", *options, "--for", "0")
    assert ended.status != 0
    assert told in ended.err


def test_a_province_that_was_not_made_for_trying_is_left_alone(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    ended = lgsp("mock", "province", "--write", folder, "--only", "vnpost", "--for", "0")
    assert ended.status != 0
    assert "--write" in ended.err
    assert (folder / "agencies/H33.05.toml").exists()


def test_people_are_told_in_their_language() -> None:
    assert "Không chạy: " in lgsp("mock", "province", "--only", "vnpost", "--for", "0").out
    assert "Left out: " in lgsp("--lang", "en", "mock", "province", "--only", "vnpost", "--for", "0").out


async def test_an_upload_that_cannot_begin_says_so() -> None:
    async with Bus.reach("http://127.0.0.1:1", within=0.2) as bus:
        upload = Upload(bus, "token", InMemory(b"scan"))
        assert not await upload.sent(tries=2, pause=0)
        assert upload.breaks == 2
