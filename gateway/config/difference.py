"""What apply would change: rows added, changed field by field, removed, and clashes with rows from elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.config.rows import Row, RowKind
from gateway.core.directory import read_certificate
from gateway.core.faults import Text

#: Dependencies first: an agency's subscriptions speak of contracts, an agreement speaks of agencies.
_ORDER: Final[tuple[RowKind, ...]] = ("contract", "agency", "agreement", "operator", "item")
_KINDS: Final[dict[str, Text]] = {
    "agency": Text("cơ quan", "agency"),
    "agreement": Text("thoả thuận", "agreement"),
    "contract": Text("hợp đồng dữ liệu", "contract"),
    "operator": Text("người vận hành", "operator"),
    "item": Text("mục của sổ", "item of a register"),
}
_ORIGINS: Final[dict[str, Text]] = {
    "folder": Text("thư mục tỉnh", "the province folder"),
    "directory": Text("danh mục quốc gia", "the national directory"),
    "enrolment": Text("đăng ký trực tuyến", "enrolment"),
    "console": Text("trang quản trị", "the console"),
}
#: Lists of tables whose entries have a name of their own, so that order does not matter.
_NAMED_BY: Final = {"systems": ("name",), "subscriptions": ("contract",), "provides": ("contract", "version")}
_LONG: Final = 120


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that differs: its path (``systems[dms].settings.url``), before and after; None where absent."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that is there before and after, with what differs."""

    before: Row
    after: Row
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """A row the folder asks for whose name belongs to a row from elsewhere."""

    wanted: Row
    holder: Row
    name: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The steps from the registry as it is to the folder's wish. Rows of other origins are never touched."""

    added: tuple[Row, ...] = ()
    changed: tuple[ChangedRow, ...] = ()
    removed: tuple[Row, ...] = ()
    clashes: tuple[Clash, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do and nothing to refuse."""
        return not (self.added or self.changed or self.removed or self.clashes)

    def as_json(self) -> dict[str, Any]:
        """The same for programs; no certificate bodies, no hashes."""
        return {
            "added": [_named(row) for row in self.added],
            "changed": [
                {
                    **_named(row.after),
                    "fields": [{"path": f.path, "before": f.before, "after": f.after} for f in row.fields],
                }
                for row in self.changed
            ],
            "removed": [_named(row) for row in self.removed],
            "clashes": [{**_named(c.wanted), "name": c.name, "origin": c.holder.origin} for c in self.clashes],
        }

    def lines(self, language: str) -> Iterator[str]:
        """The same for people, in one language: ``+`` added, ``~`` changed, ``-`` removed, ``!`` clash."""
        for row in self.added:
            yield f"+ {_said(row, language)}"
        for change in self.changed:
            yield f"~ {_said(change.after, language)}"
            for field in change.fields:
                yield f"    {field.path}: {_value(field.before)} → {_value(field.after)}"
        for row in self.removed:
            yield f"- {_said(row, language)}"
        for clash in self.clashes:
            origin = _ORIGINS[clash.holder.origin]
            taken = Text(
                f"{clash.name} đã được quản lý bởi {origin.vi}; hãy bỏ ở một trong hai nơi",
                f"{clash.name} is kept by {origin.en}; take it out of one of the two",
            )
            yield f"! {_said(clash.wanted, language)}: {taken.in_language(language)}"
        if self.is_empty:
            yield Text("Không có gì thay đổi.", "Nothing changes.").in_language(language)


def difference(current: Iterable[Row], wanted: Iterable[Row]) -> Difference:
    """From the registry's rows and those the folder asks for to what must be done."""
    current, wanted = tuple(current), tuple(wanted)
    held = {(row.kind, row.key): row for row in current}
    wishes = {(row.kind, row.key): row for row in wanted}
    clashes = _clashes(current, wanted)
    refused = {(clash.wanted.kind, clash.wanted.key) for clash in clashes}
    added: list[Row] = []
    changed: list[ChangedRow] = []
    for place, row in wishes.items():
        before = held.get(place)
        if place in refused:
            continue
        if before is None:
            added.append(row)
        elif fields := tuple(_fields("", _seen(before.body), _seen(row.body))):
            changed.append(ChangedRow(before, row, fields))
    removed = [row for place, row in held.items() if row.origin == "folder" and place not in wishes]
    return Difference(
        tuple(sorted(added, key=_place)),
        tuple(sorted(changed, key=lambda row: _place(row.after))),
        tuple(sorted(removed, key=_place, reverse=True)),
        tuple(clashes),
    )


def _clashes(current: Sequence[Row], wanted: Iterable[Row]) -> list[Clash]:
    foreign = [row for row in current if row.origin != "folder"]
    holders = {(row.kind, name): row for row in foreign for name in _names(row)}
    clashes: list[Clash] = []
    for row in wanted:
        name = next((name for name in _names(row) if (row.kind, name) in holders), None)
        if name is not None:
            clashes.append(Clash(row, holders[row.kind, name], name))
    return clashes


def _names(row: Row) -> tuple[str, ...]:
    """Every name under which the row is known: of an agency its aliases too."""
    return (row.key, *(row.body.get("aliases", ()) if row.kind == "agency" else ()))


def _place(row: Row) -> tuple[int, str]:
    return _ORDER.index(row.kind), row.key


def _named(row: Row) -> dict[str, str]:
    return {"kind": row.kind, "key": row.key}


def _said(row: Row, language: str) -> str:
    title = row.body.get("name") or row.body.get("title")
    return f"{_KINDS[row.kind].in_language(language)} {row.key}" + (f" ({title})" if isinstance(title, str) else "")


def _seen(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body as it is compared and shown: certificates by thumbprint, files by digest, of a hash its salt."""
    seen = dict(body)
    if "files" in seen:
        seen["files"] = {
            name: hashlib.sha256(str(text).encode()).hexdigest()[:16] for name, text in seen["files"].items()
        }
    if "systems" in seen:
        seen["systems"] = [_seen_system(system) for system in seen["systems"]]
    return seen


def _seen_system(system: Mapping[str, Any]) -> dict[str, Any]:
    seen = dict(system)
    if "certificates_pem" in seen:
        seen["certificates_pem"] = [_thumbprint(pem) for pem in seen["certificates_pem"]]
    if "secret_hash" in seen:
        # the salt alone tells one hash from another, and tells nothing about the secret
        seen["secret_hash"] = str(seen["secret_hash"]).partition("$")[0]
    return seen


def _thumbprint(pem: str) -> str:
    try:
        return read_certificate(pem).thumbprint
    except ValueError:
        return "?"


def _fields(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            inner = f"{path}.{key}" if path else str(key)
            yield from _fields(inner, before.get(key), after.get(key))
        return
    by = _NAMED_BY.get(path.rpartition(".")[2])
    if by and isinstance(before, list) and isinstance(after, list):
        one, other = _by_name(by, before), _by_name(by, after)
        for name in sorted({*one, *other}):
            yield from _entry(f"{path}[{name}]", one.get(name), other.get(name))
        return
    if before != after:
        yield FieldChange(path, before, after)


def _entry(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    """A named entry: added or removed as a whole, else field by field."""
    if before is None or after is None:
        yield FieldChange(path, before, after)
    else:
        yield from _fields(path, before, after)


def _by_name(by: tuple[str, ...], entries: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {"/".join(str(entry.get(part)) for part in by): entry for entry in entries}


def _value(value: Any) -> str:
    if value is None:
        return "∅"
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    said = said.replace("\n", " ")
    return said if len(said) <= _LONG else said[: _LONG - 1] + "…"
