"""What the rule language has no words for, beside the rules of an operation: codes by table, dates in part, rows. Pure.

Each step reads a record and writes to the page that the rules have written; where something stands already it stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.faults import Misconfigured, PermanentFailure, Text
from gateway.core.part_date import Precision, precision_of, read_part, write_part
from gateway.core.rule import ABSENT, Page, Path, value_at
from gateway.core.rule_kinds import Move
from gateway.core.rule_text import split_pointer
from gateway.core.translation import Rules
from gateway.core.verdict import plain
from gateway.core.wire_record import Shape

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?\Z", re.ASCII)
#: Code tables by name: a code -> the other side's.
Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Coded:
    """``{from, to, table, otherwise}``: a code by a table of the description, or of the province's settings."""

    source: Path
    target: Path
    table: Mapping[str, Any]
    otherwise: str

    def put(self, record: Any, page: Page) -> None:
        """Write the code; raises PermanentFailure where there is none and it must be refused."""
        value = value_at(record, self.source)
        if value in (ABSENT, None, ""):
            return
        found = self.table.get(plain(value), ABSENT)
        if found is ABSENT and self.otherwise == "refuse":
            raise PermanentFailure(f"no table has a code for {'/'.join(self.source)}; the operator must add it")
        if found is ABSENT and self.otherwise == "keep":
            found = value
        if found is not ABSENT:
            page.put(self.target, found)


@dataclass(frozen=True, slots=True)
class DateOut:
    """``{from, writes = [{precision, form, to, also?}]}``: the first line whose precision is that of the date."""

    source: Path
    writes: tuple[tuple[Precision, str, Path, tuple[tuple[Path, Any], ...]], ...]

    def put(self, record: Any, page: Page) -> None:
        """Write the date; raises PermanentFailure where the service takes none of this precision."""
        value = value_at(record, self.source)
        known = precision_of(value) if isinstance(value, str) else None
        if known is None:
            return
        for precision, form, target, also in self.writes:
            written = write_part(value, form) if precision == known else None
            if written is not None:
                page.put(target, written)
                for path, constant in also:
                    page.put(path, constant)
                return
        raise PermanentFailure(f"the service takes no date of this precision: {'/'.join(self.source)}")


@dataclass(frozen=True, slots=True)
class DateIn:
    """``{from, to, forms, precision?, precisions?}``: a date; where another member says so, less of it is known."""

    source: Path
    target: Path
    forms: tuple[str, ...]
    mark: Path | None
    marks: Mapping[str, Precision]

    def put(self, record: Any, page: Page) -> None:
        """Write the date where it can be read."""
        mark = ABSENT if self.mark is None else value_at(record, self.mark)
        known: Precision = "day" if mark is ABSENT else self.marks.get(plain(mark), "day")
        found = read_part(value_at(record, self.source), self.forms, known)
        if found is not None:
            page.put(self.target, found)


@dataclass(frozen=True, slots=True)
class NumberIn:
    """``numbers``: {from, to}: a number that may have decimals, written as text."""

    source: Path
    target: Path

    def put(self, record: Any, page: Page) -> None:
        """Write the number where it can be read."""
        value = value_at(record, self.source)
        if isinstance(value, str) and _NUMBER.match(value):
            page.put(self.target, float(value) if "." in value else int(value))


@dataclass(frozen=True, slots=True)
class Within:
    """``in = {from, to}``: a step for each item of a list, and the item that the rules made of it."""

    source: Path
    target: Path
    step: Coded | DateIn | DateOut | NumberIn

    def put(self, record: Any, page: Page) -> None:
        """Write what the step writes, item by item."""
        given, made = value_at(record, self.source), value_at(page.root, self.target)
        items = given if isinstance(given, list) else [given]
        for item, root in zip(items, made if isinstance(made, list) else [], strict=False):
            self.step.put(item, Page(root=root))


Step = Coded | DateOut | DateIn | NumberIn | Within


@dataclass(frozen=True, slots=True)
class Whole:
    """Rows whose columns nobody foresaw, each below a member of its own."""

    source: Path
    target: Path
    member: str
    columns: tuple[tuple[str, Mapping[str, Any], Path], ...]

    def rows(self, record: Any, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of an answer to ``asked``."""
        given = value_at(record, self.source)
        found: list[dict[str, Any]] = []
        for row in given if isinstance(given, list) else [given]:
            if not isinstance(row, dict):
                continue
            values = dict(row)
            known = {}
            for name, table, by in self.columns:
                value = values.get(str(table.get(plain(value_at(asked, by)))))
                if isinstance(value, str | int):
                    known[name] = str(value)
            found.append({**known, self.member: values})
        return found


def shape_of(said: Rules | None, heard: Sequence[Step]) -> Shape:
    """What these rules and steps read of an answer."""
    shape = Shape() if said is None else Shape.of(said)
    for each in heard:
        step, before = (each.step, each.source) if isinstance(each, Within) else (each, ())
        marks = [step.mark] if isinstance(step, DateIn) and step.mark is not None else []
        shape.reads((None, Move((*before, *path), ("-",))) for path in (step.source, *marks))
    return shape


def whole_of(raw: Mapping[str, Any] | None, where: str, tables: Tables) -> Whole | None:
    """``whole`` of a description; raises Misconfigured naming ``where``."""
    if raw is None:
        return None
    columns = tuple(
        (each["to"], _table(tables, each["table"]), path_of(each["by"], where)) for each in raw.get("columns", ())
    )
    return Whole(path_of(raw["from"], where), path_of(raw["to"], where), raw["member"], columns)


def steps_of(raw: Mapping[str, Any], where: str, tables: Tables) -> tuple[Step, ...]:
    """``tables``, ``numbers`` and ``dates`` of a request or a reply; raises Misconfigured naming ``where``."""
    found: list[Step] = []

    def add(step: Coded | DateOut | DateIn | NumberIn, each: Mapping[str, Any], at: str) -> None:
        within = each.get("in")
        found.append(step if within is None else Within(path_of(within["from"], at), path_of(within["to"], at), step))

    for number, each in enumerate(raw.get("tables", ())):
        at = f"{where}/tables/{number}"
        table = _table(tables, each["table"])
        add(Coded(path_of(each["from"], at), path_of(each["to"], at), table, each.get("otherwise", "keep")), each, at)
    for number, each in enumerate(raw.get("numbers", ())):
        at = f"{where}/numbers/{number}"
        add(NumberIn(path_of(each["from"], at), path_of(each["to"], at)), each, at)
    for number, each in enumerate(raw.get("dates", ())):
        at = f"{where}/dates/{number}"
        source = path_of(each["from"], at)
        if "writes" in each:
            lines = [
                (w["precision"], w["form"], path_of(w["to"], at),
                 tuple((path_of(p, at), value) for p, value in w.get("also", {}).items()))
                for w in each["writes"]
            ]  # fmt: skip
            add(DateOut(source, tuple(lines)), each, at)
        else:
            mark = path_of(each["precision"], at) if "precision" in each else None
            marks = {plain(key): value for key, value in each.get("precisions", {}).items()}
            add(DateIn(source, path_of(each["to"], at), tuple(each["forms"]), mark, marks), each, at)
    return tuple(found)


def path_of(pointer: Any, where: str) -> Path:
    """The path behind a pointer of a description; raises Misconfigured naming ``where``."""
    try:
        return split_pointer(pointer)
    except (ValueError, AttributeError):
        raise Misconfigured(
            where,
            Text("Con trỏ JSON viết sai", "The JSON pointer is wrong"),
            Text('Viết dạng "/a/b" (RFC 6901).', 'Write it as "/a/b" (RFC 6901).'),
        ) from None


def _table(tables: Tables, name: str) -> dict[str, Any]:
    return {plain(key): value for key, value in tables.get(name, {}).items()}
