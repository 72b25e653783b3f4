"""The reference ledger: the shortest honest statement of what a ledger promises, in the memory of one process."""

# ruff: noqa: D102 - ports.Ledger says what each method promises

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from gateway.core.breaker import Breaker
from gateway.core.delivery import Claimed, Delivery, Freed, Held, LeaseExpired, Released, State, as_blocked
from gateway.ports import (
    REFUSALS_KEPT,
    Acceptance,
    Accepted,
    Attempt,
    AuditRow,
    Change,
    Claim,
    Derived,
    FilesMissing,
    HeldFile,
    NewMessage,
    Record,
    RecordedDelivery,
    RegistryRow,
    RowKind,
    Taken,
)  # fmt: skip
from gateway.store.leaves import audit_leaf
from gateway.store.memory_documents import Lines
from gateway.store.memory_dossiers import DossierLines


class MemoryLedger:
    """Keeps every promise of ``ports.Ledger`` but the one about power cuts. For tests, and for reading.

    Nothing here waits, so on one event loop each call is one transaction.
    """

    def __init__(self) -> None:
        self._messages: dict[str, NewMessage] = {}
        self._deliveries: dict[str, Delivery] = {}  # in order of acceptance
        self._lanes: dict[str, list[str]] = {}  # the open ones of each lane, the head first
        self._attempts: dict[str, list[Attempt]] = {}
        self._proofs: dict[str, bytes] = {}
        self._owed: dict[str, bytes] = {}
        self._breakers: dict[str, Breaker] = {}
        self._claimed_at: dict[str, float] = {}
        self._derived: dict[str, Derived] = {}
        self._holds: dict[str, float] = {}
        self._files: dict[str, tuple[HeldFile, float]] = {}  # with the moment of the last grant
        self._rights: set[tuple[str, str]] = set()  # (sha256, system)
        self._journal: list[tuple[str, bytes]] = []
        self._tokens: dict[str, float] = {}
        self._rows: dict[tuple[RowKind, str], RegistryRow] = {}
        self._version = 0
        self.lines = Lines()
        self.dossiers = DossierLines()
        self.refusals: Counter[tuple[str, int, str]] = Counter()

    async def open(self) -> None:
        """Nothing to make ready."""

    async def close(self) -> None:
        """Nothing to let go: a ledger that is opened again still knows everything."""

    # ------------------------------------------------------------------------------------------- messages

    async def accept_many(self, messages: Sequence[NewMessage]) -> list[Acceptance]:
        return [self._accept(message) for message in messages]

    def _accept(self, new: NewMessage) -> Acceptance:
        if (known := self._known(new.key, new.source, new.repeat_digest)) is not None:
            return known
        if missing := self._missing(None if new.is_own else new.source, new.files):
            return FilesMissing(missing)
        if (served := self.lines.keep(new)) is not None:
            return served
        self._messages[new.key] = self.dossiers.kept(new)
        if new.receipt_payload:
            self._journal.append(("receipt", new.receipt_payload))
        for delivery in new.deliveries:
            self._line_up(delivery, new.accepted_at)
        return Accepted(new.id, new.recipients, new.receipt)

    def _line_up(self, delivery: Delivery, at: float) -> None:
        """Put a new delivery at the end of its lane."""
        lane = [] if delivery.lane is None else self._lanes.setdefault(delivery.lane, [])
        self._put(as_blocked(delivery) if lane else delivery, at)
        lane.append(delivery.id)

    async def known(self, keys: Mapping[str, tuple[str, str]]) -> dict[str, Accepted | Taken]:
        return {key: known for key, sent in keys.items() if (known := self._known(key, *sent)) is not None}

    def _known(self, key: str, source: str, repeat_digest: str) -> Accepted | Taken | None:
        kept = self._messages.get(key)
        if kept is None:
            return Taken() if key in self._derived else None
        if (kept.source, kept.repeat_digest) != (source, repeat_digest):
            return Taken()
        return Accepted(kept.id, kept.recipients, kept.receipt, repeated=True)

    async def find(self, key: str) -> Record | None:
        message = self._messages.get(self._derived[key].message if key in self._derived else key)
        if message is None or not message.digest:
            return None
        place = {recipient: index for index, recipient in enumerate(message.recipients)}
        told = sorted(message.deliveries, key=lambda delivery: place.get(delivery.recipient, len(place)))
        return Record(
            message.key, message.id, message.source, message.type, message.version, message.subject,
            message.accepted_at, message.digest, message.recipients, message.receipt,
            tuple(self._recorded(delivery.id) for delivery in told),
        )  # fmt: skip

    def _recorded(self, id: str) -> RecordedDelivery:
        now = self._deliveries[id]
        blocked_by = self._lanes[now.lane][0] if now.lane is not None and now.state is State.BLOCKED else None
        return RecordedDelivery(now, tuple(self._attempts.get(id, ())), blocked_by, self._proofs.get(id))

    async def envelope(self, key: str) -> bytes | None:
        message = self._messages.get(key)
        return None if message is None else message.envelope or None

    async def derived(self, message: str, target: str) -> Derived | None:
        kept = (made for made in self._derived.values() if (made.message, made.target) == (message, target))
        return next((made for made in kept if made.envelope), None)

    async def keep_derived(self, made: Derived) -> Derived:
        return await self.derived(made.message, made.target) or self._derived.setdefault(made.key, made)

    # ----------------------------------------------------------------------------------------- deliveries

    def _put(self, delivery: Delivery, now: float) -> Delivery:
        """Keep a delivery as it now is; where it is queued for a destination on hold, held."""
        if delivery.state is State.QUEUED and delivery.recipient in self._holds:
            delivery = delivery.after(Held(now))
        self._deliveries[delivery.id] = delivery
        return delivery

    def _claimable(self, now: float) -> Iterator[Delivery]:
        for each in self._deliveries.values():
            if each.state is State.QUEUED and each.due <= now and (each.expires is None or each.expires > now):
                yield each

    async def due(self, now: float) -> tuple[frozenset[str], float | None]:
        later = [d.due for d in self._deliveries.values() if d.state is State.QUEUED and d.due > now]
        return frozenset(delivery.recipient for delivery in self._claimable(now)), min(later, default=None)

    async def claim(
        self, wanted: Mapping[str, int], *, owner: str, now: float, until: float, probers: Sequence[str] = ()
    ) -> list[Claim]:
        chosen: list[Delivery] = []
        for recipient, limit in wanted.items():
            waiting = [delivery for delivery in self._claimable(now) if delivery.recipient == recipient]
            waiting.sort(key=lambda delivery: (-delivery.priority, delivery.due))  # stable: then by age
            chosen += waiting[:limit]
        chosen += [each for each in self._claimable(now) if each.id in probers and each not in chosen]
        claims = []
        for delivery in chosen:
            self._claimed_at[delivery.id] = now
            leased = self._put(delivery.after(Claimed(owner, until)), now)
            of = self._messages[delivery.message]
            claims.append(Claim(leased, of.envelope, of.id, of.type, of.version, of.digest, of.recipients))
        return claims

    async def overdue(self, recipient: str, now: float, *, limit: int = 500) -> list[Delivery]:
        late = [
            each
            for each in self._deliveries.values()
            if each.state is State.QUEUED and each.recipient == recipient and (each.deadline or now + 1) <= now
        ]
        return sorted(late, key=lambda each: each.deadline or 0.0)[:limit]

    async def breakers(self) -> dict[str, Breaker]:
        return dict(self._breakers)

    async def keep_breaker(self, recipient: str, breaker: Breaker) -> None:
        self._breakers.pop(recipient, None)
        if not breaker.is_quiet:
            self._breakers[recipient] = breaker

    async def owed(self, delivery: str) -> bytes | None:
        return self._owed.get(delivery)

    async def record_many(self, changes: Sequence[Change], *, now: float) -> list[bool]:
        return [self._record(change, now) for change in changes]

    def _record(self, change: Change, now: float) -> bool:
        after = change.after
        if self._deliveries.get(change.before.id) != change.before:
            return False
        self._put(after, now)
        if change.attempt is not None:
            self._attempts.setdefault(after.id, []).append(change.attempt)
        if change.leaf is not None:
            self._journal.append(("receipt", change.leaf))
        if change.audit is not None:
            self._journal.append(("audit", audit_leaf(change.audit)))
        if after.owes_outcome and change.leaf is not None:
            self._owed[after.id] = change.leaf
        if change.proof is not None:
            self._proofs[after.id] = change.proof
        if after.state is State.DELIVERED:
            self._rights |= {(sha256, after.recipient) for sha256 in self._messages[after.message].files}
        if after.is_over and after.lane is not None:
            self._free_next(after, self._lanes[after.lane], now)
        return True

    def _free_next(self, ended: Delivery, lane: list[str], now: float) -> None:
        lane.remove(ended.id)
        if lane and (head := self._deliveries[lane[0]]).state is State.BLOCKED:
            self._put(head.after(Freed(now)), now)

    async def lapse(self, now: float, *, owner: str | None = None) -> list[Delivery]:
        given_back = []
        for leased in [delivery for delivery in self._deliveries.values() if delivery.lease_until is not None]:
            until = leased.lease_until or 0.0
            if leased.lease_owner == owner if owner is not None else until <= now:
                attempt = Attempt(leased.attempts + 1, self._claimed_at[leased.id], min(now, until), "lapsed")
                self._attempts.setdefault(leased.id, []).append(attempt)
                given_back.append(self._put(leased.after(LeaseExpired(now)), now))
        return given_back

    async def expire(self, now: float, *, limit: int = 500) -> list[Delivery]:
        waiting = [d for d in self._deliveries.values() if d.state in {State.QUEUED, State.HELD, State.BLOCKED}]
        passed = [(d.expires, age, d) for age, d in enumerate(waiting) if d.expires is not None and d.expires <= now]
        first = sorted(passed, key=lambda one: one[:2])[:limit]
        return [delivery for _, _, delivery in sorted(first, key=lambda one: one[1], reverse=True)]

    async def delivery(self, id: str) -> Delivery | None:
        return self._deliveries.get(id)

    async def deliveries(
        self, *, states: Sequence[str] = (), recipient: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        return [
            delivery
            for delivery in self._deliveries.values()
            if (not states or delivery.state in states) and recipient in {None, delivery.recipient}
        ][:limit]

    async def owing(self, limit: int = 200) -> list[Delivery]:
        return [delivery for delivery in self._deliveries.values() if delivery.owes_outcome][:limit]

    async def outcome_told(self, deliveries: Sequence[Delivery]) -> None:
        for told in deliveries:
            now = self._deliveries.get(told.id)
            if now is not None and (now.state, now.replays) == (told.state, told.replays):
                self._deliveries[told.id] = now.but(owes_outcome=False)
                self._owed.pop(told.id, None)

    async def hold(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        self._holds.setdefault(recipient, at)
        await self.audit([audit])
        queued = await self.deliveries(states=[State.QUEUED], recipient=recipient, limit=len(self._deliveries))
        return len([self._put(delivery, at) for delivery in queued])

    async def release(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        self._holds.pop(recipient, None)
        await self.audit([audit])
        held = await self.deliveries(states=[State.HELD], recipient=recipient, limit=len(self._deliveries))
        return len([self._put(delivery.after(Released(at)), at) for delivery in held])

    async def holds(self) -> dict[str, float]:
        return dict(self._holds)

    # ---------------------------------------------------------------------------------------------- files

    def _missing(self, source: str | None, digests: Sequence[str]) -> tuple[str, ...]:
        """Files that are not held or that ``source`` (None: the gateway itself) has no right to."""
        return tuple(
            sha256
            for sha256 in dict.fromkeys(digests)
            if sha256 not in self._files or (source is not None and (sha256, source) not in self._rights)
        )

    async def missing_files(self, source: str, digests: Sequence[str]) -> tuple[str, ...]:
        return self._missing(source, digests)

    async def grant_file(self, held: HeldFile, system: str, *, at: float, is_present: Callable[[str], bool]) -> bool:
        if not is_present(held.sha256):
            return False
        kept, _ = self._files.get(held.sha256, (held, at))
        self._files[held.sha256] = (kept, at)
        self._rights.add((held.sha256, system))
        return True

    async def may_read_file(self, sha256: str, system: str) -> HeldFile | None:
        naming = [message for message in self._messages.values() if sha256 in message.files]
        readers = {message.source for message in naming} | {d.recipient for m in naming for d in m.deliveries}
        may_read = sha256 in self._files and ((sha256, system) in self._rights or system in readers)
        return self._files[sha256][0] if may_read else None

    async def sweep_files(self, before: float, *, remove: Callable[[str], None], limit: int = 500) -> int:
        named = {sha256 for message in self._messages.values() for sha256 in message.files}
        stale = [sha256 for sha256, (_, at) in self._files.items() if at < before and sha256 not in named][:limit]
        self._rights = {(sha256, system) for sha256, system in self._rights if sha256 not in stale}
        for sha256 in stale:
            remove(sha256)
            del self._files[sha256]
        return len(stale)

    # --------------------------------------------------------------------------------- journal and registry

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        self._journal += [("audit", audit_leaf(row)) for row in rows]

    async def count_refusals(self, counts: Mapping[tuple[str, int, str], int]) -> None:
        self.refusals.update(counts)
        end = max((minute for _, minute, _ in counts), default=0) - REFUSALS_KEPT
        self.refusals = Counter({key: count for key, count in self.refusals.items() if key[1] >= end})

    async def journal(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, str, bytes]]:
        return [(number, *leaf) for number, leaf in enumerate(self._journal, start=1)][after : after + limit]

    async def use_once(self, token: str, *, until: float, now: float) -> bool:
        self._tokens = {seen: end for seen, end in self._tokens.items() if end >= now}
        is_new, _ = token not in self._tokens, self._tokens.setdefault(token, until)
        return is_new

    async def registry(self) -> tuple[int, list[RegistryRow]]:
        return self._version, [row for _, row in sorted(self._rows.items())]

    async def registry_version(self) -> int:
        return self._version

    async def change_registry(
        self,
        expected_version: int,
        *,
        put: Sequence[RegistryRow],
        delete: Sequence[tuple[RowKind, str]],
        audit: Sequence[AuditRow],
    ) -> bool:
        if expected_version != self._version:
            return False
        self._rows = {key: row for key, row in self._rows.items() if key not in delete}
        self._rows |= {(row.kind, row.key): row for row in put}
        self._version += 1
        await self.audit(audit)
        return True

    async def is_writable(self) -> bool:
        return True

    # ------------------------------------------------------ for what else lies in the same memory

    def messages(self) -> list[NewMessage]:
        """Every message in order of acceptance (``store.memory_backfills``)."""
        return list(self._messages.values())

    def add(self, deliveries: Sequence[Delivery], at: float) -> None:
        """More deliveries of kept messages, in this order, as if accepted at ``at``."""
        for delivery in deliveries:
            of = self._messages[delivery.message]
            self._messages[of.key] = replace(of, deliveries=(*of.deliveries, delivery))
            self._line_up(delivery, at)

    def trim(self, until: float) -> int:
        """Forget attempts of deliveries that are over which ended by ``until``; answers how many."""
        before = sum(map(len, self._attempts.values()))
        for id_, attempts in self._attempts.items():
            if (delivery := self._deliveries.get(id_)) is None or delivery.is_over:
                attempts[:] = [attempt for attempt in attempts if attempt.ended_at > until]
        return before - sum(map(len, self._attempts.values()))

    def strip(self, until: float) -> int:
        """Forget the data of messages accepted by ``until`` with which all is done; answers how many."""
        gone = [message for message in self._done(until) if message.envelope]
        for message in gone:
            self._messages[message.key] = replace(message, envelope=b"", files=())
        keys = {message.key for message in gone}
        self._derived |= {
            key: replace(made, envelope=b"") for key, made in self._derived.items() if made.message in keys
        }
        return len(gone)

    def forget(self, until: float) -> int:
        """Forget messages accepted by ``until`` with which all is done, but for what a repeat is; answers how many."""
        gone = [message for message in self._done(until) if message.digest]
        self.dossiers.forget(until)
        for message in gone:
            self.lines.forget(message.key)
            for delivery in message.deliveries:
                for kept in (self._deliveries, self._attempts, self._proofs):
                    kept.pop(delivery.id, None)
            self._messages[message.key] = replace(
                message, type="", version="", subject="", digest="", envelope=b"", files=(), deliveries=()
            )
        return len(gone)

    def _done(self, until: float) -> list[NewMessage]:
        return [
            message
            for message in self._messages.values()
            if message.accepted_at <= until
            and all((now := self._deliveries[each.id]).is_over and not now.owes_outcome for each in message.deliveries)
        ]
