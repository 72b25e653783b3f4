"""What is done with at a far side that cannot be told, in a file: tokens of items, and how far lists were read.

A line a fact, added and on the disk before the bus calls it settled. Where the file is lost nothing is lost with it:
items come to the bus once more, which knows each by what it is. Several may have the same file open.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.core.faults import Text

#: A file larger than this is written anew without what is too old to come again (bytes).
_LARGE: Final = 8 << 20


class Notes:
    """The notes of one system. Its methods block: call them in a thread. Each raises OSError."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: tuple[int, int] = (0, 0)
        self._done: set[str] = set()
        self._refused: set[str] = set()
        self._last: dict[str, str] = {}
        self._marks: dict[str, Any] = {}
        self._turn = threading.Lock()

    def done(self) -> frozenset[str]:
        """Tokens of what is done with, as the file says now."""
        with self._turn:
            self._catch_up()
            return frozenset(self._done)

    def refused(self) -> frozenset[str]:
        """Tokens of what is done with because the bus would not have it."""
        with self._turn:
            self._catch_up()
            return frozenset(self._refused)

    def last(self, about: str) -> str | None:
        """The token that was settled last of all about one thing; None where none was."""
        with self._turn:
            self._catch_up()
            return self._last.get(about)

    def mark(self, name: str) -> Any:
        """How far the list ``name`` was read; None where that was never noted."""
        with self._turn:
            self._catch_up()
            return self._marks.get(name)

    def settle(self, token: str, at: float, refusal: tuple[str, Text] | None = None, *, about: str = "") -> None:
        """Note an item once; with a refusal, why, in words for whoever looks. ``about``: the thing it tells of."""
        with self._turn:
            self._catch_up()
            if token not in self._done:
                reason = {} if refusal is None else {"refused": refusal[0], "vi": refusal[1].vi, "en": refusal[1].en}
                self._add({"token": token, "at": at, **({"about": about} if about else {}), **reason})

    def advance(self, name: str, mark: Any, at: float) -> None:
        """Note how far a list was read."""
        with self._turn:
            self._catch_up()
            if self._marks.get(name) != mark:
                self._add({"mark": name, "is": mark, "at": at})

    def thin(self, since: float) -> None:
        """Where the file has grown large, drop items noted before ``since`` (seconds since 1970); marks stay."""
        with self._turn:
            if self._file.exists() and self._file.stat().st_size > _LARGE:
                self._catch_up()
                self._rewrite(since)

    def _catch_up(self) -> None:
        try:
            with self._file.open("rb") as file:
                state = os.fstat(file.fileno())
                inode, at = self._read
                if inode != state.st_ino or state.st_size < at:
                    self._forget()
                    at = 0
                file.seek(at)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # somebody is writing it, or was cut off
                    at += len(line)
                    self._learn(_fact(line))
                self._read = (state.st_ino, at)
        except FileNotFoundError:
            self._forget()

    def _forget(self) -> None:
        self._read, self._done, self._refused, self._last, self._marks = (0, 0), set(), set(), {}, {}

    def _learn(self, fact: Mapping[str, Any]) -> None:
        if isinstance(fact.get("token"), str):
            self._done.add(fact["token"])
            if "refused" in fact:
                self._refused.add(fact["token"])
            if isinstance(fact.get("about"), str):
                self._last[fact["about"]] = fact["token"]
        elif isinstance(fact.get("mark"), str):
            self._marks[fact["mark"]] = fact.get("is")

    def _add(self, fact: Mapping[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab+") as file:
            file.seek(0, os.SEEK_END)
            # A line that was cut off must not swallow this one.
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")
            file.write(json.dumps(fact, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, since: float) -> None:
        aside = self._file.with_suffix(".new")
        with self._file.open("rb") as old, aside.open("wb") as new:
            for line in old:
                fact = _fact(line)
                at = fact.get("at")
                if "token" in fact and isinstance(at, int | float) and at >= since:
                    new.write(line)
            for name, mark in self._marks.items():
                new.write(json.dumps({"mark": name, "is": mark, "at": since}).encode() + b"\n")
            new.flush()
            os.fsync(new.fileno())
        aside.replace(self._file)


def _fact(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
