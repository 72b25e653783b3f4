"""What operators ask, read from a query or a JSON body: every member judged, every mistake named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.api.problems import bad_request
from gateway.core.explanations import EXPLANATIONS
from gateway.core.faults import Text, Violation
from gateway.core.moments import parse_moment
from gateway.core.replay import CANARY, Plan
from gateway.ports.failures import Sought

_CAUSES: Final = frozenset({*EXPLANATIONS, "refused", "deadline", "attempts"})
_GROUP: Final = re.compile(r"[0-9a-f]{12}\Z")
_WINDOW: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)\Z")
_LONGEST: Final = 200
_LARGEST_PAGE: Final = 1000


def sought_of(given: Mapping[str, Any], *, at: str = "") -> Sought:
    """A filter from its members; raises Rejected ``bad-request`` naming each wrong one, below pointer ``at``."""
    wrong: list[Violation] = []

    def text(name: str) -> str | None:
        value = given.get(name)
        if value is None or (isinstance(value, str) and 0 < len(value) <= _LONGEST):
            return value
        wrong.append(
            _wrong(f"{at}/{name}", "phải là chuỗi từ 1 đến 200 ký tự", "must be a text of 1 to 200 characters")
        )
        return None

    def moment(name: str) -> float | None:
        value = text(name)
        found = None if value is None else parse_moment(value)
        if value is not None and found is None:
            wrong.append(_wrong(f"{at}/{name}", "phải là thời điểm RFC 3339", "must be an RFC 3339 date-time"))
        return found

    cause, group = text("cause"), text("group")
    if cause is not None and cause not in _CAUSES:
        wrong.append(_wrong(f"{at}/cause", "không có nguyên nhân này", "there is no such cause"))
    if group is not None and not _GROUP.match(group):
        wrong.append(_wrong(f"{at}/group", "phải là mã nhóm 12 ký tự", "must be a group's 12 hex digits"))
    found = Sought(text("recipient"), text("contract"), moment("since"), moment("until"), cause, group)
    if wrong:
        raise bad_request(*wrong)
    return found


def plan_of(given: Any, start: Plan) -> Plan:
    """A plan from its members, what is absent as in ``start``; raises Rejected ``bad-request``.

    ``canary`` is true, false or the stages; ``window`` is ``HH:MM-HH:MM``. Sizes are judged by Operations.
    """
    if given is None:
        return start
    if not isinstance(given, dict):
        raise bad_request(_wrong("/plan", "phải là đối tượng", "must be an object"))
    made = start
    for name, value in given.items():
        made = replace(made, **_part(name, value))
    return made


def _part(name: str, value: Any) -> dict[str, Any]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_count = isinstance(value, int) and not isinstance(value, bool)
    match name:
        case "rate" if is_number:
            return {"rate": float(value)}
        case "stop_percent" if value is None or is_number:
            return {"stop_percent": None if value is None else float(value)}
        case "stop_window" | "most" if is_count:
            return {name: value}
        case "canary" if isinstance(value, bool):
            return {"canary": CANARY if value else ()}
        case "canary" if isinstance(value, list) and all(type(each) is int for each in value):
            return {"canary": tuple(value)}
        case "window" if value is None:
            return {"window": None}
        case "window" if isinstance(value, str) and (found := _WINDOW.match(value)):
            begins, begin, ends, end = map(int, found.groups())
            return {"window": (begins * 60 + begin, ends * 60 + end)}
    raise bad_request(_wrong(f"/plan/{name[:50]}", "giá trị không dùng được", "a value that cannot be used"))


def page_of(query: Mapping[str, str], *, usual: int = 100) -> tuple[int, str | None]:
    """``limit`` (1 to 1000) and ``after`` of a query; raises Rejected ``bad-request``."""
    written = query.get("limit", str(usual))
    if not re.fullmatch(r"[0-9]{1,4}", written) or not 1 <= int(written) <= _LARGEST_PAGE:
        raise bad_request(_wrong("/limit", "phải từ 1 đến 1000", "must be from 1 to 1000"))
    return int(written), query.get("after")


def _wrong(pointer: str, vi: str, en: str) -> Violation:
    return Violation(pointer, "value", Text(vi, en))
