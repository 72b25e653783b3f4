"""The promises of queries: a log of who asked what and why, and adapters that can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.core.directory import System
from gateway.ports.records import AuditRow

#: ``answered``; ``empty``: there is no such record; ``failed``: the provider did not answer, the id may be used again.
Outcome = Literal["asked", "answered", "empty", "failed"]


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks whom what, when, for which purpose (Decree 47/2020, article 45): all that is kept of a query.

    ``key``: its id in small letters. ``mark``: what was asked about, as a keyed hash of the subject: it can be looked
    for by who knows the subject and the key, and not be read. ``officer``: the account on whose behalf; ``dossier``:
    the dossier for which. ``agreements``: ids of those that allowed it. ``digest``: ``sha-256:HEX`` of the envelope.
    """

    key: str
    source: str
    contract: str
    version: str
    provider: str
    purpose: str
    asked_at: float
    digest: str
    mark: str
    officer: str = ""
    dossier: str = ""
    agreements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Logged:
    """A query and what came of it. ``answer``: ``sha-256:HEX`` of what was answered; None where nothing was."""

    asking: Asking
    outcome: Outcome
    ended_at: float | None = None
    answer: str | None = None


class QueryLog(Protocol):
    """Keeps queries, never their answers. Each call is one transaction, on disk when it returns."""

    async def begin(self, asking: Asking, *, until: float) -> bool:
        """Note that it is asked now. False where the id was answered before, or is being asked by somebody till then.

        One that was begun and never ended (its process died) may be asked again once its ``until`` has passed; one that
        failed, at once: by the same source, since another's would take its place in the log.
        """

    async def end(self, key: str, outcome: Outcome, *, at: float, answer: str | None, audit: AuditRow) -> None:
        """Note what came of it, with its audit row."""

    async def is_taken(self, key: str, now: float, source: str | None = None) -> bool:
        """Whether ``begin`` would answer False of a query of ``source``; without one, of whoever asked it before."""

    async def logged(
        self,
        *,
        mark: str | None = None,
        source: str | None = None,
        provider: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 200,
    ) -> Sequence[Logged]:
        """Queries, the youngest first; ``before``: (asked_at, key) of the last one that the caller has seen."""


@dataclass(frozen=True, slots=True)
class Query:
    """What an adapter is asked: the event of a query that was judged; ``within``: seconds that are left."""

    id: str
    contract: str
    version: str
    event: Mapping[str, Any]
    provider: System
    within: float


class Asked(Protocol):
    """An adapter whose agency can be asked (``ASKED = True`` in its module); beside what it is else."""

    async def ask(self, query: Query) -> Mapping[str, Any] | None:
        """The data of the answer contract; None where there is no such record.

        Raises TransientFailure, TimedOut (nobody knows whether it was asked) or PermanentFailure; nothing of an answer
        may stand in what it raises or logs.
        """
