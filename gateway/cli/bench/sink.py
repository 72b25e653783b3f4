"""The receiving offices of a bench, as a process of their own: they take what is posted, and can tell what came.

As lean as can be, so that the cores are left to the gateway. Signatures are checked afterwards, on a sample.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.cli.bench.mail import message_id
from gateway.cli.bench.worker import serve

_TAKEN: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_SAMPLED: Final = 50
_KEPT: Final = 400
_LARGEST: Final = 4 << 20


class Sink:
    """Everything the offices took: how often each message came, when the last one did, a sample for checking."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.sample: list[tuple[dict[str, str], bytes]] = []
        self.last = 0.0
        self._waited: tuple[int, asyncio.Event] = (0, asyncio.Event())
        self._servers: list[asyncio.Server] = []

    def take(self, head: bytes, body: bytes) -> None:
        """One request; its header as it came."""
        lines = head.split(b"\r\n")[1:]
        headers = {name.lower(): value.strip() for name, _, value in (line.decode().partition(":") for line in lines)}
        self.seen[headers["lgsp-message"]] += 1
        if len(self.seen) % _SAMPLED == 1 and len(self.sample) < _KEPT:
            self.sample.append((headers, body))
        self.last = time.time()
        if len(self.seen) >= self._waited[0]:
            self._waited[1].set()

    async def open(self, port: int = 0) -> Mapping[str, Any]:
        """Listen, on ``port`` where it is named; answers the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Office(self), "127.0.0.1", port, backlog=1024)
        self._servers.append(server)
        return {"port": server.sockets[0].getsockname()[1]}

    async def wait(self, count: int, seconds: float) -> Mapping[str, Any]:
        """Wait until ``count`` different messages have come since the beginning, at most ``seconds``."""
        if len(self.seen) < count:
            self._waited = (count, asyncio.Event())
            try:
                async with asyncio.timeout(seconds):
                    await self._waited[1].wait()
            except TimeoutError:
                return {"came": len(self.seen), "last": self.last}
        return {"came": len(self.seen), "last": self.last}

    async def check(self, began: float, first: int, count: int, key: str) -> Mapping[str, Any]:
        """Which of these numbers never came, which came again, and what the sampled signatures prove under ``key``."""
        ids = [message_id(began, number) for number in range(first, first + count)]
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        # What still comes of other numbers may be another province's, signed by its own key.
        wanted = set(ids)
        sample = [each for each in self.sample if each[0]["lgsp-message"] in wanted]
        wrong = sum(not _is_signed(headers, body, public) for headers, body in sample)
        told = {
            "missing": sum(each not in self.seen for each in ids),
            "repeated": sum(self.seen[each] - 1 for each in ids if each in self.seen),
            "signatures_checked": len(sample),
            "signatures_wrong": wrong,
        }
        self.sample.clear()
        return told


class _Office(asyncio.Protocol):
    """One connection of the gateway to the offices."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._transport is not None and (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            size = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
            if size > _LARGEST:
                self._transport.abort()
                return
            if len(self._data) < end + 4 + size:
                return
            self._sink.take(head, self._data[end + 4 : end + 4 + size])
            self._data = self._data[end + 4 + size :]
            self._transport.write(_TAKEN)


def _is_signed(headers: Mapping[str, str], body: bytes, key: Ed25519PublicKey) -> bool:
    signature = headers.get("webhook-signature", "").partition("v1a,")[2].partition(" ")[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    try:
        key.verify(base64.b64decode(signature), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


async def _main() -> None:
    sink = Sink()
    await serve({"open": sink.open, "wait": sink.wait, "check": sink.check})


if __name__ == "__main__":
    asyncio.run(_main())
