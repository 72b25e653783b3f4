"""The inbox needs no hand-over: recipients fetch for themselves. This adapter only says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from gateway.core.faults import Text, TransientFailure
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Uncollectable

MODE: Final[Literal["push", "pull"]] = "pull"
COLLECTS: Final = False


class Inbox:
    """Takes nothing by itself; a delivery handed to it by mistake waits for its owner."""

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Raises TransientFailure always: what waits in an inbox is leased by its owner, never pushed."""
        raise TransientFailure(f"{parcel.recipient.name} fetches its messages itself")

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - the port's shape
        """Nothing: such a system sends for itself."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Nothing to let go."""


def open_adapter(context: AdapterContext) -> Inbox:  # noqa: ARG001 - the port's shape
    """The adapter of one system."""
    return Inbox()
