"""The one thread that writes: callers queue steps, each drain of the queue is one transaction, synced once.

Callers wait until their transaction is on disk, then all of them hear at once. Equal steps that wait side by
side are run as one, so what a statement or a commit costs is paid per group. A step that fails spoils no other:
the group is rolled back and each of its steps gets a transaction of its own. A commit that fails fails everyone
in it, honestly: nothing was kept.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast

import structlog

from gateway.checkpoints import reach
from gateway.core.faults import Busy
from gateway.store.sqlite.connection import as_busy, connect, is_passing

P = TypeVar("P")
R = TypeVar("R")

#: Steps in one transaction at most, and steps that may wait before new ones are turned away.
GROUP: Final = 256
WAITING: Final = 20_000
#: A group of so many steps shows that there is much to do: the next one is given time to gather, so long for each step
#: of the last one and so long at most (seconds). More share what a transaction costs; who is alone never waits.
_MANY: Final = 5
_GATHER_EACH: Final = 0.0005
_GATHER_MOST: Final = 0.02

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[P, R]):
    """Something done inside a transaction, for several callers at once: one result for each payload, in order.

    ``name`` gives it its three checkpoints: asked, written, committed. A step may be run again after a rollback.
    """

    run: Callable[[sqlite3.Connection, Sequence[P]], Sequence[R]]
    name: str | None = None

    def reach(self, point: str) -> None:
        """Pass the step's own checkpoint ``asked``, ``written`` or ``committed``."""
        if self.name is not None:
            reach(f"store.{self.name}-{point}")


def one_by_one(run: Callable[[sqlite3.Connection, P], R], name: str | None = None) -> Step[P, R]:
    """A step that serves its callers one after the other, in one transaction still."""
    return Step(lambda connection, payloads: [run(connection, payload) for payload in payloads], name)


@dataclass(frozen=True, slots=True)
class _Job:
    step: Step[Any, Any]
    payload: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


_End = tuple[_Job, Any, BaseException | None]


class Writer:
    """Runs steps in the order in which they were asked for. Safe to share between event loops."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._is_open = False
        self._door = threading.Lock()  # nothing is queued behind the stop
        #: Transactions committed so far.
        self.commits = 0

    def start(self, connection: sqlite3.Connection) -> None:
        """Begin to work, on a connection that is the writer's own from now on."""
        self._connection = connection
        self._is_open = True
        self._thread.start()

    def stop(self) -> None:
        """Finish what was asked for, then let go of the file. Blocks; safe to repeat."""
        with self._door:
            if self._is_open:
                self._is_open = False
                self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    async def do(self, step: Step[P, R], payload: P) -> R:
        """Run a step; returns when it is on disk. A caller that is cancelled leaves it whole or not begun.

        Raises Busy (``overloaded``) where it could not be committed, or too much waits; else what the step raises.
        """
        loop = asyncio.get_running_loop()
        job = _Job(step, payload, loop, loop.create_future())
        with self._door:
            if not self._is_open or self._queue.qsize() >= WAITING:
                raise as_busy()
            self._queue.put(job)
        return cast("R", await job.future)

    # ------------------------------------------------------------------------------------- in the thread

    def _work(self) -> None:
        size = 0
        while (first := self._queue.get()) is not None:
            if size >= _MANY and self._is_open:
                time.sleep(min(_GATHER_MOST, size * _GATHER_EACH))
            group = [first]
            while len(group) < GROUP and not self._queue.empty():
                if (job := self._queue.get()) is None:
                    self._queue.put(None)  # stop after this group
                    break
                group.append(job)
            size = len(group)
            self._tell(self._do(group))
        if self._connection is not None:
            self._connection.close()

    def _do(self, group: list[_Job]) -> list[_End]:
        jobs = [job for job in group if not job.future.cancelled()]
        runs = [(step, list(same)) for step, same in itertools.groupby(jobs, key=lambda job: job.step)]
        if not runs:
            return []
        is_begun = is_run = False
        try:
            for step, _ in runs:
                step.reach("asked")
            connection = self._ready()
            connection.execute("BEGIN IMMEDIATE")
            is_begun = True
            ended: list[_End] = []
            for step, same in runs:
                results = step.run(connection, [job.payload for job in same])
                ended += [(job, result, None) for job, result in zip(same, results, strict=True)]
                step.reach("written")
            is_run = True
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - every caller must hear of it
            self._let_go()
            if is_begun and not is_run and len(jobs) > 1:
                return [end for job in jobs for end in self._do([job])]
            return [(job, None, self._told(error)) for job in jobs]
        self.commits += 1
        for step, _ in runs:
            step.reach("committed")
        return ended

    def _ready(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self._path, "writer")
        return self._connection

    def _let_go(self) -> None:
        """Roll back; a connection that cannot even do that is replaced by the next transaction."""
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._connection = None
            connection.close()

    def _told(self, error: BaseException) -> BaseException:
        if not is_passing(error):
            return error
        log.error("store.write-failed", reason=str(error), code=getattr(error, "sqlite_errorname", None))
        busy: Busy = as_busy()
        busy.__cause__ = error
        return busy

    @staticmethod
    def _tell(ended: list[_End]) -> None:
        for loop, ends in itertools.groupby(ended, key=lambda end: end[0].loop):
            try:
                loop.call_soon_threadsafe(_resolve, list(ends))
            except RuntimeError:
                continue  # the loop is closed: nobody waits there any more; the step is done all the same


def _resolve(ends: list[_End]) -> None:
    for job, result, error in ends:
        if job.future.done():
            continue  # its caller was cancelled meanwhile
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
