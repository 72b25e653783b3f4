"""The exchanges and queues that an operator meets on RabbitMQ's management page, and their bounds.

* ``lgsp.deliver.SYSTEM``: what may be due for one system; every gateway reads it, each message goes to one of them.
* ``lgsp.retry.5s`` to ``lgsp.retry.1h``: what is to be tried again, on its way back to the queue of its system.
* ``lgsp.parking``: what could not be read or was given out again and again; nobody reads it but people.

All of it is made by whichever gateway comes first and may be deleted at any time: nothing is in it that the ledger
does not know. So every queue is bounded, a full one refuses what is new (its announcer then looks for itself), and
what dies on the way back from a retry queue is found by the tick.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

DELIVERIES: Final = "lgsp.deliveries"
PARKING: Final = "lgsp.parking"
#: Messages in a queue of deliveries or retries, and in the parking queue.
MOST_WAITING: Final = 10_000
MOST_PARKED: Final = 10_000
#: A message that was given out so often without being acted on is parked by the gateway that gets it next; the
#: broker's own limit is for gateways that die before they can look.
MOST_GIVEN: Final = 10
BROKERS_LIMIT: Final = 2 * MOST_GIVEN
#: A queue that no gateway reads for so long (milliseconds) goes away: its system is no longer registered.
UNUSED: Final = 24 * 3600 * 1000
#: What a queue can be named after: every name of a system that the registry takes.
_NAME: Final = re.compile(r"[0-9A-Za-z._/-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Step:
    """One retry queue: how long (seconds) it keeps what is put into it."""

    label: str
    seconds: float

    @property
    def name(self) -> str:
        """The name of its queue, and of the exchange (fanout) before it."""
        return f"lgsp.retry.{self.label}"


STEPS: Final = (
    Step("5s", 5), Step("10s", 10), Step("30s", 30), Step("1m", 60), Step("5m", 300), Step("15m", 900), Step("1h", 3600)
)  # fmt: skip


def step_within(seconds: float, steps: Sequence[Step]) -> Step | None:
    """The longest step that does not outlast ``seconds``; what is left is waited for by a shorter one, or nobody."""
    return max((step for step in steps if step.seconds <= seconds), key=lambda step: step.seconds, default=None)


def is_nameable(recipient: str) -> bool:
    """Whether there can be a queue for it; whoever has none is found by the tick alone."""
    return _NAME.match(recipient) is not None


def queue_of(recipient: str) -> str:
    """The name of a system's queue."""
    return f"lgsp.deliver.{recipient}"


_BOUNDED: Final = {"x-queue-type": "quorum", "x-max-length": MOST_WAITING, "x-overflow": "reject-publish"}

DELIVER: Final[Mapping[str, Any]] = {
    **_BOUNDED,
    "x-delivery-limit": BROKERS_LIMIT,
    "x-dead-letter-exchange": PARKING,
    "x-expires": UNUSED,
}
# The oldest goes first: what happens now tells more about what is wrong.
PARK: Final[Mapping[str, Any]] = {
    "x-queue-type": "quorum", "x-max-length": MOST_PARKED, "x-overflow": "drop-head"
}  # fmt: skip


def retry_arguments(step: Step) -> Mapping[str, Any]:
    """How a retry queue is declared: after its time a message goes back to where its routing key leads."""
    return {
        **_BOUNDED,
        "x-message-ttl": int(step.seconds * 1000),
        "x-dead-letter-exchange": DELIVERIES,
    }
