"""Lists of agencies come in as proposals, each with what it would change; nothing changes before one is approved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from gateway.core.agency_changes import changes
from gateway.core.agency_list import AgencyList
from gateway.core.agency_reading import Reading
from gateway.core.directory import Directory
from gateway.core.faults import IllegalStep, Rejected, Text, Violation
from gateway.ports import AuditRow, Clock
from gateway.ports.agency_lists import AgencyLists, Proposal

Act = Literal["approve", "reject"]

_LONGEST_REASON: Final = 500
#: Clashes of names, and what was left out, that are kept with a proposal.
_TOLD: Final = 50
_PHASES: Final[dict[Act, Literal["approved", "rejected"]]] = {"approve": "approved", "reject": "rejected"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Proposals:
    """The step; it works beside a running gateway, which takes an approved list within two seconds."""

    lists: AgencyLists
    directory: Callable[[], Directory]
    clock: Clock

    async def propose(self, source: str, read: Reading, *, by: str) -> Proposal | None:
        """Keep what a source says now as a proposal; None where that is what is in force already.

        What cannot be used was left out by the reader and is told with the proposal.
        """
        now = self.clock.now()
        new = await asyncio.to_thread(AgencyList.of, source, read.entries)
        old = await self.in_force(source)
        if old is not None and old.digest == new.digest:
            await self.lists.check(source, now)
            return None
        found = await asyncio.to_thread(changes, old, new)
        clashing = await asyncio.to_thread(_clashes, self.directory(), new)
        summary: dict[str, Any] = {
            **found.as_json(),
            "left_out": read.wrong,
            "notes": [_said(told.what, told.place) for told in read.mistakes[:_TOLD]],
            "clashes": [_said(each) for each in clashing[:_TOLD]],
        }
        base = None if old is None else old.digest
        proposal = Proposal(source, now, by, base, new.digest, new.count, summary)
        details = {"source": source, "digest": new.digest, "count": new.count, "counts": dict(found.counts)}
        packed = await asyncio.to_thread(new.pack)
        kept = await self.lists.propose(proposal, packed, AuditRow(now, by, "directory.proposed", details))
        log.info("directory.proposed", source=source, proposal=kept.number, counts=dict(found.counts),
                 suspicious=found.is_suspicious)  # fmt: skip
        return kept

    async def find(self, number: int) -> Proposal:
        """One proposal; raises Rejected ``not-found``."""
        found = await self.lists.find(number)
        if found is None:
            raise Rejected(
                "not-found",
                Text(
                    f"Không có đề xuất {number}. Người vận hành xem danh sách các đề xuất.",
                    f"There is no proposal {number}. The operator looks at the list of proposals.",
                ),
            )
        return found

    async def decide(self, number: int, act: Act, *, reason: str, actor: str) -> Proposal:
        """Approve or reject a proposal that waits.

        Raises Rejected ``bad-request`` without a reason, ``not-found``; IllegalStep where it was decided or another
        list took its place.
        """
        reason = reason.strip()
        if not reason or len(reason) > _LONGEST_REASON:
            what = Text(f"cần lý do, nhiều nhất {_LONGEST_REASON} ký tự",
                        f"a reason is needed, of at most {_LONGEST_REASON} characters")  # fmt: skip
            said = Text(f"Đề nghị chưa đúng ở reason: {what.vi}.", f"The request is wrong at reason: {what.en}.")
            raise Rejected("bad-request", said, (Violation("/reason", "value", what),))
        found = await self.find(number)
        phase = _PHASES[act]
        details = {"proposal": number, "source": found.source, "digest": found.digest, "reason": reason}
        audit = AuditRow(self.clock.now(), actor, f"directory.{phase}", details)
        if not await self.lists.decide(number, phase, by=actor, reason=reason, audit=audit):
            raise _too_late(await self.find(number))
        return await self.find(number)

    async def in_force(self, source: str) -> AgencyList | None:
        """The list of a source that is in force; None before the first."""
        kept = next((each for each in await self.lists.listed() if each.source == source), None)
        body = None if kept is None or kept.digest is None else await self.lists.body(source, kept.digest)
        return None if body is None else await asyncio.to_thread(AgencyList.unpack, source, body)


def _too_late(found: Proposal) -> IllegalStep:
    if found.phase == "waiting":
        return IllegalStep(
            "illegal-state",
            Text(
                f"Danh sách {found.source} đã thay đổi sau khi có đề xuất {found.number}. Hãy từ chối và nhập lại.",
                f"The list {found.source} has changed since proposal {found.number} was made. Reject it, import again.",
            ),
        )
    return IllegalStep(
        "illegal-state",
        Text(
            f"Đề xuất {found.number} đang ở trạng thái {found.phase}, không thể quyết định nữa.",
            f"The proposal {found.number} is {found.phase}; there is nothing left to decide.",
        ),
    )


def _clashes(directory: Directory, new: AgencyList) -> Sequence[Text]:
    """Names that mean one agency here and another one on the list; those registered here count."""
    found: list[Text] = []
    for agency in directory.agencies.values():
        own = {agency.code, *agency.aliases}
        for name in sorted(own):
            other = name if new.entry(name) is not None else new.owner(name)
            if other is not None and other not in own:
                found.append(
                    Text(
                        f"{name} là của {agency.code} theo đăng ký tại đây, nhưng của {other} theo danh sách",
                        f"{name} is {agency.code}'s as registered here, and {other}'s by the list",
                    )
                )
    return found


def _said(what: Text, place: int | None = None) -> dict[str, Any]:
    return {"vi": what.vi, "en": what.en} | ({} if place is None else {"place": place})
