"""What an axis in the field does wrong, as switches: once each by a script, or for as long as it is set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "code",  # FAIL with ErrorCode ``value`` and HTTP 200
    "http",  # status ``value`` with a short text
    "unauthorized",  # HTTP 401 as a provincial bus answers it
    "html",  # a proxy's page with HTTP 200
    "text",  # a word instead of JSON
    "null",  # the JSON null
    "no-data",  # success, but without what was asked for
    "null-data",  # success, and ``data`` is null
    "bad-base64",  # a document that is no base64
    "cut",  # breaks off in the middle of the answer
    "slow",  # answers after ``value`` seconds
    "reset",  # breaks off before anything is done
    "lost-reply",  # does it, then breaks off
    "endless",  # never stops answering
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; what ``value`` means depends on the kind."""

    kind: Kind
    value: str | float = ""


@dataclass(slots=True)
class Faults:
    """``script``: operation -> faults to come, once each. ``usual``: operation -> the fault from now on."""

    script: dict[str, list[Fault]] = field(default_factory=dict)
    usual: dict[str, Fault] = field(default_factory=dict)
    #: Faults of one document's fetching, by title, for as long as they are set.
    poisoned: dict[str, Fault] = field(default_factory=dict)
    #: Each item stands twice in the list.
    doubles: bool = False
    #: The list is turned round.
    disorder: bool = False
    #: What was sent appears in the sender's list only after so many seconds.
    lag: float = 0.0

    def next(self, operation: str, title: str = "") -> Fault | None:
        """What goes wrong with this call, if anything."""
        waiting = self.script.get(operation)
        if waiting:
            return waiting.pop(0)
        return self.poisoned.get(title) or self.usual.get(operation)

    def once(self, operation: str, *faults: Fault) -> None:
        """The next calls of ``operation`` meet these faults, one each."""
        self.script.setdefault(operation, []).extend(faults)
