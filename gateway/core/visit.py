"""What passes when an agency's software calls the bus in its own words: a call in, a reply out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.content import Content
from gateway.core.faults import Text


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to the door of one system, as it came.

    ``path`` is what follows the door, without a slash at its beginning; ``query`` the first value of each parameter;
    ``fields`` the header fields, names in lower case; ``body`` bounded already; ``address`` the peer's IP address.
    """

    method: str
    path: str
    query: Mapping[str, str]
    fields: Mapping[str, str]
    body: Content
    address: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller is answered, in its own words."""

    body: bytes = b""
    status: int = 200
    media_type: str = "application/json"
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    """An item that came by a call was accepted: it is durable. ``repeated``: it was before."""

    id: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class NotReceived:
    """An item that came by a call is refused: the problem's name, and why, for its sender."""

    problem: str
    detail: Text
