"""One event becomes its routes: to whom it goes, in which version; or the fault that says why not.

A closed code stands for its successor. An agency none of whose own systems wants the message is reached by the system
that carries for it, where there is one: agreement and purpose are judged for the agency, never for who carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from gateway.core.agreement import Subscription
from gateway.core.contract import Contract
from gateway.core.directory import Directory, System
from gateway.core.envelope import Event
from gateway.core.faults import Rejected, Text


class Route(NamedTuple):
    """One recipient system and the subscription under which it gets the message."""

    system: System
    subscription: Subscription


#: Why a message does not go to a system.
NoRoute = Literal["not-addressed", "no-agreement", "no-subscriber"]


def route(event: Event, source: System, contract: Contract, directory: Directory, day: date) -> tuple[Route, ...]:
    """The routes of ``event``, doubles merged, in the order of ``to``.

    Empty where none was named and nobody subscribes. Raises Rejected ``unknown-recipient``, ``no-agreement`` or
    ``no-subscriber`` with every bad name of the first failing check, as the sender wrote it (all or nothing).
    """
    case = _Case(event, source.name, source.agency, contract, directory, day)
    return case.broadcast() if event.to is None else case.addressed(event.to)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was accepted before: ``source`` is the system that sent it and may be gone meanwhile."""

    event: Event
    source: str
    contract: Contract


def route_to(recipient: System, sent: Sent, directory: Directory, day: date) -> Route | NoRoute:
    """The route of a message to one system, by the same rules, whatever becomes of the others; or why there is none.

    The agency that sent it must be registered still.
    """
    agency = directory.agency(sent.source.partition("/")[0])
    if agency is None:
        return "no-agreement"
    return _Case(sent.event, sent.source, agency.code, sent.contract, directory, day).to_one(recipient)


class _Addressee(NamedTuple):
    """Whom a name in ``to`` means: the agency, those of its systems that are meant, and who carries for it."""

    code: str
    systems: tuple[System, ...]
    carrier: System | None


class _Case(NamedTuple):
    """One event of one source on one day, before one picture of the registry. ``agency`` is the source's code."""

    event: Event
    source: str
    agency: str
    contract: Contract
    directory: Directory
    day: date

    def addressed(self, to: tuple[str, ...]) -> tuple[Route, ...]:
        """To those that were named, all or none."""
        unknown: list[str] = []
        forbidden: list[str] = []
        silent: list[str] = []
        chosen: dict[str, Route] = {}
        for name in to:
            found = self._addressee(name)
            if found is None:
                unknown.append(name)
            elif not self._is_allowed(found.code):
                forbidden.append(name)
            elif routes := self._routes(found):
                chosen.update({each.system.name: each for each in routes})
            else:
                silent.append(name)
        _refuse_if(
            "unknown-recipient",
            unknown,
            "Không có nơi nhận này trong danh bạ. Bên gửi hãy kiểm tra mã định danh.",
            "The address book has no such recipient. The sender must check the codes.",
            {name: note for name in unknown if (note := self._closed(name)) is not None},
        )
        self._refuse_closed_sender()
        _refuse_if(
            "no-agreement",
            forbidden,
            "Chưa có thoả thuận còn hiệu lực cho phép gửi loại thông điệp này (đúng mục đích) đến nơi nhận."
            " Bên gửi liên hệ đơn vị vận hành trục để ký thoả thuận.",
            "No agreement in force lets this contract go to these recipients for this purpose."
            " The sender must ask the operator of the bus for an agreement.",
        )
        _refuse_if(
            "no-subscriber",
            silent,
            "Nơi nhận chưa có hệ thống nào đăng ký nhận loại thông điệp này. Bên gửi liên hệ nơi nhận để đăng ký.",
            "None of the recipients' systems subscribes to this contract. The sender must ask them to subscribe.",
        )
        return tuple(chosen.values())

    def broadcast(self) -> tuple[Route, ...]:
        """To every subscriber that an agreement allows, but the sender; the purpose must be an agreement's here too."""
        self._refuse_closed_sender()
        purpose = self.event.purpose
        if self.contract.personal and purpose is None:
            raise Rejected(
                "no-agreement",
                Text(
                    "Loại thông điệp này chứa dữ liệu cá nhân nên phải ghi purpose. Bên gửi hãy bổ sung mục đích.",
                    "This contract holds personal data, so purpose is needed. The sender must state it.",
                ),
            )
        if purpose is not None and purpose not in self.directory.purposes(self.agency, self.contract.name, self.day):
            raise Rejected(
                "no-agreement",
                Text(
                    f"Không có thoả thuận còn hiệu lực nào của bên gửi có mục đích {purpose}."
                    " Bên gửi hãy sửa purpose hoặc liên hệ đơn vị vận hành trục.",
                    f"No agreement in force of the sender has the purpose {purpose}."
                    " The sender must mend it or ask the operator of the bus.",
                ),
            )
        others = [
            each
            for each in self.directory.subscribers(self.event.type)
            if each.name != self.source and not self._is_closed(each.agency)
        ]
        allowed = {code: self._is_allowed(code) for code in {each.agency for each in others}}
        return self._wanting(tuple(each for each in others if allowed[each.agency]))

    def to_one(self, recipient: System) -> Route | NoRoute:
        """To one system: it was named, itself, its agency or one it carries for; or nobody was, and it did not send."""
        codes = self._reasons(recipient)
        if not codes:
            return "not-addressed"
        if not any(self._is_allowed(code) for code in codes):
            return "no-agreement"
        routes = self._wanting((recipient,))
        return routes[0] if routes else "no-subscriber"

    def _reasons(self, recipient: System) -> list[str]:
        """Codes of the agencies on whose behalf the system would get the message."""
        if self.event.to is None:
            is_one = recipient.name != self.source and not self._is_closed(recipient.agency)
            return [recipient.agency] if is_one else []
        named = (self._addressee(name) for name in self.event.to)
        return [each.code for each in named if each is not None and self._is_reached(each, recipient)]

    def _is_reached(self, addressee: _Addressee, recipient: System) -> bool:
        if any(each.name == recipient.name for each in addressee.systems):
            return True
        carrier = self._carrier(addressee)
        return carrier is not None and carrier.name == recipient.name and not self._wanting(addressee.systems)

    def _addressee(self, name: str) -> _Addressee | None:
        """Whom a name means today; None where nobody."""
        if "/" in name:
            system = self.directory.system(name)
            if system is None:
                return None
            if not self._is_closed(system.agency):
                return _Addressee(system.agency, (system,), None)
            name = system.agency
        agency = self.directory.recipient(name, self.day)
        return None if agency is None else _Addressee(agency.code, agency.systems, self.directory.carrier(agency))

    def _routes(self, addressee: _Addressee) -> tuple[Route, ...]:
        """By the agency's own systems; where none of them wants it, by its carrier."""
        own = self._wanting(addressee.systems)
        if own:
            return own
        carrier = self._carrier(addressee)
        return () if carrier is None else self._wanting((carrier,))

    def _carrier(self, addressee: _Addressee) -> System | None:
        """Who carries for it; never the sender, who would get back what it sent."""
        carrier = addressee.carrier
        return None if carrier is None or carrier.name == self.source else carrier

    def _is_closed(self, code: str) -> bool:
        agency = self.directory.agency(code)
        return agency is not None and agency.is_closed(self.day)

    def _closed(self, name: str) -> Text | None:
        """Since when the last agency that a name leads to is closed, where that is why nobody is meant."""
        agency = self.directory.agency(name.partition("/")[0])
        if agency is None or agency.closed is None or not agency.is_closed(self.day):
            return None
        on = agency.closed.isoformat()
        if agency.successor is None:
            return Text(
                f"{name}: đã đóng mã từ {on}, không có cơ quan kế thừa", f"{name}: closed since {on}, no successor"
            )
        heir = agency.successor
        return Text(f"{name}: đã đóng mã từ {on}, kế thừa là {heir} nhưng không gửi đến được",
                    f"{name}: closed since {on}; its successor {heir} cannot be sent to")  # fmt: skip

    def _refuse_closed_sender(self) -> None:
        """Nobody sends in the name of a closed agency; its systems still fetch and settle what they were sent."""
        agency = self.directory.agency(self.agency)
        if agency is None or agency.closed is None or not agency.is_closed(self.day):
            return
        on, heir = agency.closed.isoformat(), agency.successor or "∅"
        raise Rejected(
            "no-agreement",
            Text(
                f"Mã {agency.code} của bên gửi đã đóng từ {on} (kế thừa: {heir}) nên không gửi mới được nữa."
                " Bên gửi dùng hệ thống của cơ quan kế thừa; đơn vị vận hành trục đăng ký hệ thống đó.",
                f"The sender's code {agency.code} is closed since {on} (successor: {heir}), so it sends no more."
                " The sender must use a system of the successor, which the operator of the bus registers.",
            ),
        )

    def _is_allowed(self, recipient: str) -> bool:
        purpose = self.event.purpose
        found = self.directory.agreements_for(self.agency, recipient, self.contract.name, self.day)
        if purpose is None:
            return bool(found) and not self.contract.personal
        return any(agreement.purpose == purpose for agreement in found)

    def _wanting(self, systems: tuple[System, ...]) -> tuple[Route, ...]:
        event, wants = self.event, self.directory.wants
        wishes = [(each, wants(each, event.type, self.agency, event.subject, self.day)) for each in systems]
        return tuple([Route(system, wish) for system, wish in wishes if wish is not None])


def _refuse_if(problem: str, names: list[str], vi: str, en: str, notes: Mapping[str, Text] | None = None) -> None:
    """Refuse where there is a bad name; ``notes`` says more about some of them."""
    if names:
        told = [(notes or {}).get(name, Text(name, name)) for name in names[:20]]
        in_vi, in_en = ", ".join(each.vi for each in told), ", ".join(each.en for each in told)
        raise Rejected(problem, Text(f"{vi} ({in_vi})", f"{en} ({in_en})"), recipients=tuple(names))
