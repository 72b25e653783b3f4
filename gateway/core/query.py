"""A query: one question to one provider, judged like a message, and an answer cut to what the agreement gives. Pure.

The sharing method that the law prefers (Decree 47/2020, online query): nothing of an answer is kept. What a query asks
and who asks is told by its envelope; its data may name the members wanted (``fields``, JSON pointers into the answer),
the officer and the dossier, where its contract demands them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

from gateway.core.agency import Provision
from gateway.core.agreement import Agreement
from gateway.core.contract import Catalog, Contract, Version, parse_label
from gateway.core.directory import Directory, System
from gateway.core.envelope import Event
from gateway.core.faults import Rejected, Text
from gateway.core.rule_text import split_pointer

#: How far from now a query's ``time`` may be, either way (seconds).
WINDOW: Final = 120.0
#: In a pointer of an agreement, every item of an array.
EVERY: Final = "*"
_MOST_FIELDS: Final = 200

#: What may be given out of an answer, as reference tokens; None for all of it.
Fields = frozenset[tuple[str, ...]] | None


class Provider(NamedTuple):
    """Who answers: a system, and as what; a provision without an address is asked by the system's adapter."""

    system: System
    provision: Provision


@dataclass(frozen=True, slots=True)
class Question:
    """A query that may be asked. ``answer``: the contract of what comes back; ``fields``: what of it may be given out.

    ``agreements``: ids of those that allow it.
    """

    event: Event
    source: System
    contract: Contract
    answer: Contract
    provider: Provider
    fields: Fields
    agreements: tuple[str, ...]
    #: ``sha-256:HEX`` of the envelope.
    digest: str
    #: For how many seconds its answer may be given again out of memory: what all of the agreements allow.
    cache: float = 0.0


@dataclass(slots=True)
class _Node:
    """Pointers by their first token: an answer may have very many places, and each is looked up, not searched for."""

    is_given: bool = False
    below: dict[str, _Node] = field(default_factory=dict)

    @classmethod
    def of(cls, pointers: Iterable[tuple[str, ...]]) -> _Node:
        root = cls()
        for pointer in pointers:
            node = root
            for token in pointer:
                node = node.below.setdefault(token, cls())
            node.is_given = True
        return root


def check_freshness(event: Event, now: float) -> None:
    """Raises Rejected ``stale`` where ``time`` is over two minutes from ``now``."""
    if abs(event.time - now) > WINDOW:
        raise Rejected(
            "stale",
            Text(
                "Thời điểm time của truy vấn lệch quá 2 phút so với đồng hồ của trục."
                " Bên hỏi hãy chỉnh đồng hồ máy và tạo truy vấn mới.",
                "The query's time is over two minutes from the clock of the bus."
                " The asker must set its clock and make a new query.",
            ),
        )


def conforming(event: Event, catalog: Catalog) -> tuple[Contract, Contract]:
    """The contract of a query and of its answer; raises Rejected ``unknown-contract`` or ``contract-violation``."""
    contract, version = catalog.contract(event.type), catalog.find(event.type, event.version)
    answer = catalog.contract(contract.answer) if contract is not None and contract.answer is not None else None
    is_known = contract is not None and contract.kind == "query" and answer is not None and answer.kind == "answer"
    if contract is None or version is None or answer is None or not is_known or version.state == "retired":
        raise Rejected(
            "unknown-contract",
            Text(
                f"Không có truy vấn {event.type}/{event.version}. Bên hỏi xem danh sách tại /v1/contracts.",
                f"There is no query {event.type}/{event.version}. The asker finds the list at /v1/contracts.",
            ),
        )
    violations = version.check(event.data)
    if violations:
        raise Rejected(
            "contract-violation",
            Text(
                f"Truy vấn trái với hợp đồng {event.type}/{event.version} ở {len(violations)} chỗ."
                " Bên hỏi sửa các chỗ nêu trong violations.",
                f"The query breaks the contract {event.type}/{event.version} in {len(violations)} places."
                " The asker must mend what violations lists.",
            ),
            violations=violations,
        )
    return contract, answer


def question(
    event: Event, source: System, contract: Contract, answer: Contract, directory: Directory, *, day: date, digest: str,
) -> Question:  # fmt: skip
    """The query as it may be asked on ``day``.

    Raises Rejected ``unknown-recipient``, ``no-agreement``, ``no-subscriber`` (nobody there answers it), in this order;
    ``malformed-envelope`` where it is not addressed to exactly one.
    """
    name = _addressee(event)
    system = directory.system(name) if "/" in name else None
    agency = directory.recipient(name.partition("/")[0], day)
    if agency is None or ("/" in name and system is None):
        raise _refused(
            "unknown-recipient", name,
            "Không có nơi cung cấp này trong danh bạ. Bên hỏi hãy kiểm tra mã định danh",
            "The address book has no such provider. The asker must check the code",
        )  # fmt: skip
    agreements = _agreements(event, source, agency.code, directory, day)
    if not agreements:
        raise _refused(
            "no-agreement", name,
            "Chưa có thoả thuận còn hiệu lực cho phép truy vấn này đúng mục đích. Bên hỏi liên hệ đơn vị vận hành trục",
            "No agreement in force allows this query for this purpose. The asker must ask the operator of the bus",
        )  # fmt: skip
    fields = _wanted(event, given_by(agreements, answer.name))
    systems = (system,) if system is not None else agency.systems
    provider = next((found for each in systems if (found := _provider(each, event)) is not None), None)
    if provider is None:
        raise _refused(
            "no-subscriber", name,
            "Nơi này không cung cấp truy vấn đó. Bên hỏi liên hệ nơi cung cấp để đăng ký",
            "Nobody there answers this query. The asker must ask the provider to register it",
        )  # fmt: skip
    ids = tuple(sorted(each.id for each in agreements))
    cache = min(each.cache for each in agreements)
    return Question(event, source, contract, answer, provider, fields, ids, digest, cache)


def cut(data: Any, fields: Fields) -> Any:
    """``data`` less what may not be given out: each pointer's place with all below it, and what holds it.

    A token ``*`` stands for every item of an array; arrays keep their items' order, and lose those that hold nothing.
    """
    return data if fields is None else _cut(data, [_Node.of(fields)])


def mark_of(subject: str, key: bytes) -> str:
    """What stands in the log for a subject: HMAC-SHA256 in hex, of the subject without case and outer blanks."""
    return hmac.new(key, subject.strip().casefold().encode(), hashlib.sha256).hexdigest()


def newest(answer: Contract) -> Version | None:
    """The version of an answer contract that the bus seals bare data in: the newest active one."""
    found = [each for each in answer.versions if each.state in {"active", "deprecated"}]
    return max(found, key=lambda each: (each.major, each.minor), default=None)


def _addressee(event: Event) -> str:
    if event.to is None or len(event.to) != 1:
        raise Rejected(
            "malformed-envelope",
            Text(
                "Truy vấn phải gửi tới đúng một nơi cung cấp. Bên hỏi ghi một tên ở to.",
                "A query goes to exactly one provider. The asker must write one name in to.",
            ),
        )
    return event.to[0]


def _agreements(
    event: Event, source: System, provider: str, directory: Directory, day: date
) -> tuple[Agreement, ...]:  # fmt: skip
    found = directory.agreements_for(source.agency, provider, event.type, day)
    return tuple(each for each in found if event.purpose is not None and each.purpose == event.purpose)


def given_by(agreements: Iterable[Agreement], answer: str) -> Fields:
    """What these agreements give of an answer, together; one that names no members gives all."""
    pointers: set[tuple[str, ...]] = set()
    for each in agreements:
        if answer not in each.fields:
            return None
        pointers.update(split_pointer(pointer) for pointer in each.fields[answer])
    return frozenset(pointers)


def _wanted(event: Event, given: Fields) -> Fields:
    """What the query asks for; raises Rejected ``no-agreement`` where that is more than is given."""
    asked = event.data.get("fields") if isinstance(event.data, Mapping) else None
    if not isinstance(asked, Sequence) or isinstance(asked, str):
        return given
    try:
        wanted = frozenset(split_pointer(pointer) for pointer in asked[:_MOST_FIELDS] if isinstance(pointer, str))
    except ValueError:
        raise Rejected(
            "contract-violation",
            Text("fields phải là các con trỏ JSON (RFC 6901). Bên hỏi sửa lại.",
                 "fields must hold JSON pointers (RFC 6901). The asker must mend them."),
        ) from None  # fmt: skip
    if given is not None and not all(_is_within(pointer, given) for pointer in wanted):
        over = sum(not _is_within(pointer, given) for pointer in wanted)
        raise Rejected(
            "no-agreement",
            Text(
                f"Truy vấn xin {over} trường ngoài thoả thuận. Bên hỏi bỏ các trường đó hoặc ký thoả thuận bổ sung.",
                f"The query asks for {over} members that its agreement does not give."
                " The asker must leave them out, or sign a wider agreement.",
            ),
        )
    return wanted


def _is_within(pointer: tuple[str, ...], given: frozenset[tuple[str, ...]]) -> bool:
    return any(_leads(each, pointer) for each in given)


def _leads(given: tuple[str, ...], pointer: tuple[str, ...]) -> bool:
    """Whether ``pointer`` is the place that was given, or below it."""
    return len(given) <= len(pointer) and all(one in {other, EVERY} for one, other in zip(given, pointer, strict=False))


def _provider(system: System, event: Event) -> Provider | None:
    asked = parse_label(event.version)
    for each in system.provides:
        offered = parse_label(each.version)
        if each.contract == event.type and asked is not None and offered is not None and offered[0] == asked[0]:
            return Provider(system, each)
    return None


def _cut(data: Any, given: Sequence[_Node]) -> Any:
    """``data`` as far as these places are given."""
    if any(node.is_given for node in given):
        return data
    if isinstance(data, Mapping):
        found = {name: _cut(value, below) for name, value in data.items() if (below := _below(given, name))}
        return {name: value for name, value in found.items() if value not in ({}, [])}
    if isinstance(data, list):
        items = [_cut(item, below) for number, item in enumerate(data) if (below := _below(given, str(number)))]
        return [item for item in items if item not in ({}, [])]
    return {}


def _below(given: Sequence[_Node], name: str) -> list[_Node]:
    return [node.below[token] for node in given for token in {name, EVERY} if token in node.below]


def _refused(problem: str, name: str, vi: str, en: str) -> Rejected:
    return Rejected(problem, Text(f"{vi} ({name}).", f"{en} ({name})."), recipients=(name,))
