"""One event becomes its routes: to whom it goes, in which version; or the fault that says why not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gateway.core.agreement import Subscription
from gateway.core.contract import Contract
from gateway.core.directory import Directory, System
from gateway.core.envelope import Event
from gateway.core.faults import Rejected, Text


@dataclass(frozen=True, slots=True)
class Route:
    """One recipient system and the subscription under which it gets the message."""

    system: System
    subscription: Subscription


def route(event: Event, source: System, contract: Contract, directory: Directory, day: date) -> tuple[Route, ...]:
    """The routes of ``event``, doubles merged, in the order of ``to``; empty where nobody subscribes and none was named.

    Raises Rejected ``unknown-recipient``, ``no-agreement`` or ``no-subscriber`` with every bad name of the
    first failing check, as the sender wrote it (all or nothing).
    """
    if event.to is None:
        return _broadcast(event, source, contract, directory, day)
    named = {name: _candidates(name, directory) for name in event.to}
    _refuse_if(
        "unknown-recipient",
        [name for name, found in named.items() if found is None],
        "Không có nơi nhận này trong danh bạ. Bên gửi hãy kiểm tra mã định danh.",
        "The address book has no such recipient. The sender must check the codes.",
    )
    known = {name: found for name, found in named.items() if found is not None}
    _refuse_if(
        "no-agreement",
        [name for name, (code, _) in known.items() if not _is_allowed(event, source, code, contract, directory, day)],
        "Chưa có thoả thuận còn hiệu lực cho phép gửi loại thông điệp này (đúng mục đích) đến nơi nhận."
        " Bên gửi liên hệ đơn vị vận hành trục để ký thoả thuận.",
        "No agreement in force lets this contract go to these recipients for this purpose."
        " The sender must ask the operator of the bus for an agreement.",
    )
    chosen: dict[str, Route] = {}
    silent: list[str] = []
    for name, (_, systems) in known.items():
        routes = _wanting(event, source, systems, directory)
        if not routes:
            silent.append(name)
        chosen.update({each.system.name: each for each in routes})
    _refuse_if(
        "no-subscriber",
        silent,
        "Nơi nhận chưa có hệ thống nào đăng ký nhận loại thông điệp này. Bên gửi liên hệ nơi nhận để đăng ký.",
        "None of the recipients' systems subscribes to this contract. The sender must ask them to subscribe.",
    )
    return tuple(chosen.values())


def _candidates(name: str, directory: Directory) -> tuple[str, tuple[System, ...]] | None:
    if "/" in name:
        system = directory.system(name)
        return None if system is None else (system.agency, (system,))
    agency = directory.agency(name)
    return None if agency is None else (agency.code, agency.systems)


def _is_allowed(
    event: Event, source: System, recipient: str, contract: Contract, directory: Directory, day: date
) -> bool:
    if contract.personal and event.purpose is None:
        return False
    agreements = directory.agreements_for(source.agency, recipient, contract.name, day)
    return any(event.purpose is None or agreement.purpose == event.purpose for agreement in agreements)


def _wanting(event: Event, source: System, systems: tuple[System, ...], directory: Directory) -> tuple[Route, ...]:
    wishes = ((system, directory.wants(system, event.type, source.agency, event.subject)) for system in systems)
    return tuple(Route(system, wish) for system, wish in wishes if wish is not None)


def _broadcast(event: Event, source: System, contract: Contract, directory: Directory, day: date) -> tuple[Route, ...]:
    if contract.personal and event.purpose is None:
        raise Rejected(
            "no-agreement",
            Text(
                "Loại thông điệp này chứa dữ liệu cá nhân nên phải ghi purpose. Bên gửi hãy bổ sung mục đích.",
                "This contract holds personal data, so purpose is needed. The sender must state it.",
            ),
        )
    others = tuple(s for s in directory.subscribers(event.type) if s.name != source.name)
    allowed: dict[str, bool] = {}
    for system in others:
        if system.agency not in allowed:
            allowed[system.agency] = _is_allowed(event, source, system.agency, contract, directory, day)
    return _wanting(event, source, tuple(s for s in others if allowed[s.agency]), directory)


def _refuse_if(problem: str, names: list[str], vi: str, en: str) -> None:
    if names:
        listed = ", ".join(names[:20])
        raise Rejected(problem, Text(f"{vi} ({listed})", f"{en} ({listed})"), recipients=tuple(names))
