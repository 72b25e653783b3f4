"""One event becomes its routes: all recipients or none, each system once, bad names told as they were written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.agreement import Agreement, Subscription
from gateway.core.contract import Contract
from gateway.core.directory import Agency, Directory, System
from gateway.core.envelope import Event, check_attributes
from gateway.core.faults import Rejected, Text
from gateway.core.routing import Route, route
from tests.build import a_key
from tests.town import GATEWAY, an_agreement, wishes_for

DAY = date(2026, 11, 23)
ISSUED = Contract("document.issued", Text("Văn bản", "Document"), "H33.14")
PERSONAL = replace(ISSUED, personal=True)


def a_system(name: str, *contracts: str, **wish: Any) -> System:
    return System(name, name.partition("/")[0], "webhook", subscriptions=wishes_for(*contracts, **wish))


def an_agency(code: str, *systems: System) -> Agency:
    return Agency(code, code, "province", (f"000.00.{code[-2:]}.H33",), "H33", systems)


SENDER = a_system("H33.05/dms", "document.issued")
AGENCIES = [
    an_agency("H33.05", SENDER, a_system("H33.05/archive", "document.issued")),
    an_agency("H33.16", a_system("H33.16/dms", "document.issued"), a_system("H33.16/portal", "document.issued"),
              a_system("H33.16/hr", "document.status")),
    an_agency("H33.20", a_system("H33.20/dms", "document.issued", version="2.0")),
    an_agency("H33.30", a_system("H33.30/dms", "document.status")),
    an_agency("H33.31"),
    an_agency("H33.40", a_system("H33.40/dms", "document.issued", sources=("H33.16",))),
    an_agency("H33.41", a_system("H33.41/dms", "document.issued", subjects=("dossier *",))),
]  # fmt: skip
WITHOUT_H27 = an_agreement(receivers=("H33.*",))


def an_event(to: str | None, **override: Any) -> Event:
    members = {
        "specversion": "1.0",
        "id": a_key("m"),
        "source": "H33.05/dms",
        "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:1.0",
        "subject": "letter 1",
        "time": "2026-11-23T08:00:00+07:00",
        "datacontenttype": "application/json",
        "to": to,
        "data": {},
        **override,
    }
    return check_attributes(members, gateway=GATEWAY, gateway_names=frozenset({GATEWAY}))


def routes(
    to: str | None, *agreements: Agreement, contract: Contract = ISSUED, day: date = DAY, **override: Any
) -> tuple[Route, ...]:
    h27 = Agency("H27", "Tỉnh khác", "province", systems=(a_system("H27/dms", "document.issued"),))
    town = Directory([*AGENCIES, h27], agreements or (an_agreement(),), gateway=GATEWAY)
    return route(an_event(to, **override), SENDER, contract, town, day)


def recipients(to: str | None, *agreements: Agreement, **override: Any) -> list[str]:
    return [each.system.name for each in routes(to, *agreements, **override)]


def refusal(to: str | None, *agreements: Agreement, **override: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Rejected) as rejected:
        routes(to, *agreements, **override)
    assert all(name in rejected.value.detail.vi for name in rejected.value.recipients)
    return rejected.value.problem, rejected.value.recipients


def test_an_agency_stands_for_its_systems_that_subscribe() -> None:
    assert recipients("H33.16") == ["H33.16/dms", "H33.16/portal"]


def test_a_system_stands_for_itself_alone() -> None:
    assert recipients("H33.16/portal") == ["H33.16/portal"]


def test_a_subscription_in_any_version_counts_and_is_told_with_the_route() -> None:
    (only,) = routes("H33.20")
    assert (only.system.name, only.subscription.version) == ("H33.20/dms", "2.0")


def test_routes_come_in_the_order_of_to() -> None:
    assert recipients("H33.20 H33.16/portal H33.16") == ["H33.20/dms", "H33.16/portal", "H33.16/dms"]


@pytest.mark.parametrize(
    "to",
    ["H33.16 H33.16", "H33.16 000.00.16.H33", "000.00.16.H33/dms H33.16", "H33.16/dms H33.16/portal H33.16",
     "000.00.16.H33"],
)  # fmt: skip
def test_doubles_and_aliases_merge_into_one_delivery_a_system(to: str) -> None:
    assert recipients(to) == ["H33.16/dms", "H33.16/portal"]


@given(st.lists(st.sampled_from("H33.16 000.00.16.H33 H33.16/dms H33.20 H33.20/dms H33.05".split()), min_size=1))
def test_however_they_are_named_no_system_gets_a_message_twice(names: list[str]) -> None:
    found = recipients(" ".join(names))
    assert len(found) == len(set(found))
    agencies = {name.replace("000.00.16.H33", "H33.16").partition("/")[0] for name in names}
    assert {name.partition("/")[0] for name in found} == agencies


def test_to_may_name_the_senders_own_agency() -> None:
    assert recipients("H33.05") == ["H33.05/dms", "H33.05/archive"]
    assert recipients("H33.05/archive") == ["H33.05/archive"]


# -------------------------------------------------------------------------------------------- all or nothing


@pytest.mark.parametrize("name", ["H33.77", "H33.16/crm", "000.00.77.H33", "h33.16", "H33.77/dms", "H33.14/lgsp"])
def test_what_the_address_book_does_not_know_is_an_unknown_recipient(name: str) -> None:
    assert refusal(f"H33.16 {name}") == ("unknown-recipient", (name,))


def test_an_agency_to_which_nobody_may_send_this_gets_nothing_for_anyone() -> None:
    assert refusal("H33.16 H27", WITHOUT_H27) == ("no-agreement", ("H27",))
    assert refusal("H33.16 H27/dms", WITHOUT_H27) == ("no-agreement", ("H27/dms",))


@pytest.mark.parametrize("name", ["H33.30", "H33.31", "H33.30/dms", "H33.16/hr"])
def test_where_nothing_subscribes_there_is_no_subscriber(name: str) -> None:
    assert refusal(f"H33.16/dms {name}") == ("no-subscriber", (name,))


@pytest.mark.parametrize(("name", "subject"), [("H33.40", "letter 1"), ("H33.41", "letter 1"), ("H33.40", "dossier 1")])
def test_filtered_out_is_not_subscribed(name: str, subject: str) -> None:
    assert refusal(name, subject=subject) == ("no-subscriber", (name,))


def test_a_filter_that_lets_it_pass_is_no_matter() -> None:
    assert recipients("H33.41", subject="dossier 1") == ["H33.41/dms"]


def test_all_bad_names_of_the_first_failing_check_are_told_as_they_were_written() -> None:
    to = "H33.31 H33.77 H27 000.00.30.H33 H33.16/crm H33.16"
    assert refusal(to, WITHOUT_H27) == ("unknown-recipient", ("H33.77", "H33.16/crm"))
    to = "H33.31 H27 000.00.30.H33 H27/dms H33.16"
    assert refusal(to, WITHOUT_H27) == ("no-agreement", ("H27", "H27/dms"))
    assert refusal("H33.31 000.00.30.H33 H33.16", WITHOUT_H27) == ("no-subscriber", ("H33.31", "000.00.30.H33"))


# ------------------------------------------------------------------------------------- agreement and purpose


def test_an_agreement_must_be_in_force_on_the_day() -> None:
    assert recipients("H33.16", day=date(2030, 12, 31))
    assert refusal("H33.16", day=date(2031, 1, 1)) == ("no-agreement", ("H33.16",))


def test_an_agreement_must_name_the_contract() -> None:
    assert refusal("H33.16", an_agreement(contracts=("dossier.*",)))[0] == "no-agreement"


def test_also_the_own_agency_needs_an_agreement() -> None:
    assert refusal("H33.05/archive", an_agreement(receivers=("H33.16",)))[0] == "no-agreement"


def test_a_purpose_must_be_that_of_an_agreement_with_the_recipient() -> None:
    two = (an_agreement(), an_agreement(purpose="cu-tri", receivers=("H33.20",)))
    assert recipients("H33.16", *two, purpose="van-ban")
    assert recipients("H33.20", *two, purpose="cu-tri")
    assert refusal("H33.20 H33.16", *two, purpose="cu-tri") == ("no-agreement", ("H33.16",))


def test_a_purpose_is_needed_only_where_the_contract_is_personal() -> None:
    assert recipients("H33.16")
    assert refusal("H33.16", contract=PERSONAL) == ("no-agreement", ("H33.16",))
    assert recipients("H33.16", contract=PERSONAL, purpose="van-ban")


# ------------------------------------------------------------------------------------------------ without to


def test_without_to_every_subscriber_an_agreement_allows_gets_it_but_the_sender() -> None:
    everyone = ["H33.05/archive", "H33.16/dms", "H33.16/portal", "H33.20/dms"]
    assert recipients(None, WITHOUT_H27) == everyone
    assert recipients(None) == [*everyone, "H27/dms"]


def test_without_to_a_filter_keeps_a_message_away_silently() -> None:
    assert "H33.41/dms" not in recipients(None)
    assert "H33.41/dms" in recipients(None, subject="dossier 1")


def test_without_to_and_without_a_taker_the_list_is_empty() -> None:
    assert recipients(None, an_agreement(receivers=("H33.31",))) == []
    assert recipients(None, an_agreement(senders=("H27",))) == []


def test_without_to_a_personal_contract_needs_its_purpose_all_the_same() -> None:
    assert refusal(None, contract=PERSONAL)[0] == "no-agreement"
    assert recipients(None, contract=PERSONAL, purpose="van-ban")


def test_without_to_a_purpose_that_is_no_agreements_is_refused() -> None:
    assert refusal(None, purpose="tò mò") == ("no-agreement", ())
    assert refusal(None, an_agreement(senders=("H27",)), purpose="van-ban")[0] == "no-agreement"


def test_without_to_a_purpose_chooses_among_the_agreements() -> None:
    two = (an_agreement(), an_agreement(purpose="cu-tri", receivers=("H33.20",)))
    assert recipients(None, *two, purpose="cu-tri") == ["H33.20/dms"]


def test_a_route_tells_how_the_recipient_wants_it() -> None:
    (only,) = routes("H33.20/dms")
    assert only.subscription == Subscription("document.issued", "2.0", retry=only.subscription.retry)
