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
    reply.echo                       [{from, to}] of the record that was asked, where the answer does not repeat it
    reply.whole                      {from, to, member, columns?}: each row of a list as it came, below ``member``;
                                     columns = [{to, table, by}]: which column is what, by a value of the record
    reply.rules, .tables, .dates, .numbers, .squeeze, .needs    as above, over the payload; a list is read as
                                     {items = [...]}; ``in`` = {from, to} of a table or date: for each item of a list

``Operation.parse(raw, where, tables)`` once; ``request(record)`` and ``read(status, body)`` for each exchange. Who
sends it and proves who asks is ``gateway.calls.asking``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlencode

from gateway.core.faults import PermanentFailure
from gateway.core.operation_steps import Step, Tables, Whole, path_of, shape_of, steps_of, whole_of
from gateway.core.rule import ABSENT, Page, Path, value_at
from gateway.core.translation import Rules
from gateway.core.unpacking import Unpacking, Wrapped
from gateway.core.verdict import Kind, Sign, Verdicts, signs_in
from gateway.core.wire_record import Shape, tidied
from gateway.core.xml_value import SOAP, SOAP_12, Tag, XmlFault, write_soap, write_xml

Format = Literal["none", "query", "json", "form", "soap", "xml"]
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
    """What an answer says. ``payload``: the far side's own words; ``data``: in those of the bus, where ``done``.

    ``beyond``: outermost members that no rule reads, as they came.
    """

    kind: Kind
    payload: Any = None
    data: dict[str, Any] | None = None
    is_dirty: bool = False
    beyond: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; see the head of this file."""

    verb: str
    path: str
    path_values: Mapping[str, Path]
    format: Format
    fields: Mapping[str, str]
    rules: Rules | None
    steps: tuple[Step, ...]
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
    heard: tuple[Step, ...]
    shape: Shape
    squeeze: tuple[Path, ...]
    reply_needs: tuple[Path, ...]
    echo: tuple[tuple[Path, Path], ...]
    whole: Whole | None
    #: What it answers is a list: the rules are for one item of it (``heard_as``).
    lists: bool

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str, tables: Tables) -> Operation:
        """Raises Misconfigured whose ``where`` begins with ``where`` and names the key."""
        request, reply = raw.get("request", {}), raw.get("reply", {})
        element = request.get("element", {})
        said = _rules(reply, f"{where}/reply")
        heard = steps_of(reply, f"{where}/reply", tables)
        return cls(
            str(raw.get("verb", "POST")),
            str(raw.get("path", "")),
            {name: path_of(each, f"{where}/path_values/{name}") for name, each in raw.get("path_values", {}).items()},
            request.get("format", "json"),
            {str(name): str(value) for name, value in request.get("fields", {}).items()},
            _rules(request, f"{where}/request"),
            steps_of(request, f"{where}/request", tables),
            tuple(
                (path_of(each["at"], f"{where}/request/texts"), each["as"], each.get("root", ""))
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
            path_of(reply.get("payload", ""), f"{where}/reply/payload"),
            Unpacking.parse(reply.get("inner", []), f"{where}/reply/inner"),
            signs_in(reply.get("empty", ()), f"{where}/reply/empty"),
            said,
            heard,
            shape_of(said, heard),
            _paths(reply, "squeeze", f"{where}/reply"),
            _paths(reply, "needs", f"{where}/reply"),
            tuple(
                (path_of(each["from"], f"{where}/reply/echo"), path_of(each["to"], f"{where}/reply/echo"))
                for each in reply.get("echo", ())
            ),
            whole_of(reply.get("whole"), f"{where}/reply/whole", tables),
            "pull" in raw,
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

    def read(self, status: int, body: bytes, record: Mapping[str, Any] | None = None) -> Reading:
        """What an answer to ``record`` says; raises nothing: what cannot be understood is to be asked for again."""
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
        if self.lists:
            return Reading("done", payload, None, is_dirty or dirty)
        return self.heard_as(payload, record or {}, is_dirty=is_dirty or dirty)

    def heard_as(self, payload: Any, asked: Mapping[str, Any], *, is_dirty: bool = False) -> Reading:
        """A payload, or one item of it, in the words of the bus; ``never`` where it is not what was described."""
        if self.said is None and not self.heard and self.whole is None:
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
        for source, target in self.echo:
            if (value := value_at(asked, source)) is not ABSENT:
                page.put(target, value)
        if self.whole is not None:
            page.put(self.whole.target, self.whole.rows(record, asked))
        data = page.root if isinstance(page.root, dict) else {}
        for path in self.squeeze:
            _squeeze(data, path)
        if any(value_at(data, need) in (ABSENT, None, "", []) for need in self.reply_needs):
            return Reading("never", payload, None, is_dirty)
        return Reading("done", payload, data, is_dirty, tidy.unknown)

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


def _rules(raw: Mapping[str, Any], where: str) -> Rules | None:
    if not raw.get("rules"):
        return None
    return Rules.parse(json.dumps({"rules": raw["rules"]}).encode(), where)


def _paths(raw: Mapping[str, Any], name: str, where: str) -> tuple[Path, ...]:
    return tuple(path_of(each, f"{where}/{name}/{number}") for number, each in enumerate(raw.get(name, ())))
