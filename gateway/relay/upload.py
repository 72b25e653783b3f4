"""Taking in a file piece by piece: begin, go on after any cut, and let its system name it when it is whole.

What arrived is kept whatever becomes of the line or of this process. A file is stored under the digest of the bytes
that came, so one that was damaged on the way can never be named by the digest its sender knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.core.directory import System
from gateway.core.faults import Busy, Rejected, Text
from gateway.ports import Clock, HeldFile, Ledger, PartialFile, Partials, Spool, Upload
from gateway.ports.findings import Lying
from gateway.relay.inspect import Inspect
from gateway.relay.piece import PATIENCE, Checksum, Piece, Turn, too_large

#: An upload is forgotten a day after its last byte came, whole or not (seconds).
LIFE: Final = 86400.0
#: Who comes again has the place of a piece whose sender has been silent for so long (seconds).
SILENT: Final = 2.0
#: How often who waits for another process looks whether it made way.
_LOOKS: Final = 20
_GRANT_TRIES: Final = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How much the bus takes in: bytes of one file; of one system at a time, uploads not whole yet and their bytes."""

    size: int
    open_uploads: int = 200
    open_bytes: int = 16 * 2**30


@dataclass(frozen=True, slots=True)
class Uploads:
    """The step. A system meets its own uploads only; any other is as if absent."""

    partials: Partials
    spool: Spool
    ledger: Ledger
    clock: Clock
    limits: UploadLimits
    #: Scans what came, and looks into it; None where nobody does.
    inspect: Inspect | None = None
    _turns: dict[str, Turn] = field(default_factory=dict)

    async def begin(self, system: System, size: int, *, sha256: str | None, media_type: str, metadata: str) -> Upload:
        """A new upload of ``size`` bytes; one of none at all is whole at once.

        Raises Rejected ``too-large``, or ``rate-limited`` where the system has too much open; Busy where the disk
        does not take it.
        """
        if size > self.limits.size:
            raise too_large(self.limits.size)
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
        ``digest-mismatch`` where the file is whole but not the one announced, ``infected-file`` where it holds
        malware, then nothing of it is kept. Raises Busy where the disk or the ledger does not take it, or where it
        must be scanned and cannot be now: its bytes stay.
        """
        await self._known(system, id)
        async with self._turn(id) as turn:
            upload = await self._known(system, id)
            if offset != upload.offset:
                raise _elsewhere(offset, upload.offset)
            if length is not None and offset + length > upload.size:
                raise too_large(upload.size)
            if upload.is_kept:
                return upload
            await self._make_sure_of_room(system, 0, opened=0)
            file = await self._opened(upload)
            trouble = None
            listening = asyncio.create_task(self._give_way(upload, turn))
            try:
                trouble = await Piece(file, turn, upload.size, checksum).write(chunks)
            finally:
                listening.cancel()
                await file.close(at=self.clock.now())
            upload = await self._known(system, id)
            if upload.is_whole:
                return await self._finish(upload)
            if trouble is not None:
                raise trouble
            return upload

    async def _opened(self, upload: Upload) -> PartialFile:
        """Its file; where another process has it whose line is silent, that one makes way. Raises as :meth:`take`."""
        file = await self.partials.open(upload)
        if file is not None:
            return file
        await self.partials.want(upload)
        for _ in range(_LOOKS):
            await asyncio.sleep(SILENT * 2 / _LOOKS)
            file = await self.partials.open(upload)
            if file is None:
                continue
            if file.offset == upload.offset:
                return file
            await file.close(at=self.clock.now())
            raise _elsewhere(upload.offset, file.offset)
        raise _busy_elsewhere()

    async def _give_way(self, upload: Upload, turn: Turn) -> None:
        """End a piece whose line is silent where another process wants to write."""
        now = asyncio.get_running_loop().time
        while not turn.is_hurried:
            await asyncio.sleep(SILENT / 2)
            with contextlib.suppress(Busy):  # a disk that fails is told to who writes
                if now() - turn.heard_at >= SILENT and await self.partials.is_wanted(upload):
                    turn.hurry()

    async def drop(self, system: System, id: str) -> None:
        """Forget an upload with its bytes; a file that came whole stays. Raises Rejected ``not-found``."""
        await self._known(system, id)
        async with self._turn(id, waits=True):
            upload = await self._known(system, id)
            if not await self.partials.drop(upload):
                raise _busy_elsewhere()

    def stop(self) -> None:
        """End every piece that is being written; what came of it is kept."""
        for turn in self._turns.values():
            turn.hurry()

    def expires(self, upload: Upload) -> float:
        """The moment (seconds since 1970) from which the upload is forgotten unless more bytes come."""
        return upload.touched_at + LIFE

    async def sweep(self) -> None:
        """End what a crash left whole but not kept; forget what had its day."""
        for upload in await self.partials.whole():
            if upload.id not in self._turns:
                with contextlib.suppress(Rejected, Busy):
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
    async def _turn(self, id: str, *, waits: bool = False) -> AsyncIterator[Turn]:
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
        turn = self._turns[id] = Turn(now())
        try:
            yield turn
        finally:
            del self._turns[id]
            turn.ended.set()

    async def _finish(self, upload: Upload) -> Upload:
        """A whole file: hold it to its digest, keep it once, let its system name it, forget the upload."""
        try:
            return await self._finish_here(upload)
        except Busy:
            found = await self.partials.find(upload.system, upload.id)
            if found is None or not found.is_kept:
                raise
            return found  # another process, which was asked at the same moment, was faster

    async def _finish_here(self, upload: Upload) -> Upload:
        sha256 = await self.partials.digest(upload)
        if upload.sha256 is not None and sha256 != upload.sha256:
            await self.partials.drop(upload)
            log.warning("upload.refused", agency=upload.system, reason="digest-mismatch", size=upload.size)
            raise _another_file(upload.sha256, sha256)
        path = self.partials.path(upload)
        findings = None
        if self.inspect is not None:
            try:
                file = Lying(sha256, upload.size, lambda: path.open("rb"))
                findings = await self.inspect.arriving(file, upload.system)
            except Rejected:
                await self.partials.drop(upload)
                raise
        held = HeldFile(sha256, upload.size, upload.media_type)
        for _ in range(_GRANT_TRIES):
            # The part stays until the end: whatever comes between, the file can be kept again.
            await self.spool.adopt(path, sha256)
            now = self.clock.now()
            if await self.ledger.grant_file(held, upload.system, at=now, is_present=self.spool.is_present):
                if self.inspect is not None and findings is not None:
                    await self.inspect.keep(findings)
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
