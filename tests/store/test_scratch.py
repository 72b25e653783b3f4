"""Files on their way through the gateway: small ones in memory, large ones on disk, none left behind."""

from __future__ import annotations

import gc
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.content import InMemory, pieces
from gateway.core.faults import TransientFailure
from gateway.store.scratch import SMALL, Scratch, ScratchFile

LEAVE = """
import os, sys
from pathlib import Path
from gateway.store.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
sink = scratch.sink()
sink.write(bytes(1 << 20))
kept = sink.done()
print("there", flush=True)
sys.stdin.readline()
os._exit(9)
"""


def kept(scratch: Scratch, *parts: bytes) -> ScratchFile:
    sink = scratch.sink()
    for part in parts:
        sink.write(part)
    return sink.done()


def on_disk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@given(sizes=st.lists(st.integers(0, 200_000), max_size=6))
def test_what_was_written_is_read_as_often_as_one_likes(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]
    file = kept(Scratch(tmp_path_factory.mktemp("scratch")), *parts)
    data = b"".join(parts)
    assert [b"".join(pieces(file)) for _ in range(2)] == [data, data]
    assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert file == InMemory(data)


def test_a_small_file_never_touches_the_disk(tmp_path: Path) -> None:
    file = kept(Scratch(tmp_path / "scratch"), bytes(SMALL))
    assert file.size == SMALL
    assert not (tmp_path / "scratch").exists()


def test_a_large_file_is_its_owners_alone_and_goes_with_whoever_held_it(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    file = kept(scratch, bytes(SMALL), b"x")
    (path,) = on_disk(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with file.open() as reader:
        del file
        gc.collect()
        assert on_disk(tmp_path) == []
        assert len(reader.read()) == SMALL + 1


def test_a_sink_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    sink = scratch.sink()
    sink.write(bytes(SMALL + 1))
    assert len(on_disk(tmp_path)) == 1
    del sink
    gc.collect()
    assert on_disk(tmp_path) == []


def test_small_files_go_to_the_disk_when_memory_has_enough_of_them(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, in_memory=250)
    files = [kept(scratch, bytes(100)) for _ in range(4)]
    assert len(on_disk(tmp_path)) == 2
    del files
    gc.collect()
    assert on_disk(tmp_path) == []
    again = [kept(scratch, bytes(100)) for _ in range(2)]
    assert on_disk(tmp_path) == []
    assert len(again) == 2


def test_more_than_the_disk_may_hold_has_to_wait(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, in_memory=0, on_disk=1000)
    first = kept(scratch, bytes(600))
    with pytest.raises(TransientFailure, match="waits for its turn"):
        kept(scratch, bytes(300), bytes(300))
    gc.collect()
    assert len(on_disk(tmp_path)) == 1
    del first
    gc.collect()
    assert kept(scratch, bytes(900)).size == 900


def test_a_disk_that_fails_is_a_temporary_failure_that_names_no_path(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_bytes(b"in the way")
    with pytest.raises(TransientFailure, match="own disk fails") as failure:
        kept(Scratch(tmp_path / "scratch"), bytes(SMALL + 1))
    assert str(tmp_path) not in str(failure.value)


def test_what_a_killed_process_left_goes_at_the_next_start_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEAVE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"there\n"
        Scratch(tmp_path)
        assert len(on_disk(tmp_path)) == 1
        other.stdin.write(b"\n")
        other.stdin.close()
        other.wait(10)
    assert len(on_disk(tmp_path)) == 1
    Scratch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_as_it_should_leaves_nothing(tmp_path: Path) -> None:
    orderly = LEAVE.replace("sys.stdin.readline()\nos._exit(9)\n", "")
    subprocess.run([sys.executable, "-c", orderly, str(tmp_path)], check=True, timeout=20, stdout=subprocess.PIPE)
    assert list(tmp_path.iterdir()) == []
