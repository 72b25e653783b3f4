"""One event becomes its routes: to whom it goes, in which version; or the fault that says why not."""

from __future__ import annotations

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
            found = self._candidates(name)
            if found is None:
                unknown.append(name)
            elif not self._is_allowed(found[0]):
                forbidden.append(name)
            elif routes := self._wanting(found[1]):
                chosen.update({each.system.name: each for each in routes})
            else:
                silent.append(name)
        _refuse_if(
            "unknown-recipient",
            unknown,
            "Không có nơi nhận này trong danh bạ. Bên gửi hãy kiểm tra mã định danh.",
            "The address book has no such recipient. The sender must check the codes.",
        )
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
        others = [each for each in self.directory.subscribers(self.event.type) if each.name != self.source]
        allowed = {code: self._is_allowed(code) for code in {each.agency for each in others}}
        return self._wanting(tuple(each for each in others if allowed[each.agency]))

    def to_one(self, recipient: System) -> Route | NoRoute:
        """To one system: it was named, itself or its agency, or nobody was and it is not the sender."""
        to = self.event.to
        if not (recipient.name != self.source if to is None else self._names(to, recipient)):
            return "not-addressed"
        if not self._is_allowed(recipient.agency):
            return "no-agreement"
        routes = self._wanting((recipient,))
        return routes[0] if routes else "no-subscriber"

    def _names(self, to: tuple[str, ...], recipient: System) -> bool:
        named = (self._candidates(name) for name in to)
        return any(each.name == recipient.name for found in named if found is not None for each in found[1])

    def _candidates(self, name: str) -> tuple[str, tuple[System, ...]] | None:
        if "/" in name:
            system = self.directory.system(name)
            return None if system is None else (system.agency, (system,))
        agency = self.directory.agency(name)
        return None if agency is None else (agency.code, agency.systems)

    def _is_allowed(self, recipient: str) -> bool:
        purpose = self.event.purpose
        found = self.directory.agreements_for(self.agency, recipient, self.contract.name, self.day)
        if purpose is None:
            return bool(found) and not self.contract.personal
        return any(agreement.purpose == purpose for agreement in found)

    def _wanting(self, systems: tuple[System, ...]) -> tuple[Route, ...]:
        event, wants = self.event, self.directory.wants
        wishes = [(each, wants(each, event.type, self.agency, event.subject)) for each in systems]
        return tuple([Route(system, wish) for system, wish in wishes if wish is not None])


def _refuse_if(problem: str, names: list[str], vi: str, en: str) -> None:
    if names:
        listed = ", ".join(names[:20])
        raise Rejected(problem, Text(f"{vi} ({listed})", f"{en} ({listed})"), recipients=tuple(names))
