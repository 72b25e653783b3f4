"""The bytes of one file wherever they lie, and what takes them in as they come: no file has to fit into memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Protocol

#: How much of a file is in memory while it is read (bytes).
PIECE: Final = 256 * 1024


class Content(Protocol):
    """The bytes of one file: they never change, and may be read as often as one likes. Equal where the bytes are."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def sha256(self) -> str:
        """Lower-case hex."""

    def open(self) -> BinaryIO:
        """The bytes from the first one on, to read and seek in; the caller closes it."""


class Sink(Protocol):
    """Takes the bytes of one file as they come."""

    def write(self, piece: bytes) -> None:
        """Add to it."""

    def done(self) -> Content:
        """That was all: the file. What is written to afterwards is nobody's."""


#: Makes sinks: in memory, or on the disk of whoever reads large files.
NewSink = Callable[[], Sink]


@dataclass(frozen=True, slots=True)
class InMemory:
    """Bytes that lie in memory."""

    data: bytes
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", hashlib.sha256(self.data).hexdigest())

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    def open(self) -> BinaryIO:
        """The bytes, to read and seek in."""
        return io.BytesIO(self.data)


class MemorySink:
    """Takes bytes into memory."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        """Add to it."""
        self._pieces.append(bytes(piece))

    def done(self) -> InMemory:
        """The file."""
        return InMemory(b"".join(self._pieces))


@dataclass(frozen=True, slots=True)
class Weighed:
    """A file of which only size and digest were kept: its bytes are gone."""

    size: int
    sha256: str

    def open(self) -> BinaryIO:
        """Raises FileNotFoundError, always."""
        raise FileNotFoundError(f"the bytes of {self.sha256} were weighed, not kept")


class Scales:
    """Takes bytes, counts them and keeps none: for who asks what a file is and not for the file."""

    def __init__(self) -> None:
        self._size = 0
        self._digest = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Add to it."""
        self._size += len(piece)
        self._digest.update(piece)

    def done(self) -> Weighed:
        """What it was."""
        return Weighed(self._size, self._digest.hexdigest())


def pieces(content: Content) -> Iterator[bytes]:
    """The bytes in order, PIECE at a time; only the last may be shorter."""
    with content.open() as file:
        yield from pieces_of(file)


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """What is left of an open file, as above."""
    while piece := file.read(PIECE):
        while len(piece) < PIECE and (more := file.read(PIECE - len(piece))):
            piece += more
        yield piece


def poured(file: BinaryIO, sink: Sink) -> Content:
    """What is left of an open file, in ``sink``."""
    for piece in pieces_of(file):
        sink.write(piece)
    return sink.done()


def whole(content: Content) -> bytes:
    """All bytes at once: for what is known to be small."""
    with content.open() as file:
        return file.read()
