"""Parties of a dossier are those who answer for it and whom these told; each reads what it sent or was sent."""

from __future__ import annotations

from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.event import DossierEvent, Hop, Told
from gateway.core.dossiers.history import dossier_of
from gateway.core.dossiers.seeing import parties_in, readable_by
from tests.build import MORNING
from tests.told import CODE, LEAD, NEXT, an_event

PORTAL, TAX, BANK, STRANGER, FRIEND = "G22", "G12.1", "G13.9", "H33.30", "H33.31"


def a_dossier(*more: DossierEvent) -> Dossier:
    """One that was filed at a portal, is dealt with by LEAD and handed on to NEXT."""
    events = [
        an_event(status=1, agency=PORTAL, recipients=(LEAD,), addressee=LEAD, is_portal=True),
        an_event("progressed", status=2, said_at=MORNING, recipients=(PORTAL,)),
        an_event("forwarded", said_at=MORNING + 1, hop=Hop(1, LEAD, NEXT), recipients=(NEXT,)),
        an_event("progressed", status=4, said_at=MORNING + 2, agency=NEXT, recipients=(LEAD, TAX)),
        *more,
    ]
    sent = [Told(place, f"m{place}", "s", MORNING, each) for place, each in enumerate(events, 1)]
    return dossier_of(CODE, sent)


def test_parties_are_who_answers_for_it_or_a_part_and_whom_these_told() -> None:
    assert parties_in(a_dossier()) == {PORTAL, LEAD, NEXT, TAX}


def test_who_speaks_of_what_is_none_of_its_business_becomes_no_party_nor_do_those_it_tells() -> None:
    for kind in ("progressed", "registered", "result-issued", "withdrawn", "signing-requested", "post-ordered"):
        said = an_event(kind, status=9, said_at=MORNING + 9, agency=STRANGER, recipients=(FRIEND,), reference="x")
        assert parties_in(a_dossier(said)) == {PORTAL, LEAD, NEXT, TAX}, kind


def test_a_bank_that_tells_of_a_payment_is_no_party_by_that() -> None:
    to_pay = an_event("progressed", status=4, said_at=MORNING + 3)
    asked = an_event("progressed", status=6, said_at=MORNING + 4)
    paid = an_event("payment-notified", status=4, said_at=MORNING + 5, agency=BANK, recipients=(LEAD,), reference="1")

    assert BANK not in parties_in(a_dossier(to_pay, asked, paid))


def test_a_party_reads_what_it_sent_or_was_sent() -> None:
    dossier = a_dossier()

    def read(*codes: str) -> list[str]:
        return [told.message for told in readable_by(dossier, codes)]

    assert read(LEAD) == ["m1", "m2", "m3", "m4"]
    assert read(PORTAL) == ["m1", "m2"]
    assert read(TAX) == ["m4"]
    assert read(TAX, PORTAL) == ["m1", "m2", "m4"]
    assert read(STRANGER) == []


def test_what_was_not_believed_is_read_by_nobody() -> None:
    said = an_event("progressed", status=9, said_at=MORNING + 9, agency=STRANGER, recipients=(LEAD,))

    assert "m5" not in [told.message for told in readable_by(a_dossier(said), [LEAD])]
