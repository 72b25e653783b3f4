"""One upload's part on disk, in the hands of its writer: bytes, their digest so far, and how many are durable."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from io import FileIO
from typing import Any, Final

from gateway.ports import Sum
from gateway.store.files import on_disk

_PIECE: Final = 1024 * 1024
#: Of so many uploads the digest of what has come is remembered; of others it is computed again from the part.
_DIGESTS: Final = 1024

#: Length and time of change (nanoseconds) of a part, and the digest of its bytes so far.
State = tuple[int, int, Any]


class Part:
    """One upload's part in the hands of its writer: bytes, their digest, and how many of them are durable."""

    def __init__(self, file: FileIO, id: str, digest: Any, digests: OrderedDict[str, State]) -> None:
        self._file = file
        self._id = id
        self._digest = digest
        self._digests = digests
        self._durable = self._offset = file.seek(0, os.SEEK_END)

    @property
    def offset(self) -> int:
        """Bytes that it holds by now."""
        return self._offset

    async def add(self, data: bytes, check: Sum | None = None) -> None:
        """Write to its end; where the disk takes only some of it, none of it is counted."""
        await on_disk(partial(self._add, data, check))

    def _add(self, data: bytes, check: Sum | None) -> None:
        if self._digest is None:
            self._digest = digest_of(self._file)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._offset += len(data)
        self._digest.update(data)
        if check is not None:
            check.update(data)

    async def cut(self, offset: int) -> None:
        """Shorten it; the digest is computed again when it is needed."""
        await on_disk(partial(self._cut, offset))

    def _cut(self, offset: int) -> None:
        self._file.truncate(offset)
        self._file.seek(offset)
        self._digest = None
        self._offset = offset
        self._durable = min(self._durable, offset)

    async def close(self, *, at: float) -> None:
        """Sync it and let go of the lock; bytes that the disk did not take for good are cut off again."""
        await on_disk(partial(self._close, at))

    def _close(self, at: float) -> None:
        try:
            self._make_durable(at)
        finally:
            self._file.close()

    def _make_durable(self, at: float) -> None:
        descriptor = self._file.fileno()
        try:
            if os.fstat(descriptor).st_size != self._offset:  # a write that broke in the middle
                self._cut(self._offset)
            os.utime(descriptor, (at, at))
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                self._cut(self._durable)
            raise
        if self._digest is not None:
            self._digests[self._id] = (self._offset, os.fstat(descriptor).st_mtime_ns, self._digest)
            while len(self._digests) > _DIGESTS:
                self._digests.popitem(last=False)


def lock(file: FileIO) -> bool:
    """Whether nobody else writes it; from then on until it is closed nobody else does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # what was swept or dropped between opening and locking is not there any more
    return os.fstat(file.fileno()).st_nlink > 0


def digest_of(file: FileIO) -> Any:
    """The digest of a part from its first byte; it is left standing at its end."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest
