"""A dossier with those under whose codes other agencies work on parts of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.core.dossiers.dossier import Dossier, Leg
from gateway.core.dossiers.statuses import STOPPED


def linked(dossier: Dossier, children: Mapping[str, Dossier]) -> Dossier:
    """``dossier`` with its legs as far as their own dossiers (by code as compared) are.

    An agency that works on its part under a code of its own says so there and nowhere else: its leg stands where that
    dossier does, and has ended when that one has. What it said under this code goes first. A dossier that somebody else
    leads under the child's code says nothing here.
    """
    legs = tuple([_joined(leg, children.get(leg.hop.child)) for leg in dossier.legs])
    return dossier if legs == dossier.legs else replace(dossier, legs=legs)


def _joined(leg: Leg, child: Dossier | None) -> Leg:
    if child is None or child.status is None or child.lead != leg.hop.to_agency or leg.ended_at is not None:
        return leg
    ended_at = child.status_at if child.status == STOPPED else child.finished_at
    # It cannot have ended before it was handed on, whatever the child's own dates say.
    return replace(leg, status=child.status, ended_at=None if ended_at is None else max(ended_at, leg.begun_at))
