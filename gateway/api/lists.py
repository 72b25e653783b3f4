"""/v1/operator/directory: the lists of agencies in force, and proposals to change them, which an approver decides."""

from __future__ import annotations

from typing import Any, Final, cast

from aiohttp import web

from gateway.api import rights
from gateway.api.asked import page_of
from gateway.api.body import json_answer, read_json_object
from gateway.api.doors import DOORS
from gateway.api.problems import bad_request
from gateway.core.faults import Rejected, Text, Violation
from gateway.core.moments import format_moment
from gateway.ports.agency_lists import KeptList, Proposal, ProposalPhase
from gateway.relay.proposals import Act

PHASES: Final[tuple[ProposalPhase, ...]] = ("waiting", "approved", "rejected", "superseded")
_LARGEST: Final = 2**53


async def overview(request: web.Request) -> web.Response:
    """Every source of agencies, and what waits to be decided."""
    await rights.looking(request)
    lists = request.app[DOORS].proposals.lists
    waiting = await lists.proposals(phase="waiting")
    shown = [as_list(each) for each in await lists.listed()]
    return json_answer({"lists": shown, "waiting": [as_proposal(each, is_whole=False) for each in waiting]})


async def listed(request: web.Request) -> web.Response:
    """Proposals, the youngest first, without their changes."""
    await rights.looking(request)
    limit, _ = page_of(request.query)
    asked = request.query.get("state")
    if asked is not None and asked not in PHASES:
        raise bad_request(_wrong("state", "không có trạng thái này", "there is no such state"))
    found = await request.app[DOORS].proposals.lists.proposals(phase=asked, limit=limit)
    return json_answer({"proposals": [as_proposal(each, is_whole=False) for each in found]})


async def one(request: web.Request) -> web.Response:
    """One proposal with what it would change."""
    await rights.looking(request)
    return json_answer(as_proposal(await request.app[DOORS].proposals.find(_number(request))))


async def decide(request: web.Request) -> web.Response:
    """Approve or reject a proposal, with a reason."""
    proposals = request.app[DOORS].proposals
    await rights.looking(request)
    number = _number(request)
    body = await read_json_object(request)
    act = body.get("act")
    if act not in {"approve", "reject"}:
        raise bad_request(_wrong("act", "phải là approve hoặc reject", "must be approve or reject"))
    operator = await rights.acting(request, f"directory.{act}", least="approver", proposal=number)
    reason = body.get("reason")
    decided = await proposals.decide(
        number, cast("Act", act), reason=reason if isinstance(reason, str) else "", actor=rights.who(operator)
    )
    return json_answer(as_proposal(decided, is_whole=False))


# ------------------------------------------------------------------------------------------------------- as JSON


def as_list(kept: KeptList) -> dict[str, Any]:
    """A source with its list in force, where it has one."""
    members = {
        "source": kept.source,
        "digest": kept.digest,
        "count": kept.count,
        "approved_at": _written(kept.approved_at),
        "checked_at": format_moment(kept.checked_at),
    }
    return {name: value for name, value in members.items() if value is not None}


def as_proposal(found: Proposal, *, is_whole: bool = True) -> dict[str, Any]:
    """A proposal with its counts and, where it is to be whole, the changes that were kept with it."""
    members = {
        "proposal": found.number,
        "source": found.source,
        "state": found.phase,
        "made_at": format_moment(found.made_at),
        "made_by": found.made_by,
        "count": found.count,
        "decided_by": found.decided_by,
        "decision": found.decision,
        "decided_at": _written(found.decided_at),
        **{name: value for name, value in found.summary.items() if is_whole or not isinstance(value, list)},
    }
    return {name: value for name, value in members.items() if value is not None}


def _written(moment: float | None) -> str | None:
    return None if moment is None else format_moment(moment)


def _number(request: web.Request) -> int:
    written = request.match_info["number"]
    if written.isascii() and written.isdigit() and len(written) <= 16 and int(written) < _LARGEST:
        return int(written)
    raise Rejected("not-found", Text("Không có đề xuất này.", "There is no such proposal."))


def _wrong(name: str, vi: str, en: str) -> Violation:
    return Violation(f"/{name}", "value", Text(vi, en))
