"""The reception: agencies' software calls at its system's door, is answered in its own words, and may bring items.

Nothing is remembered here that an answer depends on: any process of a cluster may get any call. What is counted is only
how many calls and bytes are under way at once, so that one caller's crowd does not keep out everybody else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar, cast

import structlog

from gateway.core.content import MemorySink, NewSink
from gateway.core.directory import Directory, System
from gateway.core.faults import Busy, DeliveryFailure, Text
from gateway.ports import Adapter, Answering, Call, Reply, Take
from gateway.relay.receive import Receive

#: Calls under way at once: of one address at one door, and at one door.
OF_ONE_CALLER: Final = 32
AT_ONE_DOOR: Final = 96
#: What their bodies may hold together, at one door and at all (bytes).
HELD_AT_ONE_DOOR: Final = 256 << 20
HELD: Final = 512 << 20
#: How long an adapter has for its answer (seconds).
ANSWER: Final = 60.0
_AGAIN: Final = 5.0

K = TypeVar("K")

log = structlog.get_logger()


class Gatekeeper(Protocol):
    """Knows callers by what stands in the head of a call."""

    def lets_in(self, call: Call) -> bool:
        """Whether the caller proved itself; raises TransientFailure where that cannot be found out now."""


@dataclass(slots=True)
class Crowd:
    """How much is under way in this process."""

    of_one_caller: int = OF_ONE_CALLER
    at_one_door: int = AT_ONE_DOOR
    held_at_one_door: int = HELD_AT_ONE_DOOR
    held: int = HELD
    _callers: Counter[tuple[str, str]] = field(default_factory=Counter)
    _doors: Counter[str] = field(default_factory=Counter)
    _bytes: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def joined(self, system: str, address: str) -> Iterator[Place]:
        """Be among those whose calls are under way; raises Busy where they are too many already."""
        caller = (system, address)
        if self._callers[caller] >= self.of_one_caller:
            raise _too_many("rate-limited")
        if self._doors[system] >= self.at_one_door:
            raise _too_many("overloaded")
        _add(self._callers, caller, 1)
        _add(self._doors, system, 1)
        place = Place(self, system)
        try:
            yield place
        finally:
            _add(self._callers, caller, -1)
            _add(self._doors, system, -1)
            _add(self._bytes, system, -place.size)

    def hold(self, system: str, size: int) -> None:
        """So many bytes more at a door; raises Busy where there is no room for them."""
        _add(self._bytes, system, size)
        if self._bytes[system] > self.held_at_one_door or self._bytes.total() > self.held:
            raise _too_many("overloaded")


@dataclass(slots=True)
class Place:
    """One call among those under way."""

    crowd: Crowd
    system: str
    size: int = 0

    def take(self, size: int) -> None:
        """Its body grows by so many bytes; raises Busy where there is no room for them."""
        self.size += size
        self.crowd.hold(self.system, size)


@dataclass(frozen=True, slots=True)
class Reception:
    """The step: whose door it is, who may come in, and what the caller is answered."""

    receive: Receive
    directory: Callable[[], Directory]
    adapter_of: Callable[[System], Adapter]
    answers: Callable[[System], bool]
    #: Where bodies lie while they are read.
    new_sink: NewSink = MemorySink
    crowd: Crowd = field(default_factory=Crowd)
    within: float = ANSWER

    def system(self, agency: str, name: str) -> System | None:
        """The system whose door this is; None where it has none."""
        system = self.directory().system(f"{agency}/{name}")
        return system if system is not None and self.answers(system) else None

    def is_stranger(self, system: System, head: Call) -> bool:
        """Whether the adapter knows from the head of a call alone that it will refuse it: its body need not be read.

        Raises Busy where that cannot be found out now.
        """
        with said_as_busy(system):
            gate = getattr(self.adapter_of(system), "gate", None)
            return gate is not None and not cast("Gatekeeper", gate).lets_in(head)

    def most(self, system: System, head: Call, limit: int) -> int:
        """So many bytes of its body are read: ``limit``, or what the adapter's ``gate.most(head)`` says, where less.

        Raises Busy as above.
        """
        with said_as_busy(system):
            most_of = getattr(getattr(self.adapter_of(system), "gate", None), "most", None)
            most = None if most_of is None else most_of(head)
            return limit if most is None else min(limit, int(most))

    async def answer(self, system: System, call: Call, take: Take) -> Reply:
        """What the caller is answered; ``take`` takes what it brings (see :meth:`Receive.take`).

        Raises the adapter's own Faults; Busy where it took too long, or could not answer.
        """
        with said_as_busy(system):
            adapter = cast("Answering", self.adapter_of(system))
            async with asyncio.timeout(self.within):
                return await adapter.answer(call, take)


@contextmanager
def said_as_busy(system: System) -> Iterator[None]:
    """What an adapter could not do now: the caller is to come again, and the operator finds out why in the log."""
    try:
        yield
    except (DeliveryFailure, TimeoutError) as error:
        detail = str(error) if isinstance(error, DeliveryFailure) else "no answer in time"
        log.warning("visit.failed", agency=system.name, detail=f"{type(error).__name__}: {detail}"[:300])
        raise Busy(
            "overloaded",
            Text(
                "Trục chưa trả lời được cuộc gọi này. Bên gọi hãy gửi lại nguyên như cũ sau ít giây.",
                "The bus cannot answer this call now. The caller must send the same again in a few seconds.",
            ),
            retry_after=_AGAIN,
        ) from None


def _too_many(problem: str) -> Busy:
    return Busy(
        problem,
        Text(
            "Đang có quá nhiều cuộc gọi cùng lúc tới cửa này. Bên gọi chờ hết thời gian Retry-After rồi gửi lại.",
            "Too many calls to this door are under way. The caller must wait for Retry-After and send again.",
        ),
        retry_after=_AGAIN,
    )


def _add(counter: Counter[K], key: K, count: int) -> None:
    """Count, and forget what is nought: callers come from anywhere."""
    counter[key] += count
    if not counter[key]:
        del counter[key]


def door_of(system: System, public_url: str) -> str:
    """The address at which a system's software calls the bus; whatever follows it is the software's own."""
    return door_at(public_url, system.name)


def door_at(public_url: str, system: str) -> str:
    """The same by the system's name."""
    return f"{public_url}/in/{system}/"
