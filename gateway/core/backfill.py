"""What a late subscriber missed: a request, its phases, and which messages of the past are due by today's rules.

A system that subscribes late may ask for messages of a contract that were accepted since a moment. Where an operator
approves, each message that would go to it by today's agreements and today's filter gets one delivery more. Its
accepted receipt keeps the recipients of that day; the new delivery waits its turn behind what is open in its lane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from gateway.core.contract import Contract
from gateway.core.delivery import Delivery, new_delivery
from gateway.core.directory import Directory, System
from gateway.core.envelope import Event, check_attributes, open_envelope
from gateway.core.faults import Fault, IllegalStep, Text
from gateway.core.moments import day_of
from gateway.core.routing import Route, Sent, route_to

Verb = Literal["approve", "refuse", "cancel", "start", "finish"]


class Phase(StrEnum):
    """Where a request is."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


#: (phase, verb) -> the next phase. ``start`` and ``finish`` are the gateway's own; what is not here is refused.
PHASES: Final[dict[tuple[Phase, Verb], Phase]] = {
    (Phase.ASKED, "approve"): Phase.APPROVED,
    (Phase.ASKED, "refuse"): Phase.REFUSED,
    (Phase.ASKED, "cancel"): Phase.CANCELLED,
    (Phase.APPROVED, "start"): Phase.RUNNING,
    (Phase.APPROVED, "cancel"): Phase.CANCELLED,
    (Phase.RUNNING, "finish"): Phase.DONE,
    (Phase.RUNNING, "cancel"): Phase.CANCELLED,
}
#: Phases that no verb leads out of.
OVER: Final = frozenset({Phase.REFUSED, Phase.DONE, Phase.CANCELLED})

#: Why a message of the past makes no delivery. The names are public and never change.
REASONS: Final[dict[str, Text]] = {
    "recipient": Text("hệ thống đã là nơi nhận", "the system is a recipient already"),
    "body-gone": Text("nội dung không còn được lưu", "its body is no longer kept"),
    "unreadable": Text("trục không còn đọc được phong bì", "the bus cannot read its envelope any more"),
    "expired": Text("đã quá expirytime", "past its expirytime"),
    "not-addressed": Text("không gửi cho hệ thống này", "it was not meant for this system"),
    "no-agreement": Text("không có thoả thuận còn hiệu lực cho phép", "no agreement in force allows it"),
    "no-subscriber": Text("không qua bộ lọc của đăng ký nhận", "the subscription's filter leaves it out"),
}


def after(phase: Phase, verb: Verb) -> Phase:
    """The phase that ``verb`` leads to; raises IllegalStep."""
    found = PHASES.get((phase, verb))
    if found is None:
        raise IllegalStep(
            "illegal-state",
            Text(
                f"Đề nghị đang ở trạng thái {phase.value}, không thể {verb}.",
                f"The request is {phase.value}; {verb} is not possible.",
            ),
        )
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """A message that a request asks for, as it is kept: its place in the order of acceptance, its sender, its body.

    ``envelope`` is None where it is no longer kept, or not needed since the system is a recipient already.
    """

    place: int
    source: str
    envelope: bytes | None
    is_recipient: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """Who asks, and the rules of today: its registration, the contract asked for, the registry.

    ``is_pulled``: the system fetches for itself, so the bus never gives up on what waits for it.
    """

    system: System
    contract: Contract
    directory: Directory
    is_pulled: bool = False

    def weigh(self, found: Iterable[Found], now: float) -> tuple[list[Delivery], Counter[str]]:
        """The deliveries due, in the order of ``found``, and how many messages make none, by reason."""
        due: list[Delivery] = []
        left_out: Counter[str] = Counter()
        for message in found:
            weighed = self.delivery(message, now)
            if isinstance(weighed, Delivery):
                due.append(weighed)
            else:
                left_out[weighed] += 1
        return due, left_out

    def delivery(self, found: Found, now: float) -> Delivery | str:
        """The delivery due for one message, queued as if accepted ``now``; or the reason, a key of REASONS.

        The same message and system make the same delivery id, as acceptance would have.
        """
        if found.is_recipient:
            return "recipient"
        if found.envelope is None:
            return "body-gone"
        event = self._event(found.envelope)
        if event is None:
            return "unreadable"
        if event.expirytime is not None and event.expirytime <= now:
            return "expired"
        to = route_to(self.system, Sent(event, found.source, self.contract), self.directory, day_of(now))
        return self._new(event, found.source, to, now) if isinstance(to, Route) else to

    def _event(self, envelope: bytes) -> Event | None:
        directory = self.directory
        try:
            members = open_envelope(envelope, limit=len(envelope)).event
            return check_attributes(members, gateway=directory.gateway, gateway_names=directory.gateway_names())
        except Fault:
            return None

    def _new(self, event: Event, source: str, to: Route, now: float) -> Delivery:
        return new_delivery(
            message=event.key,
            source=source,
            subject=event.subject,
            recipient=to.system.name,
            contract=event.type,
            ordered=self.contract.ordering != "none",
            priority=event.priority,
            accepted_at=now,
            notbefore=event.notbefore,
            expires=event.expirytime,
            patience=None if self.is_pulled else to.subscription.retry.deadline,
        )
