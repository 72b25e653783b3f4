"""The life of the process that serves: from its first log line to SIGTERM, told to whoever manages services."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import gateway
from gateway import checkpoints, telemetry
from gateway.compose import running
from gateway.config.settings import Settings
from gateway.ports import AuditRow

#: Objects made and not freed before the garbage collector looks at the young ones.
_COLLECT_AFTER: Final = 20_000
#: How often a worker tells its foreman that it works, at least (seconds).
SIGN_OF_LIFE: Final = 5.0


class Seat(NamedTuple):
    """A worker's place among those that a foreman keeps at one port: its number and what it was handed.

    ``door`` and ``line`` are open files: the socket that listens, and the foreman's ear. ``family`` is the folder
    where the workers meet.
    """

    number: int
    door: int
    line: int
    family: Path


async def serve(
    settings: Settings,
    *,
    tell: Callable[[str], None] = lambda _: None,
    heartbeat: float | None = None,
    seat: Seat | None = None,
) -> None:
    """Run until SIGTERM or SIGINT; raises Misconfigured where it cannot start.

    ``tell`` hears READY=1 and STOPPING=1, and WATCHDOG=1 every ``heartbeat`` seconds while it works. With a ``seat``
    the foreman hears it instead, every five seconds at least, and that it is gone ends the process, too.
    """
    lines = telemetry.Gathering(sys.stderr, shared=seat is not None)
    telemetry.set_up(level=settings.log_level, stream=lines, for_good=True)
    try:
        if seat is None:
            await _serve(settings, tell, heartbeat, asyncio.Event())
        else:
            await _serve_at(seat, replace(settings, worker=seat.number), min(heartbeat or SIGN_OF_LIFE, SIGN_OF_LIFE))
    finally:
        lines.close()


async def _serve_at(seat: Seat, settings: Settings, heartbeat: float) -> None:
    stopped = asyncio.Event()
    with _inherited(seat.door) as door, _inherited(seat.line) as line:

        def tell(word: str) -> None:
            with contextlib.suppress(OSError):  # a foreman that is gone is noticed below
                line.send(f"{word}\n".encode())

        def heard() -> None:
            with contextlib.suppress(BlockingIOError):
                if not line.recv(1):
                    stopped.set()

        asyncio.get_running_loop().add_reader(line, heard)
        try:
            await _serve(settings, tell, heartbeat, stopped, door=door, family=seat.family)
        finally:
            asyncio.get_running_loop().remove_reader(line)


@contextlib.contextmanager
def _inherited(number: int) -> Iterator[socket.socket]:
    with socket.socket(fileno=number) as found:
        found.settimeout(0)
        yield found


async def _serve(
    settings: Settings,
    tell: Callable[[str], None],
    heartbeat: float | None,
    stopped: asyncio.Event,
    *,
    door: socket.socket | None = None,
    family: Path | None = None,
) -> None:
    if settings.kill_at is not None:
        name, count = settings.kill_at
        checkpoints.arm(name, count, lambda: os.kill(os.getpid(), signal.SIGKILL))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with running(settings, door=door, family=family) as opened:
        details = {"version": gateway.__version__, "process": settings.process}
        row = AuditRow(opened.clock.now(), settings.system, "gateway.started", details)
        await opened.ledger.audit([row])
        _spare_the_collector()
        tell("READY=1")
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), heartbeat)
            if not stopped.is_set() and opened.is_working():
                tell("WATCHDOG=1")
        tell("STOPPING=1")


def _spare_the_collector() -> None:
    """What stands now stands for good: the garbage collector need not look at it again, nor so often at the rest.

    Nearly nothing that a message needs lies in a circle; reference counts free it at once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
