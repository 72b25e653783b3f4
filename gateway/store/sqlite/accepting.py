"""Keeping messages: what is known, what is busy, what is missing is asked once for all, then all are inserted."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from gateway.core.delivery import Delivery, Held, as_blocked
from gateway.ports import Acceptance, Accepted, FilesMissing, NewMessage, Taken
from gateway.store.dossier_rows import line_row
from gateway.store.lines import Lines
from gateway.store.sqlite import dossier_lines, lines
from gateway.store.sqlite.rows import INSERT_DELIVERY, OPEN, fixed, insert, moving, names_of, text_of
from gateway.store.sqlite.writer import Step

_KNOWN: Final = """
SELECT 'message', key, id, source, repeat_digest, recipients, receipt
  FROM messages WHERE key IN (SELECT value FROM json_each(?1))
UNION ALL
SELECT 'derived', key, '', '', '', '', '' FROM derived WHERE key IN (SELECT value FROM json_each(?1))
"""

_SITUATION: Final = f"""{_KNOWN}
UNION ALL
SELECT 'lane', value, '', '', '', '', '' FROM json_each(?2)
  WHERE EXISTS (SELECT 1 FROM deliveries WHERE lane IS NOT NULL AND lane = value AND {OPEN})
UNION ALL
SELECT 'hold', recipient, '', '', '', '', '' FROM holds
UNION ALL
SELECT 'last message', coalesce(max(seq), 0), '', '', '', '', '' FROM messages
UNION ALL
SELECT 'last delivery', coalesce(max(seq), 0), '', '', '', '', '' FROM deliveries
"""

_MESSAGES: Final = (
    "messages (seq, key, id, source, type, version, subject, accepted_at, digest, repeat_digest, recipients, receipt)"
)


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


def _keys(keys: Sequence[str]) -> str:
    return json.dumps(keys)


def _kept(row: Sequence[Any]) -> _Kept | None:
    """What a row of _KNOWN says of its key: None for the id of a translation."""
    kind, _, id_, source, repeat_digest, recipients, receipt = row
    if kind == "derived":
        return None
    return _Kept(source, repeat_digest, Accepted(id_, names_of(recipients), receipt))


def known(connection: sqlite3.Connection, keys: Mapping[str, tuple[str, str]]) -> dict[str, Accepted | Taken]:
    """For key -> (source, repeat_digest): the answer for those already known."""
    answers: dict[str, Accepted | Taken] = {}
    for row in connection.execute(_KNOWN, (_keys(list(keys)),)):
        kept = _kept(row)
        answers[row[1]] = Taken() if kept is None else kept.again(*keys[row[1]])
    return answers


def missing_files(
    connection: sqlite3.Connection, wanted: Sequence[tuple[str | None, str]]
) -> set[tuple[str | None, str]]:
    """Which of these (source or None for the gateway itself, sha256) are not held or not the source's to name."""
    digests = json.dumps(sorted({sha256 for _, sha256 in wanted}))
    held = {sha256 for (sha256,) in connection.execute(
        "SELECT sha256 FROM files WHERE sha256 IN (SELECT value FROM json_each(?))", (digests,)
    )}  # fmt: skip
    sources = json.dumps(sorted({source for source, _ in wanted if source is not None}))
    rights = set(connection.execute(
        "SELECT system, sha256 FROM file_rights WHERE sha256 IN (SELECT value FROM json_each(?))"
        " AND system IN (SELECT value FROM json_each(?))", (digests, sources),
    ))  # fmt: skip
    return {one for one in wanted if one[1] not in held or (one[0] is not None and one not in rights)}


@dataclass(slots=True)
class _Batch:
    """What is known while one message after the other is judged, and the rows that will be inserted."""

    kept: dict[str, _Kept | None] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    holds: set[str] = field(default_factory=set)
    missing: set[tuple[str | None, str]] = field(default_factory=set)
    last_message: int = 0
    last_delivery: int = 0
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    bodies: list[tuple[int, bytes]] = field(default_factory=list)
    deliveries: list[tuple[Any, ...]] = field(default_factory=list)
    files: list[tuple[int, str]] = field(default_factory=list)
    leaves: list[tuple[str, bytes]] = field(default_factory=list)
    register: Lines | None = None
    dossiers: list[tuple[Any, ...]] = field(default_factory=list)

    def accept(self, new: NewMessage) -> Acceptance:
        """One message's answer; its rows are added where it is kept."""
        if new.key in self.kept:
            kept = self.kept[new.key]
            return Taken() if kept is None else kept.again(new.source, new.repeat_digest)
        files = tuple(dict.fromkeys(new.files))
        owner = None if new.is_own else new.source
        if missing := tuple(sha256 for sha256 in files if (owner, sha256) in self.missing):
            return FilesMissing(missing)
        if self.register is not None and (served := self.register.served(new)) is not None:
            return served
        answer = Accepted(new.id, new.recipients, new.receipt)
        self.kept[new.key] = _Kept(new.source, new.repeat_digest, answer)
        self.last_message += 1
        seq = self.last_message
        self.messages.append((
            seq, new.key, new.id, new.source, new.type, new.version, new.subject, new.accepted_at, new.digest,
            new.repeat_digest, text_of(new.recipients), new.receipt,
        ))  # fmt: skip
        self.bodies.append((seq, new.envelope))
        if new.receipt_payload:
            self.leaves.append(("receipt", new.receipt_payload))
        self.files += [(seq, sha256) for sha256 in files]
        for delivery in new.deliveries:
            self.deliver(delivery, seq, new.accepted_at)
        if self.register is not None:
            self.register.keep(seq, new)
        if new.dossier is not None:
            self.dossiers.append((seq, *line_row(new, new.dossier)))
        return answer

    def deliver(self, delivery: Delivery, message_seq: int, at: float) -> None:
        """Add a delivery behind everything else, placed as its lane and its destination allow."""
        self.last_delivery += 1
        placed = self._placed(delivery, at)
        self.deliveries.append((self.last_delivery, placed.id, message_seq, *fixed(placed), *moving(placed)))

    def _placed(self, delivery: Delivery, at: float) -> Delivery:
        """The delivery as its lane and its destination allow."""
        if delivery.lane is not None:
            if delivery.lane in self.busy:
                return as_blocked(delivery)
            self.busy.add(delivery.lane)
        return delivery.after(Held(at)) if delivery.recipient in self.holds else delivery

    def write(self, connection: sqlite3.Connection) -> None:
        """Insert everything that was kept."""
        insert(connection, _MESSAGES, self.messages)
        insert(connection, "bodies (message_seq, envelope)", self.bodies)
        insert(connection, INSERT_DELIVERY, self.deliveries)
        insert(connection, "message_files (message_seq, sha256)", self.files)
        insert(connection, "journal (kind, body)", self.leaves)
        if self.register is not None:
            lines.write(connection, self.register)
        if self.dossiers:
            dossier_lines.write(connection, self.dossiers)


def _begun(connection: sqlite3.Connection, keys: Sequence[str], deliveries: Iterable[Delivery]) -> _Batch:
    """A batch that knows which of these messages are kept, and how lanes and destinations of the deliveries are."""
    lanes = {delivery.lane for delivery in deliveries if delivery.lane is not None}
    batch = _Batch()
    for row in connection.execute(_SITUATION, (_keys(keys), _keys(list(lanes)))):
        match row[0]:
            case "lane":
                batch.busy.add(row[1])
            case "hold":
                batch.holds.add(row[1])
            case "last message":
                batch.last_message = row[1]
            case "last delivery":
                batch.last_delivery = row[1]
            case _:
                batch.kept[row[1]] = _kept(row)
    return batch


def _situation(connection: sqlite3.Connection, messages: Sequence[NewMessage]) -> _Batch:
    every = chain.from_iterable(message.deliveries for message in messages)
    batch = _begun(connection, [message.key for message in messages], every)
    wanted = [(None if new.is_own else new.source, sha256) for new in messages for sha256 in new.files]
    if wanted:
        batch.missing = missing_files(connection, wanted)
    batch.register = lines.begun(connection, messages)
    return batch


def _accept(connection: sqlite3.Connection, requests: Sequence[Sequence[NewMessage]]) -> list[list[Acceptance]]:
    batch = _situation(connection, list(chain.from_iterable(requests)))
    answers = [[batch.accept(message) for message in request] for request in requests]
    batch.write(connection)
    return answers


#: Keep messages: all that wait are one batch.
ACCEPT: Final = Step(_accept, "accept")


def add(connection: sqlite3.Connection, deliveries: Sequence[tuple[int, Delivery]], at: float) -> None:
    """More deliveries of kept messages (``seq`` of the message, delivery), in this order, as if accepted at ``at``."""
    batch = _begun(connection, (), [delivery for _, delivery in deliveries])
    for message_seq, delivery in deliveries:
        batch.deliver(delivery, message_seq, at)
    batch.write(connection)
