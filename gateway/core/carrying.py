"""Whom a delivery to a carrier is for: the agencies among those addressed that are reached by way of its system."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from gateway.core.directory import Agency, Directory, System


def carried(event: Mapping[str, Any], recipient: System, directory: Directory, day: date) -> tuple[str, ...]:
    """Codes of the agencies that ``recipient`` carries this message for on ``day``, each once, in the order of ``to``.

    ``event`` is the original, as a translation does not say to whom it goes. Empty where the recipient's own agency or
    the recipient itself is addressed. Where the directory has changed since acceptance, so that nobody is reached by
    this system any more, those that are reached by no system at all: for one of them it was sent here.
    """
    if recipient.name not in directory.carriers:
        return ()  # so with nearly all: the event is not even looked into
    to = event.get("to")
    if not isinstance(to, str):
        return ()
    by_it: dict[str, None] = {}
    by_nobody: dict[str, None] = {}
    for name in to.split(" "):
        agency = _addressed(name, directory, day)
        if agency is None:
            continue
        if agency.code == recipient.agency:
            return ()
        if "/" in name or _reaches_itself(agency, event, directory, day):
            continue
        carrier = directory.carrier(agency)
        if carrier is None:
            by_nobody[agency.code] = None
        elif carrier.name == recipient.name:
            by_it[agency.code] = None
    return tuple(by_it or by_nobody)


def _addressed(name: str, directory: Directory, day: date) -> Agency | None:
    system = directory.system(name) if "/" in name else None
    return directory.recipient(name if system is None else system.agency, day)


def _reaches_itself(agency: Agency, event: Mapping[str, Any], directory: Directory, day: date) -> bool:
    """Whether a system of the agency's own wants the message."""
    kind, subject = str(event.get("type")), str(event.get("subject"))
    source = str(event.get("source")).partition("/")[0]
    return any(directory.wants(system, kind, source, subject, day) is not None for system in agency.systems)
