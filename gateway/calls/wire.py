"""The words of a far side as data: rule files in an adapter's folder, and what no rule of theirs reads.

What a far side says beyond the rules is kept beside the data (``ext``) under the adapter's name, and goes back out to
the same kind of system: nothing that an agency wrote is lost because the bus has no word for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.core.faults import Text
from gateway.core.translation import Rules
from gateway.core.wire_record import Shape, tidied

#: Unknown members that are kept of one item, and how much text they may hold together (characters, roughly).
_MOST_UNREAD: Final = 100
_MOST_TEXT: Final = 64 * 1024


class Read(NamedTuple):
    """What was said in the words of the bus. ``faults``: why it cannot be read; ``warnings``: what was left out."""

    data: dict[str, Any]
    faults: tuple[Text, ...]
    warnings: tuple[Text, ...]


class Wire:
    """One direction of one message of one tongue."""

    def __init__(self, folder: Path, name: str) -> None:
        """Reads ``folder/wire/NAME.json``; raises Misconfigured naming the wrong rule."""
        self._tongue = folder.name
        self._rules = Rules.parse((folder / "wire" / f"{name}.json").read_bytes(), f"{folder.name}/wire/{name}.json")
        self._shape = Shape.of(self._rules)

    def inward(self, said: Mapping[str, Any]) -> Read:
        """The far side's words as the bus writes them; what no rule reads under ``ext``."""
        tidy = tidied(said, self._shape)
        data: dict[str, Any] = self._rules.apply(tidy.record)
        unread = _kept(without_nulls(tidy.unknown))
        if unread:
            data["ext"] = {self._tongue: unread}
        return Read(data, tidy.faults, tidy.warnings)

    def outward(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The bus' words as the far side writes them, with what it had said beyond the rules."""
        ext = data.get("ext")
        beyond = ext.get(self._tongue) if isinstance(ext, Mapping) else None
        written: dict[str, Any] = self._rules.apply(data)
        return {**beyond, **written} if isinstance(beyond, dict) else written


def without_nulls(value: Any) -> Any:
    """``value`` without members and items that are null: a far side's way to say that there is none."""
    if isinstance(value, Mapping):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value if each is not None]
    return value


def _kept(unread: dict[str, Any]) -> dict[str, Any]:
    """As many of the unknown members, in their order, as there is room for."""
    found: dict[str, Any] = {}
    room = _MOST_TEXT
    for name, value in list(unread.items())[:_MOST_UNREAD]:
        room -= len(name) + _weight(value)
        if room < 0:
            break
        found[name] = value
    return found


def _weight(value: Any) -> int:
    if isinstance(value, Mapping):
        return 2 + sum(len(name) + _weight(each) for name, each in value.items())
    if isinstance(value, list):
        return 2 + sum(_weight(each) for each in value)
    return len(value) if isinstance(value, str) else 8
