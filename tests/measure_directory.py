"""What a country of agencies costs a gateway: seconds until it listens, memory, one look-up, one search.

Run it with ``python -m tests.measure_directory [ENTRIES]``. Everything is real: a province folder, the command line,
a gateway as a process of its own; each start is measured several times, with and without the list, by turns. Not part
of the suite.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.core.address_book import AddressBook
from gateway.core.agency_list import AgencyList, Entry
from gateway.core.directory import Directory
from tests.outside.province import GATEWAY, Province, wants

ENTRIES = 120_000
TURNS = 5
_KINDS = ("Sở Tài chính", "Uỷ ban nhân dân xã", "Trường Trung học cơ sở", "Trạm Y tế phường", "Chi cục Thuế khu vực")
_QUESTIONS = ("uy ban nhan dan xa", "truong trung hoc co so so 11999", "tram y te 104", "h27.05", "khong co ai", "")


def country(count: int) -> Iterator[Entry]:
    """So many agencies below 63 provinces, each with its code of before, all carried by one line."""
    for n in range(count):
        province, department, unit = n % 63 + 1, n // 63 % 100, n // 6300
        parent = f"H{province:02}.{department:02}"
        yield Entry(
            f"{parent}.{unit:03}", f"{_KINDS[n % 5]} số {n} tỉnh thứ {province}", "commune", parent,
            (f"{unit:03}.00.{department:02}.H{province:02}",), "H33.14/axis",
        )  # fmt: skip


def as_csv(entries: Iterator[Entry]) -> str:
    """The file that an operator would import."""
    lines = [f"{each.code},{each.name},{each.parent},{each.level},{' '.join(each.aliases)}" for each in entries]
    return "\n".join(["code,name,parent,level,aliases", *lines]) + "\n"


def a_province(folder: Path) -> Province:
    """One department that may send, and a line to the axis."""
    made = Province(folder)
    made.contract("note.made")
    made.one("H33.05/dms")
    made.one("H33.14/axis", wants("note.made/1.0"))
    made.agreement()
    made.apply()
    return made


def megabytes(pid: int) -> float:
    """The memory that is a process's own."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) / 1024


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def started(province: Province) -> tuple[float, float, float]:
    """Seconds from the start of the process until it is ready, those of the processor, and megabytes then."""
    began = time.monotonic()
    province.serve()
    took, used = time.monotonic() - began, processor_seconds(province.pid)
    time.sleep(2)  # what starting leaves behind is let go
    size = megabytes(province.pid)
    province.stop()
    return took, used, size


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(count: int, folder: Path) -> None:
    """Print the figures."""
    plain, full = a_province(folder / "plain"), a_province(folder / "full")
    file = folder / "country.csv"
    file.write_text(as_csv(country(count)), encoding="utf-8")
    began = time.monotonic()
    full.run("directory", "import", file, "--source", "country", "--via", "H33.14/axis")
    imported = time.monotonic() - began
    full.run("directory", "approve", 1, "--reason", "đo")
    _say(f"{count} entries, a file of {file.stat().st_size / 1e6:.1f} MB: proposed in {imported:.1f} s")

    without, with_list = [], []
    for _ in range(TURNS):
        without.append(started(plain))
        with_list.append(started(full))
    seconds = [statistics.median(each[0] for each in runs) for runs in (without, with_list)]
    used = [statistics.median(each[1] for each in runs) for runs in (without, with_list)]
    memory = [statistics.median(each[2] for each in runs) for runs in (without, with_list)]
    _say(f"ready after {seconds[0]:.2f} s without, {seconds[1]:.2f} s with the list: {seconds[1] - seconds[0]:+.2f} s")
    _say(f"of the processor {used[0]:.2f} s without, {used[1]:.2f} s with the list: {used[1] - used[0]:+.2f} s")
    _say(f"memory {memory[0]:.1f} MB without, {memory[1]:.1f} MB with the list: {memory[1] - memory[0]:+.1f} MB")

    full.serve()
    sender = full.seats["H33.05/dms"]
    token = sender.token
    for question in _QUESTIONS:
        path = f"/v1/agencies?q={question.replace(' ', '+')}"
        full.bus.get(path, token)
        began = time.perf_counter()
        found = full.bus.get(path, token).json["agencies"]
        _say(f"GET {path}: {len(found)} found, {(time.perf_counter() - began) * 1000:.1f} ms over HTTP")
    some = " ".join(each.code for _, each in zip(range(20), country(count), strict=False))
    began = time.perf_counter()
    answer = sender.bus.send(sender.who.seal(sender.event(some)))
    _say(f"sent to 20 of them by one carrier: {answer.status}, {(time.perf_counter() - began) * 1000:.1f} ms over HTTP")
    _say(f"memory after that {megabytes(full.pid):.1f} MB")
    full.stop()
    in_process(count)


def in_process(count: int) -> None:
    """Loading, searches and look-ups without a process around them, in seconds of the processor."""
    packed = AgencyList.of("country", country(count)).pack()
    began = time.process_time()
    listed = AgencyList.unpack("country", packed)
    _say(f"{len(packed) / 1e6:.1f} MB packed, loaded in {(time.process_time() - began) * 1000:.0f} ms")
    book = AddressBook.of(Directory([], [], gateway=GATEWAY, lists=[listed]))
    for question in _QUESTIONS:
        began = time.process_time()
        book.search(question, limit=50)
        _say(f"search {question!r}: {(time.process_time() - began) * 1000:.1f} ms")
    chosen = random.Random(1).sample(list(listed.entries()), 2000)
    for name, asked in (("code", [e.code for e in chosen]), ("alias", [e.aliases[0] for e in chosen])):
        known = Directory([], [], gateway=GATEWAY, lists=[listed])
        for turn in ("first", "again"):
            began = time.process_time()
            for each in asked:
                known.agency(each)
            _say(f"agency by {name}, {turn}: {(time.process_time() - began) / len(asked) * 1e6:.1f} µs")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES, Path(place))
