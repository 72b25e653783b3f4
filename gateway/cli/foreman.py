"""One process that keeps others at work at one port: starts them, replaces who dies, renews them one by one, ends them.

It opens the port and never lets go of it, so that no client is turned away while workers come and go. It moves no
message itself: all it reads are words of its workers, in the form in which they would speak to a service manager.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.api.door import open_door, port_taken
from gateway.config.settings import Settings
from gateway.telemetry import log

#: A worker may take this long until it is ready, and until it has ended (seconds); less than a service manager allows.
READY_WITHIN: Final = 60.0
ENDED_WITHIN: Final = 14.0
#: A worker that gives no sign of life for so long (seconds) is as good as dead; see ``serving.SIGN_OF_LIFE``.
SILENT: Final = 60.0
#: One that dies is replaced after this, and after twice as long each time it does not live for a while (seconds).
_REST: Final = 0.2
_LONGEST_REST: Final = 10.0
_A_WHILE: Final = 10.0
#: What a worker must not inherit: it reports to us.
_OURS: Final = ("NOTIFY_SOCKET",)


@dataclass(slots=True, eq=False)
class Worker:
    """One process at work, by its number."""

    number: int
    process: asyncio.subprocess.Process
    began: float
    heard_at: float
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    has_ended: asyncio.Event = field(default_factory=asyncio.Event)
    #: It ends because we said so.
    is_relieved: bool = False

    def relieve(self) -> None:
        """Ask it to end in good order."""
        self.is_relieved = True
        with suppress(ProcessLookupError):
            self.process.terminate()

    async def until_ready(self, within: float) -> bool:
        """Whether it was ready in time."""
        waits = [asyncio.ensure_future(each.wait()) for each in (self.is_ready, self.has_ended)]
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        return self.is_ready.is_set() and not self.has_ended.is_set()


@dataclass(slots=True)
class Foreman:
    """Keeps ``wanted`` workers. ``command`` and then a seat is how one is started; ``tell`` speaks to the manager."""

    wanted: int
    command: tuple[str, ...]
    door: socket.socket
    family: Path
    tell: Callable[[str], None]
    environment: Mapping[str, str]
    patience: float = SILENT
    _workers: dict[int, Worker] = field(default_factory=dict)
    _resting: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _failures: int = 0
    _is_begun: bool = False
    _is_stopping: bool = False

    async def run(self) -> int:
        """Work until SIGTERM or SIGINT; answers the exit status. SIGHUP renews the workers one after the other."""
        stop, renew = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, renew.set)
        stopped = asyncio.ensure_future(stop.wait())
        begun = asyncio.ensure_future(self._begin())
        await asyncio.wait([begun, stopped], return_when=asyncio.FIRST_COMPLETED)
        if begun.done() and (status := begun.result()) is not None:
            stopped.cancel()
            return status
        others = [asyncio.ensure_future(each) for each in (self._renew_when(renew), self._end_the_silent())]
        await stopped
        for each in (begun, *others):
            each.cancel()
        return await self._end()

    async def _begin(self) -> int | None:
        """Start the first, which finds what is wrong, then the others; answers how the first ended where it did."""
        first = await self._start(1)
        if not await first.until_ready(READY_WITHIN):
            self._is_stopping = True
            first.relieve()
            return await first.process.wait() or 1
        self._is_begun = True
        others = [await self._start(number) for number in range(2, self.wanted + 1)]
        await asyncio.gather(*(each.until_ready(READY_WITHIN) for each in others))
        self.tell("READY=1")
        return None

    async def _renew_when(self, asked: asyncio.Event) -> None:
        while True:
            await asked.wait()
            asked.clear()
            await self._renew()

    async def _end_the_silent(self) -> None:
        """Kill workers that stand still: what holds them up would hold up their end, too."""
        while True:
            await asyncio.sleep(self.patience / 10)
            for worker in self._workers.values():
                if worker.is_ready.is_set() and time.monotonic() - worker.heard_at > self.patience:
                    log.error("worker.silent", worker=worker.number, patience=self.patience)
                    with suppress(ProcessLookupError):
                        worker.process.kill()

    async def _renew(self) -> None:
        """Let a new worker begin for each old one before that one ends; keep the old ones where a new one does not."""
        for old in list(self._workers.values()):
            if old.has_ended.is_set():
                continue  # it died meanwhile: who replaces it is new
            try:
                new = await self._start(self._free_number())
            except OSError as error:
                log.error("worker.not-renewed", worker=old.number, reason=str(error))
                return
            if not await new.until_ready(READY_WITHIN):
                log.error("worker.not-renewed", worker=old.number)
                new.relieve()
                return
            leaving = new if old.has_ended.is_set() else old
            leaving.relieve()
            await self._ended(leaving)
        log.info("workers.renewed", workers=sorted(self._workers))

    async def _ended(self, worker: Worker) -> None:
        try:
            async with asyncio.timeout(ENDED_WITHIN):
                await worker.has_ended.wait()
        except TimeoutError:
            worker.process.kill()
            await worker.has_ended.wait()

    async def _end(self) -> int:
        """Let all end; 0 where every one did in good order."""
        self._is_stopping = True
        self.tell("STOPPING=1")
        for task in self._resting.values():
            task.cancel()
        workers = list(self._workers.values())
        for worker in workers:
            worker.relieve()
        await asyncio.gather(*(self._ended(worker) for worker in workers))
        return 0 if all(worker.process.returncode == 0 for worker in workers) else 1

    def _free_number(self) -> int:
        taken = self._workers.keys() | self._resting.keys()
        return next(number for number in range(1, len(taken) + 2) if number not in taken)

    async def _start(self, number: int) -> Worker:
        """Start one at a seat of its own; raises OSError where the system has no process to give."""
        ours, theirs = socket.socketpair()
        with theirs:
            seat = (str(number), str(self.door.fileno()), str(theirs.fileno()), str(self.family))
            try:
                process = await asyncio.create_subprocess_exec(
                    *self.command, "--seat", *seat, env=self._environment_of(number), stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(self.door.fileno(), theirs.fileno()),
                )  # fmt: skip
            except BaseException:
                ours.close()
                raise
        now = time.monotonic()
        worker = self._workers[number] = Worker(number, process, began=now, heard_at=now)
        self._attend(self._listen(worker, ours))
        self._attend(self._watch(worker))
        return worker

    def _environment_of(self, number: int) -> dict[str, str]:
        """Only the first life of the first worker is to end at a test's write point."""
        is_first = number == 1 and not self._workers
        left_out = _OURS if is_first else (*_OURS, "LGSP_KILL_AT")
        return {name: value for name, value in self.environment.items() if name not in left_out}

    async def _listen(self, worker: Worker, line: socket.socket) -> None:
        """Hear what a worker has to say, until it ends; that the line is cut tells it that we have."""
        reader, writer = await asyncio.open_connection(sock=line)
        with suppress(ConnectionError):
            while word := (await reader.readline()).decode("ascii", "replace").strip():
                worker.heard_at = time.monotonic()
                if word == "READY=1":
                    worker.is_ready.set()
                elif word.startswith("WATCHDOG="):
                    self.tell(word)
        await worker.has_ended.wait()
        writer.close()

    async def _watch(self, worker: Worker) -> None:
        """Replace a worker that ended by itself."""
        status = await worker.process.wait()
        if self._workers.get(worker.number) is worker:
            del self._workers[worker.number]
        worker.has_ended.set()
        if worker.is_relieved or self._is_stopping or not self._is_begun:
            return
        lived = time.monotonic() - worker.began
        self._failures = 0 if worker.is_ready.is_set() and lived >= _A_WHILE else self._failures + 1
        rest = min(_LONGEST_REST, _REST * 2.0 ** min(self._failures, 10))
        log.error("worker.died", worker=worker.number, status=status, rest=rest)
        self._resting[worker.number] = asyncio.ensure_future(self._replace(worker.number, rest))

    async def _replace(self, number: int, rest: float) -> None:
        """Start another after a rest, and again after the longest one as often as the system has none to give."""
        while True:
            await asyncio.sleep(rest)
            try:
                await self._start(number)
            except OSError as error:
                rest = _LONGEST_REST
                log.error("worker.not-started", worker=number, reason=str(error), rest=rest)
            else:
                del self._resting[number]  # only now: nobody else takes its number meanwhile
                return

    def _attend(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@contextmanager
def _family() -> Iterator[Path]:
    """A folder of their own where the workers meet, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="lgsp-") as folder:
        yield Path(folder)


async def keep(settings: Settings, *, arguments: tuple[str, ...], tell: Callable[[str], None]) -> int:
    """Keep the settings' workers at their port until SIGTERM; answers the exit status.

    ``arguments`` are those of this program that a worker needs, too. Raises Misconfigured where the port is taken.
    """
    try:
        door = open_door(settings.host, settings.port)
    except OSError as error:
        raise port_taken(settings.listen, error) from None
    command = (sys.executable, "-m", "gateway", *arguments)
    with door, _family() as family:
        return await Foreman(settings.workers, command, door, family, tell, os.environ).run()
