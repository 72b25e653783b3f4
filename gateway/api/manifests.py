"""/v1/manifests and /v1/operator/manifests: both sides of a day, where they differ, and sending again what was lost."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from aiohttp import web

from gateway.api import rights, shown
from gateway.api.asked import page_of
from gateway.api.body import json_answer, read_json_object
from gateway.api.doors import DOORS
from gateway.api.identity import system_of
from gateway.api.problems import bad_request, not_found
from gateway.core.contract import is_contract_name
from gateway.core.faults import Text, Violation
from gateway.core.moments import day_of, format_moment
from gateway.core.reconciliation import (
    DIRECTIONS,
    FORMS,
    KINDS,
    LONGEST_ID,
    MEANINGS,
    Direction,
    Form,
    Gap,
    Kind,
    Line,
    Part,
    Section,
    Summary,
    read_day,
    read_digest,
    read_id,
)
from gateway.ports.manifests import Statement, States
from gateway.relay.missing import Missing
from gateway.relay.reconcile import Judged

_SAID: Final = frozenset({"day", "complete", "manifests"})
_MEMBERS: Final = frozenset({"direction", "contract", "leaves", "count", "root", "ids", "from", "until"})
_REPLAYED: Final = frozenset({"contract", "ids", "reason", "dry_run"})
#: Manifests in one statement, ids in one of them, and gaps in one answer at most.
_MOST: Final = 200
_MOST_IDS: Final = 40_000
_SHOWN: Final = 200
_DIRECTIONS: Final[dict[str, Direction]] = {name: name for name in DIRECTIONS}
_FORMS: Final[dict[str, Form]] = {name: name for name in FORMS}
_KINDS: Final[dict[str, Kind]] = {name: name for name in KINDS}
_HEX: Final = 64


async def mine(request: web.Request) -> web.Response:
    """The bus's side of the calling system's day, and what the system itself said of it."""
    system = system_of(request)
    return json_answer(await _day(request, _asked_day(request), system.name))


async def branch(request: web.Request) -> web.Response:
    """A range of ids of one of the caller's manifests in parts, each with its root; a short one with its ids."""
    system, named, query = system_of(request), request.match_info, request.query
    day, direction = read_day(named["day"]), _DIRECTIONS.get(named["direction"])
    if day is None or direction is None or not is_contract_name(named["contract"]):
        raise not_found()
    form = _FORMS.get(query.get("leaves", "digests"))
    start, until = query.get("from", ""), query.get("until", "")
    if form is None or len(start) > LONGEST_ID or len(until) > LONGEST_ID:
        raise bad_request(_wrong("leaves", "phải là ids hoặc digests", "must be ids or digests"))
    section = Section(day, system.name, direction, named["contract"])
    parts, lines = await request.app[DOORS].reconcile.parts(section, form, start=start, until=until)
    answer: dict[str, Any] = {"count": sum(part.count for part in parts), "parts": [_part(part) for part in parts]}
    if lines:
        answer["ids"] = [_line(line) for line in lines]
    return json_answer(answer)


async def say(request: web.Request) -> web.Response:
    """Keep what the calling system says of a day; where the day was gathered, answer what differs."""
    system = system_of(request)
    body = await read_json_object(request)
    if unknown := body.keys() - _SAID:
        raise bad_request(_wrong(min(unknown)[:50], "không có thành phần này", "there is no such member"))
    day, is_all, given = read_day(str(body.get("day"))), body.get("complete", False), body.get("manifests")
    if day is None:
        raise bad_request(_wrong("day", "phải là ngày YYYY-MM-DD", "must be a day, YYYY-MM-DD"))
    if not isinstance(is_all, bool):
        raise bad_request(_wrong("complete", "phải là true hoặc false", "must be true or false"))
    if not isinstance(given, list) or len(given) > _MOST:
        raise bad_request(_wrong("manifests", "phải là danh sách, nhiều nhất 200", "must be a list of 200 at most"))
    said = [_statement(each, f"manifests/{place}") for place, each in enumerate(given)]
    judged = await request.app[DOORS].reconcile.said(system.name, day, said, is_all=is_all)
    return json_answer({"day": day.isoformat(), "manifests": [judged_members(each) for each in judged]})


async def listed(request: web.Request) -> web.Response:
    """Both sides of a day, of every system or one, and what is missing; without a day yesterday."""
    await rights.looking(request)
    doors, query = request.app[DOORS], request.query
    limit, _ = page_of(query)
    system, kind = query.get("system"), query.get("kind")
    if kind is not None and kind not in _KINDS:
        raise bad_request(_wrong("kind", "không có loại này", "there is no such kind"))
    day = _asked_day(request) if "day" in query else None
    gaps = await doors.reconcile.manifests.gaps(
        day=day, system=system, kind=None if kind is None else _KINDS[kind], limit=limit
    )
    answer: dict[str, Any] = {"gaps": [gap_members(gap) for gap in gaps]}
    if day is not None:
        answer = {**await _day(request, day, system), **answer}
    return json_answer(answer)


async def replay(request: web.Request) -> web.Response:
    """See what would be sent again of what a system lost of a day (``dry_run``), or begin exactly that."""
    await rights.looking(request)
    doors, named = request.app[DOORS], request.match_info
    day, system = read_day(named["day"]), f"{named['agency']}/{named['system']}"
    if day is None:
        raise not_found()
    body = await read_json_object(request)
    if unknown := body.keys() - _REPLAYED:
        raise bad_request(_wrong(min(unknown)[:50], "không có thành phần này", "there is no such member"))
    contract, ids, is_dry = body.get("contract"), body.get("ids"), body.get("dry_run", False)
    if contract is not None and not isinstance(contract, str):
        raise bad_request(_wrong("contract", "phải là tên hợp đồng", "must be the name of a contract"))
    if ids is not None and not (isinstance(ids, list) and ids and all(isinstance(each, str) for each in ids)):
        raise bad_request(_wrong("ids", "phải là danh sách mã", "must be a list of ids"))
    if not isinstance(is_dry, bool):
        raise bad_request(_wrong("dry_run", "phải là true hoặc false", "must be true or false"))
    operator = await rights.acting(request, "manifest.replay", system=system[:200], day=day.isoformat())
    seen = await doors.missing.preview(day, system, contract=contract, ids=ids)
    if is_dry:
        return json_answer({**missing_members(seen), "needs_approver": len(seen.gaps) > doors.approval_above})
    if len(seen.gaps) > doors.approval_above:
        await rights.acting(request, "manifest.replay", least="approver", deliveries=len(seen.gaps))
    reason = body.get("reason")
    made = await doors.missing.do(seen, reason=reason if isinstance(reason, str) else "", author=rights.who(operator))
    counts = await doors.operations.replays.counts(made.id)
    return json_answer(
        shown.operation(made, counts), status=201, headers={"Location": f"/v1/operator/replays/{made.id}"}
    )


# ------------------------------------------------------------------------------------------------------------ asked


def _asked_day(request: web.Request) -> date:
    given = request.query.get("day")
    if given is None:
        return date.fromordinal(day_of(request.app[DOORS].clock.now()).toordinal() - 1)
    day = read_day(given)
    if day is None:
        raise bad_request(_wrong("day", "phải là ngày YYYY-MM-DD", "must be a day, YYYY-MM-DD"))
    return day


def _statement(given: Any, at: str) -> Statement:
    if not isinstance(given, dict) or given.keys() - _MEMBERS:
        raise bad_request(_wrong(at, "không đúng các thành phần", "its members are not as described"))
    direction, form = _DIRECTIONS.get(str(given.get("direction"))), _FORMS.get(str(given.get("leaves", "digests")))
    if direction is None or form is None:
        raise bad_request(_wrong(f"{at}/direction", "phải là sent hoặc received", "must be sent or received"))
    contract, count, root = given.get("contract", ""), given.get("count"), given.get("root")
    if not isinstance(contract, str) or (contract and not is_contract_name(contract)):
        raise bad_request(_wrong(f"{at}/contract", "phải là tên hợp đồng", "must be the name of a contract"))
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 10**9):
        raise bad_request(_wrong(f"{at}/count", "phải là số lượng", "must be a count"))
    if root is not None and not (isinstance(root, str) and read_digest(root)):
        raise bad_request(_wrong(f"{at}/root", "phải là 64 chữ số thập lục phân", "must be 64 hex digits"))
    start, until = given.get("from", ""), given.get("until", "")
    if not all(isinstance(each, str) and len(each) <= LONGEST_ID for each in (start, until)):
        raise bad_request(_wrong(f"{at}/from", "phải là mã", "must be an id"))
    ids = given.get("ids")
    if ids is None and (count is None or root is None or not contract):
        raise bad_request(
            _wrong(at, "cần contract, count và root, hoặc ids", "contract, count and root are needed, or ids")
        )
    lines = None if ids is None else _lines(ids, f"{at}/ids")
    return Statement(direction, contract, lines, form, count, None if root is None else read_digest(root), start, until)


def _lines(given: Any, at: str) -> list[Line]:
    """Ids as text, or objects of id and digest."""
    if not isinstance(given, list) or len(given) > _MOST_IDS:
        raise bad_request(_wrong(at, "phải là danh sách, nhiều nhất 40000", "must be a list of 40,000 at most"))
    lines = []
    for place, each in enumerate(given):
        members = each if isinstance(each, dict) else {"id": each}
        id_, digest = members.get("id"), members.get("digest", "")
        read = read_id(id_) if isinstance(id_, str) else None
        hashed = read_digest(digest) if isinstance(digest, str) else None
        if read is None or hashed is None:
            raise bad_request(_wrong(f"{at}/{place}", "mã hoặc digest không đúng", "no id, or no digest"))
        lines.append(Line(read, hashed))
    return lines


# ------------------------------------------------------------------------------------------------------------ shown


async def _day(request: web.Request, day: date, system: str | None) -> dict[str, Any]:
    manifests = request.app[DOORS].reconcile.manifests
    states = await manifests.states(day, system)
    found = await manifests.summaries(day, system=system)
    return {
        "day": day.isoformat(),
        "manifests": [summary_members(each, states.get(each.section)) for each in found],
    }


def summary_members(found: Summary, states: States | None) -> dict[str, Any]:
    """One side of a section; of the bus's side of what it handed over, how far that has come."""
    section = found.section
    members: dict[str, Any] = {
        "system": section.system, "side": found.side, "direction": section.direction, "contract": section.contract,
        "leaves": found.form, "count": found.count, "root": found.root, "said_at": format_moment(found.said_at),
    }  # fmt: skip
    if found.side == "bus" and states is not None:
        members |= states._asdict()
    return members


def gap_members(gap: Gap) -> dict[str, Any]:
    """A difference with what it means and who does what about it."""
    section = gap.section
    members = {
        "day": section.day.isoformat(), "system": section.system, "direction": section.direction,
        "contract": section.contract, "kind": gap.kind, "id": gap.id or None, "delivery": gap.delivery or None,
        "at": format_moment(gap.at) if gap.at else None, "found_at": format_moment(gap.found_at),
        "operation": gap.operation, "meaning": shown.both(MEANINGS[gap.kind]),
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def missing_members(seen: Missing) -> dict[str, Any]:
    """What sending again would do."""
    return {
        "day": seen.day.isoformat(), "system": seen.system, "eligible": len(seen.gaps),
        "ids": [gap.id for gap in seen.gaps[:_SHOWN]],
        "left_out": [
            {"reason": name, "count": count, "meaning": shown.both(seen.why(name))}
            for name, count in sorted(seen.left_out.items())
        ],
    }  # fmt: skip


def judged_members(each: Judged) -> dict[str, Any]:
    """What became of a statement."""
    section = each.section
    members: dict[str, Any] = {
        "direction": section.direction, "contract": section.contract, "compared": each.is_compared,
        "same": each.is_same, "gap_count": len(each.gaps), "gaps": [gap_members(gap) for gap in each.gaps[:_SHOWN]],
    }  # fmt: skip
    if each.parts:
        members["parts"] = [_part(part) for part in each.parts]
    return members


def _part(part: Part) -> dict[str, Any]:
    return {"from": part.start, "until": part.until, "count": part.count, "root": part.root}


def _line(line: Line) -> dict[str, Any]:
    return {"id": line.id, "digest": line.digest}


def _wrong(name: str, vi: str, en: str) -> Violation:
    return Violation(f"/{name}", "value", Text(vi, en))
