"""Who owes an answer by law is reminded of it, and those above are told where that does not help.

Reminders are messages of the gateway (document.reminder) and go only where a system subscribes; they go in office
hours alone. The id of each follows from the duty and its level, so a crash between sending and noting sends none twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import structlog

from gateway.core.delivery import State
from gateway.core.directory import Directory
from gateway.core.faults import Text
from gateway.core.law.rules import Law, Rule, worded
from gateway.core.moments import VIET_NAM, day_of, format_moment
from gateway.core.routing import Route
from gateway.ports import Accepted, AuditRow, Clock, Ledger, Record, RecordedDelivery
from gateway.ports.documents import Duty, Register, Registered
from gateway.relay.accept import Accept, derived_uuid
from gateway.telemetry import REMINDERS

REMINDER: Final = "document.reminder"
_DATASCHEMA: Final = f"urn:lgsp:contract:{REMINDER}:1.0"
#: Duties that are read at a time, and that one run looks at: what is left waits for the next minute.
_TOGETHER: Final = 200
_MOST: Final = 2000
#: What could not be looked at is tried again after this (seconds).
_AGAIN: Final = 600.0
_LONGEST_SUBJECT: Final = 256
_GONE: Final = frozenset({State.EXPIRED, State.DISCARDED})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Remind:
    """The step that one of the processes on a ledger runs every minute."""

    ledger: Ledger
    register: Register
    accept: Accept
    directory: Callable[[], Directory]
    law: Callable[[], Law]
    clock: Clock

    async def once(self) -> int:
        """Look at every duty whose moment has come; answers how many. Nothing out of office hours.

        One that cannot be looked at is told, put off for ten minutes, and holds back no other.
        """
        looked_at = 0
        while looked_at < _MOST and self.law().calendar.is_working_time(now := self.clock.now()):
            duties = await self.register.duties(due_by=now, limit=_TOGETHER)
            for duty in duties:
                try:
                    await self._look(duty, now)
                except Exception:
                    log.exception("step.failed", step="remind", message_id=duty.message, agency=duty.agency)
                    await self.register.postpone(duty, next_at=now + _AGAIN)
            looked_at += len(duties)
            if len(duties) < _TOGETHER:
                break
        return looked_at

    async def _look(self, duty: Duty, now: float) -> None:
        rule = self.law().rule(duty.name)
        if rule is None:  # the province has taken the rule out: nobody is reminded of it
            await self.register.postpone(duty, next_at=self.law().calendar.next_working_morning(now))
            return
        case = _Case(duty, rule, await self._line(duty), await self.ledger.find(duty.message), now)
        serving = self._serving(duty, case.record, now)
        if case.record is not None and not any(each.delivery.state is State.DELIVERED for each in serving):
            await self._undelivered(case, serving)
            return
        due = self._due(case, serving)
        if duty.level == 0 and due > now:  # it came late to the agency itself
            await self.register.postpone(duty, next_at=due)
            return
        await self._remind(case, due)

    async def _remind(self, case: _Case, due: float) -> None:
        """The next reminder: to the agency itself, then to the issuer and to the agency above it."""
        duty, rule, now = case.duty, case.rule, case.now
        level = min(duty.level + 1, 2)
        text = rule.text if level == 1 else rule.escalation or rule.text
        told = self._told({duty.agency} if level == 1 else {duty.issuer, *self._above(duty.agency)}, case)
        members = case.members(
            level, rule, text, due, owed_by=self._named(duty.agency), owed_to=self._named(duty.issuer)
        )
        members["id"] = derived_uuid("reminder", duty.message, duty.agency, duty.name, str(level))
        await self._send(members, told)
        following = None if rule.escalate is None or level > 1 else rule.escalate.after(now, self.law().calendar)
        details = {
            "id": duty.message, "rule": rule.id, "agency": duty.agency, "level": level,
            "to": [each.system.name for each in told],
        }  # fmt: skip
        audit = AuditRow(now, self.directory().gateway, "duty.reminded", details)
        if await self.register.remind(duty, next_at=following, audit=audit):
            REMINDERS.labels(rule.id, str(level)).inc()
            log.info(
                "duty.reminded", message_id=duty.message, agency=duty.agency, rule=rule.id, level=level, told=len(told)
            )

    async def _undelivered(self, case: _Case, serving: Sequence[RecordedDelivery]) -> None:
        """Who was never handed the document owes nothing yet: its issuer is told, once it had to be there."""
        duty, now = case.duty, case.now
        late = self.law().dispatch(case.issued_on, priority=case.priority, at=case.accepted_at)
        following = self.law().calendar.next_working_morning(now)
        if late is None or late.due > now:
            await self.register.postpone(duty, next_at=following if late is None else min(following, late.due))
            return
        told = self._told({duty.issuer}, case)
        issuer, agency = self._named(duty.issuer), self._named(duty.agency)
        members = case.members(1, late.rule, late.rule.text, late.due, owed_by=issuer, owed_to=agency)
        members["id"] = derived_uuid("undelivered", duty.message, duty.agency)
        is_first = await self._send(members, told)
        is_over = bool(serving) and all(each.delivery.state in _GONE for each in serving)
        audit = None
        if is_first or is_over:
            details = {"id": duty.message, "rule": late.rule.id, "agency": duty.agency, "issuer": duty.issuer}
            to = [each.system.name for each in told]
            audit = AuditRow(now, self.directory().gateway, "duty.undelivered", {**details, "to": to})
        if is_over and audit is not None:  # it will never be handed over: nothing is left to look at
            await self.register.remind(duty, next_at=None, audit=audit)
        else:
            await self.register.postpone(duty, next_at=following, audit=audit)
        if audit is not None:
            REMINDERS.labels(late.rule.id, "0").inc()
            log.info("duty.undelivered", message_id=duty.message, agency=duty.agency, rule=late.rule.id)

    async def _send(self, members: dict[str, Any], told: Sequence[Route]) -> bool:
        """Send a reminder to these systems; whether it is the first time that this one is sent."""
        if not told:
            return False
        said = await self.accept.own(
            {**members, "source": self.directory().gateway, "to": " ".join(each.system.name for each in told)},
            tuple(told),
        )
        return isinstance(said, Accepted) and not said.repeated

    def _told(self, agencies: Collection[str], case: _Case) -> list[Route]:
        """The systems of these agencies that want reminders."""
        directory = self.directory()
        own = directory.gateway.partition("/")[0]
        day = day_of(case.now)
        routes = []
        for system in directory.subscribers(REMINDER):
            wish = directory.wants(system, REMINDER, own, case.subject, day) if system.agency in agencies else None
            if wish is not None:
                routes.append(Route(system, wish))
        return routes

    def _named(self, code: str) -> _Named:
        """An agency with its name, where the directory knows it."""
        agency = self.directory().agency(code)
        return _Named(code, code if agency is None else f"{agency.name} ({code})")

    def _above(self, code: str) -> tuple[str, ...]:
        """The agency right above another, where the registry knows it."""
        directory = self.directory()
        agency = directory.agency(code)
        if agency is None or agency.parent is None:
            return ()
        parent = directory.agency(agency.parent)
        return (agency.parent,) if parent is None else (parent.code,)

    def _serving(self, duty: Duty, record: Record | None, now: float) -> list[RecordedDelivery]:
        """The deliveries by which the agency gets the document: its own systems', else by way of who carries for it.

        Where neither is told apart any more (the registry has changed since), any delivery of the message counts.
        """
        if record is None:
            return []
        directory = self.directory()
        there = directory.recipient(duty.agency, day_of(now)) or directory.agency(duty.agency)
        codes = {duty.agency} if there is None else {duty.agency, there.code}
        carrier = None if there is None else directory.carrier(there)
        own = [each for each in record.deliveries if each.delivery.recipient.partition("/")[0] in codes]
        carried = [
            each for each in record.deliveries if carrier is not None and each.delivery.recipient == carrier.name
        ]
        return own or carried or list(record.deliveries)

    def _due(self, case: _Case, serving: Sequence[RecordedDelivery]) -> float:
        """When the duty is due: its time does not begin before the agency had the document."""
        taken = [
            attempt.ended_at
            for each in serving
            if each.delivery.state is State.DELIVERED
            for attempt in each.attempts
            if attempt.outcome == "taken"
        ]
        return max(case.duty.due, self.law().due(case.rule, case.priority, min(taken))) if taken else case.duty.due

    async def _line(self, duty: Duty) -> Registered | None:
        lines = await self.register.story(duty.document, duty.issuer)
        return next((line for line in lines if line.message == duty.message), None)


class _Named(NamedTuple):
    """An agency by its code, and as people call it."""

    code: str
    shown: str


@dataclass(frozen=True, slots=True)
class _Case:
    """One duty with all that is known of it now."""

    duty: Duty
    rule: Rule
    line: Registered | None
    record: Record | None
    now: float

    @property
    def priority(self) -> int:
        """The priority with which the message came."""
        deliveries = () if self.record is None else self.record.deliveries
        return max((each.delivery.priority for each in deliveries), default=0)

    @property
    def accepted_at(self) -> float:
        """When the message came."""
        return self.now if self.record is None else self.record.accepted_at

    @property
    def issued_on(self) -> str | None:
        """The document's day."""
        return None if self.line is None else self.line.entry.issued_on

    @property
    def document(self) -> str:
        """The document's id, as its sender wrote it where that is known."""
        return (self.line.entry.document if self.line is not None else "") or self.duty.document or self.duty.message

    @property
    def subject(self) -> str:
        """The business key of the reminder: the document's."""
        return self.document[:_LONGEST_SUBJECT]

    def members(
        self, level: int, rule: Rule, text: Text, due: float, *, owed_by: _Named, owed_to: _Named
    ) -> dict[str, Any]:
        """The event but for its id, its source and whom it goes to."""
        said = worded(text, document=self.document, owed_by=owed_by.shown, owed_to=owed_to.shown, due=due)
        return {
            "specversion": "1.0",
            "type": REMINDER,
            "dataschema": _DATASCHEMA,
            "subject": self.subject,
            "time": format_moment(self.now),
            "datacontenttype": "application/json",
            "causationid": self.duty.message,
            "data": {
                "documentId": self.document[:500],
                "message": self.duty.message,
                "issuer": self.duty.issuer,
                "rule": rule.id,
                "basis": rule.basis,
                "level": level,
                "due": datetime.fromtimestamp(due, VIET_NAM).isoformat(timespec="seconds"),
                "owedBy": owed_by.code,
                "owedTo": owed_to.code,
                "text": {"vi": said.vi[:6000], "en": said.en[:6000]},
            },
        }
