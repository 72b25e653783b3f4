"""Uploads on their way in: one folder a system, a record and a part a file, so that a restart loses no byte.

``SYSTEM/ID.part`` holds the bytes, ``SYSTEM/ID.json`` what was said about them; the length of the part is the
offset. ``SYSTEM/ID.wanted`` is there while one wants to write whose place another has. What came whole leaves its
record in ``SYSTEM/done/`` for a while. A part is locked while it is written, and its time of change is the moment of
its last byte.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any, Final

from gateway.ports import PartialFile, Upload
from gateway.store.files import on_disk, sync
from gateway.store.part import Part, State, digest_of, lock

_DONE: Final = "done"
_LONGEST_ID: Final = 64
_MEMBERS: Final = ("system", "size", "sha256", "media_type", "metadata")


class UploadFolder:
    """Keeps ``ports.Partials`` in ``folder``, which must lie in the spool's file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: OrderedDict[str, State] = OrderedDict()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def begin(self, upload: Upload) -> None:
        """Make room; the part is there before the record, so that a record always has its bytes."""
        await on_disk(partial(self._begin, upload))

    def _begin(self, upload: Upload) -> None:
        home = self._home(upload.system)
        if not home.exists():
            home.mkdir(exist_ok=True, mode=0o700)
            sync(self._folder)
        part = self.path(upload)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.utime(part, (upload.touched_at, upload.touched_at))
        said = {name: getattr(upload, name) for name in _MEMBERS}
        fresh = part.with_suffix(".new")
        with FileIO(fresh, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(json.dumps(said, ensure_ascii=False).encode())
            os.fsync(file.fileno())
        fresh.replace(part.with_suffix(".json"))
        sync(home)

    async def find(self, system: str, id: str) -> Upload | None:
        """The upload as it is on disk: what had not been made durable is now, before its offset is told."""
        return await on_disk(partial(self._find, system, id))

    def _find(self, system: str, id: str) -> Upload | None:
        if not (len(id) <= _LONGEST_ID and id.isascii() and id.isalnum()):
            return None
        home = self._home(system)
        open_record, done = home / f"{id}.json", home / _DONE / f"{id}.json"
        upload = _read(open_record)
        if upload is not None:
            with suppress(FileNotFoundError), self.path(upload).open("rb") as part:
                found = os.fstat(part.fileno())
                os.fsync(part.fileno())
                return replace(upload, offset=found.st_size, touched_at=found.st_mtime)
        upload = _read(done)  # also where it was kept at this very moment
        if upload is None:
            return None
        with suppress(FileNotFoundError):
            return replace(upload, offset=upload.size, touched_at=done.stat().st_mtime, is_kept=True)
        return None

    async def open(self, upload: Upload) -> PartialFile | None:
        """Its part, locked; the digest goes on from where it is known to stand."""
        return await on_disk(partial(self._open, upload))

    def _open(self, upload: Upload) -> PartialFile | None:
        try:
            file = FileIO(self.path(upload), "r+b")
        except FileNotFoundError:
            return None
        if not lock(file):
            file.close()
            return None
        self._wish(upload).unlink(missing_ok=True)
        known = self._known(upload.id, file)
        self._digests.pop(upload.id, None)  # the writer takes it along
        return Part(file, upload.id, known, self._digests)

    async def want(self, upload: Upload) -> None:
        """Leave a mark beside the part; whoever opens it takes the mark away."""
        await on_disk(partial(self._wish(upload).touch, 0o600))

    async def is_wanted(self, upload: Upload) -> bool:
        """Whether the mark is there."""
        return await on_disk(self._wish(upload).exists)

    def _wish(self, upload: Upload) -> Path:
        return self.path(upload).with_suffix(".wanted")

    async def digest(self, upload: Upload) -> str:
        """SHA-256 of the part: remembered, or computed from it piece by piece."""
        return await on_disk(partial(self._digest, upload))

    def _digest(self, upload: Upload) -> str:
        with FileIO(self.path(upload), "rb") as file:
            found: str = (self._known(upload.id, file) or digest_of(file)).hexdigest()
            return found

    def _known(self, id: str, file: FileIO) -> Any:
        """The digest so far, where the part is as it was left."""
        found = os.fstat(file.fileno())
        length, changed, digest = self._digests.get(id, (-1, -1, None))
        return digest if (length, changed) == (found.st_size, found.st_mtime_ns) else None

    def path(self, upload: Upload) -> Path:
        """Its part."""
        return self._home(upload.system) / f"{upload.id}.part"

    async def keep(self, upload: Upload, *, at: float) -> Upload:
        """The record moves to ``done``, which is the moment it is kept; then the part goes."""
        await on_disk(partial(self._keep, upload, at))
        return replace(upload, offset=upload.size, touched_at=at, is_kept=True)

    def _keep(self, upload: Upload, at: float) -> None:
        home = self._home(upload.system)
        done = home / _DONE
        done.mkdir(exist_ok=True, mode=0o700)
        record = home / f"{upload.id}.json"
        os.utime(record, (at, at))
        record.replace(done / record.name)
        self.path(upload).unlink(missing_ok=True)
        self._digests.pop(upload.id, None)
        sync(done)
        sync(home)

    async def drop(self, upload: Upload) -> bool:
        """The record goes first: without it the upload is gone, whatever a crash leaves of its bytes."""
        return await on_disk(partial(self._drop, upload))

    def _drop(self, upload: Upload) -> bool:
        home, part = self._home(upload.system), self.path(upload)
        try:
            with FileIO(part, "r+b") as file:
                if not lock(file):
                    return False
                self._forget(part)
        except FileNotFoundError:
            (home / _DONE / f"{upload.id}.json").unlink(missing_ok=True)
        sync(home)
        return True

    def _forget(self, part: Path) -> None:
        part.with_suffix(".json").unlink(missing_ok=True)
        part.unlink(missing_ok=True)
        self._digests.pop(part.stem, None)

    async def held(self, system: str) -> tuple[int, int]:
        """Counted on the disk, so that it holds for every process and after every restart."""
        return await on_disk(partial(self._held, system))

    def _held(self, system: str) -> tuple[int, int]:
        sizes = [found.st_size for _, found in _parts(self._home(system))]
        return len(sizes), sum(sizes)

    async def whole(self) -> Sequence[Upload]:
        """Those that a crash left between their last byte and their end."""
        return await on_disk(self._whole)

    def _whole(self) -> list[Upload]:
        found = []
        for home in self._homes():
            for part, state in _parts(home):
                upload = _read(part.with_suffix(".json"))
                if upload is not None and upload.size == state.st_size:
                    found.append(replace(upload, offset=state.st_size, touched_at=state.st_mtime))
        return found

    async def sweep(self, before: float) -> int:
        """Parts with their records, parts that a crash left without one, and records of what came whole."""
        return await on_disk(partial(self._sweep, before))

    def _sweep(self, before: float) -> int:
        count = 0
        for home in self._homes():
            for part, state in _parts(home):
                if state.st_mtime < before:
                    with suppress(FileNotFoundError), FileIO(part, "r+b") as file:
                        if lock(file):
                            self._forget(part)
                            count += 1
            for leftover in (*home.glob(f"{_DONE}/*.json"), *home.glob("*.new"), *home.glob("*.wanted")):
                with suppress(FileNotFoundError):
                    if leftover.stat().st_mtime < before:
                        leftover.unlink()
        return count

    def _home(self, system: str) -> Path:
        return self._folder / hashlib.sha256(system.encode()).hexdigest()[:32]

    def _homes(self) -> list[Path]:
        return [each for each in self._folder.iterdir() if each.is_dir()]


def _parts(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every part in a system's folder, with its state."""
    if home.is_dir():
        for part in home.glob("*.part"):
            with suppress(FileNotFoundError):
                yield part, part.stat()


def _read(record: Path) -> Upload | None:
    try:
        said = json.loads(record.read_bytes())
    except FileNotFoundError:
        return None
    return Upload(id=record.stem, **{name: said[name] for name in _MEMBERS})
