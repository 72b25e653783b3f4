"""Reading what is posted: never more than allowed, never longer than allowed, never compressed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Self

from aiohttp import hdrs, web

from gateway.api.doors import DOORS
from gateway.api.problems import bad_request, body_late, too_large, unsupported
from gateway.core.content import PIECE, Content, Sink
from gateway.core.faults import Busy, Text, Violation
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.telemetry import BODIES


class Intake:
    """How many bytes of bodies may be in memory at once; over it the bus sheds load before it falls over."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def share(self) -> Share:
        """One request's part of it; give it back by leaving its ``with``."""
        return Share(self)


class Share:
    """What one request holds of the intake."""

    __slots__ = ("_held", "_intake")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Hold nothing any more."""
        self._intake.held -= self._held
        self._held = 0
        BODIES.set(self._intake.held)

    def take(self, count: int) -> None:
        """Hold ``count`` bytes more; raises Busy ``overloaded`` where all together would be too many."""
        self._held += count
        self._intake.held += count
        if self._intake.held > self._intake.most:
            raise Busy(
                "overloaded",
                Text(
                    "Trục đang nhận quá nhiều dữ liệu cùng lúc. Bên gửi hãy gửi lại sau ít giây.",
                    "The bus is taking in too much at once. The sender must send the same again in a few seconds.",
                ),
                retry_after=5,
            )


INTAKE: Final = web.AppKey("INTAKE", Intake)


def media_type(request: web.Request) -> str:
    """The media type of the body in lower case, without parameters; empty where none is named."""
    return request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()


async def read_body(request: web.Request, limit: int, seconds: float, share: Share | None = None) -> bytes:
    """The body, of at most ``limit`` bytes, arriving within ``seconds``.

    Raises Rejected ``unsupported-media-type`` where it is compressed, ``too-large``, ``bad-request`` where it
    does not arrive whole; Busy where ``share`` says that too much is held already.
    """
    pieces: list[bytes] = []
    async for piece in _arriving(request, limit, seconds):
        if share is not None:
            share.take(len(piece))
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def pour_body(
    request: web.Request, sink: Sink, limit: int, seconds: float, hold: Callable[[int], None]
) -> Content:
    """The body in a sink, a piece at a time in memory; ``hold`` is told of each, and may raise Busy.

    Raises as :func:`read_body`; TransientFailure where the disk does not take it.
    """
    gathered = bytearray()
    async for chunk in _arriving(request, limit, seconds):
        hold(len(chunk))
        gathered += chunk
        if len(gathered) >= PIECE:
            await asyncio.to_thread(sink.write, bytes(gathered))
            gathered.clear()
    sink.write(bytes(gathered))
    return await asyncio.to_thread(sink.done)


async def _arriving(request: web.Request, limit: int, seconds: float) -> AsyncIterator[bytes]:
    """The body as it comes; raises as :func:`read_body`."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() != "identity":
        raise unsupported(())
    declared = request.content_length
    if declared is not None and declared > limit:
        raise too_large(limit)
    deadline = asyncio.get_running_loop().time() + seconds
    size = 0
    try:
        while True:
            async with asyncio.timeout_at(deadline):
                piece = await request.content.readany()
            if not piece:
                return
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            yield piece
    except TimeoutError:
        raise body_late(seconds) from None
    except web.RequestPayloadError:
        raise bad_request(
            detail=Text(
                "Nội dung yêu cầu bị đứt đoạn hoặc sai cách chia khúc (chunked). Bên gửi hãy gửi lại.",
                "The body is broken off or wrongly chunked. The sender must send it again.",
            )
        ) from None


async def read_json_object(request: web.Request) -> dict[str, Any]:
    """The body as one strict JSON object; an empty body is an empty object.

    Raises Rejected ``unsupported-media-type``, ``too-large`` or ``bad-request``.
    """
    limits = request.app[DOORS].limits
    body = await read_body(request, limits.json, limits.body_seconds)
    if not body.strip():
        return {}
    if media_type(request) != "application/json":
        raise unsupported(("application/json",))
    try:
        value = parse_strict(body)
    except StrictJsonError as error:
        raise bad_request(
            Violation("", "json", Text(f"Không phải JSON chặt chẽ: {error}.", f"Not strict JSON: {error}."))
        ) from None
    if not isinstance(value, dict):
        raise bad_request(Violation("", "type", Text("Phải là một đối tượng JSON.", "Must be a JSON object.")))
    return value


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """``value`` as an ``application/json`` answer."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(status=status, body=body, headers={hdrs.CONTENT_TYPE: "application/json", **(headers or {})})
