"""The promises of ``ports.Spool``: bytes by their digest, kept once, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from gateway.core.faults import Busy, Rejected
from gateway.ports import Spool
from gateway.store.bucket import Bucket, Place
from gateway.store.files import ABANDONED, Files
from tests.servers.bucket import REGION, PrivateBucket


async def a_stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def broken(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ConnectionResetError("the line was cut")


def held(spool: Spool, sha256: str) -> bytes:
    with spool.open(sha256) as file:
        return file.read()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class SpoolSuite:
    """Every promise; a backend adds how to make its spool and what lies in it."""

    def new_spool(self, folder: Path) -> Spool:
        raise LookupError("the test class of a backend makes the spool")

    @pytest.fixture
    def spool(self, tmp_path: Path) -> Spool:
        return self.new_spool(tmp_path / "files")

    async def test_a_stream_is_kept_under_its_digest(self, spool: Spool) -> None:
        content = os.urandom(700_000)
        sha256 = hashlib.sha256(content).hexdigest()

        assert not spool.is_present(sha256)
        assert await spool.put(a_stream(content[:3], content[3:400_000], content[400_000:]), limit=700_000) == (
            sha256,
            len(content),
        )

        assert spool.is_present(sha256)
        assert held(spool, sha256) == content

    async def test_nothing_at_all_is_a_file_too(self, spool: Spool) -> None:
        assert await spool.put(a_stream(), limit=0) == (hashlib.sha256().hexdigest(), 0)
        assert spool.is_present(hashlib.sha256().hexdigest())

    async def test_the_same_bytes_are_kept_once(self, spool: Spool, tmp_path: Path) -> None:
        await asyncio.gather(*(spool.put(a_stream(b"twice"), limit=10) for _ in range(5)))

        assert len(files_in(tmp_path)) == 1

    @pytest.mark.parametrize("chunks", [[b"12345", b"6"], [b"x" * 300_000] * 2])
    async def test_one_byte_over_the_limit_is_too_large_and_leaves_nothing(
        self, spool: Spool, tmp_path: Path, chunks: list[bytes]
    ) -> None:
        with pytest.raises(Rejected) as refused:
            await spool.put(a_stream(*chunks), limit=sum(map(len, chunks)) - 1)

        assert refused.value.problem == "too-large"
        assert files_in(tmp_path) == []

    async def test_a_stream_that_breaks_off_leaves_nothing(self, spool: Spool, tmp_path: Path) -> None:
        with pytest.raises(ConnectionResetError):
            await spool.put(broken([b"x" * 300_000, b"y"]), limit=1_000_000)

        assert files_in(tmp_path) == []

    async def test_a_caller_that_is_cancelled_leaves_nothing(self, spool: Spool, tmp_path: Path) -> None:
        is_waiting = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x" * 300_000
            is_waiting.set()
            await asyncio.Event().wait()

        putting = asyncio.create_task(spool.put(endless(), limit=1_000_000))
        await is_waiting.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting

        assert files_in(tmp_path) == []

    async def test_a_whole_file_is_adopted_as_it_is_and_stays_where_it_was(self, spool: Spool, tmp_path: Path) -> None:
        content = os.urandom(700_000)
        whole = tmp_path / "whole"
        whole.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()

        for _ in range(2):
            await spool.adopt(whole, sha256)
            assert held(spool, sha256) == whole.read_bytes() == content

        assert len(files_in(tmp_path)) == 2
        whole.unlink()
        assert held(spool, sha256) == content
        assert await spool.put(a_stream(content), limit=700_000) == (sha256, len(content))

    async def test_a_file_that_is_not_there_is_not_adopted(self, spool: Spool, tmp_path: Path) -> None:
        with pytest.raises(Busy):
            await spool.adopt(tmp_path / "absent", "0" * 64)

        assert files_in(tmp_path) == []

    async def test_what_is_removed_is_gone_and_may_come_again(self, spool: Spool) -> None:
        sha256, _ = await spool.put(a_stream(b"once"), limit=10)

        spool.remove(sha256)
        spool.remove(sha256)
        assert not spool.is_present(sha256)

        await spool.put(a_stream(b"once"), limit=10)
        assert spool.is_present(sha256)


class TestFiles(SpoolSuite):
    def new_spool(self, folder: Path) -> Spool:
        return Files(folder)


class TestBucket(SpoolSuite):
    """Beside the folder in which streams gather, objects are counted as files."""

    @pytest.fixture
    def spool(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
        with PrivateBucket() as storage:
            place = Place(storage.name, "", storage.endpoint, REGION, storage.key, storage.secret)
            here = files_in
            monkeypatch.setattr(
                "tests.conformance.test_spool.files_in",
                lambda folder: [*here(folder), *(Path(name) for name in storage.objects)],
            )
            yield Bucket(place, tmp_path / "incoming")


async def test_files_lie_two_levels_deep_and_are_their_owners_alone(tmp_path: Path) -> None:
    files = Files(tmp_path / "files")
    sha256, _ = await files.put(a_stream(b"content"), limit=10)

    assert files.path(sha256) == tmp_path / "files" / sha256[:2] / sha256[2:4] / sha256
    assert files.path(sha256).stat().st_mode & 0o777 == 0o600
    assert files.path(sha256).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "a" * 63, "", "/" * 64])
def test_only_a_digest_names_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        Files(tmp_path).path(name)


async def test_parts_abandoned_over_a_day_ago_are_removed_at_start(tmp_path: Path) -> None:
    sha256, _ = await Files(tmp_path).put(a_stream(b"kept"), limit=10)
    old, young = tmp_path / ".part-old", tmp_path / ".part-young"
    for part in (old, young):
        part.write_bytes(b"half a file")
    long_ago = old.stat().st_mtime - ABANDONED - 60
    os.utime(old, (long_ago, long_ago))
    os.utime(Files(tmp_path).path(sha256), (long_ago, long_ago))

    files = Files(tmp_path)

    assert (old.exists(), young.exists(), files.is_present(sha256)) == (False, True, True)


async def test_a_file_is_synced_before_it_has_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        happened.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        happened.append("name")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)

    await Files(tmp_path).put(a_stream(b"content"), limit=10)
    # The new folders ab and ab/cd are entries of folders that must be synced too.
    assert happened == ["file", "name", "folder", "folder", "folder"]


async def test_a_disk_that_fails_is_a_fault_that_passes_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(5, "Input/output error")

    files = Files(tmp_path)
    monkeypatch.setattr(os, "fsync", failing)

    with pytest.raises(Busy) as refused:
        await files.put(a_stream(b"content"), limit=10)

    assert (refused.value.problem, refused.value.retry_after) == ("overloaded", 60.0)
    assert files_in(tmp_path) == []
