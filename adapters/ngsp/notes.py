"""What was fetched and done with, in a file: the services cannot be told, and list a dossier for days.

A line a thing, on the disk before the bus calls it settled. Where the file is lost nothing is lost with it: items come
once more, and the bus knows each by what it is. Nothing of an item stands in it but a digest.
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
        self._turn = threading.Lock()
        self._mark: tuple[int, int] = (0, 0)
        self._done: set[str] = set()
        self._cursors: dict[str, str] = {}

    def read(self) -> tuple[frozenset[str], dict[str, str]]:
        """Tokens that are done with, and how far each pull has read (day), as the file says now. Raises OSError."""
        with self._turn:
            self._look()
            return frozenset(self._done), dict(self._cursors)

    def settled(self, token: str, at: float, refusal: tuple[str, Text] | None) -> None:
        """Note an item once; with a refusal, why. Raises OSError."""
        line: dict[str, Any] = {"token": token, "at": at}
        if refusal is not None:
            line |= {"refused": refusal[0], "vi": refusal[1].vi, "en": refusal[1].en}
        with self._turn:
            self._look()
            if token not in self._done:
                self._write(line)

    def read_to(self, pull: str, day: str, at: float) -> None:
        """Note how far a pull has read. Raises OSError."""
        with self._turn:
            self._look()
            if self._cursors.get(pull, "") < day:
                self._write({"pull": pull, "to": day, "at": at})

    def thin(self, since: float) -> None:
        """Where the file has grown large, drop items noted before ``since`` (seconds since 1970). Raises OSError."""
        with self._turn:
            if not self._file.exists() or self._file.stat().st_size <= _LARGE:
                return
            self._look()
            aside = self._file.with_suffix(".new")
            with self._file.open("rb") as old, aside.open("wb") as new:
                for line in old:
                    value = _line(line)
                    if "token" in value and float(value.get("at", 0)) >= since:
                        new.write(line)
                for pull, day in self._cursors.items():
                    new.write(json.dumps({"pull": pull, "to": day, "at": since}).encode() + b"\n")
                new.flush()
                os.fsync(new.fileno())
            aside.replace(self._file)

    def _look(self) -> None:
        try:
            with self._file.open("rb") as file:
                state = os.fstat(file.fileno())
                inode, at = self._mark
                if inode != state.st_ino or state.st_size < at:
                    self._done, self._cursors, at = set(), {}, 0
                file.seek(at)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written, or its writer was cut off
                    at += len(line)
                    self._hear(_line(line))
                self._mark = (state.st_ino, at)
        except FileNotFoundError:
            self._mark, self._done, self._cursors = (0, 0), set(), {}

    def _hear(self, line: dict[str, Any]) -> None:
        if "token" in line:
            self._done.add(str(line["token"]))
        elif "pull" in line:
            pull, day = str(line["pull"]), str(line.get("to", ""))
            self._cursors[pull] = max(self._cursors.get(pull, ""), day)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # A line that was cut off must not swallow this one.
        whole = not self._file.exists() or self._file.stat().st_size == self._mark[1]
        with self._file.open("ab") as file:
            file.write((("" if whole else "\n") + json.dumps(line, ensure_ascii=False) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())


def _line(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
