"""Memory and SQLite live the same life: whatever is done, in whatever order, both answer and remember the same."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.core.delivery import (
    Deferred,
    Delivered,
    Delivery,
    Discarded,
    Expired,
    GaveUp,
    Refused,
    Replayed,
    Signal,
    State,
)
from gateway.core.faults import IllegalStep
from gateway.ports import Accepted, Change, Derived, HeldFile, Ledger, NewMessage, RegistryRow
from gateway.store.memory import MemoryLedger
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, a_digest, a_key, a_message, an_attempt, an_audit_row

SYSTEMS = ("H33.01/a", "H33.02/b", "H33.03/c")
FILES = (a_digest("one"), a_digest("two"))
HORIZON = 400

_systems = st.sampled_from(SYSTEMS)
_files = st.sampled_from(FILES)
_later = st.none() | st.integers(-20, 120)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message out of few: ids, sources, subjects and files come again."""
    return {
        "name": draw(st.integers(1, 12)),
        "payload": draw(st.integers(1, 2)),
        "source": draw(_systems),
        "subject": draw(st.sampled_from(["one", "two"])),
        "to": tuple(draw(st.lists(_systems, max_size=3, unique=True))),
        "ordered": draw(st.booleans() | st.just(True)),
        "priority": draw(st.integers(0, 3)),
        "notbefore": draw(_later),
        "expires": draw(_later),
        "files": tuple(draw(st.lists(_files, max_size=2))),
        "is_own": draw(st.integers(0, 9)) == 0,
    }


_signals: st.SearchStrategy[Callable[[float], Signal]] = st.one_of(
    st.just(lambda _: Delivered()),
    st.just(lambda _: Refused()),
    st.just(lambda _: GaveUp("attempts")),
    st.integers(0, 60).map(lambda wait: lambda now: Deferred(now + wait)),
    st.just(lambda _: Expired()),
    st.just(Replayed),
    st.just(lambda _: Discarded()),
)


async def _find(key: str, ledger: Ledger) -> object:
    return await ledger.find(key), await ledger.envelope(key), await ledger.derived(key, "t/1.0")


async def _rights(system: str, ledger: Ledger) -> object:
    return await ledger.missing_files(system, FILES), [await ledger.may_read_file(sha256, system) for sha256 in FILES]


class TwoLedgers(RuleBasedStateMachine):
    """Each rule does the same to both and compares what they answer."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.ledgers: tuple[Ledger, Ledger] = (MemoryLedger(), SqliteLedger(Path(self.folder.name) / "ledger.db"))
        self.now = MORNING
        self.seen: list[Delivery] = []
        self.keys: list[str] = []

    def both(self, ask: Callable[[Ledger], Awaitable[Any]]) -> Any:
        """The answer of both ledgers, which must be one."""

        async def asked() -> list[Any]:
            return [await ask(ledger) for ledger in self.ledgers]

        memory, sqlite = self.runner.run(asked())
        assert sqlite == memory
        return memory

    def remember(self, deliveries: list[Delivery]) -> None:
        self.seen = [*self.seen, *deliveries][-40:]

    @initialize()
    def begin(self) -> None:
        self.both(lambda ledger: ledger.open())

    def teardown(self) -> None:
        self.both(lambda ledger: ledger.close())
        self.runner.close()
        self.folder.cleanup()

    def made(self, of: dict[str, Any]) -> NewMessage:
        fields = dict(of)
        name, payload = fields.pop("name"), fields.pop("payload")
        for moment in ("notbefore", "expires"):
            fields[moment] = None if fields[moment] is None else self.now + fields[moment]
        self.keys.append(a_key(name))
        return a_message(name, accepted_at=self.now, repeat_digest=a_digest(payload), **fields)

    @rule(wanted=st.lists(messages(), min_size=1, max_size=4))
    def accept(self, wanted: list[dict[str, Any]]) -> None:
        batch = [self.made(of) for of in wanted]
        answers = self.both(lambda ledger: ledger.accept_many(batch))
        kept = [
            one
            for one, answer in zip(batch, answers, strict=True)
            if answer == Accepted(one.id, one.recipients, one.receipt)
        ]
        self.remember([delivery for message in kept for delivery in message.deliveries])

    @rule(wanted=st.dictionaries(_systems, st.integers(1, 3), min_size=1), length=st.integers(1, 60), owner=_systems)
    def claim(self, wanted: dict[str, int], length: int, owner: str) -> None:
        until = self.now + length
        claims = self.both(lambda ledger: ledger.claim(wanted, owner=owner, now=self.now, until=until))
        lanes = [claim.delivery.lane for claim in claims if claim.delivery.lane is not None]
        assert len(lanes) == len(set(lanes))
        self.remember([claim.delivery for claim in claims])

    @rule(data=st.data(), count=st.integers(1, 4), owes=st.booleans())
    def record(self, data: st.DataObject, count: int, owes: bool) -> None:
        """Steps of deliveries as they were at some time: some in time, some late, some one after the other."""
        changes = []
        for _ in range(count if self.seen else 0):
            before = data.draw(st.sampled_from(self.seen))
            try:
                after = before.after(data.draw(_signals)(self.now))
            except IllegalStep:
                continue
            attempt = an_attempt(after.attempts) if after.attempts > before.attempts else None
            after = after.but(owes_outcome=owes)
            leaf = b"leaf of %d" % len(self.seen) if after.state in {State.DELIVERED, State.DEAD} else None
            changes.append(Change(before, after, attempt, leaf, b"proof" if owes and leaf else None))
            self.remember([after])
        self.both(lambda ledger: ledger.record_many(changes, now=self.now))

    @rule(seconds=st.integers(1, 40), fraction=st.floats(0, 1))
    def pass_time(self, seconds: int, fraction: float) -> None:
        self.now = min(self.now + seconds + fraction, MORNING + HORIZON)

    @rule(owner=st.none() | _systems)
    def lapse(self, owner: str | None) -> None:
        self.remember(self.both(lambda ledger: ledger.lapse(self.now, owner=owner)))

    @rule(limit=st.integers(1, 5))
    def expire(self, limit: int) -> None:
        passed = self.both(lambda ledger: ledger.expire(self.now, limit=limit))
        changes = [Change(delivery, delivery.after(Expired()), leaf=b"expired") for delivery in passed]
        self.both(lambda ledger: ledger.record_many(changes, now=self.now))

    @rule(recipient=_systems, lifts=st.booleans())
    def hold_or_release(self, recipient: str, lifts: bool) -> None:
        row = an_audit_row(at=self.now)
        if lifts:
            self.both(lambda ledger: ledger.release(recipient, at=self.now, audit=row))
        else:
            self.both(lambda ledger: ledger.hold(recipient, at=self.now, audit=row))

    @rule(count=st.integers(1, 3))
    def tell(self, count: int) -> None:
        self.both(lambda ledger: ledger.outcome_told(self.seen[-count:]))

    @rule(sha256=_files, system=_systems, is_there=st.booleans() | st.just(True))
    def upload(self, sha256: str, system: str, is_there: bool) -> None:
        file = HeldFile(sha256, 3, "text/plain")
        self.both(lambda ledger: ledger.grant_file(file, system, at=self.now, is_present=lambda _: is_there))

    @rule(age=st.integers(0, 30))
    def sweep(self, age: int) -> None:
        removed: list[list[str]] = [[], []]
        places = iter(removed)

        async def swept(ledger: Ledger) -> int:
            return await ledger.sweep_files(self.now - age, remove=next(places).append)

        self.both(swept)
        assert sorted(removed[0]) == sorted(removed[1])

    @rule(name=st.integers(1, 12), into=st.sampled_from(["t/1.0", "t/2.0"]))
    def translate(self, name: int, into: str) -> None:
        record = self.both(lambda ledger: ledger.find(a_key(name)))
        if record is None or record.key != a_key(name):
            return
        key = a_key(name + 6 if into == "t/1.0" else f"{name} {into}")
        if self.both(lambda ledger: ledger.find(key)) is None:
            made = Derived(key, a_key(name), into, b"translated")
            self.both(lambda ledger: ledger.keep_derived(made))
            self.keys.append(key)

    @rule(expected=st.integers(0, 3), key=_systems, deletes=st.booleans())
    def register(self, expected: int, key: str, deletes: bool) -> None:
        put = [] if deletes else [RegistryRow("agency", key, "folder", {"at": self.now})]
        delete: list[Any] = [("agency", key)] if deletes else []
        self.both(lambda ledger: ledger.change_registry(expected, put=put, delete=delete, audit=[an_audit_row()]))

    @rule(token=st.integers(1, 3), length=st.integers(0, 60))
    def use_once(self, token: int, length: int) -> None:
        self.both(lambda ledger: ledger.use_once(str(token), until=self.now + length, now=self.now))

    @invariant()
    def both_remember_the_same(self) -> None:
        everything = self.both(lambda ledger: ledger.deliveries(limit=10_000))
        self.both(lambda ledger: ledger.due(self.now))
        self.both(lambda ledger: ledger.journal(limit=10_000))
        self.both(lambda ledger: ledger.holds())
        self.both(lambda ledger: ledger.owing())
        self.both(lambda ledger: ledger.registry())
        self.keep_to_one_open_delivery_a_lane(everything)

    @invariant()
    def both_find_the_same(self) -> None:
        last = dict.fromkeys(self.keys[-4:])
        self.both(lambda ledger: ledger.known({key: (SYSTEMS[0], a_digest(1)) for key in last}))
        for key in last:
            self.both(partial(_find, key))
        for system in SYSTEMS[:2]:
            self.both(partial(_rights, system))

    @staticmethod
    def keep_to_one_open_delivery_a_lane(everything: list[Delivery]) -> None:
        """Of each lane the first open one is not blocked, and all others are."""
        heads: set[str] = set()
        for delivery in everything:
            if delivery.lane is not None and not delivery.is_over:
                assert (delivery.state is State.BLOCKED) == (delivery.lane in heads)
                heads.add(delivery.lane)


TestTwoLedgers = TwoLedgers.TestCase
TestTwoLedgers.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
