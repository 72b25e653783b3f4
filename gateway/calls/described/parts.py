"""The parts of a description, each made of its table: what is sent, collected, asked and brought by calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from gateway.calls.described.description import Description, raise_all
from gateway.core.faults import Misconfigured, Text
from gateway.core.operation import Operation
from gateway.core.operation_steps import Tables
from gateway.core.rule import Path
from gateway.core.rule_text import split_pointer
from gateway.core.translation import Rules

#: Makes the operation of one call's table: (table, where, code tables).
Making = Callable[[Mapping[str, Any], str, Tables], Operation]
By = Literal["queue", "window", "cursor", "pages"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Thing:
    """How an item in the far side's words becomes a message.

    ``items``: where the list of them is; ``identity``: what makes an item itself, empty for all that it says;
    ``subject``: where in the message's data its subject stands; ``unread``: below which name of ``ext`` the members
    are kept that no rule reads, empty where they are dropped.
    """

    name: str
    contract: str
    version: str
    items: Path
    item: Operation
    identity: Mapping[str, Path]
    subject: Path
    unread: str


@dataclass(frozen=True, slots=True)
class Send:
    """A contract that goes out. ``seek``: asks whether it got there, where an answer was lost."""

    contract: str
    version: str
    call: Operation
    seek: Operation | None
    idempotency: str
    reference: Path | None


@dataclass(frozen=True, slots=True)
class Collect:
    """A list that is read; ``by`` says how. Times in seconds."""

    thing: Thing
    call: Operation
    by: By
    may_lack: bool
    overlap: float
    first: float
    longest: float | None
    next: Path | None
    first_page: int
    page_size: int
    most_pages: int
    taken: Operation | None
    refused: Operation | None


@dataclass(frozen=True, slots=True)
class Ask:
    """A query that is asked here, and the contract of its answer."""

    contract: str
    version: str
    answer: str
    answer_version: str
    call: Operation


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller is answered: the status, and rules over {received, refused, item}; None where none are told."""

    status: int
    rules: Rules | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A call that comes in."""

    thing: Thing
    path: str
    verb: str
    operation: str
    format: str
    yes: Told
    no: Told


@dataclass(frozen=True, slots=True)
class Parts:
    """All of a description."""

    sends: tuple[Send, ...]
    collects: tuple[Collect, ...]
    asks: tuple[Ask, ...]
    answers: tuple[Answer, ...]
    fields: Mapping[str, str]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, description: Description, making: Making, settings: Mapping[str, Any]) -> Parts:
        """Raises Misconfigured with every mistake. ``values`` and ``tables`` of the settings go before its own."""
        raw = description.raw
        tables = dict(description.tables)
        for name, own in settings.get("tables", {}).items():
            tables[name] = {**tables.get(name, {}), **own}
        reader = _Reader(description, making, tables)
        made = cls(
            tuple(reader.each("sends", reader.send)),
            tuple(reader.each("collects", reader.collect)),
            tuple(reader.each("asks", reader.ask)),
            tuple(reader.each("answers", reader.answer)),
            dict(raw.get("fields", {})),
            {**raw.get("values", {}), **settings.get("values", {})},
        )
        raise_all(reader.mistakes)
        return made


_AMBIGUOUS: Final = Text("Mục này lặp lại một mục ở trên", "It repeats one above")


@dataclass(slots=True)
class _Reader:
    description: Description
    making: Making
    tables: Tables
    mistakes: list[Misconfigured]

    def __init__(self, description: Description, making: Making, tables: Tables) -> None:
        self.description, self.making, self.tables, self.mistakes = description, making, tables, []

    def each(self, kind: str, make: Callable[[Mapping[str, Any], Callable[..., str]], T]) -> Iterator[T]:
        seen: set[tuple[str, ...]] = set()
        for number, raw in enumerate(self.description.raw.get(kind, ())):

            def where(*below: str | int, number: int = number) -> str:
                return self.description.where(kind, number, *below)

            names = ("name",) if "name" in raw else ("contract", "version")
            mark = tuple(str(raw[name]) for name in names)
            if mark in seen:
                told = f"{names[0]} = {mark[0]}"
                self.mistakes.append(
                    Misconfigured(where(names[0]), _AMBIGUOUS, Text(f"Đổi {told}.", f"Change {told}."))
                )
            seen.add(mark)
            try:
                self._check_tables(raw, where)
                yield make(raw, where)
            except Misconfigured as mistake:
                self.mistakes.append(mistake)

    def send(self, raw: Mapping[str, Any], where: Callable[..., str]) -> Send:
        reference = self._path(raw["reference"], where("reference")) if "reference" in raw else None
        return Send(
            raw["contract"], raw["version"], self._call(raw, where()), self._other(raw, "seek", where),
            raw.get("idempotency", ""), reference,
        )  # fmt: skip

    def collect(self, raw: Mapping[str, Any], where: Callable[..., str]) -> Collect:
        by: By = raw.get("by", "queue")
        if by == "cursor" and "next" not in raw:
            raise _lacks(where("next"), "next", 'by = "cursor"')
        if by == "queue" and not {"taken", "refused"} <= set(raw):
            raise _lacks(where("taken"), "taken, refused", 'by = "queue"')
        if by == "queue" and "identity" not in raw:
            raise _lacks(where("identity"), "identity", 'by = "queue"')
        if by == "pages" and "page_size" not in raw:
            raise _lacks(where("page_size"), "page_size", 'by = "pages"')
        longest = raw.get("longest_hours")
        return Collect(
            self._thing(raw, where), self._call(raw, where()), by, bool(raw.get("may_lack", False)),
            float(raw.get("overlap_seconds", 3600)), float(raw.get("first_days", 7)) * 86400.0,
            None if longest is None else float(longest) * 3600.0,
            self._path(raw["next"], where("next")) if "next" in raw else None,
            int(raw.get("first_page", 1)), int(raw.get("page_size", 0)), int(raw.get("most_pages", 100)),
            self._other(raw, "taken", where), self._other(raw, "refused", where),
        )  # fmt: skip

    def ask(self, raw: Mapping[str, Any], where: Callable[..., str]) -> Ask:
        if not raw.get("reply", {}).get("rules"):
            raise _lacks(where("reply", "rules"), "reply.rules", "asks")
        return Ask(
            raw["contract"], raw["version"], raw["answer"], raw["answer_version"], self._call(raw, where())
        )  # fmt: skip

    def answer(self, raw: Mapping[str, Any], where: Callable[..., str]) -> Answer:
        return Answer(
            self._thing(raw, where), raw.get("path", "").strip("/"), raw.get("verb", "POST"), raw.get("operation", ""),
            raw.get("format", "json"), _told(raw.get("yes", {}), 200, where("yes")),
            _told(raw.get("no", {}), 422, where("no")),
        )  # fmt: skip

    def _thing(self, raw: Mapping[str, Any], where: Callable[..., str]) -> Thing:
        item = Operation.parse({"reply": raw["item"]}, where("item"), self.tables)
        identity = {name: self._path(at, where("identity", name)) for name, at in raw.get("identity", {}).items()}
        return Thing(
            raw["name"], raw["contract"], raw["version"], self._path(raw.get("items", ""), where("items")), item,
            identity, self._path(raw["subject"], where("subject")), raw.get("unread", ""),
        )  # fmt: skip

    def _call(self, raw: Mapping[str, Any], where: str) -> Operation:
        return self.making(raw, where, self.tables)

    def _other(self, raw: Mapping[str, Any], name: str, where: Callable[..., str]) -> Operation | None:
        return self._call(raw[name], where(name)) if name in raw else None

    @staticmethod
    def _path(pointer: str, where: str) -> Path:
        try:
            return split_pointer(pointer)
        except ValueError:
            raise Misconfigured(
                where, Text("Con trỏ JSON viết sai", "The JSON pointer is wrong"), Text('Viết "/a/b".', 'Write "/a/b".')
            ) from None

    def _check_tables(self, raw: Any, where: Callable[..., str], *below: str | int) -> None:
        """A table that nobody wrote down would quietly know no code."""
        if isinstance(raw, Mapping):
            name = raw.get("table")
            if below[-2:-1] == ("tables",) and name not in self.tables:
                known = ", ".join(sorted(self.tables)) or "∅"
                raise Misconfigured(
                    where(*below, "table"),
                    Text(f"Không có bảng mã {name}", f"There is no table {name}"),
                    Text(f"Các bảng hiện có: {known}.", f"There are: {known}."),
                )
            for key, each in raw.items():
                self._check_tables(each, where, *below, key)
        elif isinstance(raw, list):
            for number, each in enumerate(raw):
                self._check_tables(each, where, *below, number)


def _told(raw: Mapping[str, Any], status: int, where: str) -> Told:
    rules = Rules.parse(json.dumps({"rules": raw["rules"]}).encode(), where) if raw.get("rules") else None
    return Told(int(raw.get("status", status)), rules)


def _lacks(where: str, name: str, why: str) -> Misconfigured:
    return Misconfigured(
        where, Text(f"Thiếu {name}", f"{name} missing"), Text(f"Cần khi {why}.", f"It is needed with {why}.")
    )
