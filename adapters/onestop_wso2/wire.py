"""The mapping data of this adapter, for days as the software at hand writes them, and what they read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.core.translation import Rules
from gateway.core.wire_record import Shape

_FOLDER: Final = Path(__file__).resolve().parent / "wire"
#: How the published interface does not say: the setting ``dates`` -> a form of days and moments. The rules are written
#: for the first of them.
DATES: Final[Mapping[str, str]] = {
    "dd/MM/yyyy HH:mm:ss": "vn-date-time",
    "yyyyMMddHHmmss": "compact-date-time",
    "yyyy/MM/dd HH:mm:ss": "slash-date-time",
    "yyyy-MM-ddTHH:mm:ss": "iso-date-time",
    "dd/MM/yyyy": "vn-date",
}
_WRITTEN: Final = '"from": "vn-date-time"'


class Wire:
    """All rules, read once an adapter; raises Misconfigured naming the file and the rule that is wrong."""

    def __init__(self, dates: str) -> None:
        """``dates``: a name in DATES."""
        form = f'"from": "{DATES[dates]}"'
        self.form: Final = DATES[dates]
        self.rules: Final[Mapping[str, Rules]] = {
            path.stem: Rules.parse(
                path.read_text("utf-8").replace(_WRITTEN, form).encode(), f"onestop_wso2/wire/{path.name}"
            )
            for path in sorted(_FOLDER.glob("*.json"))
        }
        apart = {"trace", "statistic"}
        #: A document whatever becomes of it; and what is told of a new one.
        self.document: Final = Shape.of(*(rules for name, rules in self.rules.items() if name not in apart))
        self.registered: Final = Shape.of(self.rules["registered"])
        self.trace: Final = Shape.of(self.rules["trace"])
        self.statistic: Final = Shape.of(self.rules["statistic"])
        for shape in (self.document, self.trace, self.statistic):
            # What the adapter itself puts into a record is nobody's to send.
            for name in [name for name in shape.members if name.startswith("@")]:
                del shape.members[name]


def beyond(said: Mapping[str, Any], shape: Shape, *, is_within: bool = False) -> dict[str, Any]:
    """What of a record no rule reads, in its lists too (an entry for each of theirs), less what is empty."""
    known = {name.casefold(): place for name, place in shape.members.items()}
    found: dict[str, Any] = {}
    for name, value in said.items():
        place = known.get(name.casefold())
        if value in (None, "", []):
            continue
        if place is None:
            found[name] = value
        elif place.is_list and not is_within and isinstance(value, list):
            inner = [beyond(each, place, is_within=True) if isinstance(each, dict) else {} for each in value]
            if any(inner):
                found[name] = inner
    return found
