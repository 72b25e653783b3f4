"""What must be done at the broker so that each agency that speaks AMQP has its queue and its rights, and no more.

From what is wanted and what is there to a list of acts, in an order in which they can be done. Nobody is asked here;
carrying the acts out, or showing them, is the caller's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.core.agency_queue import EXCHANGE, LIMITS, REJECTED, SETTLE, AgencyQueue, system_of

_SALT: Final = 4


@dataclass(frozen=True, slots=True)
class Account:
    """What one system is to have: its queue, and a user of the same name with this password."""

    queue: AgencyQueue
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """A user at the broker: its password's hash (RabbitMQ's salted SHA-256, base64) and its tags."""

    password_hash: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do in one virtual host: RabbitMQ's patterns over names of queues and exchanges."""

    configure: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as it was declared, and how many messages it holds; None where that is not known."""

    arguments: Mapping[str, Any]
    messages: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is at the broker, in the bus's own virtual host unless it says otherwise."""

    #: Of the whole broker.
    users: Mapping[str, User] = field(default_factory=dict)
    rights: Mapping[str, Rights] = field(default_factory=dict)
    #: Users who may do something in another virtual host.
    elsewhere: frozenset[str] = frozenset()
    #: User -> limits of the whole broker.
    limits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    #: Name -> kind.
    exchanges: Mapping[str, str] = field(default_factory=dict)
    #: Queues bound to the agencies' exchange by their own name.
    bound: frozenset[str] = frozenset()


# ------------------------------------------------------------------------------------------------------- acts


@dataclass(frozen=True, slots=True)
class MakeExchange:
    """Declare a durable exchange."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class MakeQueue:
    """Declare a durable queue."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bind:
    """Let a queue be reached through the agencies' exchange by its own name."""

    name: str


@dataclass(frozen=True, slots=True)
class MakeUser:
    """Make a user without tags."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetPassword:
    """Give a user this password, and take away its tags."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Limit:
    """Bound how many connections or channels a user may keep open."""

    name: str
    limit: str
    value: int


@dataclass(frozen=True, slots=True)
class Permit:
    """Set what a user may do in the bus's virtual host."""

    name: str
    rights: Rights


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take from a user all it may do in the bus's virtual host."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoveUser:
    """Remove a user with all its rights; its connections end."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoveQueue:
    """Delete a queue in which nothing waits."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoveExchange:
    """Delete an exchange."""

    name: str


# What apply does not do by itself.


@dataclass(frozen=True, slots=True)
class StillHolds:
    """The system is gone, but its queue holds messages that count as delivered: a person decides."""

    name: str
    messages: int | None


@dataclass(frozen=True, slots=True)
class MadeOtherwise:
    """The queue or exchange is there, but not as the bus declares it; RabbitMQ cannot change that."""

    name: str


@dataclass(frozen=True, slots=True)
class SharedUser:
    """A user of that name works in another virtual host with another password, which is left to it."""

    name: str


Act = (
    MakeExchange | MakeQueue | Bind | MakeUser | SetPassword | Limit | Permit
    | Withdraw | RemoveUser | RemoveQueue | RemoveExchange
)  # fmt: skip
Note = StillHolds | MadeOtherwise | SharedUser


def acts_towards(wanted: Iterable[Account], standing: Standing) -> tuple[tuple[Act, ...], tuple[Note, ...]]:
    """The acts that lead from what is there to what is wanted, and what a person has to see to.

    Of users and queues only those are touched whose names are of agencies' making (``lgsp.agency.…``).
    """
    accounts = sorted(wanted, key=lambda account: account.queue.name)
    steps: list[Act | Note] = []
    if accounts:
        steps += _exchange(EXCHANGE, "direct", standing)
    for account in accounts:
        steps += _topology(account.queue, standing)
        steps += _user(account, standing)
    names = {account.queue.name for account in accounts}
    steps += _departures(names, standing)
    acts = tuple(step for step in steps if not isinstance(step, Note))
    return acts, tuple(step for step in steps if isinstance(step, Note))


def _topology(queue: AgencyQueue, standing: Standing) -> Iterator[Act | Note]:
    for name, arguments in ((queue.rejected, queue.rejected_arguments), (queue.name, queue.arguments)):
        there = standing.queues.get(name)
        if there is None:
            yield MakeQueue(name, arguments)
        elif dict(there.arguments) != dict(arguments):
            yield MadeOtherwise(name)
    if queue.name not in standing.bound or queue.name not in standing.queues:
        yield Bind(queue.name)
    if queue.settles:
        yield from _exchange(queue.settle, "fanout", standing)


def _exchange(name: str, kind: str, standing: Standing) -> Iterator[Act | Note]:
    there = standing.exchanges.get(name)
    if there is None:
        yield MakeExchange(name, kind)
    elif there != kind:
        yield MadeOtherwise(name)


def _user(account: Account, standing: Standing) -> Iterator[Act | Note]:
    queue, name = account.queue, account.queue.name
    there = standing.users.get(name)
    if there is None:
        yield MakeUser(name, account.password)
    elif there.tags or not is_password(there.password_hash, account.password):
        if name in standing.elsewhere:
            # Whoever knows its password there must not read what lies here.
            yield SharedUser(name)
            return
        yield SetPassword(name, account.password)
    known = {} if there is None else standing.limits.get(name, {})
    for limit, value in LIMITS.items():
        if known.get(limit) != value:
            yield Limit(name, limit, value)
    rights = Rights(queue.configure, queue.write, queue.read)
    if there is None or standing.rights.get(name) != rights:
        yield Permit(name, rights)


def _departures(names: set[str], standing: Standing) -> Iterator[Act | Note]:
    """Users of systems that are gone lose everything at once; their queues go when nothing waits in them."""
    for name in sorted(standing.rights.keys() - names):
        if system_of(name) is not None:
            yield Withdraw(name) if name in standing.elsewhere else RemoveUser(name)
    wanted = {belonging for name in names for belonging in _belongings(name)}
    for name in sorted(standing.queues.keys() - wanted):
        if system_of(name, REJECTED) is None and system_of(name) is None:
            continue
        messages = standing.queues[name].messages
        yield RemoveQueue(name) if messages == 0 else StillHolds(name, messages)
    for name in sorted(standing.exchanges.keys() - wanted):
        if system_of(name, SETTLE) is not None:
            yield RemoveExchange(name)


def _belongings(name: str) -> tuple[str, ...]:
    queue = AgencyQueue(system_of(name) or "")
    return queue.name, queue.rejected, queue.settle


# -------------------------------------------------------------------------------------------------- passwords


def password_hash(password: str, salt: bytes) -> str:
    """RabbitMQ's hash of a password under four random bytes, so that the password itself need not travel."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode("ascii")


def is_password(stored: str, password: str) -> bool:
    """Whether ``password`` is the one behind a hash; false for a hash of another making."""
    try:
        salt = base64.b64decode(stored, validate=True)[:_SALT]
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(password_hash(password, salt), stored)
