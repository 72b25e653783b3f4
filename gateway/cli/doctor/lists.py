"""Checks of lists of agencies: proposals that wait for an approver, and sources that were not asked in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.config.settings import Settings
from gateway.core.diagnosis import Finding
from gateway.core.faults import Text
from gateway.ports.agency_lists import KeptList, Proposal

#: A source may be late by its own interval once more, and by an hour, before it is told.
_GRACE: Final = 3600.0
_DAY: Final = 86400.0


def on_lists(settings: Settings, kept: Sequence[KeptList], waiting: Sequence[Proposal], now: float) -> list[Finding]:
    """What waits, what is late, and how many agencies the lists hold."""
    found = [_on_waiting(each, now) for each in waiting]
    every = settings.directory_every
    for each in kept:
        if every and "/" in each.source and now - each.checked_at > 2 * every + _GRACE:
            days = int((now - each.checked_at) // _DAY)
            found.append(
                Finding(
                    "registry",
                    "warning",
                    each.source,
                    Text(
                        f"Danh mục cơ quan chưa được hỏi lại {days} ngày",
                        f"Its agencies were last asked {days} days ago",
                    ),
                    Text(
                        f"Kiểm tra đường truyền, rồi chạy: lgsp directory sync {each.source}",
                        f"Check the line, then run: lgsp directory sync {each.source}",
                    ),
                )
            )
    if kept and not found:
        total = sum(each.count for each in kept)
        said = Text(f"{len(kept)} danh sách, {total} cơ quan", f"{len(kept)} lists, {total} agencies")
        found.append(Finding("registry", "ok", "directory", said))
    return found


def _on_waiting(each: Proposal, now: float) -> Finding:
    days = int((now - each.made_at) // _DAY)
    is_odd = bool(each.summary.get("suspicious"))
    odd = Text(", đáng ngờ: hơn 10 % biến mất", ", suspicious: more than 10 % is gone") if is_odd else Text("", "")
    return Finding(
        "registry",
        "warning",
        f"directory {each.number} ({each.source})",
        Text(f"Đề xuất thay đổi danh mục chờ duyệt {days} ngày{odd.vi}", f"A proposal waits for {days} days{odd.en}"),
        Text(
            f"Xem rồi quyết định: lgsp directory show {each.number}; approve hoặc reject.",
            f"Look and decide: lgsp directory show {each.number}; approve or reject.",
        ),
    )
