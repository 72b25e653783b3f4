"""CSV files for the agency: one a message, or one an hour; whole or not at all, each delivery once.

A file of an hour grows out of sight and is shown when the hour is over. What is noted with its length counts; what a
crash left behind it is cut off.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from adapters.records.cells import opening
from adapters.records.inbox import line_of
from gateway.core.faults import PermanentFailure
from gateway.core.moments import VIET_NAM

#: The column by which the agency can drop repeats.
DELIVERY: Final = "lgsp-delivery"
_GROWING: Final = ".growing"
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")
#: For so long repeats of deliveries in files of hours gone by are known (days).
_KEPT: Final = 30


class Outbox:
    """The way out. Its methods block, and raise OSError where the folder cannot be used."""

    def __init__(self, folder: Path, encoding: str, separator: str, *, hourly: bool, now: Callable[[], float]) -> None:
        self._folder, self._encoding, self._separator = folder, encoding, separator
        self._hourly, self._now = hourly, now

    def put(self, contract: str, delivery: str, columns: Sequence[str], cells: Sequence[str]) -> str:
        """Write one row; answers the file's name. Raises PermanentFailure where the encoding cannot say it."""
        head = self._line([DELIVERY, *columns])
        row = self._line([delivery, *cells])
        if self._hourly:
            return self._append(contract, delivery, head, row)
        name = f"{delivery if _SAFE.match(delivery) else hashlib.sha256(delivery.encode()).hexdigest()}.csv"
        self._place(name, opening(self._encoding) + head + row)
        return name

    def show(self) -> None:
        """Place the files of hours that are over."""
        growing = self._folder / _GROWING
        if not self._hourly or not growing.is_dir():
            return
        now = f"{self._moment():%Y-%m-%dT%H}"
        old = f"{self._moment() - timedelta(days=_KEPT):%Y-%m-%dT%H}"
        with self._alone():
            for path in sorted(growing.glob("*.csv")):
                if _hour(path) < now:
                    self._mend(path)
                    os.replace(path, self._folder / path.name)  # noqa: PTH105 - shown whole, by a rename
                    _sync(self._folder)
            for path in growing.glob("*.rows"):
                if _hour(path) < old:
                    path.unlink()

    def _append(self, contract: str, delivery: str, head: bytes, row: bytes) -> str:
        growing = self._folder / _GROWING
        growing.mkdir(exist_ok=True)
        name = f"{contract}-{self._moment():%Y-%m-%dT%H}.csv"
        path = growing / name
        with self._alone():
            for notes in sorted(growing.glob(f"{contract}-*.rows")):
                if any(noted == delivery for noted, _ in _noted(notes)):
                    return f"{notes.name.removesuffix('.rows')}.csv"
            self._mend(path)
            with path.open("ab") as file:
                if file.tell() == 0:
                    file.write(opening(self._encoding) + head)
                file.write(row)
                file.flush()
                os.fsync(file.fileno())
                length = file.tell()
            with path.with_suffix(".rows").open("ab") as file:
                file.write(f"{length} {delivery}\n".encode())
                file.flush()
                os.fsync(file.fileno())
            _sync(growing)
        return name

    def _mend(self, path: Path) -> None:
        """Cut off what was written and not noted."""
        length = max((length for _, length in _noted(path.with_suffix(".rows"))), default=0)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > length:
                os.truncate(path, length)

    def _place(self, name: str, content: bytes) -> None:
        unfinished = self._folder / f".{name}.tmp"
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self._folder / name)  # noqa: PTH105 - the rename is the point
        _sync(self._folder)

    def _line(self, cells: list[str]) -> bytes:
        try:
            return line_of(cells, self._separator, self._encoding)
        except UnicodeEncodeError:
            raise PermanentFailure(
                f"unwritable: {self._encoding} has no sign for a letter of this message; set out.encoding to utf-8"
            ) from None

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._now(), VIET_NAM)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time writes to files of hours."""
        with (self._folder / _GROWING / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _hour(path: Path) -> str:
    return path.stem[-13:]


def _noted(path: Path) -> Iterator[tuple[str, int]]:
    """Deliveries of a file with its length after each; a note that was cut off does not count."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            length, _, delivery = line.decode(errors="replace").partition(" ")
            if delivery.endswith("\n") and length.isdigit():
                yield delivery[:-1], int(length)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
