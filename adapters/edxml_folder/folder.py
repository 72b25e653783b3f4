"""Files in folders that two programs share: nothing half-written is read, nothing half-written is shown.

The agency's software writes when and how it likes. A file counts as finished when its size and time have stood
still; what is settled is moved by a rename, so that a crash leaves it on one side or the other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.core.content import Content, InMemory, MemorySink, NewSink, Scales, Sink, pieces, pieces_of

_UNFINISHED: Final = (".tmp", ".part")
_DONE: Final = ".done"
_REFUSED: Final = ".refused"
#: Names are cut to this many bytes where they are moved, so that an ending can be added (file systems take 255).
_LONGEST_NAME: Final = 200
_MARK: Final = 32

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Item:
    """A finished file: its name, its token for ``settle``, and a copy of it; None where it is too large or no file."""

    name: str
    token: str
    size: int
    content: Content | None
    is_file: bool


@dataclass(slots=True)
class Outbox:
    """The folder in which the agency drops what it sends."""

    path: Path
    #: A file is finished when nothing about it changed for so many seconds of ``now``.
    settle_seconds: float
    largest: int
    now: Callable[[], float]
    #: Takes a copy of each file, so that nothing the agency does to it meanwhile can make two of it.
    new_sink: NewSink = MemorySink
    _seen: dict[str, tuple[Stamp, float]] = field(default_factory=dict)
    #: What a token's file was when it was read: while it still is, it need not be read again to be sure.
    _read: dict[str, Stamp] = field(default_factory=dict)

    def items(self) -> Iterator[Item]:
        """Finished files, oldest first; raises OSError where the folder cannot be read."""
        for name, stamp, is_file in self._finished():
            size = stamp[0]
            if not is_file or size > self.largest:
                yield Item(_shown(name), _token(name, _quick_mark(stamp)), size, None, is_file)
                continue
            # A file that cannot be read, or moved under our hands, is looked at again in the next round.
            with contextlib.suppress(OSError):
                content = _copied(self.path / name, stamp, self.new_sink())
                if content is not None:
                    token = _token(name, _mark(content))
                    self._read[token] = stamp
                    yield Item(_shown(name), token, size, content, is_file)

    def keep(self, token: str, day: str) -> None:
        """The file was accepted: move it to ``.done/DAY/``. Nothing happens where it is not there any more."""
        self._move(token, self.path / _DONE / day, None)

    def refuse(self, token: str, note: bytes) -> None:
        """The file was refused: move it to ``.refused/`` with ``note`` beside it. Safe to repeat."""
        self._move(token, self.path / _REFUSED, note)

    def _finished(self) -> list[tuple[str, Stamp, bool]]:
        now = self.now()
        found: dict[str, tuple[Stamp, float]] = {}
        ready: list[tuple[str, Stamp, bool]] = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
                    continue
                try:
                    state = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if stat.S_ISDIR(state.st_mode):
                    continue
                stamp = _stamp(state)
                known = self._seen.get(entry.name)
                since = min(known[1], now) if known is not None and known[0] == stamp else now
                found[entry.name] = (stamp, since)
                if now - since >= self.settle_seconds:
                    ready.append((entry.name, stamp, stat.S_ISREG(state.st_mode)))
        self._seen = found
        names = {_shown(name) for name in found}
        self._read = {token: stamp for token, stamp in self._read.items() if token.rpartition("#")[0] in names}
        return sorted(ready, key=lambda each: (each[1][1], each[0]))

    def _move(self, token: str, folder: Path, note: bytes | None) -> None:
        name = self._still_there(token)
        if name is None:
            self._read.pop(token, None)
            return
        folder.mkdir(parents=True, exist_ok=True)
        target = _free(folder, _shown(name), token.rpartition("#")[2])
        if note is not None:
            # The reason first: whoever finds a refused file finds why.
            put(folder, f"{target.name}.reason.txt", InMemory(note))
        os.replace(self.path / name, target)  # noqa: PTH105 - a rename that takes the place of the same bytes
        self._read.pop(token, None)

    def _still_there(self, token: str) -> str | None:
        """The name on disk of the token's file, if it still holds what it held; None for anything else."""
        shown, _, mark = token.rpartition("#")
        if not shown or shown != os.path.basename(shown) or shown in {".", ".."}:  # noqa: PTH119 - as text
            return None
        name = shown
        if not os.path.lexists(self.path / name):
            others = os.listdir(self.path) if self.path.is_dir() else []  # noqa: PTH208 - names, not paths
            name = next((other for other in others if _shown(other) == shown), "")
            if not name:
                return None
        state = os.lstat(self.path / name)
        stamp = _stamp(state)
        if self._read.get(token) == stamp or mark == _quick_mark(stamp):
            return name
        if not stat.S_ISREG(state.st_mode) or state.st_size > self.largest:
            return None
        content = _copied(self.path / name, stamp, Scales())
        return name if content is not None and _mark(content) == mark else None


def put(folder: Path, name: str, content: Content) -> None:
    """Write ``content`` as ``name`` into ``folder``: whole or not at all, on disk when this returns.

    A file that already holds these bytes is left alone. Raises OSError where the folder is not there or full.
    """
    if not name or name != os.path.basename(name) or name in {".", ".."}:  # noqa: PTH119 - as text
        raise ValueError("a file's name must not be a path")
    target = folder / name
    with contextlib.suppress(OSError):
        state = os.lstat(target)
        if stat.S_ISREG(state.st_mode) and state.st_size == content.size:
            there = _copied(target, _stamp(state), Scales())
            if there is not None and there.sha256 == content.sha256:
                return
    unfinished = folder / f".{name}.tmp"
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(unfinished, flags, 0o660), "wb") as file:
        for piece in pieces(content):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        ours = os.fstat(file.fileno())
    if os.lstat(unfinished).st_ino != ours.st_ino:
        # Another gateway began anew when this one seemed to have stopped: what stands there now is not whole.
        raise OSError(errno.EBUSY, "another gateway writes the same file")
    os.replace(unfinished, target)  # noqa: PTH105 - the rename is the point
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stamp(state: os.stat_result) -> Stamp:
    return (state.st_size, state.st_mtime_ns, state.st_ino)


def _copied(path: Path, stamp: Stamp, sink: Sink) -> Content | None:
    """A copy, in ``sink``, of the file as it was when it got this stamp; None where it is not that file any more."""
    # Not blocking, not following: whatever was put in its place meanwhile must not hold us up or lead us away.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or _stamp(state) != stamp:
            return None
        size = 0
        for piece in pieces_of(file):
            size += len(piece)
            # What grows while it is read must not make us read for ever.
            if size > stamp[0]:
                return None
            sink.write(piece)
        return sink.done() if size == stamp[0] and _stamp(os.fstat(handle)) == stamp else None


def _shown(name: str) -> str:
    """A file's name as text that can be written down: bytes that are no UTF-8 become visible escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _token(name: str, mark: str) -> str:
    return f"{_shown(name)}#{mark}"


def _mark(content: Content) -> str:
    return content.sha256[:_MARK]


def _quick_mark(stamp: Stamp) -> str:
    return "-".join(map(str, stamp))


def _free(folder: Path, name: str, mark: str) -> Path:
    """Where a file of this name and mark is kept: under its name, or with the mark in it where the name is taken."""
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem:
        stem, ending = name, ""
    ending = f"{dot}{ending}" if ending else ""
    stem = stem.encode()[: _LONGEST_NAME - len(ending.encode())].decode(errors="ignore") if len(ending) < 20 else "file"
    ending = ending if len(ending) < 20 else ""
    plain = folder / f"{stem}{ending}"
    return folder / f"{stem}.{mark[:12]}{ending}" if os.path.lexists(plain) else plain
