"""The sending office of a bench, as a process of its own: signs beforehand, then sends over many connections."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.cli.bench.mail import SENDER, envelope, recipient_of
from gateway.cli.bench.worker import serve
from gateway.client.identity import find_files, read_signer
from gateway.core import jws
from gateway.core.directory import read_certificate
from gateway.core.envelope import digest_of
from gateway.core.strictjson import parse_strict

CONNECTIONS: Final = 64
_PATIENCE: Final = 600.0
_SAMPLED: Final = 50
_KEPT: Final = 100


class Line(asyncio.Protocol):
    """One kept connection to the gateway: one request at a time, answers of a stated length."""

    def __init__(self) -> None:
        self._data = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def to(cls, port: int) -> Line:
        """A connection to a port of this machine; raises OSError."""
        _, line = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for an answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the gateway closed the connection"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; raises OSError where the connection ends before it."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the gateway closed the connection")
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """Gather one answer; whoever asked hears it when it is whole."""
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        size = int(self._data[:end].lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        if len(self._data) >= end + 4 + size and self._answer is not None and not self._answer.done():
            self._answer.set_result((int(self._data[9:12]), self._data[end + 4 : end + 4 + size]))
            self._data = self._data[end + 4 + size :]

    def close(self) -> None:
        """Let go."""
        if self._transport is not None:
            self._transport.close()


class Generator:
    """What is ready to be sent, and what came of what was sent last."""

    def __init__(self) -> None:
        self._requests: list[bytes] = []
        self._latencies: list[float] = []
        self._answers: Counter[int] = Counter()
        self._accepted = 0
        self._sample: list[tuple[bytes, bytes]] = []

    async def make(self, folder: str, began: float, first: int, count: int, batch: int) -> Mapping[str, Any]:
        """Sign ``count`` messages from number ``first`` on, as requests of ``batch`` messages each."""
        signer = read_signer(*find_files(Path(folder) / "keys", SENDER))
        now = time.time()
        envelopes = [
            envelope(began, number, to=recipient_of(number), now=now, signer=signer)
            for number in range(first, first + count)
        ]
        kind = b"application/jose" if batch == 1 else b"application/x-ndjson"
        bodies = [b"\n".join(envelopes[start : start + batch]) for start in range(0, count, batch)]
        self._requests = [
            b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (kind, len(body), body)
            for body in bodies
        ]
        return {"requests": len(self._requests), "bytes": len(envelopes[0])}

    async def send(self, port: int, rate: float | None = None) -> Mapping[str, Any]:
        """Send what was made over 64 connections, as fast as answers come, or so many requests a second."""
        self._latencies, self._answers, self._accepted = [], Counter(), 0
        lines = [await Line.to(port) for _ in range(CONNECTIONS)]
        began = time.time()
        waiting = iter(self._requests) if rate is None else _paced(self._requests, time.perf_counter(), rate)
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.gather(*(self._work(line, waiting) for line in lines))
        finally:
            for line in lines:
                line.close()
        ended = time.time()
        sorted_ = sorted(self._latencies)
        return {
            "began": began,
            "seconds": ended - began,
            "accepted": self._accepted,
            "answers": {str(status): count for status, count in self._answers.items()},
            "p50": sorted_[len(sorted_) // 2],
            "p99": sorted_[min(len(sorted_) - 1, len(sorted_) * 99 // 100)],
        }

    async def _work(self, line: Line, waiting: Iterator[bytes | tuple[float, bytes]]) -> None:
        for each in waiting:
            if isinstance(each, bytes):
                request, began = each, time.perf_counter()
            else:
                # Paced: a request that had to wait for a free connection is late from the moment it was due.
                began, request = each
                await asyncio.sleep(began - time.perf_counter())
            status, body = await line.ask(request)
            self._latencies.append(time.perf_counter() - began)
            self._answers[status] += 1
            accepted = body.count(b'"state"') if status in {200, 202} else 0
            if self._accepted // _SAMPLED != (self._accepted + accepted) // _SAMPLED and len(self._sample) < _KEPT:
                self._sample.append((request, body))
            self._accepted += accepted

    async def check(self, folder: str) -> Mapping[str, Any]:
        """Whether the sampled receipts are the gateway's, each over the very bytes that were sent."""
        certificate = read_certificate((Path(folder) / "keys" / "gateway.crt").read_text())
        checked = wrong = 0
        for request, body in self._sample:
            envelopes = request.partition(b"\r\n\r\n")[2].split(b"\n")
            for sent, line in zip(envelopes, body.splitlines(), strict=True):
                receipt = jws.split(json.loads(line)["receipt"].encode())
                said = parse_strict(receipt.payload)
                checked += 1
                wrong += not jws.verify(certificate.key, receipt) or said["digest"] != digest_of(sent)
        self._sample.clear()
        return {"receipts_checked": checked, "receipts_wrong": wrong}


def _paced(requests: list[bytes], began: float, rate: float) -> Iterator[tuple[float, bytes]]:
    """Each request with the moment at which it is due."""
    for number, request in enumerate(requests):
        yield began + number / rate, request


async def _main() -> None:
    generator = Generator()
    await serve({"make": generator.make, "send": generator.send, "check": generator.check})


if __name__ == "__main__":
    asyncio.run(_main())
