"""Taking in a file piece by piece: begin, go on after any cut, and let its system name it when it is whole.

What arrived is kept whatever becomes of the line or of this process. A file is stored under the digest of the bytes
that came, so one that was damaged on the way can never be named by the digest its sender knows.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Self

import structlog

from gateway.core.directory import System
from gateway.core.faults import Busy, Rejected, Text
from gateway.ports import Clock, HeldFile, Ledger, PartialFile, Partials, Spool, Sum, Upload

#: An upload is forgotten a day after its last byte came, whole or not (seconds).
LIFE: Final = 86400.0
#: Check sums of a piece, by the protocol's names.
ALGORITHMS: Final = ("sha1", "sha256")
#: Bytes gathered before the disk is asked.
GATHERED: Final = 256 * 1024
#: A piece whose sender is silent for so long is ended (seconds); who comes again may have its place far sooner.
PATIENCE: Final = 60.0
SILENT: Final = 2.0
#: The longest that one piece may take (seconds); the next one goes on where it ended.
LONGEST: Final = 3600.0
_GRANT_TRIES: Final = 3

log = structlog.get_logger()


class BrokenOff(Exception):
    """The bytes of a piece stopped coming before its end."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How much the bus takes in: bytes of one file; of one system at a time, uploads not whole yet and their bytes."""

    size: int
    open_uploads: int = 200
    open_bytes: int = 16 * 2**30


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
class _Turn:
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
class Uploads:
    """The step. A system meets its own uploads only; any other is as if absent."""

    partials: Partials
    spool: Spool
    ledger: Ledger
    clock: Clock
    limits: UploadLimits
    _turns: dict[str, _Turn] = field(default_factory=dict)

    async def begin(self, system: System, size: int, *, sha256: str | None, media_type: str, metadata: str) -> Upload:
        """A new upload of ``size`` bytes; one of none at all is whole at once.

        Raises Rejected ``too-large``, or ``rate-limited`` where the system has too much open; Busy where the disk
        does not take it.
        """
        if size > self.limits.size:
            raise _too_large(self.limits.size)
        await self._make_sure_of_room(system, size)
        now = self.clock.now()
        upload = Upload(secrets.token_hex(16), system.name, size, sha256, media_type, metadata, touched_at=now)
        await self.partials.begin(upload)
        if size == 0:
            async with self._turn(upload.id):
                return await self._finish(upload)
        return upload

    async def find(self, system: System, id: str) -> Upload:
        """The system's upload; where a crash came between its last byte and its end, it is ended now.

        Raises Rejected ``not-found``; ``digest-mismatch`` as :meth:`take`.
        """
        upload = await self._known(system, id)
        if upload.is_whole and not upload.is_kept:
            async with self._turn(id, waits=True):
                upload = await self._known(system, id)
                if upload.is_whole and not upload.is_kept:
                    upload = await self._finish(upload)
        return upload

    async def take(
        self,
        system: System,
        id: str,
        offset: int,
        chunks: AsyncIterator[bytes],
        *,
        length: int | None = None,
        checksum: Checksum | None = None,
    ) -> Upload:
        """Add a piece at ``offset``, of ``length`` bytes where that is known; answers the upload as it then is.

        ``chunks`` raises BrokenOff where the line is cut: what came is kept, and Rejected ``bad-request`` raised.
        Raises Rejected ``not-found``; ``illegal-state`` where another piece is being written or ``offset`` is not
        where the upload stands; ``too-large``; ``checksum-mismatch``, then nothing of the piece is kept;
        ``digest-mismatch`` where the file is whole but not the one announced, then nothing of it is kept. Raises
        Busy where the disk or the ledger does not take it.
        """
        await self._known(system, id)
        async with self._turn(id) as turn:
            upload = await self._known(system, id)
            if offset != upload.offset:
                raise _elsewhere(offset, upload.offset)
            if length is not None and offset + length > upload.size:
                raise _too_large(upload.size)
            if upload.is_kept:
                return upload
            await self._make_sure_of_room(system, 0, opened=0)
            file = await self.partials.open(upload)
            if file is None:
                raise _busy_elsewhere()
            trouble = None
            try:
                trouble = await _Piece(file, turn, upload.size, checksum).write(chunks)
            finally:
                await file.close(at=self.clock.now())
            upload = await self._known(system, id)
            if upload.is_whole:
                return await self._finish(upload)
            if trouble is not None:
                raise trouble
            return upload

    async def drop(self, system: System, id: str) -> None:
        """Forget an upload with its bytes; a file that came whole stays. Raises Rejected ``not-found``."""
        await self._known(system, id)
        async with self._turn(id, waits=True):
            upload = await self._known(system, id)
            if not await self.partials.drop(upload):
                raise _busy_elsewhere()

    def expires(self, upload: Upload) -> float:
        """The moment (seconds since 1970) from which the upload is forgotten unless more bytes come."""
        return upload.touched_at + LIFE

    async def sweep(self) -> None:
        """End what a crash left whole but not kept; forget what had its day."""
        for upload in await self.partials.whole():
            if upload.id not in self._turns:
                with contextlib.suppress(Rejected):
                    async with self._turn(upload.id):
                        await self._finish(upload)
        forgotten = await self.partials.sweep(self.clock.now() - LIFE)
        if forgotten:
            log.info("uploads.swept", count=forgotten)

    async def _known(self, system: System, id: str) -> Upload:
        upload = await self.partials.find(system.name, id)
        if upload is None or self.expires(upload) <= self.clock.now():
            raise Rejected(
                "not-found",
                Text(
                    "Không có lượt tải lên này, hoặc đã quá một ngày kể từ byte cuối cùng. Bên gửi hãy tạo lượt mới.",
                    "There is no such upload, or its last byte came over a day ago. The sender must begin a new one.",
                ),
            )
        return upload

    async def _make_sure_of_room(self, system: System, size: int, *, opened: int = 1) -> None:
        count, held = await self.partials.held(system.name)
        if count + opened > self.limits.open_uploads or held + size > self.limits.open_bytes:
            raise Busy(
                "rate-limited",
                Text(
                    "Hệ thống này có quá nhiều lượt tải lên dở dang. Bên gửi hãy hoàn tất hoặc huỷ bớt (DELETE);"
                    " lượt dở dang tự hết hạn sau một ngày.",
                    "This system has too much open. The sender must finish or terminate (DELETE) uploads;"
                    " unfinished ones end by themselves after a day.",
                ),
                retry_after=60.0,
            )

    @contextlib.asynccontextmanager
    async def _turn(self, id: str, *, waits: bool = False) -> AsyncIterator[_Turn]:
        """Be the upload's only writer; take the place of one that has fallen silent, or (``waits``) of any.

        Raises Rejected ``illegal-state`` where another is at work.
        """
        now = asyncio.get_running_loop().time
        other = self._turns.get(id)
        if other is not None and (waits or now() - other.heard_at >= SILENT):
            other.hurry()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(other.ended.wait(), PATIENCE)
        if id in self._turns:
            raise _busy_elsewhere()
        turn = self._turns[id] = _Turn(now())
        try:
            yield turn
        finally:
            del self._turns[id]
            turn.ended.set()

    async def _finish(self, upload: Upload) -> Upload:
        """A whole file: hold it to its digest, keep it once, let its system name it, forget the upload."""
        sha256 = await self.partials.digest(upload)
        if upload.sha256 is not None and sha256 != upload.sha256:
            await self.partials.drop(upload)
            log.warning("upload.refused", agency=upload.system, reason="digest-mismatch", size=upload.size)
            raise _another_file(upload.sha256, sha256)
        held = HeldFile(sha256, upload.size, upload.media_type)
        for _ in range(_GRANT_TRIES):
            # The part stays until the end: whatever comes between, the file can be kept again.
            await self.spool.adopt(self.partials.path(upload), sha256)
            now = self.clock.now()
            if await self.ledger.grant_file(held, upload.system, at=now, is_present=self.spool.is_present):
                log.info("upload.kept", agency=upload.system, sha256=sha256, size=upload.size)
                return await self.partials.keep(upload, at=now)
        raise Busy(
            "overloaded",
            Text(
                "Trục chưa ghi nhận được tệp; các byte đã nhận vẫn còn. Hệ thống gửi hãy hỏi lại (HEAD) sau ít giây.",
                "The bus could not keep the file yet; its bytes are not lost. Ask again (HEAD) in a few seconds.",
            ),
            retry_after=5.0,
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    """One piece on its way into its file."""

    file: PartialFile
    turn: _Turn
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
                    raise _too_large(self.size)
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


def _too_large(limit: int) -> Rejected:
    return Rejected(
        "too-large",
        Text(
            f"Vượt quá độ dài cho phép ({limit} byte). Bên gửi kiểm tra độ dài tệp; tệp lớn hơn thì chia nhỏ hoặc nén.",
            f"Longer than allowed ({limit} bytes). The sender must check the length; split or compress what is larger.",
        ),
    )


def _elsewhere(offset: int, stands: int) -> Rejected:
    return Rejected(
        "illegal-state",
        Text(
            f"Lượt tải lên đang ở byte {stands}, không phải {offset}. Bên gửi hãy hỏi lại (HEAD) rồi gửi tiếp từ đó.",
            f"The upload stands at byte {stands}, not {offset}. The sender must ask (HEAD) and go on from there.",
        ),
    )


def _busy_elsewhere() -> Rejected:
    return Rejected(
        "illegal-state",
        Text(
            "Một yêu cầu khác đang ghi lượt tải lên này. Bên gửi hãy chờ yêu cầu đó kết thúc rồi hỏi lại (HEAD).",
            "Another request is writing this upload. The sender must wait for its end, then ask again (HEAD).",
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


def _another_file(announced: str, found: str) -> Rejected:
    return Rejected(
        "digest-mismatch",
        Text(
            f"Tệp nhận được có SHA-256 {found}, khác với {announced} đã khai báo, nên đã bị bỏ."
            " Bên gửi hãy kiểm tra tệp rồi tải lên lại từ đầu.",
            f"The file that came has SHA-256 {found}, not {announced} as announced, and was dropped."
            " The sender must check the file and upload it anew.",
        ),
    )
