"""What a described far side needs of all that an adapter is given, and what passes between it and the bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from gateway.core.directory import System
from gateway.core.handover import Collected
from gateway.core.visit import NotReceived, Received

#: Accepts one item that came by a call (the adapters' port says what it promises).
Take = Callable[[Collected], Awaitable[Received | NotReceived]]


class Given(Protocol):
    """Its system, checked settings, and the gateway's hand-outs."""

    @property
    def system(self) -> System:
        """Whose adapter it is."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """As the adapter's schema has judged them."""

    @property
    def folder(self) -> Path:
        """The province folder."""

    @property
    def user_agent(self) -> str:
        """How the bus calls itself."""

    @property
    def read_secret(self) -> Callable[[str], bytes]:
        """A secret by its file."""

    @property
    def own_addresses(self) -> frozenset[tuple[str, int]]:
        """Never to be called."""

    @property
    def now(self) -> Callable[[], float]:
        """Seconds since 1970."""


class Questioned(Protocol):
    """What is asked: the event of a query, and how many seconds are left."""

    @property
    def event(self) -> Mapping[str, Any]:
        """Its members."""

    @property
    def within(self) -> float:
        """Seconds."""
