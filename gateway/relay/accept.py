"""The front door: open, check, route, sign the receipt, keep, announce, answer. One and many are the same code.

Answering Accepted means durable: the ledger's transaction with the envelope, its deliveries and its receipt
is on disk. Nothing refused leaves a trace but an audit row, or a count where the signer is not known.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from gateway.checkpoints import reach
from gateway.core.contract import Catalog
from gateway.core.delivery import Delivery, new_delivery
from gateway.core.directory import Directory, System
from gateway.core.documents.entry import DocumentEntry
from gateway.core.documents.matching import Served
from gateway.core.dossiers.event import DossierEvent
from gateway.core.envelope import (
    Event,
    check_attributes,
    check_size,
    digest_of,
    parse_event,
    payload_digest,
    seal,
)
from gateway.core.faults import Busy, Fault
from gateway.core.judgement import Judge, Judged, expired_fault
from gateway.core.jws import Signer
from gateway.core.receipt import payload_bytes, receipt_payload, sign_receipt
from gateway.core.registers import SecondProvider
from gateway.core.routing import Route
from gateway.ports import Acceptance, Accepted, AuditRow, Broker, Clock, FilesMissing, Ledger, NewMessage, Taken
from gateway.relay.pace import Paces
from gateway.relay.refusal import check_sealing, conflict, missing
from gateway.relay.registers import Registers
from gateway.relay.turnstile import Turnstile
from gateway.relay.vigil import Vigil, Watched


class _Sound(NamedTuple):
    """A message that may be kept: what the judge found, or what the gateway itself has to say."""

    event: Event
    source: str
    raw: bytes
    repeat_digest: str
    routes: tuple[Route, ...]
    files: tuple[str, ...] = ()
    is_ordered: bool = True
    is_own: bool = False
    unclaimed: str | None = None

    @classmethod
    def of(cls, judged: Judged, raw: bytes) -> _Sound:
        """A judged message without a fault: then source, event and contract are known."""
        if judged.event is None or judged.source is None or judged.contract is None:
            raise ValueError("a message without a fault has an event, a source and a contract")
        is_ordered = judged.contract.ordering != "none"
        name = judged.source.name
        return cls(
            judged.event, name, raw, judged.repeat_digest, judged.routes, judged.files, is_ordered,
            unclaimed=judged.unclaimed,
        )  # fmt: skip


#: A message that is to be kept, or a judgement that is not.
_Case = NewMessage | Judged
#: The line of a message in the register of documents: of an event, to whom it goes, by the directory, now.
LineOf = Callable[[Event, Sequence[Route], Directory, float], DocumentEntry | None]


def no_line(_: Event, __: Sequence[Route], ___: Directory, ____: float) -> DocumentEntry | None:
    """Nothing is said of documents."""
    return None


#: What an event says of a dossier, by the directory, now: asked only of contracts that speak of dossiers.
DossierOf = Callable[[Event, Sequence[Route], Directory, float], DossierEvent | None]
#: How their names begin.
_OF_DOSSIERS: Final = ("dossier.", "signing.", "payment.", "post.")


def no_dossier(_: Event, __: Sequence[Route], ___: Directory, ____: float) -> DossierEvent | None:
    """Nothing is said of dossiers."""
    return None


class Declined(NamedTuple):
    """An event that was offered and not kept, the message that it would have been, and who was sent it before."""

    event: Event
    message: NewMessage
    served: Served


@dataclass(frozen=True, slots=True)
class Accept:
    """The step, with its needs: what keeps, what wakes, today's registry and contracts, keys, time."""

    ledger: Ledger
    broker: Broker
    directory: Callable[[], Directory]
    catalog: Callable[[], Catalog]
    signer: Signer
    signer_of: Callable[[System], Signer]
    #: Adapters whose recipients fetch for themselves: the bus never gives up on these.
    pulling: frozenset[str]
    clock: Clock
    refusals: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    paces: Paces = field(default_factory=Paces)
    turnstile: Turnstile = field(default_factory=Turnstile)
    line_of: LineOf = no_line
    dossier_of: DossierOf = no_dossier
    #: What the law wants noticed; None where nobody keeps watch.
    vigil: Vigil | None = None
    #: Who is trusted with which item of which register; None where nobody keeps account of it.
    registers: Registers | None = None

    async def sealed_many(self, bodies: Sequence[bytes], *, address: str) -> list[Accepted | Fault]:
        """Accept envelopes; one outcome each, in the same order. ``address`` is the peer's, for counting.

        Raises Busy ``overloaded`` where the bus has too much under way already.
        """
        with self.turnstile.passed(len(bodies)):
            now = self.clock.now()
            judge = Judge(self.directory(), self.catalog())
            cases = await self.turnstile.by_turns(lambda raw: self._case(judge.sealed(raw, now), raw, now), bodies)
            return await self._settled(cases, now, address)

    async def unsigned(self, system: System, body: bytes) -> Accepted | Fault:
        """Accept an unsigned event of a system for which the bus signs; the caller has authenticated it."""
        try:
            members = parse_event(body)
        except Fault as fault:
            return await self._refused(system, fault)
        return await self.for_system(system, members, payload_digest(body))

    async def for_system(self, system: System, members: Mapping[str, Any], origin_digest: str) -> Accepted | Fault:
        """Accept an event of ``system`` and sign it with the key kept for that system, which signs nothing else.

        The same ``origin_digest`` (hex SHA-256 of the bytes as the agency wrote them) is the same message.
        """
        now = self.clock.now()
        case = self._sealed(system, members, origin_digest, now)
        if isinstance(case, Fault):
            return await self._refused(system, case)
        return (await self._settled([case[0]], now, system.name))[0]

    async def offer(
        self, system: System, members: Mapping[str, Any], origin_digest: str
    ) -> Accepted | Declined | Fault:
        """Accept an event like :meth:`for_system`, but no document that was sent before to any of those it would go to.

        The ledger judges as it keeps the message, so of two ways at the same moment one is the second.
        """
        now = self.clock.now()
        case = self._sealed(system, members, origin_digest, now)
        if isinstance(case, Fault):
            return await self._refused(system, case)
        message, event = case
        if not isinstance(message, NewMessage) or event is None:
            return (await self._settled([message], now, system.name))[0]
        if lost := await self._lost([message], now):
            return (await self._told([message], [lost[message.key]], now, system.name))[0]
        reach("accept.judged")
        (said,) = await self.ledger.accept_many([replace(message, unless_served=True)])
        reach("accept.kept")
        if isinstance(said, Served):
            return Declined(event, message, said)
        return (await self._told([message], [_answer(said, message)], now, system.name))[0]

    def _sealed(
        self, system: System, members: Mapping[str, Any], origin_digest: str, now: float
    ) -> tuple[_Case, Event | None] | Fault:
        directory = self.directory()
        try:
            check_sealing(system, members, directory)
            signer = self.signer_of(system)
            event = {**members, "sealedby": directory.gateway}
            sealed = seal(event, signer)
            check_size(sealed)
        except Fault as fault:
            return fault
        judged = Judge(directory, self.catalog()).unsigned(system, event, origin_digest, now)
        return self._case(judged, sealed, now), judged.event

    async def _refused(self, system: System, fault: Fault) -> Fault:
        await self._note([(Judged(source=system, fault=fault), fault)], self.clock.now(), system.name)
        return fault

    async def own(self, members: Mapping[str, Any], routes: tuple[Route, ...]) -> Accepted | Taken:
        """Accept a message of the gateway itself (an outcome): it needs no agreement and never earns a receipt."""
        now = self.clock.now()
        directory = self.directory()
        event = check_attributes(members, gateway=directory.gateway, gateway_names=directory.gateway_names())
        raw = await asyncio.to_thread(seal, members, self.signer)
        digest = hashlib.sha256(event.key.encode()).hexdigest()
        sound = _Sound(event, directory.gateway, raw, digest, routes, is_own=True)
        message = self._message(sound, now)
        (answer,) = await self.ledger.accept_many([message])
        self._announce([message])
        return answer if isinstance(answer, Accepted) else Taken()

    def _case(self, judged: Judged, raw: bytes, now: float) -> _Case:
        """What becomes of a judged envelope, as far as that is clear before the ledger is asked."""
        judged = self.paces.kept(judged, now)
        return judged if judged.fault is not None or judged.is_expired else self._message(_Sound.of(judged, raw), now)

    async def _settled(self, cases: Sequence[_Case], now: float, address: str) -> list[Accepted | Fault]:
        """The answers, in order, when everything that is to be kept is on disk."""
        others = iter(await self._unkept([case for case in cases if isinstance(case, Judged)]))
        reach("accept.judged")
        sound = [case for case in cases if isinstance(case, NewMessage)]
        lost = await self._lost(sound, now)
        messages = [each for each in sound if each.key not in lost]
        kept = iter(await self.ledger.accept_many(messages) if messages else ())
        reach("accept.kept")
        answers = [
            (lost.get(case.key) or _answer(next(kept), case)) if isinstance(case, NewMessage) else next(others)
            for case in cases
        ]
        return await self._told(cases, answers, now, address)

    async def _lost(self, messages: Sequence[NewMessage], now: float) -> dict[str, Fault]:
        """Message key -> why it is not to be kept: of an item with which somebody else has come to be trusted."""
        if self.registers is None:
            return {}
        lost: dict[str, Fault] = {}
        for each in messages:
            if each.unclaimed is not None:
                fault = await self.registers.claim(each.unclaimed, each.source, now)
                if fault is not None:
                    lost[each.key] = fault
        return lost

    async def _told(
        self, cases: Sequence[_Case], answers: list[Accepted | Fault], now: float, address: str
    ) -> list[Accepted | Fault]:
        """Wake whoever is to deliver, and note what was refused; the answers."""
        self._announce([case for case in cases if isinstance(case, NewMessage)])
        refused = [(case, answer) for case, answer in zip(cases, answers, strict=True) if isinstance(answer, Fault)]
        if refused:
            await self._note(refused, now, address)
            await self._await_decisions(refused, now)
        if self.vigil is not None and (watched := _newly_kept(cases, answers)):
            await self.vigil.tell([each.noticed for each in watched if each.noticed is not None])
        reach("accept.answered")
        return answers

    async def _await_decisions(self, refused: Sequence[tuple[_Case, Fault]], now: float) -> None:
        """Whoever is the second to tell of an item waits for an approver from now on."""
        if self.registers is None:
            return
        for case, fault in refused:
            source = case.source if isinstance(case, NewMessage) else _name(case.source)
            if isinstance(fault, SecondProvider) and source is not None:
                await self.registers.note(fault.item, source, now)

    async def _unkept(self, judged: Sequence[Judged]) -> list[Accepted | Fault]:
        """The answers to what today's checks would not keep: a repeat of something known gets the first answer."""
        keys = {
            one.event.key: (one.source.name, one.repeat_digest)
            for one in judged
            if one.event is not None and one.source is not None
        }
        known = await self.ledger.known(keys) if keys else {}
        answers: list[Accepted | Fault] = []
        for one in judged:
            first = None if one.event is None else known.get(one.event.key)
            if isinstance(first, Accepted):
                answers.append(first)
            elif isinstance(first, Taken) and one.event is not None:
                answers.append(conflict(one.event.id))
            else:
                answers.append(one.fault or await self._expired(one))
        return answers

    async def _expired(self, one: Judged) -> Fault:
        """Expiry is judged last: a file that is missing comes first."""
        if one.files and one.source is not None:
            absent = await self.ledger.missing_files(one.source.name, one.files)
            if absent:
                return missing(absent)
        return expired_fault()

    def _message(self, sound: _Sound, now: float) -> NewMessage:
        event, directory = sound.event, self.directory()
        digest = digest_of(sound.raw)
        recipients = tuple([each.system.name for each in sound.routes])
        payload = payload_bytes(
            receipt_payload(
                "accepted",
                id=event.id,
                digest=digest,
                source=sound.source,
                type=event.type,
                to=recipients,
                at=now,
                gateway=directory.gateway,
            )
        )
        message = NewMessage(
            key=event.key,
            id=event.id,
            source=sound.source,
            type=event.type,
            version=event.version,
            subject=event.subject,
            accepted_at=now,
            digest=digest.removeprefix("sha-256:"),
            repeat_digest=sound.repeat_digest,
            envelope=sound.raw,
            recipients=recipients,
            receipt="" if sound.is_own else sign_receipt(payload, self.signer),
            receipt_payload=b"" if sound.is_own else payload,
            deliveries=tuple([self._delivery(sound, each, now) for each in sound.routes]),
            files=sound.files,
            is_own=sound.is_own,
            entry=None if sound.is_own else self.line_of(event, sound.routes, directory, now),
            dossier=self.dossier_of(event, sound.routes, directory, now)
            if event.type.startswith(_OF_DOSSIERS) and not sound.is_own
            else None,
            unclaimed=sound.unclaimed,
        )
        seen = None if self.vigil is None else self.vigil.notice(event, sound.source, message.entry, now)
        return message if seen is None else Watched.of(message, seen)

    def _delivery(self, sound: _Sound, to: Route, now: float) -> Delivery:
        event = sound.event
        return new_delivery(
            message=event.key,
            source=sound.source,
            subject=event.subject,
            recipient=to.system.name,
            contract=event.type,
            ordered=sound.is_ordered,
            priority=event.priority,
            accepted_at=now,
            notbefore=event.notbefore,
            expires=event.expirytime,
            patience=None if to.system.adapter in self.pulling else to.subscription.retry.deadline,
        )

    def _announce(self, messages: Sequence[NewMessage]) -> None:
        deliveries: dict[str, list[str]] = {}
        for message in messages:
            for delivery in message.deliveries:
                deliveries.setdefault(delivery.recipient, []).append(delivery.id)
        if deliveries:
            self.broker.announce(frozenset(deliveries), deliveries)

    async def _note(self, refused: Sequence[tuple[_Case, Fault]], now: float, address: str) -> None:
        """One audit row for a known signer; a count for everyone else."""
        rows: list[AuditRow] = []
        for case, fault in refused:
            source, of = (case.source, case) if isinstance(case, NewMessage) else (_name(case.source), case.event)
            if source is None or isinstance(fault, Busy):
                self.refusals[address, int(now // 60), fault.problem] += 1
                continue
            details: dict[str, Any] = {"problem": fault.problem, "address": address}
            if of is not None:
                details |= {"id": of.id, "type": of.type, "version": of.version}
            if fault.recipients:
                details["recipients"] = list(fault.recipients[:50])
            rows.append(AuditRow(now, source, "message.refused", details))
        if rows:
            await self.ledger.audit(rows)


def derived_uuid(*parts: str) -> str:
    """A UUID that follows from its parts alone: the same parts, the same id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "urn:lgsp:" + ":".join(parts)))


def _name(system: System | None) -> str | None:
    return None if system is None else system.name


def _newly_kept(cases: Sequence[_Case], answers: Sequence[Accepted | Fault]) -> list[Watched]:
    """The messages of which something was noticed and that were kept now, for the first time."""
    return [
        case
        for case, answer in zip(cases, answers, strict=True)
        if isinstance(case, Watched) and isinstance(answer, Accepted) and not answer.repeated
    ]


def _answer(said: Acceptance, message: NewMessage) -> Accepted | Fault:
    if isinstance(said, Accepted):
        return said
    if isinstance(said, Served):
        raise TypeError("only what is offered may have been served before")
    return missing(said.digests) if isinstance(said, FilesMissing) else conflict(message.id)
