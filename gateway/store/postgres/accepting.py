"""Keeping messages: one statement takes ids and asks what is busy for all of them, another inserts all rows."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import orjson

from gateway.core.delivery import Delivery, Held, as_blocked
from gateway.ports import Acceptance, Accepted, FilesMissing, NewMessage, Taken
from gateway.store.dossier_rows import line_row
from gateway.store.lines import Lines, Wanted
from gateway.store.postgres import dossier_lines, lines, locks
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.rows import FIXED, MOVING, arrays, columns, fixed, moving, names_of
from gateway.store.postgres.writer import Step

_IDS: Final = {
    "key": "uuid", "id": "text", "source": "text", "repeat_digest": "text", "recipients": "text", "receipt": "text",
}  # fmt: skip
_MESSAGES: Final = {
    "seq": "int8", "key": "uuid", "type": "text", "version": "text", "subject": "text", "accepted_at": "float8",
    "digest": "text", "envelope": "bytea",
}  # fmt: skip
_DELIVERIES: Final = {"seq": "int8", "message_seq": "int8", **FIXED, **MOVING}

#: Take these ids where they are free (in one order for all gateways: who wants the same waits for its end), as many
#: numbers as are asked for, and see which lanes are busy and which destinations on hold. The first numbers go to the
#: messages in their order; a message's number is lower than those of its deliveries.
_TAKE: Final = f"""
WITH numbers AS MATERIALIZED (
  SELECT ARRAY(SELECT nextval('seq') FROM generate_series(1, ${len(_IDS) + 1}::int)) AS seqs
), taken AS (
  INSERT INTO ids (message_seq, {", ".join(_IDS)})
    SELECT n.seqs[i.place], {", ".join(f"i.{name}" for name in _IDS)}
      FROM unnest({arrays(_IDS.values())}) WITH ORDINALITY AS i ({", ".join(_IDS)}, place), numbers n ORDER BY i.key
    ON CONFLICT (key) DO NOTHING RETURNING message_seq
)
SELECT
  (SELECT seqs FROM numbers),
  ARRAY(SELECT message_seq FROM taken),
  ARRAY(SELECT w.lane FROM unnest(${len(_IDS) + 2}::text[]) AS w (lane)
    CROSS JOIN LATERAL (SELECT FROM deliveries d WHERE d.lane IS NOT NULL AND d.lane = w.lane LIMIT 1) AS any_open),
  ARRAY(SELECT recipient FROM holds)
"""

_KNOWN: Final = (
    "SELECT key::text, target IS NOT NULL, id, source, repeat_digest, recipients, receipt FROM ids"
    " WHERE key = ANY($1::uuid[])"
)

_NEW_MESSAGES: Final = f"SELECT * FROM unnest({arrays(_MESSAGES.values())}) AS n ({', '.join(_MESSAGES)})"
_NEW_DELIVERIES: Final = f"unnest({arrays(_DELIVERIES.values(), len(_MESSAGES) + 1)})"
_LEAVES: Final = f"${len(_MESSAGES) + len(_DELIVERIES) + 1}::bytea[]"
_KEEP: Final = f"""
WITH new AS MATERIALIZED ({_NEW_MESSAGES}), told AS (
  INSERT INTO messages (seq, key, type, version, subject, accepted_at, digest)
    SELECT seq, key, type, version, subject, accepted_at, digest FROM new
), held AS (
  INSERT INTO bodies (message_seq, envelope) SELECT seq, envelope FROM new
), logged AS (
  INSERT INTO journal (seq, size, kind, bodies)
    SELECT nextval('seq'), cardinality({_LEAVES}), 'receipt', {_LEAVES} WHERE cardinality({_LEAVES}) > 0
)
INSERT INTO deliveries ({", ".join(_DELIVERIES)}) SELECT * FROM {_NEW_DELIVERIES}
"""


@dataclass(slots=True)
class _Kept:
    """The first answer of an id, and what a repeat must match."""

    source: str
    repeat_digest: str
    answer: Accepted

    def again(self, source: str, repeat_digest: str) -> Accepted | Taken:
        if (self.source, self.repeat_digest) != (source, repeat_digest):
            return Taken()
        return Accepted(self.answer.id, self.answer.recipients, self.answer.receipt, repeated=True)


async def _kept(connection: Connection, keys: Sequence[str]) -> dict[str, _Kept | None]:
    """The first answers of those ids that are known; None for the id of a translation."""
    return {
        key: None if is_derived else _Kept(source, repeat_digest, Accepted(id_, names_of(recipients), receipt))
        for key, is_derived, id_, source, repeat_digest, recipients, receipt in await connection.fetch(_KNOWN, keys)
    }


async def known(connection: Connection, keys: Mapping[str, tuple[str, str]]) -> dict[str, Accepted | Taken]:
    """For key -> (source, repeat_digest): the answer for those already known."""
    kept = await _kept(connection, list(keys))
    return {key: Taken() if first is None else first.again(*keys[key]) for key, first in kept.items()}


async def missing_files(
    connection: Connection, wanted: Sequence[tuple[str | None, str]]
) -> set[tuple[str | None, str]]:
    """Which of these (source or None for the gateway itself, sha256) are not held or not the source's to name."""
    digests = sorted({sha256 for _, sha256 in wanted})
    held = {sha256 for (sha256,) in await connection.fetch(
        "SELECT sha256 FROM files WHERE sha256 = ANY($1::text[])", digests
    )}  # fmt: skip
    sources = sorted({source for source, _ in wanted if source is not None})
    rights = {(system, sha256) for system, sha256 in await connection.fetch(
        "SELECT system, sha256 FROM file_rights WHERE sha256 = ANY($1::text[]) AND system = ANY($2::text[])",
        digests, sources,
    )}  # fmt: skip
    return {one for one in wanted if one[1] not in held or (one[0] is not None and one not in rights)}


def _owner(new: NewMessage) -> str | None:
    return None if new.is_own else new.source


@dataclass(slots=True)
class _Batch:
    """What is known while one message after the other is judged, and the rows that will be inserted."""

    missing: set[tuple[str | None, str]] = field(default_factory=set)
    kept: dict[str, _Kept | None] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)  # ids that are ours now -> number
    busy: set[str] = field(default_factory=set)
    holds: frozenset[str] = frozenset()
    numbers: Iterator[int] = field(default_factory=lambda: iter(()))
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    deliveries: list[tuple[Any, ...]] = field(default_factory=list)
    files: list[tuple[int, str]] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    owing: list[int] = field(default_factory=list)
    register: Lines | None = None
    dossiers: list[tuple[Any, ...]] = field(default_factory=list)
    given_back: set[str] = field(default_factory=set)  # ids that were taken in vain

    async def begin(
        self, connection: Connection, messages: Sequence[NewMessage], deliveries: Sequence[Delivery]
    ) -> None:
        """Take ids and numbers, and learn which messages are kept and how lanes and destinations are."""
        first: dict[str, NewMessage] = {}
        for new in messages:
            if not self.lacks(new):
                first.setdefault(new.key, new)
        rows = [
            (new.key, new.id, new.source, new.repeat_digest, orjson.dumps(new.recipients).decode(), new.receipt)
            for new in first.values()
        ]
        lanes = list({delivery.lane for delivery in deliveries if delivery.lane is not None})
        found = await connection.fetchrow(_TAKE, *columns(rows, len(_IDS)), len(first) + len(deliveries), lanes)
        numbers, ours, busy, holds = found
        self.numbers = iter(numbers)
        mine = set(ours)
        self.taken = {key: seq for key in first if (seq := next(self.numbers)) in mine}
        self.busy, self.holds = set(busy), frozenset(holds)
        if others := list({new.key for new in messages} - self.taken.keys()):
            self.kept = await _kept(connection, others)

    def lacks(self, new: NewMessage) -> tuple[str, ...]:
        """The files that a message names and may not, each once."""
        if not self.missing:
            return ()
        return tuple(sha256 for sha256 in dict.fromkeys(new.files) if (_owner(new), sha256) in self.missing)

    def accept(self, new: NewMessage) -> Acceptance:
        """One message's answer; its rows are added where it is kept."""
        if new.key in self.kept:
            kept = self.kept[new.key]
            return Taken() if kept is None else kept.again(new.source, new.repeat_digest)
        if missing := self.lacks(new):
            return FilesMissing(missing)
        if self.register is not None and (served := self.register.served(new)) is not None:
            self.given_back.add(new.key)
            return served
        answer = Accepted(new.id, new.recipients, new.receipt)
        self.kept[new.key] = _Kept(new.source, new.repeat_digest, answer)
        self.given_back.discard(new.key)
        seq = self.taken[new.key]
        self.messages.append((
            seq, new.key, new.type, new.version, new.subject, new.accepted_at, new.digest, new.envelope
        ))  # fmt: skip
        if new.receipt_payload:
            self.leaves.append(new.receipt_payload)
        self.files += [(seq, sha256) for sha256 in dict.fromkeys(new.files)]
        for delivery in new.deliveries:
            self.deliver(delivery, seq, new.accepted_at)
        if self.register is not None:
            self.register.keep(seq, new)
        if new.dossier is not None:
            self.dossiers.append((seq, *line_row(new, new.dossier)))
        return answer

    def deliver(self, delivery: Delivery, message_seq: int, at: float) -> None:
        """Add a delivery behind everything else, placed as its lane and its destination allow."""
        seq = next(self.numbers)
        placed = self._placed(delivery, at)
        self.deliveries.append((seq, message_seq, *fixed(placed), *moving(placed)))
        if placed.owes_outcome:
            self.owing.append(seq)

    def _placed(self, delivery: Delivery, at: float) -> Delivery:
        """The delivery as its lane and its destination allow."""
        if delivery.lane is not None:
            if delivery.lane in self.busy:
                return as_blocked(delivery)
            self.busy.add(delivery.lane)
        return delivery.after(Held(at)) if delivery.recipient in self.holds else delivery

    async def write(self, connection: Connection) -> None:
        """Insert everything that was kept."""
        if self.messages or self.deliveries:
            await connection.execute(
                _KEEP,
                *columns(self.messages, len(_MESSAGES)),
                *columns(self.deliveries, len(_DELIVERIES)),
                self.leaves,
            )
        if self.files:
            await connection.execute(
                f"INSERT INTO message_files (message_seq, sha256) SELECT * FROM unnest({arrays(['int8', 'text'])})",
                *columns(self.files, 2),
            )
        if self.owing:
            await connection.execute("INSERT INTO outcomes (delivery_seq) SELECT unnest($1::int8[])", self.owing)
        if self.register is not None:
            await lines.write(connection, self.register)
        if self.dossiers:
            await dossier_lines.write(connection, self.dossiers)
        if self.given_back:
            await connection.execute("DELETE FROM ids WHERE key = ANY($1::uuid[])", list(self.given_back))


async def _accept(connection: Connection, requests: Sequence[Sequence[NewMessage]]) -> list[list[Acceptance]]:
    messages = list(chain.from_iterable(requests))
    batch = _Batch()
    if wanted := [(_owner(new), sha256) for new in messages for sha256 in new.files]:
        batch.missing = await missing_files(connection, wanted)
    if messages:
        await batch.begin(connection, messages, list(chain.from_iterable(new.deliveries for new in messages)))
        batch.register = await lines.begun(connection, messages)
    answers = [[batch.accept(message) for message in request] for request in requests]
    await batch.write(connection)
    return answers


def _locks(requests: Sequence[Sequence[NewMessage]]) -> str:
    messages = list(chain.from_iterable(requests))
    spoken_of = Wanted.of(messages)
    documents = () if spoken_of is None else spoken_of.every
    dossiers = {new.dossier.code for new in messages if new.dossier is not None}
    wanted = locks.lanes((delivery.lane for new in messages for delivery in new.deliveries), documents, dossiers)
    return wanted + locks.FILES if any(new.files for new in messages) else wanted


#: Keep messages: all that wait are one batch.
ACCEPT: Final = Step(_accept, "accept", _locks)


async def add(connection: Connection, deliveries: Sequence[tuple[int, Delivery]], at: float) -> None:
    """More deliveries of kept messages (``seq`` of the message, delivery), in this order, as if accepted at ``at``.

    The transaction holds ``locks.lanes`` of their lanes.
    """
    batch = _Batch()
    await batch.begin(connection, (), [delivery for _, delivery in deliveries])
    for message_seq, delivery in deliveries:
        batch.deliver(delivery, message_seq, at)
    await batch.write(connection)
