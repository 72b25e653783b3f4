"""Uploading a file over a line that may break at any time: begin, go on where the bus stands, until it is whole."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import Final

import aiohttp

from gateway.client.bus import Bus
from gateway.core.content import PIECE, Content

_TUS: Final = {"Tus-Resumable": "1.0.0"}
_PIECE: Final = "application/offset+octet-stream"
_GONE: Final = frozenset({404, 410})


@dataclass(slots=True)
class Upload:
    """One file on its way to the bus, however often the line is cut."""

    bus: Bus
    token: str
    content: Content
    media_type: str = "application/octet-stream"
    #: How much goes up at a time (bytes): what a slow line carries well within a request's time.
    piece: int = PIECE
    #: How often the line broke.
    breaks: int = 0
    _path: str = ""

    async def sent(self, *, tries: int, pause: float = 1.0) -> bool:
        """Whether the bus has the file, after so many tries at most; a later call goes on where this one ended.

        Raises aiohttp.ClientResponseError where the bus says no.
        """
        for _ in range(tries):
            try:
                if await self._go_on():
                    return True
            except aiohttp.ClientResponseError:
                raise
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.breaks += 1
                await asyncio.sleep(pause)
        return False

    async def _go_on(self) -> bool:
        if not self._path:
            self._path = await self._begun()
        offset = await self._offset()
        if offset is None:
            self._path = ""
            return False
        file = await asyncio.to_thread(self.content.open)
        try:
            await asyncio.to_thread(file.seek, offset)
            while offset < self.content.size:
                piece = await asyncio.to_thread(file.read, self.piece)
                fields = {"Upload-Offset": str(offset), "Content-Type": _PIECE}
                async with self._asked("PATCH", self._path, fields, piece) as answer:
                    answer.raise_for_status()
                    offset = int(answer.headers["Upload-Offset"])
        finally:
            await asyncio.to_thread(file.close)
        return True

    async def _begun(self) -> str:
        told = {"sha256": self.content.sha256, "mediatype": self.media_type}
        words = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
        fields = {"Upload-Length": str(self.content.size), "Upload-Metadata": words}
        async with self._asked("POST", "/v1/uploads", fields) as answer:
            answer.raise_for_status()
            # The address may name the bus by another way than ours.
            return "/v1/uploads/" + answer.headers["Location"].rpartition("/")[2]

    async def _offset(self) -> int | None:
        """Where the bus stands; None where it knows nothing of this upload any more."""
        async with self._asked("HEAD", self._path, {}) as answer:
            if answer.status in _GONE:
                return None
            answer.raise_for_status()
            return int(answer.headers["Upload-Offset"])

    def _asked(
        self, method: str, path: str, fields: dict[str, str], body: bytes | None = None
    ) -> aiohttp.client._RequestContextManager:
        headers = {**_TUS, "Authorization": f"Bearer {self.token}", **fields}
        return self.bus.session.request(method, self.bus.url + path, headers=headers, data=body, allow_redirects=False)
