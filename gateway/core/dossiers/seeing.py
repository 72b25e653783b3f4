"""Who may see what of a dossier: its parties its course, and of its record what was sent by them or to them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gateway.core.dossiers.dossier import Dossier, Step
from gateway.core.dossiers.event import Told
from gateway.core.dossiers.history import is_of_record

#: Whoever tells this of a dossier need not have to do with it otherwise.
_ANYBODYS: Final = ("payment-", "post-", "signing-")
_STRANGE: Final = frozenset({"unvouched", "doubled"})


def parties_in(dossier: Dossier) -> frozenset[str]:
    """The agencies that have to do with it: those that answer for it or for a part, and whom these told of it.

    Who speaks of what is none of its business becomes no party by that: it learns nothing, not even whether it exists.
    """
    own = {dossier.lead, *(leg.hop.to_agency for leg in dossier.legs)}
    own |= {step.told.event.agency for step in dossier.steps if step.counts and _is_of_a_party(step)}
    told = [
        to
        for step in dossier.steps
        if step.told.event.agency in own and _STRANGE.isdisjoint(step.flags)
        for to in step.told.event.recipients
    ]
    return frozenset({*own, *told} - {""})


def readable_by(dossier: Dossier, codes: Collection[str]) -> tuple[Told, ...]:
    """The messages of its record that one of these agencies sent or was sent; ``codes``: an agency and its like."""
    heard = [step.told for step in dossier.steps if is_of_record(step)]
    return tuple([told for told in heard if not {told.event.agency, *told.event.recipients}.isdisjoint(codes)])


def _is_of_a_party(step: Step) -> bool:
    return not step.told.event.kind.startswith(_ANYBODYS)
