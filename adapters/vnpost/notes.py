"""Which events of the tracking list are done with, in a file: the post cannot be told, and lists them for ever.

A line an event, added and on the disk before the bus calls it settled. Where the file is lost nothing is lost with it:
events come to the bus once more, which knows each by what it is.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any, Final

from gateway.core.faults import Text

#: A file larger than this is written anew without what is too old to be listed (bytes).
_LARGE: Final = 8 << 20


class Notes:
    """The notes of one system. Several may have the same file open: each sees what the others add."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: tuple[int, int] = (0, 0)
        self._done: set[str] = set()
        # Read and written in threads, perhaps in several at once.
        self._turn = threading.Lock()

    def done(self) -> frozenset[str]:
        """Tokens of what is done with, as the file says now. Raises OSError."""
        with self._turn:
            return frozenset(self._known())

    def _known(self) -> set[str]:
        try:
            with self._file.open("rb") as file:
                state = os.fstat(file.fileno())
                inode, at = self._read
                if inode != state.st_ino or state.st_size < at:
                    self._done, at = set(), 0
                file.seek(at)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written, or its writer was cut off
                    at += len(line)
                    self._done.add(str(_line(line).get("token")))
                self._read = (state.st_ino, at)
        except FileNotFoundError:
            self._read, self._done = (0, 0), set()
        return self._done

    def add(self, token: str, at: float, refusal: tuple[str, Text] | None) -> None:
        """Note an event once; with a refusal, why, in words for whoever looks. Raises OSError."""
        with self._turn:
            if token not in self._known():
                self._write(token, at, refusal)

    def _write(self, token: str, at: float, refusal: tuple[str, Text] | None) -> None:
        line: dict[str, Any] = {"token": token, "at": at}
        if refusal is not None:
            reason, detail = refusal
            line |= {"refused": reason, "vi": detail.vi, "en": detail.en}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # A line that was cut off must not swallow this one.
        written = ("" if self._ends_well() else "\n") + json.dumps(line, ensure_ascii=False) + "\n"
        with self._file.open("ab") as file:
            file.write(written.encode())
            file.flush()
            os.fsync(file.fileno())

    def thin(self, since: float) -> None:
        """Where the file has grown large, drop what was noted before ``since`` (seconds since 1970). Raises OSError."""
        with self._turn:
            if self._file.exists() and self._file.stat().st_size > _LARGE:
                self._rewrite(since)

    def _rewrite(self, since: float) -> None:
        aside = self._file.with_suffix(".new")
        with self._file.open("rb") as old, aside.open("wb") as new:
            for line in old:
                at = _line(line).get("at")
                if isinstance(at, int | float) and at >= since:
                    new.write(line)
            new.flush()
            os.fsync(new.fileno())
        aside.replace(self._file)

    def _ends_well(self) -> bool:
        try:
            with self._file.open("rb") as file:
                if file.seek(0, os.SEEK_END) == 0:
                    return True
                file.seek(-1, os.SEEK_END)
                return file.read(1) == b"\n"
        except FileNotFoundError:
            return True


def _line(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
