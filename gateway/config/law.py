"""Reads the law as data: the files that come with the gateway (``law/*.toml`` here) and the province's own over them.

Every file may hold any of the tables of ``schemas/law.schema.json``. In a later folder a year, a rule or a watchword
takes the place of the one of the same year or id; office hours are added, and the last in force on a day counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.config.documents import Document, Step, raise_all, read_document
from gateway.config.judging import judge, schema
from gateway.core.calendar import Calendar, DayOff, OfficeHours, Span
from gateway.core.dossiers.deadline import Limits
from gateway.core.envelope import PRIORITIES
from gateway.core.faults import Misconfigured, Text
from gateway.core.law.deadlines import Term, parse_term
from gateway.core.law.rules import PLACES, Law, Rule
from gateway.core.law.watchwords import Watch, Watchword, words_in

BUILT_IN: Final = Path(__file__).parent / "law"
MOST_FILES: Final = 200
_Key = TypeVar("_Key", int, str)
_Made = TypeVar("_Made")


def read_law(folders: Iterable[Path] = (), province: Path | None = None) -> Law:
    """The built-in law with the province's ``folders`` over it, in their order; raises Misconfigured with all mistakes.

    Files are shown as people know them: relative to the folder ``province``, where they lie within.
    """
    reading = _Reading()
    for folder in (BUILT_IN, *folders):
        reading.folder(folder, province)
    raise_all(reading.mistakes)
    return reading.law()


def stamp_of(folders: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """What tells whether the files of a province's folders are others than before: names, times, sizes."""
    found = [(str(path), path.stat()) for folder in folders for path in sorted(folder.glob("*.toml"))]
    return tuple((name, status.st_mtime_ns, status.st_size) for name, status in found)


@dataclass(slots=True)
class _Year:
    days_off: tuple[DayOff, ...]
    make_up: tuple[DayOff, ...]


@dataclass(slots=True)
class _Reading:
    """The law while it is read, folder by folder."""

    hours: list[OfficeHours] = field(default_factory=list)
    years: dict[int, _Year] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    watchwords: dict[str, Watchword] = field(default_factory=dict)
    dossiers: dict[str, Limits] = field(default_factory=dict)
    mistakes: list[Misconfigured] = field(default_factory=list)
    #: Where the tables of the present folder stand.
    _seen: dict[tuple[str, int | str], str] = field(default_factory=dict)

    def law(self) -> Law:
        """What was read."""
        calendar = Calendar.of(
            self.years,
            [day for year in self.years.values() for day in year.days_off],
            [day for year in self.years.values() for day in year.make_up],
            self.hours,
        )
        watch = Watch(tuple(self.watchwords.values()))
        return Law(calendar, tuple(self.rules.values()), watch, tuple(self.dossiers.values()))

    def folder(self, folder: Path, province: Path | None) -> None:
        """Read every file of a folder, in order of names; what stands there twice is a mistake."""
        files = sorted(path for path in folder.glob("*.toml") if path.is_file())
        if len(files) > MOST_FILES:
            wrong = Text(f"Có {len(files)} tệp luật", f"There are {len(files)} files of law")
            right = Text(f"Nhiều nhất {MOST_FILES} tệp một thư mục.", f"At most {MOST_FILES} files a folder.")
            self.mistakes.append(Misconfigured(str(folder), wrong, right))
            return
        self._seen.clear()
        for path in files:
            own = province is not None and path.is_relative_to(province)
            shown = str(path.relative_to(province)) if own and province is not None else str(path)
            try:
                document = read_document(path, shown)
            except Misconfigured as fault:
                self.mistakes.append(fault)
                continue
            found = judge(document, schema("law"))
            self.mistakes += found
            if not found:
                self._take(document)

    def _take(self, document: Document) -> None:
        for n, table in enumerate(document.values.get("office_hours", ())):
            self._hours(document, n, table)
        self._each(document, "years", "year", self.years, self._year)
        self._each(document, "rules", "id", self.rules, self._rule)
        self._each(document, "watchwords", "id", self.watchwords, self._watchword)
        self._each(document, "dossiers", "id", self.dossiers, self._limits)

    def _each(
        self,
        document: Document,
        kind: str,
        name: str,
        kept: dict[_Key, _Made],
        make: Callable[[Document, tuple[Step, ...], Mapping[str, Any]], _Made],
    ) -> None:
        """Keep what ``make`` makes of each table of one kind by its key; a later folder's takes an earlier one's place.

        The place in the order stays with the first, so that what is told keeps its order.
        """
        for n, table in enumerate(document.values.get(kind, ())):
            place: tuple[Step, ...] = (kind, n)
            first = self._seen.setdefault((kind, table[name]), document.where(*place, name))
            if first != document.where(*place, name):
                self._mistake(
                    document,
                    (*place, name),
                    Text(f"{table[name]} đã có ở {first}", f"{table[name]} is in {first} already"),
                    Text("Bỏ một trong hai.", "Take one of the two out."),
                )
            else:
                kept[table[name]] = make(document, place, table)

    def _mistake(self, document: Document, place: Sequence[Step], wrong: Text, right: Text) -> None:
        self.mistakes.append(document.mistake(place, wrong, right))

    # ------------------------------------------------------------------------------------------------ the calendar

    def _hours(self, document: Document, n: int, table: Mapping[str, Any]) -> None:
        place = ("office_hours", n)
        usual, saturday, sunday = (
            self._spans(document, (*place, name), table.get(name, ())) for name in ("hours", "saturday", "sunday")
        )
        since, until = self._dates(document, place, table)
        self.hours.append(OfficeHours((usual,) * 5 + (saturday, sunday), usual, since, until))

    def _spans(self, document: Document, place: tuple[Step, ...], written: Sequence[str]) -> tuple[Span, ...]:
        spans = tuple((_second(text[:5]), _second(text[6:])) for text in written)
        ends = [moment for span in spans for moment in span]
        if any(later <= earlier for earlier, later in pairwise(ends)):
            self._mistake(
                document,
                place,
                Text("Các khoảng giờ làm việc chồng nhau hoặc sai thứ tự", "The hours overlap or are out of order"),
                Text(
                    'Ghi theo thứ tự thời gian, ví dụ ["07:30-11:30", "13:30-17:00"].',
                    'Write them in order of time, e.g. ["07:30-11:30", "13:30-17:00"].',
                ),
            )
            return ()
        return spans

    def _dates(
        self, document: Document, place: tuple[Step, ...], table: Mapping[str, Any]
    ) -> tuple[date | None, date | None]:
        since, until = (
            None if (text := table.get(name)) is None else date.fromisoformat(text)
            for name in ("valid_from", "valid_until")
        )
        if since is not None and until is not None and until < since:
            self._mistake(
                document,
                (*place, "valid_until"),
                Text("Ngày hết hiệu lực sớm hơn ngày có hiệu lực", "The last day is before the first"),
                Text(f"valid_until phải từ {since} trở đi.", f"valid_until must be {since} or later."),
            )
        return since, until

    def _year(self, document: Document, place: tuple[Step, ...], table: Mapping[str, Any]) -> _Year:
        off = tuple(self._days(document, (*place, "days_off"), table, table["days_off"]))
        make_up = tuple(self._days(document, (*place, "working"), table, table.get("working", ())))
        named: dict[date, DayOff] = {}
        for kind, day in [("days_off", each) for each in off] + [("working", each) for each in make_up]:
            first = named.setdefault(day.day, day)
            if first is not day:
                self._mistake(
                    document,
                    (*place, kind),
                    Text(
                        f"Ngày {day.day} được ghi hai lần ({first.name}; {day.name})",
                        f"{day.day} is written twice ({first.name}; {day.name})",
                    ),
                    Text(
                        "Mỗi ngày chỉ ghi một lần, hoặc nghỉ hoặc làm bù.", "Write each day once: off, or made up for."
                    ),
                )
            elif kind == "working" and day.day.weekday() < 5:
                self._mistake(
                    document,
                    (*place, kind),
                    Text(f"Ngày {day.day} không phải cuối tuần", f"{day.day} is no weekend day"),
                    Text("Ngày làm bù là thứ Bảy hoặc Chủ nhật.", "What is made up for is a Saturday or a Sunday."),
                )
        return _Year(off, make_up)

    def _days(
        self,
        document: Document,
        place: tuple[Step, ...],
        table: Mapping[str, Any],
        written: Sequence[Mapping[str, Any]],
    ) -> Iterator[DayOff]:
        for each in written:
            first = date.fromisoformat(each["day"] if "day" in each else each["from"])
            last = date.fromisoformat(each["day"] if "day" in each else each["to"])
            if last < first or {first.year, last.year} != {table["year"]}:
                self._mistake(
                    document,
                    place,
                    Text(
                        f"{each['name']}: {first} đến {last} không nằm trong năm {table['year']}",
                        f"{each['name']}: {first} to {last} does not lie within {table['year']}",
                    ),
                    Text(
                        "Ghi các ngày của năm khác vào bảng của năm đó.",
                        "Days of another year go into that year's table.",
                    ),
                )
                continue
            for n in range((last - first).days + 1):
                basis = each.get("basis", table["basis"])
                yield DayOff(first + timedelta(n), each["name"], basis, each.get("sure", True))

    # --------------------------------------------------------------------------------------------------- the rules

    def _rule(self, document: Document, place: tuple[Step, ...], table: Mapping[str, Any]) -> Rule:
        since, until = self._dates(document, place, table)
        wanted = {"of", "answered_by"} if table["kind"] == "answer" else set()
        for name in ("of", "answered_by", "escalate", "escalation"):
            if name in wanted and name not in table:
                self._mistake(
                    document,
                    place,
                    Text(f"Thiếu khoá {name}", f"The key {name} is missing"),
                    Text(
                        'Quy tắc kind = "answer" cần of và answered_by.',
                        'A rule of kind = "answer" needs of, answered_by.',
                    ),
                )
            elif name in table and table["kind"] != "answer":
                self._mistake(
                    document,
                    (*place, name),
                    Text(f'{name} chỉ dùng cho kind = "answer"', f'{name} belongs to kind = "answer" only'),
                    Text("Hãy bỏ dòng này.", "Leave it out."),
                )
        return Rule(
            id=table["id"],
            kind=table["kind"],
            basis=table["basis"],
            valid_from=since or date.min,
            valid_until=until,
            title=_text(table["title"]),
            text=self._reminder(document, (*place, "text"), table["text"]),
            due=_term(table["due"]),
            urgent={PRIORITIES.index(name): _term(text) for name, text in table.get("urgent", {}).items()},
            of=frozenset(table.get("of", ())),
            answered_by=tuple(table.get("answered_by", ())),
            escalate=_term(table["escalate"]) if "escalate" in table else None,
            escalation=self._reminder(document, (*place, "escalation"), table["escalation"])
            if "escalation" in table
            else None,
        )

    def _reminder(self, document: Document, place: tuple[Step, ...], written: Mapping[str, str]) -> Text:
        for language, text in written.items():
            rest = text
            for known in PLACES:
                rest = rest.replace(known, "")
            if "{" in rest or "}" in rest:
                self._mistake(
                    document,
                    (*place, language),
                    Text("Lời nhắc có chỗ trống không được biết", "The reminder has a place that is not known"),
                    Text(f"Chỉ dùng: {', '.join(PLACES)}.", f"Use these only: {', '.join(PLACES)}."),
                )
        return _text(written)

    def _watchword(self, document: Document, place: tuple[Step, ...], table: Mapping[str, Any]) -> Watchword:
        since, until = self._dates(document, place, table)
        for name in ("words", "except"):
            for written in table.get(name, ()):
                if "" in words_in(written) or not words_in(written):
                    self._mistake(
                        document,
                        (*place, name),
                        Text(f"{written!r} không phải là từ ngữ", f"{written!r} is no word"),
                        Text("Ghi từ hoặc cụm từ bằng chữ cái.", "Write words of letters."),
                    )
                    return Watchword(table["id"], table["basis"], date.min, None, ())
        return Watchword(
            table["id"],
            table["basis"],
            since or date.min,
            until,
            tuple(table["words"]),
            tuple(table.get("except", ())),
            frozenset(table.get("where", ("text", "name"))),
        )

    def _limits(self, document: Document, place: tuple[Step, ...], table: Mapping[str, Any]) -> Limits:
        since, until = self._dates(document, place, table)
        return Limits(
            id=table["id"],
            basis=table["basis"],
            valid_from=since or date.min,
            valid_until=until,
            supplement=_term(table["supplement"]),
            apology_days=table["apology_days"],
            appointments=table["appointments"],
            papers_until=_second(table["papers_until"]),
        )


def _second(text: str) -> int:
    return int(text[:2]) * 3600 + int(text[3:]) * 60


def _text(written: Mapping[str, str]) -> Text:
    return Text(written["vi"], written["en"])


def _term(written: str) -> Term:
    """A term whose form the schema has judged."""
    term = parse_term(written)
    if term is None:
        raise ValueError(f"no term: {written}")
    return term
