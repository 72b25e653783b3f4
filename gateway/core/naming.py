"""Which agency a code means: those registered here, those on lists, and what became of the closed ones.

A closed code is readable for ever. From its day on its successor stands in its place: it gets what is sent to it and
has its rights under agreements. No more than that: ``H33.*`` covers H01.05 once H33.05 became H01.05, and not another
agency of H01, to which nobody gave that right. Units whose parent is closed lie below the successor, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Final, TypeVar

from gateway.core.agency import Agency
from gateway.core.agency_list import AgencyList

#: Agencies that one agency may succeed, or lie below, at most: a list may be written by anybody.
MOST_REACHED: Final = 2_000
#: Answers that are remembered of each kind, before all are forgotten.
_REMEMBERED: Final = 4_000
#: What no code is: nobody has asked yet.
_UNASKED: Final = "\n"
#: Successors in a row.
_LONGEST: Final = 32

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Naming:
    """Registered agencies and lists as one. What is registered counts before any list, an earlier list before others.

    A code on a list that a registered agency has as its own or as another code means the registered one.
    """

    def __init__(self, agencies: Iterable[Agency], lists: Iterable[AgencyList]) -> None:
        self.registered: Mapping[str, Agency] = {agency.code: agency for agency in agencies}
        self.lists = tuple(lists)
        self._names: dict[str, str] = {}
        for agency in self.registered.values():
            self._names.update(dict.fromkeys(agency.aliases, agency.code))
        self._names.update({code: code for code in self.registered})
        self._before: dict[str, list[str]] = {}
        for agency in self.registered.values():
            if agency.successor and agency.closed:
                self._before.setdefault(agency.successor, []).append(agency.code)
        #: Whether anybody succeeded anybody: where nobody did, nothing is looked for.
        self._is_any_succeeded = bool(self._before) or any(listed.has_successions for listed in self.lists)
        self._codes: dict[str, str | None] = {}
        self._agencies: dict[str, Agency | None] = {}
        self._above: dict[tuple[str, date | None], frozenset[str]] = {}
        self._selves: dict[tuple[str, date | None], frozenset[str]] = {}

    def code(self, name: str) -> str | None:
        """The code of the agency that is called ``name``, by its code or another one; None where there is none."""
        known = self._names.get(name)
        if known is not None or not self.lists:
            return known
        if (found := self._codes.get(name, _UNASKED)) is not _UNASKED:
            return found
        named = (name if listed.entry(name) is not None else listed.owner(name) for listed in self.lists)
        code = next((each for each in named if each is not None), None)
        return _remember(self._codes, name, None if code is None else self._names.get(code, code))

    def agency(self, name: str) -> Agency | None:
        """The agency that is called ``name``, closed or not."""
        code = self.code(name)
        if code is None:
            return None
        known = self.registered.get(code) or self._agencies.get(code)
        if known is not None:
            return known
        entries = (listed.entry(code) for listed in self.lists)
        entry = next((each for each in entries if each is not None), None)
        return None if entry is None else _remember(self._agencies, code, entry.agency())

    def living(self, name: str, day: date) -> Agency | None:
        """The agency that stands for ``name`` on ``day``: itself, or the last of its successors.

        None where there is none: nobody is called so, or it was closed and nobody succeeded it.
        """
        agency = self.agency(name)
        for _ in range(_LONGEST):
            if agency is None or not agency.is_closed(day):
                return agency
            agency = None if agency.successor is None else self.agency(agency.successor)
        return None

    def selves(self, code: str, day: date | None) -> frozenset[str]:
        """The agency's own code, and those of the agencies in whose place it stands on ``day`` (None: nobody's)."""
        own = self.code(code) or code
        if day is None or not self._is_any_succeeded:
            return frozenset((own,))
        known = self._selves.get((own, day))
        return known or _remember(self._selves, (own, day), _reached(own, lambda each: self._succeeded(each, day)))

    def _succeeded(self, code: str, day: date) -> Iterator[str]:
        """Codes closed by ``day`` whose successor this agency is, by its code or another one."""
        agency = self.agency(code)
        for name in (code,) if agency is None else (code, *agency.aliases):
            written = [
                *self._before.get(name, ()),
                *(each for listed in self.lists for each in listed.closed_for(name)),
            ]
            for each in written:
                before = self.agency(each)
                if before is not None and before.is_closed(day):
                    yield before.code

    def above(self, code: str, day: date | None = None) -> frozenset[str]:
        """Codes of every agency above ``code`` through parent links; a parent need not be registered.

        On ``day`` what lies below a closed agency lies below its successors, too.
        """
        own = self.code(code) or code
        known = self._above.get((own, day))
        if known is not None:
            return known
        found = _reached(own, lambda each: self._next_above(each, own, day)) - {own}
        return _remember(self._above, (own, day), found)

    def _next_above(self, code: str, own: str, day: date | None) -> Iterator[str]:
        agency = self.agency(code)
        if agency is None:
            return
        if agency.parent:
            yield self.code(agency.parent) or agency.parent
        if code != own and day is not None and agency.successor and agency.is_closed(day):
            yield self.code(agency.successor) or agency.successor


def _reached(first: str, following: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """``first`` and all that follows from it, step by step; no more than MOST_REACHED."""
    found = {first: None}
    todo = [first]
    while todo and len(found) < MOST_REACHED:
        for each in following(todo.pop()):
            if each not in found:
                found[each] = None
                todo.append(each)
    return frozenset(found)


def _remember(answers: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    if len(answers) >= _REMEMBERED:
        answers.clear()
    answers[key] = value
    return value
