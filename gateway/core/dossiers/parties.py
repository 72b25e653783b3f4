"""Who may speak for a dossier: the agency that answers for it, and the portal where it was filed. Pure.

The one that answers for it (the *lead*) is the agency that the code names, once that one has registered it: the code is
made by whoever receives the dossier, and no other can make it name itself. Where it names none that speaks, the first
that registered it leads, by the time at which that happened; but nobody was there more than 30 days before its message
says so. A dossier that was filed at a portal is answered for by the agency to which it was filed: the one that the
registration names among those it went to, or else the first of those that says anything of it as its own.

The portal stays a party: it tells what the applicant does (files, answers a request, withdraws) and what is to be paid.
Which system is a portal, the province says where it registers the system (``DossierEvent.is_portal``); a registration
with status 1 from any other is one like all others. Agencies to which a party handed it on speak for their part alone
(``gateway.core.dossiers.history``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.dossiers.event import FILED, DossierEvent
from gateway.core.dossiers.statuses import TO_PAY, WITHDRAWN

#: By so much clocks of two parties may differ: what one says before the other let it know counts all the same.
SKEW: Final = 3600.0
#: So long before its envelope a registration may have happened, where it is asked who was first (seconds).
_BACKDATED: Final = 30 * 86400.0
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
        if event.agency != self.portal or not event.is_portal:
            return False
        return event.kind == "supplemented" or (event.kind != "forwarded" and event.status in {None, *_PORTALS})


def parties_of(told: Sequence[tuple[float, DossierEvent]]) -> Parties:
    """The parties by events in order of time (moment, event), without repeats."""
    registered = [(at, event) for at, event in told if event.kind == "registered"]
    if not registered:
        first = next((event.agency for _, event in told if event.kind == "forwarded"), "")
        return Parties(first, "", is_registered=False)
    named = [each for each in registered if _is_by_its_maker(each[1])]
    began, registration = min(named or registered, key=lambda each: max(each[0], each[1].sent_at - _BACKDATED))
    if not named:
        # With the agency that the code names, though that one has said nothing yet: nobody else steps in before it.
        filed = next((event for _, event in registered if _is_filing(event) and _files_with(event)), None)
        registration = filed or registration
    if not _is_filing(registration):
        lead = registration.agency
        portals = (
            event.agency
            for at, event in registered
            if (named or at <= began + SKEW) and _is_filing(event) and lead in {event.addressee, *event.recipients}
        )
        return Parties(lead, next((portal for portal in portals if portal != lead), ""), is_registered=True)
    return Parties(_asked(registration, told), registration.agency, is_registered=True)


def _is_filing(event: DossierEvent) -> bool:
    """Whether a portal says that an applicant filed it there."""
    return event.is_portal and event.status == FILED


def _is_by_its_maker(event: DossierEvent) -> bool:
    """Whether the agency that the code names says it; a portal that makes codes files with others all the same."""
    return event.agency == event.code_agency and not _is_filing(event)


def _files_with(event: DossierEvent) -> bool:
    """Whether it was filed with the agency that the code names."""
    return bool(event.code_agency) and event.code_agency in {event.addressee, *event.recipients}


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
