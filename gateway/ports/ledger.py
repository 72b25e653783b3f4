"""The promise of what keeps: each call is one transaction, and what it did survives a power cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from gateway.core.breaker import Breaker
from gateway.core.delivery import Delivery
from gateway.ports.records import (
    Acceptance,
    Accepted,
    AuditRow,
    Change,
    Claim,
    Derived,
    HeldFile,
    NewMessage,
    Record,
    RegistryRow,
    RowKind,
    Taken,
)

#: How long counts of refusals are kept (minutes): 400 days.
REFUSALS_KEPT: Final = 400 * 24 * 60


class Ledger(Protocol):
    """Moves messages. Each call is one transaction; when it returns, what it did survives a power cut."""

    async def open(self) -> None:
        """Make ready: create or migrate; raises Misconfigured where the database is newer than this program."""

    async def close(self) -> None:
        """Finish what was begun and let go."""

    async def accept_many(self, messages: Sequence[NewMessage]) -> list[Acceptance]:
        """Keep messages with deliveries and receipts, in this order; one answer each, none spoils another.

        A known id answers Accepted(repeated) where source and ``repeat_digest`` are the same, else Taken.
        A first delivery of a busy lane (any earlier one not ended) is kept blocked; one whose destination is
        on hold, held. ``owes_outcome`` and the rest are kept as given.
        """

    async def known(self, keys: Mapping[str, tuple[str, str]]) -> dict[str, Accepted | Taken]:
        """For key -> (source, repeat_digest): what accept_many would answer for those already known; others absent.

        The id of a translation counts as Taken.
        """

    async def due(self, now: float) -> tuple[frozenset[str], float | None]:
        """Recipients with deliveries claimable at ``now``, and the next moment at which another queued one is due."""

    async def claim(
        self,
        wanted: Mapping[str, int],
        *,
        owner: str,
        now: float,
        until: float,
        probers: Sequence[str] = (),
    ) -> list[Claim]:
        """Lease up to ``wanted[recipient]`` due deliveries of each recipient: urgent first, then by due, then by age.

        Beside them the deliveries with ids ``probers``, where they are claimable at ``now``; these come last.
        At most one delivery a lane is claimable at any time. One whose ``expires`` has passed is not claimed.
        The deliveries come as they are after the step: leased by ``owner`` until ``until``.
        """

    async def record_many(self, changes: Sequence[Change], *, now: float) -> list[bool]:
        """Write each step where the delivery still is as ``before``, in this order; says which were written.

        A step that ends a delivery frees the next one of its lane at ``now`` (queued, or held where the
        destination is on hold), unless an earlier one is still open. A step to ``queued`` of a delivery whose
        destination is on hold makes it held. A Delivered step gives the recipient the right to name the
        message's files. Of a step that was not written, neither attempt nor leaf nor proof is kept.
        """

    async def lapse(self, now: float, *, owner: str | None = None) -> list[Delivery]:
        """Give back leases that ended by ``now``, or (``owner``) every lease of that owner and no other's.

        An attempt ``lapsed``, from the claim to the end of the lease, is kept for each; the next lease carries
        the same number, and the cause ``lapsed`` until somebody answers. Returns the deliveries as they are after
        it: queued, or held where the destination is on hold.
        """

    async def expire(self, now: float, *, limit: int = 500) -> list[Delivery]:
        """Deliveries that are queued, held or blocked and whose ``expires`` has passed, as they are now (not changed).

        The youngest come first: recorded in this order, none frees another that is to expire as well.
        """

    async def overdue(self, recipient: str, now: float, *, limit: int = 500) -> list[Delivery]:
        """Queued deliveries of a recipient whose deadline has passed, as they are now (not changed), oldest first."""

    async def missing_files(self, source: str, digests: Sequence[str]) -> tuple[str, ...]:
        """Which of these files ``source`` may not name: not held, or no right to them; each once, in this order."""

    async def find(self, key: str) -> Record | None:
        """A message by its key or by the id of one of its translations."""

    async def envelope(self, key: str) -> bytes | None:
        """The original envelope of a message; None where unknown or no longer kept."""

    async def delivery(self, id: str) -> Delivery | None:
        """One delivery by id, as it is now."""

    async def deliveries(
        self, *, states: Sequence[str] = (), recipient: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries by state and recipient, oldest first."""

    async def derived(self, message: str, target: str) -> Derived | None:
        """The kept translation of a message into ``target`` (``NAME/MAJOR.MINOR``)."""

    async def keep_derived(self, made: Derived) -> Derived:
        """Keep a translation; answers the one that is kept, the first where two were made."""

    async def owing(self, limit: int = 200) -> list[Delivery]:
        """Deliveries that owe their sender an outcome message, oldest first."""

    async def owed(self, delivery: str) -> bytes | None:
        """The receipt payload (``Change.leaf``) that the outcome message owed for a delivery carries."""

    async def outcome_told(self, deliveries: Sequence[Delivery]) -> None:
        """Clear ``owes_outcome`` where state and replays are still those."""

    async def hold(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        """Put a destination on hold: its queued deliveries become held, new ones too. Answers how many.

        What is leased stays so until it is settled. A second hold keeps the moment of the first.
        """

    async def release(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        """Lift the hold: held deliveries are queued again. Answers how many."""

    async def breakers(self) -> dict[str, Breaker]:
        """Destinations that failed lately, as last kept."""

    async def keep_breaker(self, recipient: str, breaker: Breaker) -> None:
        """Remember how a destination is; a quiet one is forgotten."""

    async def holds(self) -> dict[str, float]:
        """Destinations on hold, and since when."""

    async def grant_file(self, held: HeldFile, system: str, *, at: float, is_present: Callable[[str], bool]) -> bool:
        """Let ``system`` name a file. False where ``is_present`` says the bytes are gone (put them again)."""

    async def may_read_file(self, sha256: str, system: str) -> HeldFile | None:
        """The file where ``system`` uploaded it, sent or was sent a message that names it; else None."""

    async def sweep_files(self, before: float, *, remove: Callable[[str], None], limit: int = 500) -> int:
        """Forget files that no message names and whose last grant is older than ``before``; answers how many.

        Every right to them is withdrawn before, and ``remove`` is called inside a transaction, so that accept
        and sweep exclude each other, and a crash between leaves nobody a right to bytes that are gone.
        """

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        """Keep audit rows in the journal."""

    async def count_refusals(self, counts: Mapping[tuple[str, int, str], int]) -> None:
        """Add to the counts of refusals by (address, minute since 1970, problem).

        Minutes that are older than the newest of ``counts`` by more than REFUSALS_KEPT go, one with each call at least.
        """

    async def journal(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, str, bytes]]:
        """Leaves of the journal from number ``after`` on: (number, ``receipt`` or ``audit``, exact bytes)."""

    async def use_once(self, token: str, *, until: float, now: float) -> bool:
        """True the first time a one-time token is seen, False ever after until ``until`` has passed."""

    async def registry(self) -> tuple[int, list[RegistryRow]]:
        """The version of the registry and all its rows."""

    async def registry_version(self) -> int:
        """The version alone: cheap, asked every second."""

    async def change_registry(
        self,
        expected_version: int,
        *,
        put: Sequence[RegistryRow],
        delete: Sequence[tuple[RowKind, str]],
        audit: Sequence[AuditRow],
    ) -> bool:
        """Write the difference, with its audit rows, where the version is still the expected one; it goes up by one.

        The version of an empty registry is 0. A row both deleted and put is put.
        """

    async def is_writable(self) -> bool:
        """Whether a transaction can be committed now (for readiness); answers within 3 seconds."""
