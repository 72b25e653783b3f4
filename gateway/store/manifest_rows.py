"""Rows of daily manifests and questions about them: the same text in every SQL store, with ``?`` for each value."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from gateway.core.reconciliation import Gap, Kind, Line, Section, Side, Summary
from gateway.ports.manifests import Day, Passed, Reaction, Wait

#: A statement with the values of each time that it is run.
Written = tuple[str, Sequence[tuple[Any, ...]]]
Asked = tuple[str, tuple[Any, ...]]

#: Ids in one question at most.
MOST_IDS: Final = 500

_SUMMARY: Final = "day, system, side, direction, contract, form, count, root, covers, said_at"
_LINE: Final = "id, digest, at, delivery, proven"
_WAIT: Final = "system, contract, id, agency, about, day, since, due"
GAP: Final = "day, system, direction, contract, kind, id, at, delivery, found_at, ended_at, operation"
_OF_SECTION: Final = "day = ? AND system = ? AND side = ? AND direction = ? AND contract = ?"

PASSED: Final = "system, type, id, digest, at, delivery, proven, about, parent, code"


def passed_of(row: Sequence[Any]) -> Passed:
    """What the values of PASSED tell."""
    system, contract, id_, digest, at, delivery, proven, about, parent, code = row
    return Passed(system, contract, Line(id_, digest, at, delivery, bool(proven)), about, parent, code)


def _section(section: Section, side: Side) -> tuple[str, ...]:
    return section.day.isoformat(), section.system, side, section.direction, section.contract


def section_of(row: Sequence[Any]) -> Section:
    """A section of its day, system, direction and contract."""
    day, system, direction, contract = row
    return Section(date.fromisoformat(day), system, direction, contract)


# ------------------------------------------------------------------------------------------------------------ lines


def keep(side: Side, lines: Sequence[tuple[Section, Line]]) -> Written:
    """Keep lines."""
    rows = [
        (*_section(section, side), line.id, line.digest, line.at, line.delivery, int(line.proven))
        for section, line in lines
    ]
    return (
        (
            f"INSERT INTO manifest_ids (day, system, side, direction, contract, {_LINE})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (day, system, side, direction, contract, id) DO UPDATE"
            " SET"
            " digest = excluded.digest, at = excluded.at, delivery = excluded.delivery, proven = excluded.proven"
        ),
        rows,
    )


def _range(start: str, until: str, after: str | None) -> tuple[str, tuple[str, ...]]:
    asked = (("id >= ?", start), ("id < ?", until), ("id > ?", after or ""))
    wanted = [(condition, value) for condition, value in asked if value]
    return "".join(f" AND {condition}" for condition, _ in wanted), tuple(value for _, value in wanted)


def forget(section: Section, side: Side, start: str, until: str) -> Written:
    """Forget the lines of a range."""
    bounds, values = _range(start, until, None)
    return f"DELETE FROM manifest_ids WHERE {_OF_SECTION}{bounds}", [(*_section(section, side), *values)]


def lines(section: Section, side: Side, start: str, until: str, *, after: str | None, limit: int) -> Asked:
    """Lines of a range."""
    bounds, values = _range(start, until, after)
    return (
        f"SELECT {_LINE} FROM manifest_ids WHERE {_OF_SECTION}{bounds} ORDER BY id LIMIT ?",
        (*_section(section, side), *values, limit),
    )


def line_of(row: Sequence[Any]) -> Line:
    """A line of its columns."""
    id_, digest, at, delivery, proven = row
    return Line(id_, digest, at, delivery, proven == 1)


def sections(day: date, side: Side) -> Asked:
    """The sections of a day."""
    return (
        (
            "SELECT DISTINCT day, system, direction, contract FROM manifest_ids WHERE day = ? AND side = ?"
            " ORDER BY system, direction, contract"
        ),
        (day.isoformat(), side),
    )


def elsewhere(section: Section, side: Side, ids: Sequence[str]) -> Asked:
    """Which ids stand anywhere else."""
    places = ", ".join("?" * len(ids))
    return (
        (
            "SELECT DISTINCT id FROM manifest_ids WHERE system = ? AND side = ? AND direction = ?"
            f" AND id IN ({places}) AND NOT (day = ? AND contract = ?)"
        ),
        (section.system, side, section.direction, *ids, section.day.isoformat(), section.contract),
    )


# -------------------------------------------------------------------------------------------------------- summaries


def summarise(summaries: Sequence[Summary]) -> Written:
    """Keep what a side says."""
    rows = [
        (*_section(each.section, each.side), each.form, each.count, each.root, json.dumps(each.covers), each.said_at)
        for each in summaries
    ]
    return (
        (
            f"INSERT INTO manifests ({_SUMMARY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (day, system, side, direction, contract) DO UPDATE SET form = excluded.form,"
            " count = excluded.count, root = excluded.root, covers = excluded.covers, said_at = excluded.said_at"
        ),
        rows,
    )


def summaries(day: date, system: str | None, side: Side | None) -> Asked:
    """What was said of a day."""
    conditions, values = _conditions(("day", day.isoformat()), ("system", system), ("side", side))
    return (
        f"SELECT {_SUMMARY} FROM manifests WHERE {conditions} ORDER BY system, direction, contract, side",
        values,
    )


def summary_of(row: Sequence[Any]) -> Summary:
    """What a row says."""
    day, system, side, direction, contract, form, count, root, covers, said_at = row
    section = section_of((day, system, direction, contract))
    return Summary(section, side, form, count, root, said_at, tuple((a, b) for a, b in json.loads(covers)))


def states(day: date, system: str | None) -> Asked:
    """Counts of a day: section, delivered, accepted, processed."""
    conditions, values = _conditions(("i.day", day.isoformat()), ("i.system", system))
    return (
        (
            "SELECT i.day, i.system, i.direction, i.contract, count(*),"
            " sum(CASE WHEN i.proven = 1 OR w.accepted_at IS NOT NULL THEN 1 ELSE 0 END),"
            " sum(CASE WHEN w.answered_at IS NOT NULL THEN 1 ELSE 0 END) FROM manifest_ids i"
            " LEFT JOIN manifest_waits w ON w.system = i.system AND w.contract = i.contract AND w.id = i.id"
            f" WHERE {conditions} AND i.side = 'bus' AND i.direction = 'received'"
            " GROUP BY i.day, i.system, i.direction, i.contract"
        ),
        values,
    )


def _conditions(*asked: tuple[str, Any]) -> tuple[str, tuple[Any, ...]]:
    wanted = [(name, value) for name, value in asked if value is not None]
    return " AND ".join(f"{name} = ?" for name, _ in wanted) or "TRUE", tuple(value for _, value in wanted)


# ------------------------------------------------------------------------------------------------------------ waits


def wait(waits: Sequence[Wait]) -> Written:
    """Remember what is to be dealt with."""
    rows = [
        (each.system, each.contract, each.id, each.agency, each.about, each.day.isoformat(), each.since, each.due)
        for each in waits
    ]
    return (
        (
            f"INSERT INTO manifest_waits ({_WAIT}, told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)"
            " ON CONFLICT (system, contract, id) DO NOTHING"
        ),
        rows,
    )


def react(reactions: Sequence[Reaction]) -> list[Written]:
    """Note what agencies said."""
    of = " WHERE agency = ? AND about = ? AND contract = ? AND since <= ? AND answered_at IS NULL"
    every = [(each, contract) for each in reactions for contract in each.contracts]
    rows = [(each.at, each.agency, each.about, contract, each.at) for each, contract in every]
    done = [(each.at, each.agency, each.about, contract, each.at) for each, contract in every if each.is_processed]
    return [
        (f"UPDATE manifest_waits SET accepted_at = coalesce(accepted_at, ?){of}", rows),
        (f"UPDATE manifest_waits SET answered_at = ?{of}", done),
    ]


def overdue(now: float, limit: int) -> Asked:
    """What should have been dealt with."""
    return (
        (
            f"SELECT {_WAIT} FROM manifest_waits WHERE answered_at IS NULL AND told = 0 AND due <= ?"
            " ORDER BY due, system, contract, id LIMIT ?"
        ),
        (now, limit),
    )


def wait_of(row: Sequence[Any]) -> Wait:
    """A row of what is to be dealt with."""
    system, contract, id_, agency, about, day, since, due = row
    return Wait(system, contract, id_, agency, about, date.fromisoformat(day), since, due)


def told(gaps: Sequence[Gap]) -> Written:
    """It was told that these are overdue."""
    rows = [(each.section.system, each.section.contract, each.id) for each in gaps if each.kind == "unprocessed"]
    return "UPDATE manifest_waits SET told = 1 WHERE system = ? AND contract = ? AND id = ?", rows


# ------------------------------------------------------------------------------------------------------------- days


def days(limit: int) -> Asked:
    """Days that were gathered."""
    return "SELECT day, gathered_at, compared_at FROM manifest_days ORDER BY day DESC LIMIT ?", (limit,)


def day_of(row: Sequence[Any]) -> Day:
    """A day that was gathered."""
    return Day(date.fromisoformat(row[0]), row[1], row[2])


def mark(day: Day) -> Written:
    """Keep when a day was gathered and compared."""
    return (
        (
            "INSERT INTO manifest_days (day, gathered_at, compared_at) VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE SET"
            " gathered_at = excluded.gathered_at, compared_at = excluded.compared_at"
        ),
        [(day.day.isoformat(), day.gathered_at, day.compared_at)],
    )


def retire(before: date, limit: int) -> list[Written]:
    """Forget lines of days before; the last statement forgets what was said of days without lines."""
    end = before.isoformat()
    key = "day, system, side, direction, contract, id"
    return [
        (
            (
                f"DELETE FROM manifest_ids WHERE ({key}) IN (SELECT {key} FROM manifest_ids WHERE day < ?"
                f" ORDER BY {key} LIMIT ?)"
            ),
            [(end, limit)],
        ),
        ("DELETE FROM manifests WHERE day < ?", [(end,)]),
        ("DELETE FROM manifest_days WHERE day < ?", [(end,)]),
        ("DELETE FROM manifest_waits WHERE day < ? AND (answered_at IS NOT NULL OR told = 1)", [(end,)]),
        ("DELETE FROM manifest_gaps WHERE day < ? AND ended_at IS NOT NULL", [(end,)]),
    ]


# ------------------------------------------------------------------------------------------------------------- gaps


def gap_key(gap: Gap) -> tuple[str, ...]:
    """The key of a gap."""
    day, system, direction, contract = gap.section
    return day.isoformat(), system, direction, contract, gap.kind, gap.id


def gap_of(row: Sequence[Any]) -> Gap:
    """A gap of its row."""
    kind, id_, at, delivery, found_at, ended_at, operation = row[4:]
    return Gap(section_of(row[:4]), kind, id_, found_at, at, delivery, ended_at, operation)


def open_of(section: Section, kinds: Sequence[Kind]) -> Asked:
    """The open gaps of a section."""
    places = ", ".join("?" * len(kinds))
    return (
        (
            f"SELECT {GAP} FROM manifest_gaps WHERE day = ? AND system = ? AND direction = ? AND contract = ?"
            f" AND kind IN ({places}) AND ended_at IS NULL"
        ),
        (section.day.isoformat(), *section[1:], *kinds),
    )


def put_gaps(gaps: Sequence[Gap]) -> Written:
    """Keep gaps; one that had ended is open again."""
    rows = [(*gap_key(gap), gap.at, gap.delivery, gap.found_at, None, None) for gap in gaps]
    return (
        (
            f"INSERT INTO manifest_gaps ({GAP}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (day, system, direction, contract, kind, id) DO UPDATE SET ended_at = NULL,"
            " delivery = excluded.delivery"
        ),
        rows,
    )


def add_gaps(gaps: Sequence[Gap]) -> Written:
    """Keep gaps that are not there yet."""
    statement, rows = put_gaps(gaps)
    return statement[: statement.index(" DO UPDATE")] + " DO NOTHING", rows


def end_gaps(gaps: Sequence[Gap], now: float) -> Written:
    """These are none any more."""
    return (
        (
            "UPDATE manifest_gaps SET ended_at = ? WHERE day = ? AND system = ? AND direction = ? AND contract = ?"
            " AND kind = ? AND id = ?"
        ),
        [(now, *gap_key(gap)) for gap in gaps],
    )


def close(now: float) -> list[Written]:
    """End gaps whose id the side that lacked it lists on another day, and what was dealt with."""
    listed = (
        "UPDATE manifest_gaps SET ended_at = ? WHERE ended_at IS NULL AND kind IN ({}) AND EXISTS (SELECT 1 FROM"
        " manifest_ids i WHERE i.system = manifest_gaps.system AND i.side = '{}' AND i.direction ="
        " manifest_gaps.direction AND i.id = manifest_gaps.id AND i.day <> manifest_gaps.day)"
    )
    dealt_with = (
        "UPDATE manifest_gaps SET ended_at = ? WHERE ended_at IS NULL AND kind = 'unprocessed' AND EXISTS (SELECT 1"
        " FROM manifest_waits w WHERE w.system = manifest_gaps.system AND w.contract = manifest_gaps.contract"
        " AND w.id = manifest_gaps.id AND w.answered_at IS NOT NULL)"
    )
    return [
        (listed.format("'lost', 'unsaid'", "system"), [(now,)]),
        (listed.format("'unknown', 'unarrived'", "bus"), [(now,)]),
        (dealt_with, [(now,)]),
    ]


def gaps(
    day: date | None, system: str | None, kind: Kind | None, *, is_open: bool, after: tuple[Any, ...] | None, limit: int
) -> Asked:
    """Gaps in their order."""
    conditions, values = _conditions(
        ("day", None if day is None else day.isoformat()), ("system", system), ("kind", kind)
    )
    if is_open:
        conditions += " AND ended_at IS NULL"
    if after is not None:
        conditions += " AND (day, system, direction, contract, kind, id) > (?, ?, ?, ?, ?, ?)"
    return (
        (
            f"SELECT {GAP} FROM manifest_gaps WHERE {conditions}"
            " ORDER BY day, system, direction, contract, kind, id LIMIT ?"
        ),
        (*values, *(after or ()), limit),
    )


def take_up(gaps: Sequence[Gap], operation: str) -> Written:
    """Note by which operation these are sent again."""
    return (
        (
            "UPDATE manifest_gaps SET operation = ? WHERE day = ? AND system = ? AND direction = ? AND contract = ?"
            " AND kind = ? AND id = ?"
        ),
        [(operation, *gap_key(gap)) for gap in gaps],
    )
