"""Translation between majors of a contract: pure data in, pure data out, and the losses by name.

``Rules`` is one file (``up.json`` or ``down.json``); ``Chain`` is as many of them as lie between two majors. Both
are total (they answer for any data, never raise), deterministic, and bounded: the result is at most the number of
rules times the size of the input, plus what the rules themselves hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.core.rule import ABSENT, Carried, Guarded, Page, Path, Place, write_all
from gateway.core.rule_kinds import Each
from gateway.core.rule_text import join_pointer, parse_rules


@dataclass(frozen=True, slots=True)
class Rules:
    """The way from one major to the next or to the one before; ``source`` is the file's exact bytes."""

    source: bytes
    rules: tuple[Guarded, ...]

    @classmethod
    def parse(cls, document: bytes, where: str = "rules.json") -> Rules:
        """The rules of one file (the language: ``gateway.core.rule_text``).

        Raises ``Misconfigured`` whose ``where`` ends in the JSON pointer of the wrong rule.
        """
        return cls(document, parse_rules(document, where))

    def apply(self, data: Any) -> Any:
        """``data`` in the other major's shape; the input is neither changed nor shared."""
        return self.page(data).root

    def lost(self, data: Any) -> tuple[str, ...]:
        """JSON pointers of what ``apply`` drops or blurs, in the order of the data; a whole branch as one."""
        return tuple(join_pointer(place) for place in self.lost_places(data))

    def page(self, data: Any) -> Page:
        """The result with the account of what came from where."""
        page = Page()
        write_all(self.rules, data, page)
        if page.root is ABSENT:
            page.root = {}
        return page

    def lost_places(self, data: Any) -> tuple[Place, ...]:
        """``lost`` as places."""
        return _losses(data, self.page(data).carried)

    def settled(self) -> frozenset[Path]:
        """The places that the rules hand on or remove on purpose, ``*`` standing for every item of an array."""
        return frozenset(_settled(self.rules, ()))


def _settled(rules: Iterable[Guarded], prefix: Path) -> Iterable[Path]:
    for _, rule in rules:
        if isinstance(rule, Each):
            yield from _settled(rule.rules, (*prefix, *rule.source, "*"))
        else:
            yield from ((*prefix, *source) for source in rule.sources)


def _losses(data: Any, carried: list[Carried]) -> tuple[Place, ...]:
    whole = {each.source for each in carried if each.exact} - {each.source for each in carried if not each.exact}
    if data in ({}, []):
        return ()
    lost, kept = _walk(data, (), whole)
    return tuple(lost) if kept or not lost else ((),)


def _walk(value: Any, place: Place, whole: set[Place]) -> tuple[list[Place], bool]:
    """The lost places at and below ``place``, and whether anything at or below it is kept."""
    if place in whole:
        return [], True
    parts: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    lost: list[Place] = []
    kept = False
    for name, part in parts:
        below, alive = _walk(part, (*place, name), whole)
        lost.extend(below)
        kept = kept or alive
    return (lost, True) if kept else ([place], False)


@dataclass(frozen=True, slots=True)
class Chain:
    """All steps from one major to another; ``target`` is the label of the version whose shape comes out.

    ``digest`` is ``sha-256:HEX`` over the exact bytes of the rule files, one after the other as applied: what an
    auditor gets from ``cat`` and ``sha256sum``.
    """

    steps: tuple[Rules, ...]
    target: str
    digest: str

    @classmethod
    def of(cls, steps: Iterable[Rules], target: str) -> Chain:
        """The chain of ``steps`` in their order, with its digest."""
        fixed = tuple(steps)
        digest = hashlib.sha256(b"".join(step.source for step in fixed)).hexdigest()
        return cls(fixed, target, f"sha-256:{digest}")

    def apply(self, data: Any) -> Any:
        """``data`` through every step."""
        for step in self.steps:
            data = step.apply(data)
        return data

    def lost(self, data: Any) -> tuple[str, ...]:
        """What is lost on the whole way, as pointers into ``data`` as it was at the start."""
        found: list[Place] = []
        accounts: list[list[Carried]] = []
        for step in self.steps:
            page = step.page(data)
            for place in _losses(data, page.carried):
                found.extend(_traced(place, accounts))
            accounts.append(page.carried)
            data = page.root
        ordered = sorted(set(found), key=lambda place: [str(token).zfill(9) for token in place])
        return tuple(
            join_pointer(place)
            for position, place in enumerate(ordered)
            if not any(place[: len(other)] == other for other in ordered[:position])
        )


def _traced(place: Place, accounts: list[list[Carried]]) -> list[Place]:
    """Where ``place`` of a later shape came from in the first one; what a rule made up came from nowhere."""
    places = [place]
    for carried in reversed(accounts):
        places = [origin for each in places for origin in _origins(each, carried)]
    return places


def _origins(place: Place, carried: list[Carried]) -> list[Place]:
    found: list[Place] = []
    for each in carried:
        if place[: len(each.target)] == each.target:
            found.append((*each.source, *place[len(each.target) :]))
        elif each.target[: len(place)] == place:
            found.append(each.source)
    return found
