"""GET /v1/files/{sha256}: a file's bytes, whole or in part, for those who sent or were sent a message that names it."""

from __future__ import annotations

import asyncio
import os
import re
from typing import BinaryIO, Final

from aiohttp import hdrs, web

from gateway.api.doors import DOORS
from gateway.api.identity import system_of
from gateway.api.language import language_of
from gateway.api.problems import not_found, unsatisfiable_range

_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII)
_CHUNK: Final = 256 * 1024


async def file(request: web.Request) -> web.StreamResponse:
    """The file; 206 for one byte range (RFC 9110, 14), 304 where the caller has it already."""
    doors = request.app[DOORS]
    system = system_of(request)
    sha256 = request.match_info["sha256"].lower()
    held = await doors.ledger.may_read_file(sha256, system.name) if _SHA256.match(sha256) else None
    if held is None:
        raise not_found()
    return await sent(request, sha256, held.size)


async def sent(request: web.Request, sha256: str, size: int | None = None) -> web.StreamResponse:
    """The file to a caller who may have it; raises Rejected ``not-found`` where the spool does not hold it.

    ``size``: what it has to have; None takes it as it is.
    """
    tag = f'"{sha256}"'
    headers: dict[str, str] = {hdrs.ETAG: tag, hdrs.CACHE_CONTROL: "private, max-age=31536000, immutable"}
    if _names(request.headers.get(hdrs.IF_NONE_MATCH), tag):
        return web.Response(status=304, headers=headers)
    try:
        source = await asyncio.to_thread(request.app[DOORS].spool.open, sha256)
    except FileNotFoundError:
        raise not_found() from None
    try:
        if size is None:
            size = await asyncio.to_thread(source.seek, 0, os.SEEK_END)
        return await _send(request, source, size, headers)
    finally:
        await asyncio.to_thread(source.close)


async def _send(request: web.Request, source: BinaryIO, size: int, headers: dict[str, str]) -> web.StreamResponse:
    first, last = 0, size - 1
    status = 200
    wanted = _wanted(request, headers[hdrs.ETAG])
    if wanted is not None:
        first, last = _resolved(wanted, size)
        if first > last:
            return unsatisfiable_range(size, language_of(request))
        headers[hdrs.CONTENT_RANGE] = f"bytes {first}-{last}/{size}"
        status = 206
    response = web.StreamResponse(status=status, headers=headers)
    response.headers[hdrs.ACCEPT_RANGES] = "bytes"
    response.headers[hdrs.CONTENT_DISPOSITION] = "attachment"
    # What the bytes are is said by the message that names them: another uploader's word would tell that there is one.
    response.headers[hdrs.CONTENT_TYPE] = "application/octet-stream"
    response.content_length = last - first + 1
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        await asyncio.to_thread(source.seek, first)
        left = last - first + 1
        while left > 0 and (chunk := await asyncio.to_thread(source.read, min(_CHUNK, left))):
            await response.write(chunk)
            left -= len(chunk)
        if left > 0 and request.transport is not None:
            # Fewer bytes than promised: break off, so that nobody takes the part for the whole.
            request.transport.abort()
            return response
    await response.write_eof()
    return response


def _names(header: str | None, tag: str) -> bool:
    """Whether If-None-Match names ``tag`` (weakly compared) or anything at all."""
    if header is None:
        return False
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in header.split(","))


def _wanted(request: web.Request, tag: str) -> tuple[int | None, int | None] | None:
    """First and last byte as asked for; None where the whole file is to be sent.

    What is not a single byte range is ignored, as RFC 9110 allows; so is one whose If-Range names another file.
    """
    found = _RANGE.match(request.headers.get(hdrs.RANGE, ""))
    if found is None or request.headers.get(hdrs.IF_RANGE, tag) != tag:
        return None
    first, last = (int(each) if each else None for each in found.groups())
    if (first is None and last is None) or (first is not None and last is not None and last < first):
        return None
    return first, last


def _resolved(wanted: tuple[int | None, int | None], size: int) -> tuple[int, int]:
    """First and last byte to send; first > last where the range cannot be satisfied."""
    first, last = wanted
    if first is None:
        return max(0, size - (last or 0)), size - 1
    return first, size - 1 if last is None else min(last, size - 1)
