"""One operation of a far side told by data: how it is asked, and how its answer is read. Pure.

A description (checked against a schema by whoever holds it) has, of one operation,

    verb, path                       ``{name}`` in a path is filled from ``path_values`` = {name = POINTER}
    request.format                   none | query | json | form | soap | xml; ``fields``: fixed header fields
    request.rules                    the rule language of contracts, over a record {data, query, values}
    request.tables, .dates           code tables, dates of the precision that is known (see ``Page`` below)
    request.texts                    [{at, as = "upper" | "json" | "xml", root?}]: JSON or XML inside a text
    request.needs                    pointers of what must be there, else PermanentFailure
    request.order, .element          fixed order of elements; {name, namespace, prefix, qualified, version}
    reply.unpack                     inner formats (``gateway.core.unpacking``)
    reply.success, errors, otherwise (``gateway.core.verdict``)
    reply.payload, .inner            where the data are, and what they are wrapped in once more
    reply.empty                      conditions under which the payload says that there is no such record
    reply.rules, .tables, .dates, .squeeze, .needs    as above, over the payload; a list is read as {items = [...]};
                                     ``in`` = {from, to} of a table or date: for every item of a list

``Operation.parse(raw, where, tables)`` once; ``request(record)`` and ``read(status, body)`` for each exchange. Who
sends it and proves who asks is ``gateway.calls.asking``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlencode

from gateway.core.faults import Misconfigured, PermanentFailure, Text
from gateway.core.part_date import Precision, precision_of, read_part, write_part
from gateway.core.rule import ABSENT, Page, Path, value_at
from gateway.core.rule_kinds import Move
from gateway.core.rule_text import split_pointer
from gateway.core.translation import Rules
from gateway.core.unpacking import Unpacking, Wrapped
from gateway.core.verdict import Kind, Sign, Verdicts, plain, signs_in
from gateway.core.wire_record import Shape, tidied
from gateway.core.xml_value import SOAP, SOAP_12, Tag, XmlFault, write_soap, write_xml

Format = Literal["none", "query", "json", "form", "soap", "xml"]
Tables = Mapping[str, Mapping[str, Any]]
_PLACE: Final = re.compile(r"\{([A-Za-z_]{1,40})\}")
_IN_PATH: Final = re.compile(r"[A-Za-z0-9_.-]{1,200}\Z")


class Asked(NamedTuple):
    """What goes out. ``value``: what is asked, before whoever proves the asker adds to it."""

    verb: str
    path: str
    format: Format
    fields: Mapping[str, str]
    value: Any


class Reading(NamedTuple):
    """What an answer says. ``payload``: the far side's own words; ``data``: in those of the bus, where ``done``."""

    kind: Kind
    payload: Any = None
    data: dict[str, Any] | None = None
    is_dirty: bool = False


@dataclass(frozen=True, slots=True)
class _Coded:
    """``{from, to, table, otherwise}``: a code by a table of the description, or of the province's settings."""

    source: Path
    target: Path
    table: Mapping[str, Any]
    otherwise: str

    def put(self, record: Any, page: Page) -> None:
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
class _DateOut:
    """``{from, writes = [{precision, form, to, also?}]}``: the first line whose precision is that of the date."""

    source: Path
    writes: tuple[tuple[Precision, str, Path, tuple[tuple[Path, Any], ...]], ...]

    def put(self, record: Any, page: Page) -> None:
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
class _DateIn:
    """``{from, to, forms, precision?, precisions?}``: a date; where another member says so, less of it is known."""

    source: Path
    target: Path
    forms: tuple[str, ...]
    mark: Path | None
    marks: Mapping[str, Precision]

    def put(self, record: Any, page: Page) -> None:
        mark = ABSENT if self.mark is None else value_at(record, self.mark)
        known: Precision = "day" if mark is ABSENT else self.marks.get(plain(mark), "day")
        found = read_part(value_at(record, self.source), self.forms, known)
        if found is not None:
            page.put(self.target, found)


@dataclass(frozen=True, slots=True)
class _Within:
    """``in = {from, to}``: a step for each item of a list, and the item that the rules made of it."""

    source: Path
    target: Path
    step: _Coded | _DateIn | _DateOut

    def put(self, record: Any, page: Page) -> None:
        given, made = value_at(record, self.source), value_at(page.root, self.target)
        items = given if isinstance(given, list) else [given]
        for item, root in zip(items, made if isinstance(made, list) else [], strict=False):
            self.step.put(item, Page(root=root))


_Step = _Coded | _DateOut | _DateIn | _Within


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; see the head of this file."""

    verb: str
    path: str
    path_values: Mapping[str, Path]
    format: Format
    fields: Mapping[str, str]
    rules: Rules | None
    steps: tuple[_Step, ...]
    texts: tuple[tuple[Path, str, str], ...]
    needs: tuple[Path, ...]
    order: tuple[str, ...]
    tag: Tag
    frame: str
    unpack: Unpacking
    verdicts: Verdicts
    payload: Path
    inner: Unpacking
    empty: tuple[Sign, ...]
    said: Rules | None
    heard: tuple[_Step, ...]
    shape: Shape
    squeeze: tuple[Path, ...]
    reply_needs: tuple[Path, ...]

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str, tables: Tables) -> Operation:
        """Raises Misconfigured whose ``where`` begins with ``where`` and names the key."""
        request, reply = raw.get("request", {}), raw.get("reply", {})
        element = request.get("element", {})
        said = _rules(reply, f"{where}/reply")
        heard = _steps(reply, f"{where}/reply", tables)
        return cls(
            str(raw.get("verb", "POST")),
            str(raw.get("path", "")),
            {name: _path(each, f"{where}/path_values/{name}") for name, each in raw.get("path_values", {}).items()},
            request.get("format", "json"),
            {str(name): str(value) for name, value in request.get("fields", {}).items()},
            _rules(request, f"{where}/request"),
            _steps(request, f"{where}/request", tables),
            tuple(
                (_path(each["at"], f"{where}/request/texts"), each["as"], each.get("root", ""))
                for each in request.get("texts", ())
            ),
            _paths(request, "needs", f"{where}/request"),
            tuple("/".join(path) for path in _paths(request, "order", f"{where}/request")),
            Tag(
                element.get("name", ""),
                element.get("namespace", ""),
                element.get("prefix", ""),
                bool(element.get("qualified", True)),
            ),
            SOAP_12 if element.get("version") == "1.2" else SOAP,
            Unpacking.parse(reply.get("unpack", ["json"]), f"{where}/reply/unpack"),
            Verdicts.parse(reply, f"{where}/reply"),
            _path(reply.get("payload", ""), f"{where}/reply/payload"),
            Unpacking.parse(reply.get("inner", []), f"{where}/reply/inner"),
            signs_in(reply.get("empty", ()), f"{where}/reply/empty"),
            said,
            heard,
            _shape(said, heard),
            _paths(reply, "squeeze", f"{where}/reply"),
            _paths(reply, "needs", f"{where}/reply"),
        )  # fmt: skip

    def request(self, record: Mapping[str, Any]) -> Asked:
        """What is asked for a record {data, query, values}; raises PermanentFailure where it cannot be asked."""
        page = Page() if self.rules is None else self.rules.page(record)
        for step in self.steps:
            step.put(record, page)
        value = page.root if isinstance(page.root, dict) else {}
        for need in self.needs:
            if value_at(value, need) in (ABSENT, None, ""):
                raise PermanentFailure(f"the service wants {'/'.join(need)}, and nothing gives it")
        for at, kind, root in self.texts:
            _rewrite(value, at, kind, root)
        return Asked(self.verb, self._filled(record), self.format, self.fields, value)

    def body(self, value: Any) -> Any:
        """``value`` (of :meth:`request`) as XML bytes where that is the format, else as it is.

        Raises PermanentFailure where it cannot be written.
        """
        if self.format not in {"soap", "xml"}:
            return value
        try:
            if self.format == "soap":
                return write_soap(value, self.tag, self.order, self.frame)
            return write_xml(value, self.tag, self.order)
        except XmlFault as fault:
            raise PermanentFailure(f"it cannot be written as XML: {fault}") from None

    def read(self, status: int, body: bytes) -> Reading:
        """What an answer says; raises nothing: what cannot be understood is to be asked for again."""
        try:
            frame, is_dirty = self.unpack.apply(body)
        except Wrapped:
            return Reading(self.verdicts.verdict(status if status >= 300 else 502, None))
        kind = self.verdicts.verdict(status, frame)
        if kind != "done":
            return Reading(kind, is_dirty=is_dirty)
        found = value_at(frame, self.payload)
        try:
            payload, dirty = self.inner.apply(None if found is ABSENT else found)
        except Wrapped:
            return Reading("again")
        if payload in (None, "", [], {}) or any(sign.holds(status, payload) for sign in self.empty):
            return Reading("empty", is_dirty=is_dirty or dirty)
        return self.heard_as(payload, is_dirty=is_dirty or dirty)

    def heard_as(self, payload: Any, *, is_dirty: bool = False) -> Reading:
        """A payload, or one item of it, in the words of the bus; ``never`` where it is not what was described."""
        if self.said is None and not self.heard:
            return Reading("done", payload, None, is_dirty)
        record = payload if isinstance(payload, dict) else {"items": payload}
        tidy = tidied(record, self.shape)
        if tidy.faults:
            return Reading("never", payload, None, is_dirty)
        page = Page() if self.said is None else self.said.page(tidy.record)
        for step in self.heard:
            try:
                step.put(tidy.record, page)
            except PermanentFailure:
                return Reading("never", payload, None, is_dirty)
        data = page.root if isinstance(page.root, dict) else {}
        for path in self.squeeze:
            _squeeze(data, path)
        lacks = any(value_at(data, need) in (ABSENT, None, "", []) for need in self.reply_needs)
        return Reading("never" if lacks else "done", payload, data, is_dirty)

    def _filled(self, record: Mapping[str, Any]) -> str:
        def value_of(match: re.Match[str]) -> str:
            found = value_at(record, self.path_values.get(match[1], ("?",)))
            text = str(found) if isinstance(found, str | int) else ""
            if not _IN_PATH.match(text) or set(text) <= {"."}:
                raise PermanentFailure(f"nothing that may stand in a path gives {match[1]}")
            return quote(text, safe="")

        return _PLACE.sub(value_of, self.path)


def encoded(kind: Format, value: Any) -> tuple[bytes | None, str, Mapping[str, str] | None]:
    """What was asked as body bytes, media type, and parameters of the address."""
    if isinstance(value, bytes):
        return value, "text/xml; charset=utf-8", None
    if kind in {"none", "query"}:
        return None, "", {name: _scalar(each) for name, each in value.items()} or None
    if kind == "form":
        pairs = {name: _scalar(each) for name, each in value.items()}
        return urlencode(pairs).encode("ascii"), "application/x-www-form-urlencoded", None
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), "application/json; charset=utf-8", None


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)


def _rewrite(value: dict[str, Any], at: Path, kind: str, root: str) -> None:
    found, above = value_at(value, at), value_at(value, at[:-1])
    if found is ABSENT or not isinstance(above, dict):
        return
    if kind == "upper":
        above[at[-1]] = str(found).upper()
    elif kind == "json":
        above[at[-1]] = json.dumps(found, ensure_ascii=False)
    else:
        try:
            above[at[-1]] = write_xml(found, Tag(root)).decode()
        except XmlFault as fault:
            raise PermanentFailure(f"it cannot be written as XML: {fault}") from None


def _squeeze(data: dict[str, Any], path: Path) -> None:
    found, above = value_at(data, path), value_at(data, path[:-1])
    if isinstance(found, str) and isinstance(above, dict):
        above[path[-1]] = " ".join(found.split())


def _shape(said: Rules | None, heard: Sequence[_Step]) -> Shape:
    shape = Shape() if said is None else Shape.of(said)
    for each in heard:
        step, before = (each.step, each.source) if isinstance(each, _Within) else (each, ())
        marks = [step.mark] if isinstance(step, _DateIn) and step.mark is not None else []
        shape.reads((None, Move((*before, *path), ("-",))) for path in (step.source, *marks))
    return shape


def _rules(raw: Mapping[str, Any], where: str) -> Rules | None:
    if not raw.get("rules"):
        return None
    return Rules.parse(json.dumps({"rules": raw["rules"]}).encode(), where)


def _steps(raw: Mapping[str, Any], where: str, tables: Tables) -> tuple[_Step, ...]:
    found: list[_Step] = []

    def add(step: _Coded | _DateOut | _DateIn, each: Mapping[str, Any], at: str) -> None:
        within = each.get("in")
        found.append(step if within is None else _Within(_path(within["from"], at), _path(within["to"], at), step))

    for number, each in enumerate(raw.get("tables", ())):
        at = f"{where}/tables/{number}"
        table = {plain(key): value for key, value in tables.get(each["table"], {}).items()}
        add(_Coded(_path(each["from"], at), _path(each["to"], at), table, each.get("otherwise", "keep")), each, at)
    for number, each in enumerate(raw.get("dates", ())):
        at = f"{where}/dates/{number}"
        source = _path(each["from"], at)
        if "writes" in each:
            lines = [
                (w["precision"], w["form"], _path(w["to"], at),
                 tuple((_path(p, at), value) for p, value in w.get("also", {}).items()))
                for w in each["writes"]
            ]  # fmt: skip
            add(_DateOut(source, tuple(lines)), each, at)
        else:
            mark = _path(each["precision"], at) if "precision" in each else None
            marks = {plain(key): value for key, value in each.get("precisions", {}).items()}
            add(_DateIn(source, _path(each["to"], at), tuple(each["forms"]), mark, marks), each, at)
    return tuple(found)


def _paths(raw: Mapping[str, Any], name: str, where: str) -> tuple[Path, ...]:
    return tuple(_path(each, f"{where}/{name}/{number}") for number, each in enumerate(raw.get(name, ())))


def _path(pointer: Any, where: str) -> Path:
    try:
        return split_pointer(pointer)
    except (ValueError, AttributeError):
        raise Misconfigured(
            where,
            Text("Con trỏ JSON viết sai", "The JSON pointer is wrong"),
            Text('Viết dạng "/a/b" (RFC 6901).', 'Write it as "/a/b" (RFC 6901).'),
        ) from None
