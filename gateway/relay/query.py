"""A query's way: judged, noted, asked of its provider, cut to the agreement, sealed, answered; nothing of it is kept.

An id is answered once. Where the provider does not answer, the query was not answered either: its id may be used
again, and nothing waits in any queue.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog

from gateway.core.contract import Catalog
from gateway.core.directory import Directory, System
from gateway.core.envelope import Event, check_attributes, digest_of, open_envelope, seal
from gateway.core.faults import (
    DeliveryFailure,
    Fault,
    PermanentFailure,
    Rejected,
    Text,
    TimedOut,
    Unanswered,
    Unavailable,
)
from gateway.core.judgement import Judge
from gateway.core.jws import Signer, fits, verify
from gateway.core.moments import format_moment
from gateway.core.query import Question, cut, mark_of, newest
from gateway.ports import AuditRow, Clock, Ledger
from gateway.ports.queries import Asking, Outcome, QueryLog
from gateway.relay.accept import derived_uuid
from gateway.relay.answers import Answers, Held
from gateway.relay.turnstile import Turnstile
from gateway.telemetry import QUERIES

#: How long an asker may want to wait (seconds), and what it waits where it does not say.
LONGEST: Final = 60.0
USUAL: Final = 10.0
#: Beyond an asker's patience a begun query counts as nobody's (seconds).
_GRACE: Final = 10.0
_RETRY_AFTER: Final = 5.0
_MOST_NAMED: Final = 200

log = structlog.get_logger()


class Given(NamedTuple):
    """What a provider gave: the data, its version, and the provider's own envelope where it signed."""

    data: Mapping[str, Any]
    version: str
    envelope: bytes | None
    #: ``sha-256:HEX`` of what it gave, as it gave it.
    digest: str


class Reply(NamedTuple):
    """What a provider said: bare data or an envelope; None of both where there is no such record."""

    envelope: bytes | None = None
    data: Mapping[str, Any] | None = None


#: Asks a provider: the question, its envelope, the seconds that are left. Raises as an adapter's ``ask`` does.
Ask = Callable[[Question, bytes, float], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Queries:
    """The step: one query, one answer."""

    log: QueryLog
    ledger: Ledger
    directory: Callable[[], Directory]
    catalog: Callable[[], Catalog]
    signer: Signer
    #: The key of the marks in the log; 32 bytes.
    mark_key: Callable[[], bytes]
    ask: Ask
    clock: Clock
    turnstile: Turnstile
    answers: Answers = field(default_factory=Answers)

    async def answer(self, raw: bytes, caller: System, *, timeout: float = USUAL) -> bytes:
        """The answer's envelope. Raises the Fault for which there is none; every one of a known signer is audited."""
        with self.turnstile.passed(1):
            now = self.clock.now()
            judged = Judge(self.directory(), self.catalog()).asked(raw, now)
            fault = judged.fault
            if fault is None and judged.source is not None and judged.source.name != caller.name:
                fault = _not_the_asker()
            if fault is not None and judged.event is not None and await self.log.is_taken(judged.event.key, now):
                fault = _taken(judged.event.id)
            if fault is not None or judged.question is None:
                raise await self._refused(judged.source, judged.event, fault or _taken(""), now)
            return await self._answered(judged.question, raw, min(max(timeout, 0.1), LONGEST))

    def mark(self, subject: str) -> str:
        """What stands in the log for a subject: HMAC-SHA256 in hex, of the subject without case and outer blanks."""
        return mark_of(subject, self.mark_key())

    async def _answered(self, question: Question, raw: bytes, seconds: float) -> bytes:
        now = self.clock.now()
        asking = self._asking(question, now)
        if not await self.log.begin(asking, until=now + seconds + _GRACE):
            raise await self._refused(question.source, question.event, _taken(question.event.id), now)
        outcome: Outcome = "failed"
        sealed: bytes | None = None
        held = self.answers.find(question, now)
        try:
            if held is not None:
                sealed, outcome = self._sealed(question, held), "answered"
                return sealed
            async with asyncio.timeout(seconds):
                reply = await self.ask(question, raw, seconds)
            if reply.envelope is None and reply.data is None:
                outcome = "empty"
                raise _no_record()
            given = self._checked(question, reply)
            held_now = Held(cut(given.data, question.fields), given.version, given.digest)
            is_whole = given.envelope is not None and held_now.data == given.data
            # The provider's own bytes where nothing had to be cut.
            sealed = given.envelope if is_whole and given.envelope else self._sealed(question, held_now)
            self.answers.keep(question, held_now, self.clock.now())
            outcome = "answered"
        except TimeoutError:
            raise _unavailable(Unanswered) from None
        except DeliveryFailure as failure:
            log.warning("query.failed", message_id=asking.key, agency=asking.provider, detail=type(failure).__name__)
            kind = Unanswered if isinstance(failure, TimedOut) else Unavailable
            raise _unavailable(kind, failure.retry_after) from None
        finally:
            await self._end(asking, outcome, sealed, is_cached=held is not None)
        return sealed

    async def _end(self, asking: Asking, outcome: Outcome, sealed: bytes | None, *, is_cached: bool) -> None:
        """Note the end before anybody hears of it; also where the asker has left meanwhile."""
        at = self.clock.now()
        answer = None if sealed is None else digest_of(sealed)
        details = {
            "id": asking.key, "contract": f"{asking.contract}/{asking.version}", "provider": asking.provider,
            "purpose": asking.purpose, "digest": asking.digest, "mark": asking.mark, "outcome": outcome,
            "agreements": list(asking.agreements), "answer": answer, "officer": asking.officer,
            "dossier": asking.dossier, "cached": is_cached,
        }  # fmt: skip
        audit = AuditRow(at, asking.source, f"query.{outcome}", {k: v for k, v in details.items() if v})
        await asyncio.shield(self.log.end(asking.key, outcome, at=at, answer=answer, audit=audit))
        QUERIES.labels(asking.contract, outcome).inc()
        log.info("query.ended", message_id=asking.key, agency=asking.source, provider=asking.provider, outcome=outcome)

    def _asking(self, question: Question, now: float) -> Asking:
        event = question.event
        data: Mapping[str, Any] = event.data if isinstance(event.data, Mapping) else {}
        officer = data.get("officer")
        account = officer.get("account", "") if isinstance(officer, Mapping) else ""
        return Asking(
            event.key, question.source.name, event.type, event.version, question.provider.system.name,
            event.purpose or "", now, question.digest, self.mark(event.subject), str(account)[:_MOST_NAMED],
            str(data.get("dossierCode", ""))[:_MOST_NAMED], question.agreements,
        )  # fmt: skip

    def _checked(self, question: Question, reply: Reply) -> Given:
        """What the provider gave, held to the answer's contract; raises PermanentFailure where it is not that."""
        if reply.envelope is not None:
            given = self._signed(question, reply.envelope)
        else:
            version = newest(question.answer)
            if version is None or reply.data is None:
                raise PermanentFailure("the answer's contract has no version in use")
            # Its bytes as it wrote them are gone: the digest is of the canonical text of what was read.
            text = json.dumps(reply.data, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
            given = Given(reply.data, version.label, None, digest_of(text))
        contract = self.catalog().find(question.answer.name, given.version)
        if contract is None or contract.state == "retired" or contract.check(given.data):
            raise PermanentFailure("the provider's answer breaks its contract")
        return given

    def _signed(self, question: Question, envelope: bytes) -> Given:
        """A provider's own envelope: signed by it, of the answer's contract, to this very query."""
        try:
            opened = open_envelope(envelope)
        except Fault:
            raise PermanentFailure("the provider's answer is no envelope") from None
        event, header = opened.event, opened.signature.header
        known = self.directory().signer(header.thumbprint or "")
        provider = question.provider.system
        if known is None or provider.name not in known[1] or not known[0].is_in_force(self.clock.now()):
            raise PermanentFailure("the provider's answer is signed by somebody else")
        if not fits(header.alg, known[0].key) or not verify(known[0].key, opened.signature):
            raise PermanentFailure("the signature of the provider's answer does not verify")
        directory = self.directory()
        try:
            said = check_attributes(event, gateway=directory.gateway, gateway_names=directory.gateway_names())
        except Fault:
            raise PermanentFailure("the provider's answer is malformed") from None
        source = directory.system(said.source)
        if said.type != question.answer.name or source is None or source.name != provider.name:
            raise PermanentFailure("the provider's answer is another message")
        bound = str(event.get("queryid", "")).lower(), event.get("querydigest")
        is_bound = bound == (question.event.key, question.digest)
        is_ours = is_bound or (bound == ("", None) and str(said.causationid).lower() == question.event.key)
        if not is_ours or not isinstance(said.data, Mapping):
            raise PermanentFailure("the provider's answer is to another query")
        # One that names the query as its cause alone is sealed again, with what binds it.
        return Given(said.data, said.version, envelope if is_bound else None, digest_of(envelope))

    def _sealed(self, question: Question, held: Held) -> bytes:
        """What may be given out, sealed by the gateway for this very query."""
        event, now = question.event, self.clock.now()
        members: dict[str, Any] = {
            "specversion": "1.0",
            "id": derived_uuid("answer", event.key, held.digest, f"{now}"),
            "source": self.directory().gateway,
            "type": question.answer.name,
            "dataschema": f"urn:lgsp:contract:{question.answer.name}:{held.version}",
            "subject": event.subject,
            "time": format_moment(now),
            "datacontenttype": "application/json",
            "to": question.source.name,
            "purpose": event.purpose,
            "causationid": event.id,
            "queryid": event.id,
            "querydigest": question.digest,
            "originsource": question.provider.system.name,
            "origindigest": held.digest,
            "data": held.data,
        }
        if event.correlationid is not None:
            members["correlationid"] = event.correlationid
        return seal(members, self.signer)

    async def _refused(self, source: System | None, event: Event | None, fault: Fault, now: float) -> Fault:
        """The fault, audited where it is known who signed."""
        if source is not None:
            details: dict[str, Any] = {"problem": fault.problem}
            if event is not None:
                details |= {"id": event.id, "type": event.type, "version": event.version}
            await self.ledger.audit([AuditRow(now, source.name, "query.refused", details)])
        return fault


def _not_the_asker() -> Rejected:
    return Rejected(
        "forbidden",
        Text(
            "Thẻ truy cập không phải của hệ thống đã ký truy vấn. Bên hỏi dùng thẻ của chính hệ thống đó.",
            "The access token is not that of the system which signed the query. The asker must use its own.",
        ),
    )


def _taken(id: str) -> Rejected:
    return Rejected(
        "conflict",
        Text(
            f"Truy vấn {id} đã được trả lời hoặc đang được hỏi. Bên hỏi tạo mã mới cho truy vấn mới.",
            f"The query {id} was answered before, or is being asked. The asker must make a new id for a new query.",
        ),
    )


def _no_record() -> Rejected:
    return Rejected(
        "no-record",
        Text(
            "Nơi cung cấp không có bản ghi này. Bên hỏi kiểm tra lại thông tin tra cứu.",
            "The provider has no such record. The asker must check what it asked for.",
        ),
    )


def _unavailable(kind: type[Unavailable], after: float | None = None) -> Unavailable:
    return kind(
        "provider-unavailable",
        Text(
            "Nơi cung cấp dữ liệu chưa trả lời được. Bên hỏi chờ hết Retry-After rồi hỏi lại, có thể dùng lại mã này.",
            "The provider has not answered. The asker must wait for Retry-After and ask again; the id may be reused.",
        ),
        retry_after=_RETRY_AFTER if after is None else after,
    )
