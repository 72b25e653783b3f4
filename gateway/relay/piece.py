"""Writing one piece of an upload: its turn, its bytes as they come, its checksum, and the end of a line that died."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Self

from gateway.core.faults import Rejected, Text
from gateway.ports import PartialFile, Sum

#: Check sums of a piece, by the protocol's names.
ALGORITHMS: Final = ("sha1", "sha256")
#: Bytes gathered before the disk is asked.
GATHERED: Final = 256 * 1024
#: A piece whose sender is silent for so long is ended (seconds).
PATIENCE: Final = 60.0
#: The longest that one piece may take (seconds); the next one goes on where it ended.
LONGEST: Final = 3600.0


class BrokenOff(Exception):
    """The bytes of a piece stopped coming before its end."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a piece must add up to (tus, Upload-Checksum)."""

    algorithm: str
    expected: bytes

    @classmethod
    def read(cls, written: str) -> Self | None:
        """``sha1 BASE64``; None where it is not of that form or of no algorithm of ours."""
        algorithm, _, encoded = written.strip().partition(" ")
        if algorithm not in ALGORITHMS:
            return None
        try:
            expected = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return None
        made = cls(algorithm, expected)
        return made if len(expected) == hashlib.new(algorithm, usedforsecurity=False).digest_size else None


@dataclass(slots=True)
class Turn:
    """One writer at a time for each upload, and a way to end one whose line has died without a word."""

    heard_at: float
    waiting: asyncio.Timeout | None = None
    is_hurried: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def hurry(self) -> None:
        """Wait for no further byte."""
        self.is_hurried = True
        if self.waiting is not None:
            self.waiting.reschedule(asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece on its way into its file."""

    file: PartialFile
    turn: Turn
    #: The length of the whole file.
    size: int
    checksum: Checksum | None

    async def write(self, chunks: AsyncIterator[bytes]) -> Rejected | None:
        """Write what comes; answers why it ended early, where it did. Raises Rejected where nothing of it counts."""
        began = self.file.offset
        check = None if self.checksum is None else hashlib.new(self.checksum.algorithm, usedforsecurity=False)
        until = asyncio.get_running_loop().time() + LONGEST
        came = 0
        gathered = bytearray()

        async def store() -> None:
            data = bytes(gathered)
            gathered.clear()
            await self.file.add(data, check)

        try:
            while chunk := await self._next(chunks, until):
                came += len(chunk)
                if began + came > self.size:
                    gathered.clear()
                    await self.file.cut(began)
                    raise too_large(self.size)
                gathered += chunk
                if len(gathered) >= GATHERED:
                    await store()
        except (BrokenOff, TimeoutError):
            await store()
            return _broken_off(self.file.offset)
        except asyncio.CancelledError:
            await store()  # the gateway stops: not a byte less
            raise
        await store()
        await self._judge(check, began)
        return None

    async def _next(self, chunks: AsyncIterator[bytes], until: float) -> bytes:
        if self.turn.is_hurried:
            raise BrokenOff
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(loop.time() + PATIENCE, until)) as self.turn.waiting:
                chunk = await anext(chunks, b"")
        finally:
            self.turn.waiting = None
        self.turn.heard_at = loop.time()
        return chunk

    async def _judge(self, check: Sum | None, began: int) -> None:
        if self.checksum is not None and check is not None and check.digest() != self.checksum.expected:
            await self.file.cut(began)
            raise Rejected(
                "checksum-mismatch",
                Text(
                    f"Phần dữ liệu nhận được không khớp mã kiểm tra {self.checksum.algorithm} nên không được giữ."
                    " Bên gửi hãy gửi lại phần này.",
                    f"The piece does not fit its {self.checksum.algorithm} checksum and was not kept."
                    " The sender must send it again.",
                ),
            )


def too_large(limit: int) -> Rejected:
    """More bytes than were announced, or than are allowed."""
    return Rejected(
        "too-large",
        Text(
            f"Vượt quá độ dài cho phép ({limit} byte). Bên gửi kiểm tra độ dài tệp; tệp lớn hơn thì chia nhỏ hoặc nén.",
            f"Longer than allowed ({limit} bytes). The sender must check the length; split or compress what is larger.",
        ),
    )


def _broken_off(stands: int) -> Rejected:
    return Rejected(
        "bad-request",
        Text(
            f"Đường truyền bị đứt; đã giữ {stands} byte. Bên gửi hãy hỏi lại (HEAD) rồi gửi tiếp từ đó.",
            f"The line was cut; {stands} bytes are kept. The sender must ask (HEAD) and go on from there.",
        ),
    )
