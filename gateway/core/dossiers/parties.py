"""Who may speak for a dossier: the agency that answers for it, and the portal where it was filed. Pure.

The one that answers for it (the *lead*) is who registered it first, by the time at which that happened. A dossier that
was filed at a portal (its first registration has status 1) is answered for by the agency to which it was filed: the one
that the registration names among those it went to, or else the first of those that says anything of it as its own. The
portal stays a party: it tells what the applicant does (files, answers a request, withdraws) and what is to be paid.
Agencies to which a party handed it on speak for their part alone (``gateway.core.dossiers.history``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.dossiers.event import FILED, DossierEvent
from gateway.core.dossiers.statuses import TO_PAY, WITHDRAWN

#: By so much clocks of two parties may differ: what one says before the other let it know counts all the same.
SKEW: Final = 3600.0
#: What only whoever deals with a dossier says of it.
_OWN_WORDS: Final = frozenset(
    {"registered", "forwarded", "progressed", "supplement-requested", "result-issued", "returned"}
)
_PORTALS: Final = frozenset({FILED, TO_PAY, WITHDRAWN})


@dataclass(frozen=True, slots=True)
class Parties:
    """``lead`` answers for the dossier, ``portal`` filed it (empty where none did).

    Where nobody registered it, ``is_registered`` is False and ``lead`` is the agency that first handed it on.
    """

    lead: str
    portal: str
    is_registered: bool

    def may_tell_as_portal(self, event: DossierEvent) -> bool:
        """Whether this is for the portal to say: filed, supplemented, to pay, withdrawn."""
        if event.agency != self.portal:
            return False
        return event.kind == "supplemented" or (event.kind != "forwarded" and event.status in {None, *_PORTALS})


def parties_of(told: Sequence[tuple[float, DossierEvent]]) -> Parties:
    """The parties by events in order of time (moment, event), without repeats."""
    registered = [(at, event) for at, event in told if event.kind == "registered"]
    if not registered:
        first = next((event.agency for _, event in told if event.kind == "forwarded"), "")
        return Parties(first, "", is_registered=False)
    began, registration = registered[0]
    if registration.status != FILED:
        lead = registration.agency
        portal = next((event.agency for at, event in registered if at <= began + SKEW and _files_with(event, lead)), "")
        return Parties(lead, portal, is_registered=True)
    portal = registration.agency
    return Parties(_asked(registration, told), portal, is_registered=True)


def _files_with(event: DossierEvent, lead: str) -> bool:
    """Whether a portal, whose clock may be ahead, filed it with ``lead``."""
    return event.status == FILED and event.agency != lead and lead in {event.addressee, *event.recipients}


def _asked(filed: DossierEvent, told: Sequence[tuple[float, DossierEvent]]) -> str:
    """The agency with which a portal filed it: as far as nobody took it up, the only one that could."""
    others = [each for each in dict.fromkeys(filed.recipients) if each != filed.agency]
    if filed.addressee in {*others, filed.agency}:
        return filed.addressee
    for _, event in told:
        is_own_word = event.kind in _OWN_WORDS and event.status not in {None, FILED}
        if is_own_word and event.agency in others:
            return event.agency
        # A province's own portal may be its one-stop software too.
        if is_own_word and event.agency == filed.agency and event.status not in _PORTALS:
            return event.agency
    return others[0] if len(others) == 1 else filed.agency
