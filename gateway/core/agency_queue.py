"""The queue of an agency that speaks AMQP: names that no two systems share, its bounds, and what its user may do.

The gateway's adapter and ``lgsp apply`` both make what this page describes, so that neither can lag behind the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from gateway.core.codes import split_system

#: What the bus hands to agencies goes through this exchange (direct), by the queue's name.
EXCHANGE: Final = "lgsp.agencies"
#: Names begin with these; what follows says whose they are.
PREFIX: Final = "lgsp.agency."
REJECTED: Final = "lgsp.rejected."
SETTLE: Final = "lgsp.settle."

#: A queue holds no more than this. A fuller one refuses, the deliveries wait in the ledger, and operators see them.
MOST_MESSAGES: Final = 10_000
MOST_BYTES: Final = 64 << 20
#: So often is a message given to an agency that dies over it, before it is laid aside.
MOST_GIVEN: Final = 100
#: What an agency's user may keep open; without it one broken client could use up the broker.
LIMITS: Final[Mapping[str, int]] = MappingProxyType({"max-connections": 20, "max-channels": 200})


@dataclass(frozen=True, slots=True)
class AgencyQueue:
    """All that belongs to one system at the broker. ``settles`` where it answers for each message by itself."""

    system: str
    settles: bool = False

    @property
    def name(self) -> str:
        """The queue it reads, the key by which it is reached, and its user: ``lgsp.agency.H33.05.dms``."""
        return PREFIX + self._tail

    @property
    def rejected(self) -> str:
        """The queue in which lies what it rejected or died over too often."""
        return REJECTED + self._tail

    @property
    def settle(self) -> str:
        """The exchange (fanout) to which it tells what it took and what not."""
        return SETTLE + self._tail

    @property
    def configure(self) -> str:
        """What its user may make or delete, as the broker's pattern: nothing."""
        return ""

    @property
    def write(self) -> str:
        """Where its user may publish: nowhere, or to its own settling exchange."""
        return _exactly(self.settle) if self.settles else ""

    @property
    def read(self) -> str:
        """What its user may consume: its own queue, and what it rejected itself."""
        return _exactly(self.name, self.rejected)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """How its queue is declared: replicated, bounded, and what is rejected moves on before it is let go."""
        return {
            **_bounded(MOST_MESSAGES, MOST_BYTES),
            "x-delivery-limit": MOST_GIVEN,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.rejected,
            "x-dead-letter-strategy": "at-least-once",
        }

    @property
    def rejected_arguments(self) -> Mapping[str, Any]:
        """How the queue of the rejected is declared; a full one holds up, and loses nothing."""
        return _bounded(MOST_MESSAGES, MOST_BYTES)

    @property
    def _tail(self) -> str:
        # The last dot parts code and name: a dot within the name would make two systems one, so it becomes a tilde,
        # which neither may hold.
        code, _, name = self.system.partition("/")
        return f"{code}.{name.replace('.', '~')}"


def system_of(name: str, prefix: str = PREFIX) -> str | None:
    """The system to which a queue, user or exchange of this name belongs; None where it is not such a name."""
    code, _, local = name.removeprefix(prefix).rpartition(".")
    system = f"{code}/{local.replace('~', '.')}"
    return system if name.startswith(prefix) and split_system(system) is not None else None


def _bounded(messages: int, octets: int) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-max-length": messages,
        "x-max-length-bytes": octets,
        "x-overflow": "reject-publish",
    }


def _exactly(*names: str) -> str:
    return f"^({'|'.join(re.escape(name) for name in names)})$"
