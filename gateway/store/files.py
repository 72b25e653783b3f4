"""The spool: files by SHA-256 in one folder, each kept once, outside the database."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from gateway.core.faults import Busy, Rejected, Text

R = TypeVar("R")

#: Bytes that are gathered before the disk is asked.
GATHERED: Final = 256 * 1024
#: What a stream that broke off left behind is removed after this long (seconds).
ABANDONED: Final = 86400.0
_PART: Final = ".part-"


class Files:
    """Keeps ``ports.Spool`` in ``folder``: ``ab/cd/abcd…``, readable by its owner only.

    ``put`` answers when file and name would survive a power cut. The folder is made where it is absent, and
    parts that were abandoned over a day ago are removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._tidy(time.time() - ABANDONED)

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Keep a stream; answers (sha256 hex, size). Memory stays within one chunk and 256 KiB.

        Raises Rejected ``too-large`` over ``limit`` bytes, Busy ``overloaded`` where the disk does not take it;
        then, and where the stream breaks off, nothing of it stays.
        """
        part = _Part(self._folder)
        try:
            await on_disk(part.begin)
            gathered = bytearray()
            size = 0
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise too_large(limit)
                gathered += chunk
                if len(gathered) >= GATHERED:
                    await on_disk(partial(part.write, bytes(gathered)))
                    gathered.clear()
            return await on_disk(partial(part.keep, bytes(gathered), self.path)), size
        finally:
            await on_disk(part.drop)

    async def adopt(self, whole: Path, sha256: str) -> None:
        """Keep a whole file of the same file system under its digest, for which the caller answers.

        ``whole`` stays where it is, and must not change any more: no byte is copied. Raises Busy ``overloaded``
        where the disk does not take it.
        """
        await on_disk(partial(self._adopt, whole, sha256))

    def _adopt(self, whole: Path, sha256: str) -> None:
        link = self._folder / f"{_PART}{os.urandom(12).hex()}"
        try:
            with whole.open("rb") as file:
                os.fsync(file.fileno())
            os.link(whole, link)
            _name(link, self.path(sha256))
        finally:
            link.unlink(missing_ok=True)  # a rename onto another name of the same file does nothing

    def path(self, sha256: str) -> Path:
        """Where the bytes are, whether or not they exist; raises ValueError for what is not a SHA-256 in hex."""
        checked(sha256)
        return self._folder / sha256[:2] / sha256[2:4] / sha256

    def open(self, sha256: str) -> BinaryIO:
        """The bytes, to read and seek in; raises FileNotFoundError where they are not held."""
        return self.path(sha256).open("rb")

    def is_present(self, sha256: str) -> bool:
        """Whether the bytes are held."""
        return self.path(sha256).is_file()

    def remove(self, sha256: str) -> None:
        """Forget the bytes; nothing happens where they are not held."""
        self.path(sha256).unlink(missing_ok=True)

    def _tidy(self, before: float) -> None:
        for part in self._folder.glob(f"{_PART}*"):
            with suppress(FileNotFoundError):  # another process may be tidying too
                if part.stat().st_mtime < before:
                    part.unlink()


class _Part:
    """A file on its way in: written beside the others, named by its digest when it is whole."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{_PART}{os.urandom(12).hex()}"
        self._file: FileIO | None = None
        self._digest = hashlib.sha256()

    def begin(self) -> None:
        """Open it, for its owner only."""
        self._file = FileIO(self._path, "xb", opener=lambda path, flags: os.open(path, flags, 0o600))

    def write(self, data: bytes) -> None:
        """Add to it."""
        assert self._file is not None  # noqa: S101 - begun before
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def keep(self, rest: bytes, place: Callable[[str], Path]) -> str:
        """Write the rest, make it durable, give it its name; answers the digest."""
        self.write(rest)
        assert self._file is not None  # noqa: S101 - begun before
        os.fsync(self._file.fileno())
        sha256 = self._digest.hexdigest()
        _name(self._path, place(sha256))
        return sha256

    def drop(self) -> None:
        """Close it; where it was not kept, nothing of it stays."""
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


def _name(file: Path, path: Path) -> None:
    """Move a file of the spool's own folder to its place, for good."""
    inner, outer = path.parent, path.parent.parent
    outer.mkdir(exist_ok=True, mode=0o700)
    inner.mkdir(exist_ok=True, mode=0o700)
    file.replace(path)
    for folder in (inner, outer, file.parent):  # the folders may be new themselves
        sync(folder)


def sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def on_disk(work: Callable[[], R]) -> R:
    """Run in a thread, to its end even where the caller is cancelled: a file is never let go while it is written."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # seen: the cancellation tells the caller enough
        raise
    except OSError as error:
        raise disk_fails() from error


def checked(sha256: str) -> None:
    """Raises ValueError for what is not a SHA-256 in hex: nothing else names a file."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("not a SHA-256 in lower-case hex")


def too_large(limit: int) -> Rejected:
    """The fault of a stream that is longer than agreed."""
    return Rejected(
        "too-large",
        Text(
            f"Tệp lớn hơn mức cho phép ({limit} byte). Đơn vị gửi hãy chia nhỏ hoặc nén tệp rồi gửi lại.",
            f"The file is larger than allowed ({limit} bytes). The sender should split or compress it and try again.",
        ),
    )


def disk_fails() -> Busy:
    """The fault of a disk, or storage, that does not take what it should."""
    return Busy(
        "overloaded",
        Text(
            "Trục liên thông tạm thời chưa lưu được tệp; chưa có gì được lưu. Hệ thống gửi hãy gửi lại sau ít phút;"
            " nếu lặp lại, quản trị viên kiểm tra ổ đĩa của máy chủ.",
            "The bus cannot keep files at this moment; nothing was kept. The sending system should try again in a few"
            " minutes; where it goes on, the administrator checks the server's disk.",
        ),
        retry_after=60.0,
    )
