"""Uploads over cuts, crashes, restarts and broken disks: what was said to be kept is kept, and nothing else is."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from gateway.core.faults import Busy, Fault, Rejected
from gateway.ports import HeldFile, Upload
from gateway.relay import upload as upload_step
from gateway.relay.piece import GATHERED, BrokenOff, Checksum
from gateway.relay.upload import LIFE, UploadLimits, Uploads
from gateway.store import part as part_on_disk
from gateway.store import uploads as uploads_on_disk
from gateway.store.uploads import UploadFolder
from tests.town import Town, a_town

ME = "H33.05/dms"
OTHER = "H33.16/dms"
CONTENT = random.Random("content").randbytes(3 * GATHERED + 12_345)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Quay:
    """A town's landing place for files, which can be taken down and put up again as a restart does."""

    def __init__(self, folder: Path, **limits: int) -> None:
        self.town: Town = a_town()
        self.folder = folder
        self.limits = UploadLimits(**{"size": 10 * 2**20, **limits})
        self.restart()

    def restart(self) -> None:
        """Nothing in memory survives; what is on disk does."""
        self.partials = UploadFolder(self.folder)
        self.step = Uploads(self.partials, self.town.files, self.town.ledger, self.town.clock, self.limits)

    async def begin(self, size: int = len(CONTENT), *, who: str = ME, sha256: str | None = SHA256) -> Upload:
        """A new upload."""
        system = self.town.system(who)
        return await self.step.begin(system, size, sha256=sha256, media_type="application/pdf", metadata="")

    async def take(
        self, id: str, offset: int, chunks: AsyncIterator[bytes], *, checksum: Checksum | None = None
    ) -> Upload:
        """One piece."""
        return await self.step.take(self.town.system(ME), id, offset, chunks, checksum=checksum)

    async def offset(self, id: str) -> int:
        """Where it stands."""
        return (await self.step.find(self.town.system(ME), id)).offset

    async def is_mine_to_name(self) -> bool:
        """Whether the file has landed."""
        return await self.town.ledger.missing_files(ME, [SHA256]) == () and self.town.files.is_present(SHA256)


@pytest.fixture
def quay(tmp_path: Path) -> Quay:
    return Quay(tmp_path)


async def a_stream(content: bytes, *, at_a_time: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(content), at_a_time):
        await asyncio.sleep(0)
        yield content[start : start + at_a_time]


async def cut(content: bytes) -> AsyncIterator[bytes]:
    """A piece whose line is cut after its last byte here."""
    async for chunk in a_stream(content):
        yield chunk
    raise BrokenOff


async def silent(content: bytes, said: asyncio.Event) -> AsyncIterator[bytes]:
    """A piece that comes to a stop without a word."""
    yield content
    said.set()
    await asyncio.Event().wait()


async def refused(work: Any) -> str:
    with pytest.raises(Fault) as fault:
        await work
    return fault.value.problem


# ------------------------------------------------------------------------------------------- cuts and restarts


async def test_what_arrived_before_a_cut_is_kept_to_the_byte(quay: Quay) -> None:
    upload = await quay.begin()

    assert await refused(quay.take(upload.id, 0, cut(CONTENT[:70_001]))) == "bad-request"

    assert await quay.offset(upload.id) == 70_001
    assert (await quay.take(upload.id, 70_001, a_stream(CONTENT[70_001:]))).is_kept
    assert await quay.is_mine_to_name()


async def test_a_cut_after_the_last_byte_loses_nothing(quay: Quay) -> None:
    upload = await quay.begin()

    assert (await quay.take(upload.id, 0, cut(CONTENT))).is_kept
    assert await quay.is_mine_to_name()


async def test_a_piece_with_a_checksum_that_is_cut_keeps_what_arrived_too(quay: Quay) -> None:
    upload = await quay.begin()
    checksum = Checksum("sha1", hashlib.sha1(CONTENT, usedforsecurity=False).digest())

    assert await refused(quay.take(upload.id, 0, cut(CONTENT[:99]), checksum=checksum)) == "bad-request"

    assert await quay.offset(upload.id) == 99


async def test_a_restart_between_pieces_loses_nothing(quay: Quay) -> None:
    upload = await quay.begin()
    await quay.take(upload.id, 0, a_stream(CONTENT[:500_000]))

    quay.restart()

    assert await quay.offset(upload.id) == 500_000
    assert (await quay.take(upload.id, 500_000, a_stream(CONTENT[500_000:]))).is_kept


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_cuts_restarts_and_wrong_checksums_come_between_the_file_is_the_same(
    quay: Quay, seed: int
) -> None:
    chance = random.Random(seed)
    upload = await quay.begin()
    at = 0
    while at < len(CONTENT):
        content = CONTENT[at : at + chance.randint(0, len(CONTENT) // 3)]
        match chance.randint(0, 4):
            case 0:
                with contextlib.suppress(Rejected):
                    await quay.take(upload.id, at, cut(content))
                at += len(content)
            case 1:
                wrong = Checksum("sha256", bytes(32))
                assert await refused(quay.take(upload.id, at, a_stream(content), checksum=wrong)) == "checksum-mismatch"
            case 2:
                quay.restart()
            case _:
                at = (await quay.take(upload.id, at, a_stream(content, at_a_time=chance.randint(1000, 400_000)))).offset
        assert await quay.offset(upload.id) == at

    assert await quay.is_mine_to_name()
    assert quay.town.files.content == {SHA256: CONTENT}  # type: ignore[attr-defined]


async def test_the_gateway_that_stops_keeps_what_arrived(quay: Quay) -> None:
    upload = await quay.begin()
    said = asyncio.Event()
    work = asyncio.create_task(quay.take(upload.id, 0, silent(CONTENT[:1000], said)))
    await said.wait()

    work.cancel()
    await asyncio.wait([work])

    assert await quay.offset(upload.id) == 1000


# --------------------------------------------------------------------------------------- between bytes and rights


async def test_a_crash_before_the_right_is_given_is_made_good_when_it_is_asked_for(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await quay.begin()

    async def crash(*_: Any, **__: Any) -> bool:
        raise ConnectionAbortedError

    with monkeypatch.context() as broken:
        broken.setattr(quay.town.ledger, "grant_file", crash)
        with pytest.raises(ConnectionAbortedError):
            await quay.take(upload.id, 0, a_stream(CONTENT))
    assert not await quay.is_mine_to_name()
    quay.restart()

    found = await quay.step.find(quay.town.system(ME), upload.id)

    assert (found.offset, found.is_kept) == (len(CONTENT), True)
    assert await quay.is_mine_to_name()


@pytest.mark.parametrize("point", ["grant_file", "keep"])
async def test_a_crash_after_the_last_byte_is_made_good_by_itself(
    quay: Quay, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    upload = await quay.begin()

    async def crash(*_: Any, **__: Any) -> Any:
        raise ConnectionAbortedError

    with monkeypatch.context() as broken:
        broken.setattr(quay.town.ledger if point == "grant_file" else quay.partials, point, crash)
        with pytest.raises(ConnectionAbortedError):
            await quay.take(upload.id, 0, a_stream(CONTENT))
    quay.restart()

    await quay.step.sweep()

    assert await quay.is_mine_to_name()
    assert await quay.partials.held(ME) == (0, 0)
    assert (await quay.step.find(quay.town.system(ME), upload.id)).is_kept


async def test_bytes_that_a_sweep_took_in_between_are_put_again(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = await quay.begin()
    grant = quay.town.ledger.grant_file
    asked = []

    async def swept_before(held: HeldFile, system: str, *, at: float, is_present: Callable[[str], bool]) -> bool:
        asked.append(held)
        if len(asked) == 1:
            quay.town.files.remove(held.sha256)
        return await grant(held, system, at=at, is_present=is_present)

    monkeypatch.setattr(quay.town.ledger, "grant_file", swept_before)

    assert (await quay.take(upload.id, 0, a_stream(CONTENT))).is_kept
    assert len(asked) == 2
    assert await quay.is_mine_to_name()


async def test_bytes_that_will_not_stay_are_an_honest_later(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = await quay.begin()

    async def never(*_: Any, **__: Any) -> bool:
        return False

    with monkeypatch.context() as broken:
        broken.setattr(quay.town.ledger, "grant_file", never)
        assert await refused(quay.take(upload.id, 0, a_stream(CONTENT))) == "overloaded"

    assert await quay.offset(upload.id) == len(CONTENT)
    assert await quay.is_mine_to_name()


async def test_a_file_that_is_another_than_announced_is_forgotten(quay: Quay) -> None:
    upload = await quay.begin(sha256="0" * 64)

    assert await refused(quay.take(upload.id, 0, a_stream(CONTENT))) == "digest-mismatch"

    assert await refused(quay.offset(upload.id)) == "not-found"
    assert await quay.partials.held(ME) == (0, 0)
    assert not quay.town.files.is_present(SHA256)


# ------------------------------------------------------------------------------------------------- one at a time


async def test_two_do_not_write_one_upload_at_once(quay: Quay) -> None:
    upload = await quay.begin()
    said = asyncio.Event()
    work = asyncio.create_task(quay.take(upload.id, 0, silent(CONTENT[:1000], said)))
    await said.wait()

    assert await refused(quay.take(upload.id, 0, a_stream(CONTENT))) == "illegal-state"

    work.cancel()
    await asyncio.wait([work])
    assert await quay.offset(upload.id) == 1000


async def test_who_comes_again_has_the_place_of_a_line_that_died_in_silence(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_step, "SILENT", 0.05)
    upload = await quay.begin()
    said = asyncio.Event()
    dead = asyncio.create_task(quay.take(upload.id, 0, silent(CONTENT[:1000], said)))
    await said.wait()
    await asyncio.sleep(0.1)

    # what the dead line had brought is kept first, so the newcomer's offset is behind
    assert await refused(quay.take(upload.id, 0, a_stream(CONTENT))) == "illegal-state"

    assert await refused(dead) == "bad-request"
    assert (await quay.take(upload.id, 1000, a_stream(CONTENT[1000:]))).is_kept


async def test_who_comes_again_to_another_process_has_that_place_too(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_step, "SILENT", 0.1)
    upload = await quay.begin()
    town = quay.town
    other = Uploads(UploadFolder(quay.folder), town.files, town.ledger, town.clock, quay.limits)
    said = asyncio.Event()
    dead = asyncio.create_task(quay.take(upload.id, 0, silent(CONTENT[:1000], said)))
    await said.wait()

    assert await refused(other.take(town.system(ME), upload.id, 0, a_stream(CONTENT))) == "illegal-state"
    assert await refused(dead) == "bad-request"
    assert (await other.take(town.system(ME), upload.id, 1000, a_stream(CONTENT[1000:]))).is_kept
    assert not list(quay.folder.rglob("*.wanted"))


async def test_another_process_that_writes_it_is_respected(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_step, "SILENT", 0.05)
    upload = await quay.begin()
    elsewhere = await UploadFolder(quay.folder).open(upload)
    assert elsewhere is not None

    assert await refused(quay.take(upload.id, 0, a_stream(CONTENT))) == "illegal-state"
    assert await refused(quay.step.drop(quay.town.system(ME), upload.id)) == "illegal-state"

    await elsewhere.add(b"abc")
    await elsewhere.close(at=quay.town.clock.now())
    assert await quay.offset(upload.id) == 3


async def test_two_processes_that_end_the_same_upload_at_once_both_say_that_it_is_kept(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await quay.begin()
    town = quay.town
    other = Uploads(UploadFolder(quay.folder), town.files, town.ledger, town.clock, quay.limits)
    grant = town.ledger.grant_file

    async def the_other_comes_between(*args: Any, **kwargs: Any) -> bool:
        monkeypatch.setattr(town.ledger, "grant_file", grant)
        assert (await other.find(town.system(ME), upload.id)).is_kept
        return await grant(*args, **kwargs)

    monkeypatch.setattr(town.ledger, "grant_file", the_other_comes_between)
    assert (await quay.take(upload.id, 0, a_stream(CONTENT))).is_kept
    assert await quay.is_mine_to_name()


async def test_giving_up_ends_whoever_writes(quay: Quay) -> None:
    upload = await quay.begin()
    said = asyncio.Event()
    work = asyncio.create_task(quay.take(upload.id, 0, silent(CONTENT[:1000], said)))
    await said.wait()

    await quay.step.drop(quay.town.system(ME), upload.id)

    assert await refused(work) == "bad-request"
    assert await refused(quay.offset(upload.id)) == "not-found"


# ------------------------------------------------------------------------------------------- limits and a day's end


async def test_a_system_has_so_many_uploads_open_at_a_time_and_others_as_many(tmp_path: Path) -> None:
    quay = Quay(tmp_path, open_uploads=2)
    first, _ = await quay.begin(), await quay.begin()

    with pytest.raises(Busy) as fault:
        await quay.begin()
    assert (fault.value.problem, fault.value.retry_after) == ("rate-limited", 60.0)

    await quay.begin(who=OTHER)
    await quay.take(first.id, 0, a_stream(CONTENT))
    await quay.begin()


async def test_a_system_has_so_many_bytes_open_at_a_time(tmp_path: Path) -> None:
    quay = Quay(tmp_path, open_bytes=len(CONTENT) + 10)
    first = await quay.begin()
    await quay.take(first.id, 0, a_stream(CONTENT[:100]))

    assert await refused(quay.begin()) == "rate-limited"

    await quay.step.drop(quay.town.system(ME), first.id)
    await quay.begin()


async def test_what_had_its_day_is_swept_and_what_goes_on_is_not(quay: Quay) -> None:
    old, going_on, whole = await quay.begin(), await quay.begin(), await quay.begin()
    await quay.take(whole.id, 0, a_stream(CONTENT))
    quay.town.clock.moment += LIFE / 2
    await quay.take(going_on.id, 0, a_stream(CONTENT[:10]))
    quay.town.clock.moment += LIFE / 2 + 1

    await quay.step.sweep()

    quay.town.clock.moment -= LIFE
    assert await refused(quay.offset(old.id)) == "not-found"
    assert await refused(quay.offset(whole.id)) == "not-found"
    assert await quay.offset(going_on.id) == 10
    assert {path.suffix for path in quay.folder.rglob("*") if path.is_file()} == {".json", ".part"}
    assert len([path for path in quay.folder.rglob("*") if path.is_file()]) == 2


async def test_what_is_being_written_is_not_swept(quay: Quay) -> None:
    upload = await quay.begin()
    file = await quay.partials.open(upload)
    assert file is not None
    quay.town.clock.moment += LIFE + 1

    await quay.step.sweep()

    await file.add(b"abc")
    await file.close(at=quay.town.clock.now())
    assert await quay.offset(upload.id) == 3


async def test_what_a_crash_left_while_an_upload_was_begun_is_swept(quay: Quay) -> None:
    upload = await quay.begin()
    for name in ("0123.part", "4567.new"):
        left = quay.partials.path(upload).with_name(name)
        left.write_bytes(b"{")
        os.utime(left, (quay.town.clock.now() - LIFE - 1,) * 2)

    await quay.step.sweep()

    assert {path.suffix for path in quay.folder.rglob("*") if path.is_file()} == {".json", ".part"}
    assert await quay.offset(upload.id) == 0


# --------------------------------------------------------------------------------------------------- broken disks


def failing(method: str, number: int, after: int) -> type[FileIO]:
    """A file whose ``method`` does half its work and then fails, from its ``after``-th call on."""
    calls: Iterable[int] = iter(range(10**9))

    class Failing(FileIO):
        def write(self, data: Any) -> int:
            if method == "write" and next(iter(calls)) >= after:
                if len(data) > 1000:
                    return super().write(bytes(data)[: len(data) // 2])
                raise OSError(number, os.strerror(number))
            return super().write(data)

    return Failing


async def test_a_full_disk_is_told_and_the_offset_stays_true(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = await quay.begin()
    with monkeypatch.context() as full:
        full.setattr(uploads_on_disk, "FileIO", failing("write", errno.ENOSPC, after=1))
        assert await refused(quay.take(upload.id, 0, a_stream(CONTENT))) == "overloaded"

    assert await quay.offset(upload.id) == GATHERED
    assert quay.partials.path(upload).read_bytes() == CONTENT[:GATHERED]
    assert (await quay.take(upload.id, GATHERED, a_stream(CONTENT[GATHERED:]))).is_kept


async def test_a_disk_that_cannot_sync_is_told_and_what_it_may_have_lost_is_not_counted(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await quay.begin()
    await quay.take(upload.id, 0, a_stream(CONTENT[:1000]))

    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def fsync(self, _: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(part_on_disk, "os", Broken())
        assert await refused(quay.take(upload.id, 1000, a_stream(CONTENT[1000:]))) == "overloaded"

    assert await quay.offset(upload.id) == 1000
    assert (await quay.take(upload.id, 1000, a_stream(CONTENT[1000:]))).is_kept


async def test_a_part_that_somebody_changed_is_read_again_before_its_digest_is_told(quay: Quay) -> None:
    upload = await quay.begin(sha256=None)
    await quay.take(upload.id, 0, a_stream(bytes(1000)))
    quay.partials.path(upload).write_bytes(CONTENT[:1000])

    await quay.take(upload.id, 1000, a_stream(CONTENT[1000:]))

    assert await quay.is_mine_to_name()


# -------------------------------------------------------------------------------------------------- what is refused


async def test_too_much_is_refused_before_and_while_it_comes(quay: Quay) -> None:
    assert await refused(quay.begin(quay.limits.size + 1)) == "too-large"
    upload = await quay.begin(1000)
    system = quay.town.system(ME)
    assert await refused(quay.step.take(system, upload.id, 0, a_stream(b""), length=1001)) == "too-large"
    assert await refused(quay.take(upload.id, 0, a_stream(CONTENT, at_a_time=700))) == "too-large"
    assert await quay.offset(upload.id) == 0


async def test_another_systems_upload_is_as_if_absent(quay: Quay) -> None:
    upload = await quay.begin(who=OTHER)

    with pytest.raises(Rejected) as foreign:
        await quay.take(upload.id, 0, a_stream(b"x"))
    with pytest.raises(Rejected) as unknown:
        await quay.take("0" * 32, 0, a_stream(b"x"))

    assert (foreign.value.problem, foreign.value.detail) == (unknown.value.problem, unknown.value.detail)
    assert foreign.value.problem == "not-found"


@pytest.mark.parametrize("id", ["", "..", "../x", "done", "a" * 65, "a/b", "ñ"])
async def test_an_id_never_leads_out_of_its_folder(quay: Quay, id: str) -> None:
    await quay.begin()

    assert await quay.partials.find(ME, id) is None


async def test_an_upload_of_nothing_is_kept_at_once(quay: Quay) -> None:
    nothing = hashlib.sha256().hexdigest()

    upload = await quay.begin(0, sha256=nothing)

    assert upload == replace(upload, is_kept=True, offset=0)
    assert await quay.town.ledger.missing_files(ME, [nothing]) == ()
