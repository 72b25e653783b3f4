"""The event in an envelope that was accepted, read when somebody looks inside; most deliveries pass it on unread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.core import jws
from gateway.core.envelope import parse_event


class Unread(Mapping[str, Any]):
    """A mapping over the members of the event; raises what reading it raises, at first sight.

    What an accepted envelope holds was strict JSON when it came, so only a damaged one raises.
    """

    __slots__ = ("_envelope", "_members", "_payload")

    def __init__(self, envelope: bytes) -> None:
        """``envelope`` is a compact JWS that was accepted, or made by the gateway."""
        self._envelope = envelope
        self._payload: bytes | None = None
        self._members: Mapping[str, Any] | None = None

    @property
    def payload(self) -> bytes:
        """The bytes of the event as they were signed."""
        if self._payload is None:
            self._payload = jws.payload_of(self._envelope)
        return self._payload

    def get(self, name: str, default: Any = None) -> Any:
        """The member; one whose name is written nowhere in the payload is not there, which needs no reading."""
        if self._members is None and name.encode() not in self.payload and b"\\" not in self.payload:
            return default
        return self._read().get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> Mapping[str, Any]:
        if self._members is None:
            self._members = parse_event(self.payload)
        return self._members
