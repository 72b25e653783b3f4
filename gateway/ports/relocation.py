"""The promises of a store that a province leaves and of one that it moves into: every table as plain rows, by its key.

A row travels as a tuple of plain values: text, whole numbers, moments as floats, bytes, True and False, None. JSON
travels as text. Places (``seq``, ``number``) stay what they were, so whatever points at one still does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.ports.records import AuditRow

Value = None | bool | int | float | str | bytes
Row = tuple[Value, ...]

#: Rows in one page at most, and bytes of bodies in it, which the last row may go over.
PAGE_ROWS: Final = 1000
PAGE_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Table:
    """One table as it travels. The first ``width`` columns are its key: no two rows share it, and rows come by it.

    Keys that are text are compared by code points.
    """

    name: str
    columns: tuple[str, ...]
    width: int = 1

    def key(self, row: Row) -> Row:
        """What tells ``row`` apart from all others of the table."""
        return row[: self.width]


def _table(name: str, columns: str, width: int = 1) -> Table:
    return Table(name, tuple(columns.split()), width)


#: Everything that a ledger keeps, in an order in which each row finds what it points at: as the ledger's promise and
#: those beside it tell; ``meta`` are single numbers of the whole database. What only those that run now know of each
#: other (``ports.peers``) stays behind.
TABLES: Final[tuple[Table, ...]] = (
    _table("meta", "name value"),
    _table("registry", "kind key origin body", 2),
    _table("holds", "recipient since"),
    _table("breakers", "recipient failures since is_open prober width"),
    _table("files", "sha256 size media_type granted_at"),
    _table("file_rights", "sha256 system", 2),
    _table("once", "token until"),
    _table("refusals", "minute address problem count", 3),
    _table(
        "messages",
        "seq key id source type version subject accepted_at digest repeat_digest recipients receipt",
    ),
    _table("bodies", "message_seq envelope"),
    _table("message_files", "message_seq sha256", 2),
    _table("derived", "key message_seq target envelope"),
    _table(
        "deliveries",
        "seq id message_seq recipient contract lane priority state due patience deadline patience_left notbefore"
        " expires attempts spent lease_owner lease_until cause replays owes_outcome leased_at",
    ),
    _table("attempts", "seq delivery_seq number started_at ended_at outcome status detail"),
    _table("proofs", "delivery_seq proof"),
    _table("outcomes", "delivery_seq leaf"),
    _table("failures", "delivery_seq recipient contract cause error fingerprint failed_at"),
    _table(
        "replays",
        "number id act phase body total created_at started_at ended_at why next_at judged_after lease_owner"
        " lease_until",
    ),
    _table("replay_items", "operation delivery_seq outcome reason replays", 2),
    _table(
        "backfills",
        "number id system contract since until reason asked_at phase last decided_by decision decided_at ended_at"
        " reached made left_out lease_owner lease_until",
    ),
    _table(
        "documents",
        "message_seq kind key issuer reporter recipients concerned code said_at issued_on fingerprint obligations"
        " document earlier vouched parked again",
    ),
    _table("document_changes", "key message_seq", 2),
    _table("duties", "message_seq agency name answered_by due level next_at", 3),
    _table("agency_lists", "source digest count body approved_at checked_at"),
    _table(
        "agency_proposals",
        "number source phase made_at made_by base digest count summary decided_by decision decided_at body",
    ),
    _table("findings", "sha256 about looked looked_at scanned scanner scanned_at", 2),
    _table("dossier_lines", "message_seq code kind parent child message source accepted_at said"),
    _table("dossiers", "code lead status next_look received_at finished_at place told"),
    _table("dossiers_unsettled", "code first last"),
    _table(
        "queries",
        "key source contract version provider purpose asked_at digest mark officer dossier agreements outcome ended_at"
        " answer until",
    ),
    _table("manifest_days", "day gathered_at compared_at"),
    _table("manifests", "day system side direction contract form count root covers said_at", 5),
    _table("manifest_ids", "day system side direction contract id digest at delivery proven", 6),
    _table("manifest_waits", "system contract id agency about day since due accepted_at answered_at told", 3),
    _table("manifest_gaps", "day system direction contract kind id at delivery found_at ended_at operation", 6),
    _table("journal", "number kind body"),
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which ledger is left: ``id`` is its own for ever; ``mark`` is another one whenever anything in it changed.

    ``gone_to`` is where it went, where it was left for good before (an address without a password).
    """

    id: str
    mark: str
    gone_to: str | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a table has come in its new place: the last key, how many rows, and whether that was all."""

    key: Row | None = None
    count: int = 0
    is_whole: bool = False


class Reading(Protocol):
    """What can be read table by table."""

    def pages(self, table: Table, after: Row | None = None) -> AsyncGenerator[Sequence[Row], None]:
        """The rows behind the key ``after``, by key; pages of PAGE_ROWS and PAGE_BYTES at most, none of them empty.

        Who does not read to the end closes it.
        """

    async def count(self, table: Table) -> int:
        """How many rows a table has."""

    async def close(self) -> None:
        """Let go; safe to repeat."""


class Export(Reading, Protocol):
    """A ledger that is left. From ``open`` to ``close`` nothing in it changes, and nobody else can work on it."""

    async def open(self) -> Origin:
        """Make sure that nobody uses it, and keep it so.

        Raises Misconfigured where a gateway uses it, there is no ledger, or it is not at this program's step.
        """

    async def leave(self, to: str, *, at: float) -> None:
        """The truth is elsewhere from now on: no gateway opens it any more; who tries is told ``to``."""


class Import(Reading, Protocol):
    """A store that is moved into: no gateway opens it before ``finish``. Each call is one durable transaction."""

    async def look(self, origin: Origin) -> Mapping[str, Reached] | None:
        """How far a move of that ledger has come (empty: not begun); None where it was finished. Changes nothing.

        A move of a ledger that has changed since counts as not begun. Raises Misconfigured where the store cannot be
        used, holds anything that did not come from there, or the ledger has changed since its move was finished.
        """

    async def begin(self, origin: Origin) -> Mapping[str, Reached]:
        """Make ready, and go on with a move that was begun; what a ledger left there that has changed since is dropped.

        Raises as :meth:`look` does, and where the move was finished.
        """

    async def put(self, table: Table, rows: Sequence[Row], reached: Reached) -> None:
        """Keep the next rows of a table, and how far it is with them."""

    async def finish(self, audit: AuditRow) -> None:
        """Everything is there: a gateway may open it now. New rows come behind those that moved in, ``audit`` first."""
