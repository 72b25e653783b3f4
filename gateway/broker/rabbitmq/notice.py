"""What one message at RabbitMQ says: these deliveries of one system may be due, now or at their moments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

#: Ids in one message; what a message costs is shared by them.
MOST_IDS: Final = 100
#: Bounds of what is read: whoever may publish here is not trusted to keep ours.
_LONGEST_ID: Final = 256
_MOST_READ: Final = 1_000
_LONGEST_BODY: Final = 256 * 1024


class Unreadable(Exception):
    """The bytes are no notice."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Ids of deliveries of ``recipient``; ``due`` has a moment (seconds since 1970) for each, or is empty: now."""

    recipient: str
    deliveries: tuple[str, ...] = ()
    due: tuple[float, ...] = ()

    def written(self) -> bytes:
        """The message's body; its recipient is the routing key."""
        said: dict[str, object] = {"deliveries": self.deliveries}
        if self.due:
            said["due"] = self.due
        return json.dumps(said, separators=(",", ":")).encode()


def read(recipient: str, body: bytes) -> Notice:
    """The notice in a message from the queue of ``recipient``; raises Unreadable."""
    if len(body) > _LONGEST_BODY:
        raise Unreadable
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable from None
    deliveries, due = (said.get("deliveries"), said.get("due", [])) if isinstance(said, dict) else (None, None)
    if not (isinstance(deliveries, list) and isinstance(due, list) and len(deliveries) <= _MOST_READ):
        raise Unreadable
    if not all(isinstance(each, str) and len(each) <= _LONGEST_ID for each in deliveries):
        raise Unreadable
    if due and (len(due) != len(deliveries) or not all(type(each) in {int, float} for each in due)):
        raise Unreadable
    return Notice(recipient, tuple(deliveries), tuple(map(float, due)))
