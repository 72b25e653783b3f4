"""The life of the process that serves: from its first log line to SIGTERM, told to whoever manages services."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

import gateway
from gateway import checkpoints, telemetry
from gateway.compose import running
from gateway.config.settings import Settings
from gateway.ports import AuditRow

#: Objects made and not freed before the garbage collector looks at the young ones.
_COLLECT_AFTER: Final = 20_000


async def serve(
    settings: Settings, *, tell: Callable[[str], None] = lambda _: None, heartbeat: float | None = None
) -> None:
    """Run until SIGTERM or SIGINT; raises Misconfigured where it cannot start.

    ``tell`` hears READY=1 and STOPPING=1, and WATCHDOG=1 every ``heartbeat`` seconds while it works.
    """
    lines = telemetry.Gathering(sys.stderr)
    telemetry.set_up(level=settings.log_level, stream=lines, for_good=True)
    try:
        await _serve(settings, tell, heartbeat)
    finally:
        lines.close()


async def _serve(settings: Settings, tell: Callable[[str], None], heartbeat: float | None) -> None:
    if settings.kill_at is not None:
        name, count = settings.kill_at
        checkpoints.arm(name, count, lambda: os.kill(os.getpid(), signal.SIGKILL))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with running(settings) as opened:
        row = AuditRow(opened.clock.now(), settings.system, "gateway.started", {"version": gateway.__version__})
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
