"""Where files lie while they are on their way through the gateway: small ones in memory, others on its disk.

Nothing here is owed to anybody: what a process had is gone when it lets go of it, when it ends, and, where it could
not clear up after itself, when the next one starts. Each process has a folder of its own under a lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import secrets
import shutil
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from gateway.core.content import PIECE
from gateway.core.faults import TransientFailure

#: A file up to this size stays in memory while all that do so have room (bytes).
SMALL: Final = 256 * 1024
IN_MEMORY: Final = 16 << 20
#: All files on disk together (bytes).
ON_DISK: Final = 4 << 30


class Scratch:
    """Makes sinks in ``folder``, which is made when a file first needs it; ``sink`` is a ``NewSink``.

    Files are readable by their owner only, and removed as soon as nobody holds them any more.
    """

    def __init__(self, folder: Path, *, in_memory: int = IN_MEMORY, on_disk: int = ON_DISK) -> None:
        """What ended processes left in ``folder`` is removed now."""
        self._folder = folder
        self._memory = _Room(in_memory)
        self._disk = _Room(on_disk)
        self._own: Path | None = None
        self._lock = threading.Lock()
        with suppress(OSError):
            _tidy(folder)

    def sink(self) -> ScratchSink:
        """A new sink."""
        return ScratchSink(self)

    def begin(self) -> tuple[Path, BinaryIO]:
        """A new file, open for writing; raises OSError."""
        with self._lock:
            if self._own is None or not self._own.is_dir():
                self._own = self._own_folder()
            own = self._own
        path = own / secrets.token_hex(12)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        return path, os.fdopen(handle, "wb", buffering=PIECE)

    def room(self, *, on_disk: bool) -> _Room:
        """What is left, in memory or on disk."""
        return self._disk if on_disk else self._memory

    def _own_folder(self) -> Path:
        """A folder that nobody takes for abandoned while this process lives."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            own = self._folder / secrets.token_hex(8)
            own.mkdir(mode=0o700)
            handle = _locked(own)
            if handle is not None:
                weakref.finalize(self, _remove, own, handle)
                return own


class _Room:
    """How many bytes may be held at a time, and how many are."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there was room for so many more."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """So many are gone."""
        with self._lock:
            self._left += size


@dataclass(slots=True)
class _Taken:
    """What one file takes up."""

    room: _Room
    path: Path | None = None
    file: BinaryIO | None = None
    size: int = 0

    def vacate(self) -> None:
        """It is needed no more."""
        with suppress(OSError):
            if self.file is not None:
                self.file.close()
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()
        self.room.give_back(self.size)


class _Place:
    """What one file takes up, in memory or on disk, until nobody holds this any more."""

    def __init__(self, scratch: Scratch, path: Path | None = None, file: BinaryIO | None = None) -> None:
        # The folder is there as long as any file in it.
        self.scratch = scratch
        self.taken = _Taken(scratch.room(on_disk=path is not None), path, file)
        weakref.finalize(self, self.taken.vacate)

    def grow(self, size: int) -> bool:
        """Whether there was room for so many more bytes."""
        if not self.taken.room.take(size):
            return False
        self.taken.size += size
        return True


class ScratchFile:
    """The bytes of one file, in memory or on disk; equal to any content with the same."""

    def __init__(self, place: _Place, data: bytes | None, size: int, sha256: str) -> None:
        self._place = place
        self._data = data
        self.size = size
        self.sha256 = sha256

    def open(self) -> BinaryIO:
        """The bytes, to read and seek in."""
        if self._data is not None:
            return io.BytesIO(self._data)
        path = self._place.taken.path
        assert path is not None  # noqa: S101 - what is not in memory is on disk
        return path.open("rb")

    def __eq__(self, other: object) -> bool:
        """Whether ``other`` is a content with the same bytes."""
        return (self.size, self.sha256) == (getattr(other, "size", None), getattr(other, "sha256", None))

    def __hash__(self) -> int:
        """Of the digest."""
        return hash(self.sha256)


class ScratchSink:
    """Takes the bytes of one file; raises TransientFailure where the disk does not."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._digest = hashlib.sha256()
        self._size = 0
        self._small: bytearray | None = bytearray()
        self._place = _Place(scratch)

    def write(self, piece: bytes) -> None:
        """Add to it."""
        self._digest.update(piece)
        self._size += len(piece)
        if self._small is not None and self._size <= SMALL and self._place.grow(len(piece)):
            self._small += piece
            return
        try:
            self._on_disk(piece)
        except OSError as error:
            raise _failing(error) from None

    def done(self) -> ScratchFile:
        """The file."""
        file = self._place.taken.file
        try:
            if file is not None:
                file.close()
        except OSError as error:
            raise _failing(error) from None
        data = None if self._small is None else bytes(self._small)
        return ScratchFile(self._place, data, self._size, self._digest.hexdigest())

    def _on_disk(self, piece: bytes) -> None:
        if self._small is not None:
            path, file = self._scratch.begin()
            piece, self._small = bytes(self._small) + piece, None
            self._place = _Place(self._scratch, path, file)
        if not self._place.grow(len(piece)):
            raise TransientFailure("too many large files are on their way at once; this one waits for its turn")
        assert self._place.taken.file is not None  # noqa: S101 - begun above
        self._place.taken.file.write(piece)


def _failing(error: OSError) -> TransientFailure:
    return TransientFailure(f"the gateway's own disk fails: {error.strerror or type(error).__name__}")


def _locked(folder: Path) -> int | None:
    """A handle that holds the folder's lock; None where another process has it, or the folder is gone."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_nlink > 0 and folder.is_dir():
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def _remove(folder: Path, handle: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(handle)


def _tidy(folder: Path) -> None:
    for each in folder.iterdir() if folder.is_dir() else ():
        handle = _locked(each)
        if handle is not None:
            _remove(each, handle)
