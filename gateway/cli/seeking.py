"""The options by which commands narrow failures: recipient, contract, moments, cause."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final, TypeVar

import click

from gateway.core.explanations import EXPLANATIONS
from gateway.core.moments import VIET_NAM, parse_duration, parse_moment
from gateway.ports.failures import Sought

_Command = TypeVar("_Command", bound=Callable[..., Any])
_GROUP: Final = re.compile(r"[0-9a-f]{12}\Z")
#: What can be asked for as a cause: classes of failures, and why the bus gave up.
CAUSES: Final = tuple(sorted({*EXPLANATIONS, "refused", "deadline", "attempts"}))


class Moment(click.ParamType[float]):
    """A moment: RFC 3339, a day in Viet Nam (``2026-11-22``), or how long ago (``90m``, ``2d``)."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since 1970."""
        if isinstance(value, float):
            return value
        found = parse_moment(str(value))
        if found is None and (ago := parse_duration(str(value))) is not None:
            found = time.time() - ago
        if found is None and re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
            try:
                day = date.fromisoformat(str(value))
            except ValueError:
                day = None
            found = None if day is None else datetime(day.year, day.month, day.day, tzinfo=VIET_NAM).timestamp()
        if found is None:
            self.fail("2026-11-22, 2026-11-22T08:00:00+07:00, 90m, 2d", param, ctx)
        return found


def seeking(command: _Command) -> _Command:
    """``--recipient --contract --since --until --cause``."""
    options = (
        click.option("--recipient", metavar="CODE/NAME", help="Chỉ nơi nhận này. This destination only."),
        click.option("--contract", metavar="NAME[/VERSION]", help="Chỉ loại thông điệp này. This contract only."),
        click.option("--since", type=Moment(), metavar="WHEN",
                     help="Hỏng từ lúc này: 2026-11-22, 2d, … Failed since then."),
        click.option("--until", type=Moment(), metavar="WHEN", help="Hỏng trước lúc này. Failed before then."),
        click.option("--cause", type=click.Choice(CAUSES), metavar="CAUSE",
                     help="Chỉ nguyên nhân này, ví dụ timeout. This cause only."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def sought(given: Mapping[str, Any], group: str | None = None) -> Sought:
    """The filter that the options make."""
    names = ("recipient", "contract", "since", "until", "cause")
    return Sought(**{name: given[name] for name in names}, group=group)


def is_group(word: str) -> bool:
    """Whether a word is the fingerprint of a group."""
    return _GROUP.match(word.lower()) is not None
