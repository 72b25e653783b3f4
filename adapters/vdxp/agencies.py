"""The axis' three lists of agencies as one: an agency under both forms of its code is one entry. Pure.

No code is computed into another: that two codes are one agency's is said by the lists alone (code with oldCode, code
with code102). A code that two agencies claim as their old one is nobody's alias: a person has to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from adapters.vdxp.evidence import moment_of
from gateway.core.codes import form_of, is_code
from gateway.core.moments import day_of

Row = Mapping[str, Any]


@dataclass(slots=True)
class _Entry:
    code: str
    name: str = ""
    #: The parent as the list named here knows it.
    parent_id: str = ""
    which: str = ""
    other: str = ""
    level: str = ""
    centre: str = ""
    mail: str = ""
    closed: date | None = None


@dataclass(slots=True)
class Merging:
    """Takes rows of the lists in any order; :meth:`rows` gives the agencies. ``today`` closes what names no day."""

    today: date
    #: Code as some list writes it -> what that list says; the lists are kept apart until all are there.
    _older: dict[str, _Entry] = field(default_factory=dict)
    _units: dict[str, _Entry] = field(default_factory=dict)
    _newer: dict[str, _Entry] = field(default_factory=dict)
    #: Ids of a list -> the code; parents are named by id.
    _ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def older(self, row: Row) -> None:
        """A row of getAgenciesList: id, pid, code, name, mail, oldCode."""
        if entry := self._entry("older", row):
            entry.other = _text(row, "oldCode")
            self._older.setdefault(entry.code, entry)

    def unit(self, row: Row) -> None:
        """A row of getSynchronizeUnit: as before, and centerCode, deleted, modifyDate, isAgency."""
        if entry := self._entry("unit", row):
            entry.centre = _text(row, "centerCode")
            if _text(row, "deleted").lower() in {"true", "1", "yes"}:
                modified = moment_of(_text(row, "modifyDate"))
                entry.closed = self.today if modified is None else day_of(modified)
            self._units.setdefault(entry.code, entry)

    def newer(self, row: Row, level: str) -> None:
        """A row of getAgenciesListQD20: id, code, name, mail, code102; ``level`` is what the list was asked for."""
        if entry := self._entry("newer", row):
            entry.other, entry.level = _text(row, "code102"), level
            self._newer.setdefault(entry.code, entry)

    def rows(self) -> list[dict[str, Any]]:
        """Every agency once, by code, as plain dictionaries; connection centres are no agencies and left out."""
        everything = [*self._newer.values(), *self._older.values(), *self._units.values()]
        names = _one_name_each(everything)
        merged: dict[str, dict[str, Any]] = {}
        for entry in everything:
            code = names.get(entry.code, entry.code)
            row = merged.setdefault(
                code,
                {
                    "code": code, "name": "", "parent": None, "aliases": [], "level": None, "centre": None,
                    "mail": None, "closed": None,
                },
            )  # fmt: skip
            self._add(row, entry, names)
        return [merged[code] for code in sorted(merged) if form_of(code) != "centre"]

    def _add(self, row: dict[str, Any], entry: _Entry, names: Mapping[str, str]) -> None:
        """What a list says beyond the lists before it."""
        parent = self._ids.get((entry.which, entry.parent_id), "")
        row["name"] = row["name"] or entry.name
        row["level"] = row["level"] or entry.level or None
        row["centre"] = row["centre"] or entry.centre or None
        row["mail"] = row["mail"] or entry.mail or None
        row["closed"] = row["closed"] or (entry.closed and entry.closed.isoformat())
        parent = names.get(parent, parent)
        if parent and parent != row["code"]:
            row["parent"] = row["parent"] or parent
        for alias in (entry.code, entry.other):
            if alias and alias != row["code"] and names.get(alias) == row["code"] and alias not in row["aliases"]:
                row["aliases"].append(alias)

    def _entry(self, which: str, row: Row) -> _Entry | None:
        """The row as an entry; None where its code can be none."""
        code = _text(row, "code")
        if not is_code(code):
            return None
        if own := _text(row, "id"):
            self._ids.setdefault((which, own), code)
        return _Entry(code, _text(row, "name")[:500], _text(row, "pid"), which, mail=_text(row, "mail")[:200])


def _one_name_each(entries: list[_Entry]) -> dict[str, str]:
    """Any code -> the one that names the agency: what a newer list calls ``code`` names what others call otherwise."""
    claims: dict[str, set[str]] = {}
    for entry in entries:
        if entry.other and entry.other != entry.code and is_code(entry.other):
            claims.setdefault(entry.other, set()).add(entry.code)
    names = {alias: next(iter(codes)) for alias, codes in claims.items() if len(codes) == 1}
    return {alias: code for alias, code in ((alias, _followed(alias, names)) for alias in names) if code} | {
        entry.code: entry.code for entry in entries if entry.code not in names
    }


def _followed(code: str, names: Mapping[str, str]) -> str:
    """The end of a chain of old codes; empty where it goes round."""
    for _ in range(10):
        if code not in names:
            return code
        code = names[code]
    return ""


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None or isinstance(value, dict | list) else " ".join(str(value).split())
