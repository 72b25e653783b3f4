"""A document that comes by a second way goes only to those who were not sent it by the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.directory import Directory, System
from gateway.core.documents.matching import left_to_serve
from gateway.core.documents.registrar import agency_of
from gateway.core.faults import Busy, Fault, Text
from gateway.ports import Accepted
from gateway.relay.accept import Accept, Declined

#: Times that a document is offered to those who are left, while some of them are served by the other way meanwhile.
_OFFERS: Final = 5


@dataclass(frozen=True, slots=True)
class AlreadyServed:
    """Everybody whom a document is for was sent it before: these agencies. It is noted, no message is kept."""

    key: str
    agencies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecondWay:
    """The step: what is not a document, or was sent to nobody yet, is accepted like anything else."""

    accept: Accept
    directory: Callable[[], Directory]

    async def take(
        self, system: System, members: Mapping[str, Any], origin_digest: str
    ) -> Accepted | AlreadyServed | Fault:
        """Accept an event for ``system``; where some were sent its document before, ``to`` names the others alone.

        Answers Busy where others go on being served while it is offered: the item is to come again.
        """
        offered = dict(members)
        for _ in range(_OFFERS):
            said = await self.accept.offer(system, offered, origin_digest)
            if not isinstance(said, Declined):
                return said
            left = self._left(said)
            if not left:
                entry = said.message.entry
                meant = said.served.agencies if entry is None else said.served.agencies.intersection(entry.recipients)
                return AlreadyServed("" if entry is None else entry.key, tuple(sorted(meant)))
            offered["to"] = " ".join(left)
        return Busy(
            "overloaded",
            Text(
                "Văn bản này đang đến bằng đường khác cùng lúc. Trục tự lấy lại sau ít giây.",
                "The document is coming by another way at this moment. The bus takes it again in a few seconds.",
            ),
            retry_after=1.0,
        )

    def _left(self, declined: Declined) -> tuple[str, ...]:
        directory, now = self.directory(), self.accept.clock.now()
        named = [(name, agency_of(name, directory, now)) for name in declined.event.to or declined.message.recipients]
        return left_to_serve(named, declined.message.recipients, declined.served)
