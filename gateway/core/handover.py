"""What passes between the bus and an agency's software by way of an adapter: a parcel out, an item in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.core.content import Content
from gateway.core.directory import System
from gateway.core.faults import Text


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an adapter hands over: one attempt of one delivery.

    ``body`` is the envelope as the subscription wants it (the original, or a translation signed by the
    gateway); ``event`` its members, read when somebody looks inside (``dict(event)`` gives all); ``message`` the
    original's id. ``is_translated`` tells whether the data was changed on the way.
    """

    delivery: str
    message: str
    attempt: int
    recipient: System
    body: bytes
    event: Mapping[str, Any]
    format: Literal["jws", "cloudevents"]
    is_translated: bool
    #: Codes of the agencies that have no system here and are reached by way of the recipient, as the directory says
    #: today, each once, in the order of ``to``; empty where the recipient's own agency is addressed.
    carried: tuple[str, ...] = ()
    #: The last try was cut off with the gateway that made it: it has no number, and may have got through.
    interrupted: bool = False

    @property
    def may_have_arrived(self) -> bool:
        """Whether an earlier try may have got through: a place that can be asked is asked before it is sent again."""
        return self.attempt > 1 or self.interrupted


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The agency took it: its status code and, where it gave one, its own receipt (compact JWS).

    ``reference`` is the far side's own name for what it took, where it has one; ``content`` the file that was handed
    over, where it is not the parcel's body. Both are told in the attempt's detail, the file by digest and size.
    """

    status: int | None = None
    receipt: bytes | None = None
    reference: str | None = None
    content: Content | None = None

    @property
    def detail(self) -> str | None:
        """What the record of the attempt says of it."""
        file = None if self.content is None else f"sha-256:{self.content.sha256} {self.content.size} bytes"
        return " · ".join(part for part in (self.reference, file) if part) or None


@dataclass(frozen=True, slots=True)
class CollectedFile:
    """A file that came with a collected message, still in the adapter's hands."""

    media_type: str
    content: Content

    @property
    def sha256(self) -> str:
        """Lower-case hex."""
        return self.content.sha256

    @property
    def size(self) -> int:
        """In bytes."""
        return self.content.size


@dataclass(frozen=True, slots=True)
class Collected:
    """A message fetched from a system that cannot send: the bus seals it with the key it keeps for the system.

    ``event`` is the CloudEvent less ``source`` and ``sealedby``. ``origin`` is the hex SHA-256 of what makes the item
    itself (as a rule the bytes as the agency wrote them): the same origin is the same message, for ever. ``token`` is
    the adapter's own name for the item.
    """

    token: str
    event: Mapping[str, Any]
    origin: str
    files: tuple[CollectedFile, ...] = ()
    warnings: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Uncollectable:
    """An item that can never become a message: a short kebab-case reason and a sentence for its author."""

    token: str
    reason: str
    detail: Text
