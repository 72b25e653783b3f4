"""The gateway's side of the look into files: one process apart, asked one file at a time, ended where it hangs.

The gateway itself never loads what reads documents: a hostile file can cost that process its life, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import gateway
from gateway.core.content import PIECE, Content
from gateway.core.findings import Looked, kind_of, looked_from
from gateway.telemetry import log

#: Files that may wait for their turn; one more is told ``busy``.
MOST_WAITING: Final = 64
#: How long the process may take to come up (seconds), and beyond a file's own time to answer.
_BEGIN: Final = 30.0
_GRACE: Final = 2.0
_HEAD: Final = 1024
_LONGEST_ANSWER: Final = 1024 * 1024
_PROGRAM: Final = "gateway.trust.inspection"
#: What it needs of this one's surroundings; no secret is among them.
_SURROUNDINGS: Final = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "SYSTEMROOT")


class _Ended(Exception):
    """The process has no answer to give."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one file may cost: its size (bytes), the look at it (seconds), the memory of all that looks (bytes)."""

    size: int = 50 * 2**20
    seconds: float = 20.0
    memory: int = 2**30


def is_installed() -> bool:
    """Whether what looks into signatures is there at all (the extra ``signatures``)."""
    return all(importlib.util.find_spec(name) is not None for name in ("pyhanko", "signxml"))


@dataclass(slots=True)
class SideProcess:
    """Keeps ``ports.findings.Examiner``. ``roots`` and ``crls`` are patterns below ``folder``, the province's."""

    folder: Path
    roots: Sequence[str]
    crls: Sequence[str]
    bounds: Bounds = field(default_factory=Bounds)
    program: str = _PROGRAM
    most_waiting: int = MOST_WAITING
    _process: asyncio.subprocess.Process | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0
    _is_closed: bool = False

    @property
    def pid(self) -> int | None:
        """The process that looks, while there is one."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def look(self, file: Content, beside: Content | None = None, *, now: float) -> Looked:
        """What is in ``file``; raises OSError where it cannot be read."""
        kind = kind_of(await asyncio.to_thread(_head, file))
        if kind == "none":
            return Looked(kind, "not-checked", "unknown-kind")
        if file.size + (0 if beside is None else beside.size) > self.bounds.size:
            return Looked(kind, "not-checked", "too-large")
        if not is_installed():
            return Looked(kind, "not-checked", "not-installed")
        if self._waiting >= self.most_waiting:
            return Looked(kind, "not-checked", "busy")
        job = {
            "kind": kind, "size": file.size, "beside": 0 if beside is None else beside.size,
            "is_pair": beside is not None, "now": now, "seconds": self.bounds.seconds,
        }  # fmt: skip
        contents = [file] if beside is None else [file, beside]
        self._waiting += 1
        try:
            # Who sent it waits for an answer: rather a look later than a long wait behind somebody's slow file.
            async with asyncio.timeout(self.bounds.seconds):
                await self._turn.acquire()
        except TimeoutError:
            return Looked(kind, "not-checked", "busy")
        finally:
            self._waiting -= 1
        try:
            return await self._answered(kind, json.dumps(job).encode() + b"\n", contents)
        finally:
            self._turn.release()

    async def _answered(self, kind: str, job: bytes, contents: Sequence[Content]) -> Looked:
        """The answer of a process that lives; where it ended, a fresh one is asked once."""
        for _ in range(2):
            if self._is_closed:
                return looked_from(_told(kind, "away"))
            is_fresh = self.pid is None
            try:
                process = await self._begun()
            except (OSError, TimeoutError, _Ended) as error:
                await self._end()
                log.error("inspection.away", detail=type(error).__name__)
                return looked_from(_told(kind, "away"))
            try:
                async with asyncio.timeout(self.bounds.seconds + _GRACE):
                    looked = await _ask(process, job, contents)
                if looked.reason != "stopped":
                    return looked
                await self._end()  # its memory ran out, perhaps over what came before
                if is_fresh:
                    break
            except TimeoutError:
                await self._end()
                log.warning("inspection.ended", reason="too-long", size=contents[0].size)
                return looked_from(_told(kind, "too-long"))
            except (_Ended, ConnectionError):
                await self._end()
                if is_fresh and not self._is_closed:
                    break
            except BaseException:
                await self._end()  # an answer to this one must not be taken for that to another
                raise
        log.warning("inspection.ended", reason="stopped", size=contents[0].size)
        return looked_from(_told(kind, "stopped"))

    async def _begun(self) -> asyncio.subprocess.Process:
        if self.pid is not None and self._process is not None:
            return self._process
        roots = [f"--root={each}" for each in self.roots]
        crls = [f"--crl={each}" for each in self.crls]
        limits = [f"--folder={self.folder}", f"--memory={self.bounds.memory}"]
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.program, *limits, *roots, *crls,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_ANSWER, start_new_session=True, cwd=Path(gateway.__file__).parents[1],
            env={name: os.environ[name] for name in _SURROUNDINGS if name in os.environ},
        )  # fmt: skip
        async with asyncio.timeout(_BEGIN):
            await _line(process)
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """End the process for good; a look that is under way, or comes later, tells ``away`` and can be repeated."""
        self._is_closed = True
        await self._end()


async def _ask(process: asyncio.subprocess.Process, job: bytes, contents: Sequence[Content]) -> Looked:
    """Hand a job with its bytes over, piece by piece, and take the answer."""
    assert process.stdin is not None  # noqa: S101 - it was begun with pipes
    process.stdin.write(job)
    for content in contents:
        left = content.size
        file = await asyncio.to_thread(content.open)
        try:
            while left > 0:
                piece = await asyncio.to_thread(partial(file.read, min(PIECE, left)))
                if not piece:
                    raise OSError("the file is shorter than it was said to be")
                left -= len(piece)
                process.stdin.write(piece)
                await process.stdin.drain()
        finally:
            await asyncio.to_thread(file.close)
    try:
        return looked_from(json.loads(await _line(process)))
    except (ValueError, KeyError, TypeError) as error:
        raise _Ended from error


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101 - it was begun with pipes
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        raise _Ended
    return line


def _told(kind: str, reason: str) -> dict[str, object]:
    return {"kind": kind, "verdict": "not-checked", "reason": reason, "signatures": (), "by": "", "lists": ""}


def _head(file: Content) -> bytes:
    with file.open() as opened:
        return opened.read(_HEAD)
