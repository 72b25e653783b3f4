"""Group commit: callers' steps of one kind that wait side by side share a transaction, and kinds run side by side.

Callers wait until their transaction is on disk, then all of them hear at once. While one group is being written the
next one gathers, so what a statement or a commit costs is paid per group. A step that fails spoils no other: the group
is rolled back and each of its callers gets a transaction of its own. Where the database itself fails, everyone in the
group hears it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import structlog

from gateway.checkpoints import reach
from gateway.core.faults import Busy, Fault
from gateway.store.postgres.connection import Connection, Database, as_busy, is_collision, is_passing

P = TypeVar("P")
R = TypeVar("R")

#: Callers in one transaction at most, and callers that may wait before new ones are turned away.
GROUP: Final = 256
WAITING: Final = 20_000
#: A group of so many shows that there is much to do: the next one is given time to gather, so long for each of the last
#: one and so long at most (seconds). More share what a transaction costs; who is alone never waits.
_MANY: Final = 5
_GATHER_EACH: Final = 0.0002
_GATHER_MOST: Final = 0.01
#: Times a caller whose transaction collided with another one's is served again.
_AGAIN: Final = 5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[P, R]):
    """Something done inside a transaction, for several callers at once: one result for each payload, in order.

    ``locks`` says with which locks (see ``store.postgres.locks``) the transaction begins. ``name`` gives the step its
    three checkpoints: asked, written, committed. A step may be run again after a rollback. Where ``is_grouped`` is
    false each caller has a transaction of its own.
    """

    run: Callable[[Connection, Sequence[P]], Awaitable[Sequence[R]]]
    name: str | None = None
    locks: Callable[[Sequence[P]], str] = lambda _: ""
    is_grouped: bool = True

    def reach(self, point: str) -> None:
        """Pass the step's own checkpoint ``asked``, ``written`` or ``committed``."""
        if self.name is not None:
            reach(f"store.{self.name}-{point}")


def one_by_one(
    run: Callable[[Connection, P], Awaitable[R]], name: str | None = None, locks: Callable[[P], str] = lambda _: ""
) -> Step[P, R]:
    """A step of which each caller has a transaction of its own, so that none waits for what another one locked."""

    async def each(connection: Connection, payloads: Sequence[P]) -> list[R]:
        return [await run(connection, payload) for payload in payloads]

    return Step(each, name, lambda payloads: locks(payloads[0]), is_grouped=False)


@dataclass(frozen=True, slots=True)
class _Job:
    payload: Any
    future: asyncio.Future[Any]


_End = tuple[_Job, Any, BaseException | None]


@dataclass(slots=True)
class _Line:
    """The callers that wait for one step, and the task that serves them."""

    waiting: deque[_Job] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class Writer:
    """Runs steps, those of one kind in the order in which they were asked for. Of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lines: dict[Step[Any, Any], _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False
        #: Transactions committed so far.
        self.commits = 0

    def start(self) -> None:
        """Begin to work."""
        self._is_open = True

    async def stop(self) -> None:
        """Finish what was asked for; safe to repeat."""
        self._is_open = False
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def do(self, step: Step[P, R], payload: P) -> R:
        """Run a step; returns when it is on disk. A caller that is cancelled leaves it whole or not begun.

        Raises Busy (``overloaded``) where the database fails, or too much waits; else what the step raises.
        """
        line = self._lines.setdefault(step, _Line()) if step.is_grouped else _Line()
        if not self._is_open or len(line.waiting) >= WAITING:
            raise as_busy()
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        line.waiting.append(_Job(payload, future))
        if line.task is None:
            line.task = self._begin(self._serve(step, line))
        return await future

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, step: Step[Any, Any], line: _Line) -> None:
        """Write groups until nobody waits. It begins when the loop comes round: who asks at once is in one group."""
        size = 0
        while line.waiting:
            if size >= _MANY and self._is_open:
                await asyncio.sleep(min(_GATHER_MOST, size * _GATHER_EACH))
            taken = [line.waiting.popleft() for _ in range(min(GROUP, len(line.waiting)))]
            group = [job for job in taken if not job.future.cancelled()]
            size = len(group)
            for end in await self._do(step, group) if group else ():
                _resolve(*end)
        line.task = None

    async def _do(self, step: Step[Any, Any], group: list[_Job], again: int = _AGAIN) -> list[_End]:
        try:
            results = await self._transaction(step, [job.payload for job in group])
        except Exception as error:  # noqa: BLE001 - every caller must hear of it
            collided = is_collision(error)
            if len(group) > 1 and (collided or not is_passing(error)):
                return [end for job in group for end in await self._do(step, [job])]
            if collided and again:
                return await self._do(step, group, again - 1)
            return [(job, None, _told(error)) for job in group]
        step.reach("committed")
        return [(job, result, None) for job, result in zip(group, results, strict=True)]

    async def _transaction(self, step: Step[Any, Any], payloads: list[Any]) -> Sequence[Any]:
        step.reach("asked")
        async with self._database.transaction(step.locks(payloads)) as connection:
            results = await step.run(connection, payloads)
            step.reach("written")
        self.commits += 1
        return results


def _told(error: Exception) -> Exception:
    """What a caller hears: Busy (each one its own) where the database failed, else the error itself."""
    if isinstance(error, Fault) or not is_passing(error):
        return error
    log.error("store.write-failed", reason=str(error) or type(error).__name__, code=getattr(error, "sqlstate", None))
    busy: Busy = as_busy()
    busy.__cause__ = error
    return busy


def _resolve(job: _Job, result: Any, error: BaseException | None) -> None:
    if job.future.done():
        return  # its caller was cancelled meanwhile
    if error is None:
        job.future.set_result(result)
    else:
        job.future.set_exception(error)
