"""The agency in small: an HTTP address that takes messages, checks their signatures by its own code, and misbehaves.

Nothing here is shared with the adapter: what it computes differently, this notices.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.core.jws import Signer
from gateway.core.moments import format_moment
from gateway.ports import Parcel

_LARGEST: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request is answered; ``hang`` never answers, ``reset`` breaks the connection, ``endless`` never stops.

    ``echo`` sends the request's body back; ``delay`` is in seconds.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    hang: bool = False
    reset: bool = False
    endless: bool = False
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """One request: its headers by lower-case name, its body, what its signatures proved, how it was answered.

    ``signatures`` says for ``v1a`` and ``v1`` whether they were there and right; absent: there was none.
    ``peer`` is the caller's port: the same for requests on one kept-alive connection.
    """

    headers: Mapping[str, str]
    body: bytes
    signatures: Mapping[str, bool]
    status: int
    peer: int

    @property
    def delivery(self) -> str:
        """The delivery id, by which a repeat is known."""
        return self.headers.get("webhook-id", "")

    @property
    def message(self) -> str:
        """The id of the original message."""
        return self.headers.get("lgsp-message", "")


@dataclass(slots=True)
class WebhookSink:
    """A recipient on this machine. ``script`` holds answers to be given once each, ``usual`` what comes after."""

    public_key: Ed25519PublicKey | None = None
    secret: str | None = None
    script: list[Answer] = field(default_factory=list)
    usual: Answer = field(default_factory=Answer)
    #: Makes the recipient's own receipt for what it took.
    receipt: Callable[[Received], bytes] | None = None
    on_received: Callable[[Received], None] | None = None
    received: list[Received] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    _runner: web.AppRunner | None = None
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError where the port is taken."""
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._end.clear()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            self._runner = None
            raise
        self.url = f"http://{host}:{self._runner.addresses[0][1]}/inbox"

    async def stop(self) -> None:
        """Listen no more; hanging requests are let go."""
        self._end.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def taken(self) -> list[Received]:
        """The requests that were answered with 2xx, repeats among them."""
        return [each for each in self.received if 200 <= each.status < 300]

    async def arrivals(self) -> list[str]:
        """Delivery ids of what was taken, in order of arrival."""
        return [each.delivery for each in self.taken()]

    async def go_down(self) -> None:
        """Close the door: connections are refused."""
        await self.stop()

    async def come_back(self) -> None:
        """Open the same door again."""
        await self.start(port=int(self.url.rpartition(":")[2].partition("/")[0]))

    def hopeless(self, parcel: Parcel) -> Parcel:
        """Refuse the next request for good."""
        self.script.append(Answer(422))
        return parcel

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        answer = self.script.pop(0) if self.script else self.usual
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer = request.transport.get_extra_info("peername")[1] if request.transport is not None else 0
        received = Received(headers, body, self._judged(headers, body), answer.status, peer)
        self.received.append(received)
        if self.on_received is not None:
            self.on_received(received)
        if answer.delay:
            await self._wait(answer.delay)
        if answer.hang:
            await self._end.wait()
        if answer.reset and request.transport is not None:
            request.transport.abort()
        if answer.endless:
            return await self._pour(request, answer)
        content = body if answer.echo else answer.body
        if self.receipt is not None and 200 <= answer.status < 300:
            content = self.receipt(received)
        return web.Response(status=answer.status, headers=dict(answer.headers), body=content)

    async def _pour(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        stream = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
        await stream.prepare(request)
        with contextlib.suppress(ConnectionError):
            while not self._end.is_set():
                await stream.write(b"." * 4096)
                await asyncio.sleep(0)
        return stream

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._end.wait(), seconds)

    def _judged(self, headers: Mapping[str, str], body: bytes) -> dict[str, bool]:
        """Standard Webhooks: ``ID.TIMESTAMP.BODY`` under Ed25519 (v1a) and HMAC-SHA256 (v1)."""
        signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode() + body
        found: dict[str, bool] = {}
        for one in headers.get("webhook-signature", "").split(" "):
            version, comma, encoded = one.partition(",")
            if not comma:
                continue
            try:
                signature = base64.b64decode(encoded, validate=True)
            except ValueError:
                found[version] = False
                continue
            if version == "v1a" and self.public_key is not None:
                found[version] = _is_ed25519(self.public_key, signature, signed)
            elif version == "v1" and self.secret is not None:
                key = base64.b64decode(self.secret.removeprefix("whsec_"))
                found[version] = hmac.compare_digest(hmac.digest(key, signed, hashlib.sha256), signature)
            else:
                found[version] = False
        return found


def _is_ed25519(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def own_receipt(received: Received, *, recipient: str, signer: Signer, now: float) -> bytes:
    """The recipient's receipt for what it took, as the interface describes it."""
    payload = {
        "receipt": "taken",
        "id": received.message,
        "digest": "sha-256:" + hashlib.sha256(received.body).hexdigest(),
        "recipient": recipient,
        "at": format_moment(now),
    }
    return signer.sign("receipt+jws", json.dumps(payload, separators=(",", ":")).encode())


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[WebhookSink]:  # noqa: ARG001 - the suite's shape
    """A listening recipient whose settings fit the adapter beside this file."""
    sink = WebhookSink()
    await sink.start()
    sink.settings = {"url": sink.url, "timeout": 2}
    try:
        yield sink
    finally:
        await sink.stop()
