"""What the portal in the field does wrong, as switches: once each by a script, or as a manner it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "code",  # HTTP 200, and error_code ``value`` with words inside
    "words",  # HTTP 200, no error_code, and the words ``value``
    "http",  # status ``value`` with a short text
    "session",  # the session is refused, whatever it is
    "html",  # a proxy's page with HTTP 200
    "wrong-json",  # a text that only begins like JSON
    "null",  # the JSON null
    "encoded",  # the answer is a JSON text in a JSON string
    "cut",  # breaks off in the middle of the answer
    "slow",  # does it at once, answers after ``value`` seconds
    "reset",  # breaks off before anything is done
    "lost-reply",  # does it, then breaks off
    "blind",  # a look-up finds nothing although the dossier is there: somebody else is just filing it
    "late",  # does it only after ``value`` seconds, and answers then
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; what ``value`` means depends on the kind."""

    kind: Kind
    value: str | int | float = ""


@dataclass(slots=True)
class Faults:
    """``script``: service -> faults to come, once each. ``usual``: service -> the fault from now on."""

    script: dict[str, list[Fault]] = field(default_factory=dict)
    usual: dict[str, Fault] = field(default_factory=dict)

    def next(self, service: str) -> Fault | None:
        """What goes wrong with this call, if anything."""
        waiting = self.script.get(service)
        return waiting.pop(0) if waiting else self.usual.get(service)

    def once(self, service: str, *faults: Fault) -> None:
        """The next calls of ``service`` meet these faults, one each."""
        self.script.setdefault(service, []).extend(faults)


@dataclass(slots=True)
class Manners:
    """How this portal says things; the defaults are the plainest.

    ``zero``: its error_code of success; None leaves it out, so that only the words tell. ``exists``: its error_code for
    a dossier that is there already. ``casing``: how it writes the names in its answers. ``nulls``: an empty list is
    null. ``numbers``: what looks like a number comes as one. ``doubles``: each row of a list comes twice.
    ``last_write_wins``: a step sets the status of its dossier, however old it is. ``placeholder``: the id that it puts
    where it has none.
    """

    zero: int | str | None = 0
    exists: int | str = "3"
    casing: Literal["", "lower", "upper"] = ""
    nulls: bool = False
    numbers: bool = False
    doubles: bool = False
    last_write_wins: bool = True
    placeholder: str = "000000001"
    #: HTTP status with which a session is refused; 200 with words inside where it is not said otherwise.
    session_status: int = 200
