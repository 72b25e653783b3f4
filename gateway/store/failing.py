"""What the rows about failures mean, whichever tables they come from: what a symptom is, and which group it is in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from gateway.core.failure import Diagnosis, Kind, Symptom, diagnose, stuck_class
from gateway.ports.failures import Failed, Group, Sought

#: Ids of deliveries that a group names.
SAMPLES: Final = 5

#: A symptom understood; the same few come again and again.
diagnosed = lru_cache(maxsize=4096)(diagnose)


def understood(what: Sequence[Any]) -> Diagnosis:
    """A delivery that is not dead: (recipient, contract, error or None, is_pulled, is_tried, outcome, status, detail).

    ``error`` is None where the last attempt says what it is.
    """
    recipient, contract, error, is_pulled, is_tried, outcome, status, detail = what
    symptom = Symptom(recipient, contract, None, outcome, status, detail)
    if error is not None:
        return diagnosed(symptom, error=error)
    named = stuck_class(symptom, is_pulled=bool(is_pulled), is_tried=bool(is_tried))
    return diagnosed(symptom if named is None else Symptom(recipient, contract), error=named)


def is_meant(sought: Sought, found: Diagnosis) -> bool:
    """Whether class and group are those that are asked for; the tables are asked for the rest."""
    return sought.group in {None, found.fingerprint} and sought.cause in {None, found.error}


def kind_of(error: str) -> Kind:
    """Whether a delivery that is not dead is stuck, or held because somebody wants it so."""
    return "held" if error == "held" else "stuck"


def merged(groups: Iterable[Group]) -> list[Group]:
    """Each group once, with all its parts."""
    found: dict[str, Group] = {}
    for group in groups:
        held = found.get(group.fingerprint)
        found[group.fingerprint] = group if held is None else _both(held, group)
    return list(found.values())


def _both(one: Group, other: Group) -> Group:
    samples = tuple(dict.fromkeys((*one.samples, *other.samples)))[:SAMPLES]
    first, last = min(one.first, other.first), max(one.last, other.last)
    return Group(
        one.fingerprint, one.kind, one.recipient, one.contract, one.error, one.cause, one.text,
        one.count + other.count, first, last, samples,
    )  # fmt: skip


def largest(groups: Iterable[Group], limit: int) -> list[Group]:
    """The largest groups first, ``limit`` of them at most."""
    return sorted(groups, key=lambda group: (-group.count, group.fingerprint))[:limit]


def failed(told: Sequence[Any], *, error: str, fingerprint: str, at: float, tried: Sequence[Any]) -> Failed:
    """One delivery of a group.

    ``told``: its id, its message's id and source, recipient, contract, state, cause, attempts; ``tried``: outcome,
    status and detail of its last attempt.
    """
    delivery, message, source, recipient, contract, state, cause, attempts = told
    outcome, status, detail = tried
    return Failed(
        delivery, message, source, recipient, contract, state, cause, error, fingerprint, attempts, at, outcome, status,
        detail,
    )  # fmt: skip
