"""Agencies without a system here are reached by their carrier, closed ones by their successor, and nobody else is."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.agency_list import AgencyList, Entry
from gateway.core.agreement import Agreement
from gateway.core.carrying import carried
from gateway.core.contract import Contract
from gateway.core.directory import Agency, Directory, System
from gateway.core.envelope import Event, check_attributes
from gateway.core.faults import Rejected, Text
from gateway.core.routing import Route, Sent, route, route_to
from tests.build import a_key
from tests.town import GATEWAY, an_agreement, wishes_for

DAY = date(2026, 11, 23)
MERGED = date(2025, 7, 1)
ISSUED = Contract("document.issued", Text("Văn bản", "Document"), "H33.14")


def a_system(name: str, *contracts: str, **wish: Any) -> System:
    return System(name, name.partition("/")[0], "webhook", subscriptions=wishes_for(*contracts, **wish))


SENDER = a_system("H33.05/dms", "document.issued")
AXIS = a_system("H33.14/axis", "document.issued")
DEAF = a_system("H33.14/deaf", "document.status")
#: Registered here; two of them are reached by the axis where their own systems do not want a message.
HERE = [
    Agency("H33.05", "Sở Tài chính", "province", ("000.00.05.H33",), "H33", (SENDER,)),
    Agency("H33.14", "Trung tâm", "province", (), "H33", (AXIS, DEAF)),
    Agency("H33.16", "Sở Y tế", "province", (), "H33", (a_system("H33.16/dms", "document.issued"),), "H33.14/axis"),
    Agency("H33.20", "Sở KHCN", "province", (), "H33", (a_system("H33.20/dms", "document.status"),), "H33.14/axis"),
    Agency("H33.30", "Ban Quản lý", "province", (), "H33", (), "H33.14/deaf"),
    Agency("H33.31", "Ban Dân tộc", "province", (), "H33", (), "H33.14/gone"),
    Agency("H33.40", "Huyện cũ", "district", (), "H33", (a_system("H33.40/dms", "document.issued"),),
           closed=MERGED, successor="H33.16"),
]  # fmt: skip
#: From the axis: everything with W00 is machinery, H22 was merged, H39 by way of an alias, H58 was given up.
LISTED = [
    Entry("00.33.W00", "Trung tâm kết nối", via="H33.14/axis"),
    Entry("G12", "Bộ Tài chính", "central", aliases=("000.00.00.G12",), via="H33.14/axis"),
    Entry("H22", "Hà Giang", closed=MERGED, successor="H60", via="H33.14/axis"),
    Entry("H22.05", "Sở Tài chính Hà Giang", parent="H22", closed=MERGED, successor="H60.05", via="H33.14/axis"),
    Entry("H22.09", "Trường", parent="H22", via="H33.14/axis"),
    Entry("H33.16", "Y tế theo trục", via="H33.14/axis"),
    Entry("H39", "Long An", closed=MERGED, successor="000.00.00.H53"),
    Entry("H53", "Tây Ninh", aliases=("000.00.00.H53",), via="H33.14/axis"),
    Entry("H58", "Không kế thừa", closed=MERGED),
    Entry("H60", "Tuyên Quang", via="H33.14/axis"),
    Entry("H60.05", "Sở Tài chính Tuyên Quang", parent="H60", via="H33.14/axis"),
    Entry("H60.07", "Sở mới", parent="H60", via="H33.14/axis"),
    Entry("H61", "Vòng", closed=MERGED, successor="H62"),
    Entry("H62", "Vòng", closed=MERGED, successor="H61"),
]


def a_directory(*agreements: Agreement, more: tuple[Agency, ...] = ()) -> Directory:
    known = agreements or (an_agreement(senders=("*",), receivers=("*",)),)
    return Directory([*HERE, *more], known, gateway=GATEWAY, lists=[AgencyList.of("H33.14/axis", LISTED)])


def an_event(to: str | None, **override: Any) -> Event:
    members = {
        "specversion": "1.0", "id": a_key("m"), "source": "H33.05/dms", "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:1.0", "subject": "letter 1",
        "time": "2026-11-23T08:00:00+07:00", "datacontenttype": "application/json", "to": to, "data": {}, **override,
    }  # fmt: skip
    return check_attributes(members, gateway=GATEWAY, gateway_names=frozenset({GATEWAY}))


def routes(to: str | None, *agreements: Agreement, source: System = SENDER, day: date = DAY, **more: Any) -> list[str]:
    event = an_event(to, source=source.name)
    found: tuple[Route, ...] = route(event, source, ISSUED, a_directory(*agreements, **more), day)
    return [each.system.name for each in found]


def refusal(to: str | None, *agreements: Agreement, **override: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Rejected) as rejected:
        routes(to, *agreements, **override)
    return rejected.value.problem, rejected.value.recipients


# ------------------------------------------------------------------------------------------------------- carriers


def test_an_agency_without_a_system_is_reached_by_its_carrier() -> None:
    assert routes("G12") == ["H33.14/axis"]
    assert routes("000.00.00.G12") == ["H33.14/axis"]


def test_several_names_over_one_carrier_are_one_delivery() -> None:
    assert routes("G12 H60 H33.16 H53 000.00.00.G12") == ["H33.14/axis", "H33.16/dms"]


def test_an_agencys_own_system_comes_first_and_its_carrier_where_none_of_its_own_subscribes() -> None:
    assert routes("H33.16") == ["H33.16/dms"]
    assert routes("H33.20") == ["H33.14/axis"]


@pytest.mark.parametrize("to", ["H33.30", "H33.31"])
def test_a_carrier_that_does_not_subscribe_or_is_not_registered_carries_nothing(to: str) -> None:
    assert refusal(f"G12 {to}") == ("no-subscriber", (to,))


def test_a_carrier_never_gets_back_what_it_sent() -> None:
    assert refusal("G12 H33.16", source=AXIS) == ("no-subscriber", ("G12",))
    assert routes("H33.16", source=AXIS) == ["H33.16/dms"]


def test_agreement_and_purpose_are_judged_for_the_agency_addressed_and_not_for_who_carries() -> None:
    to_ministries = an_agreement(senders=("H33.*",), receivers=("G12",))
    assert routes("G12", to_ministries) == ["H33.14/axis"]
    assert refusal("G12 H60", to_ministries) == ("no-agreement", ("H60",))
    to_the_carrier = an_agreement(senders=("H33.*",), receivers=("H33.14",))
    assert refusal("G12", to_the_carrier) == ("no-agreement", ("G12",))


def test_nobody_is_carried_for_where_nobody_is_named() -> None:
    only_g12 = an_agreement(senders=("*",), receivers=("G12",))
    assert routes(None, only_g12) == []
    assert routes(None) == ["H33.14/axis", "H33.16/dms"]


@pytest.mark.parametrize("name", ["00.33.W00", "00.22.W00", "W00"])
def test_a_connection_centre_is_looked_up_and_never_sent_to(name: str) -> None:
    assert refusal(f"H33.16 {name}") == ("unknown-recipient", (name,))
    centre = a_directory().agency("00.33.W00")
    assert centre is not None
    assert centre.name == "Trung tâm kết nối"


def test_what_is_registered_here_counts_before_a_list_and_a_list_adds_other_codes() -> None:
    listed = AgencyList.of("axis", [Entry("H33.16", "khác", aliases=("16.33.H33",)), Entry("000.00.05.H33", "cũ")])
    town = Directory(HERE, [], gateway=GATEWAY, lists=[listed])
    assert [town.agency(name) for name in ("H33.16", "16.33.H33", "000.00.05.H33")] == [HERE[2], HERE[2], HERE[0]]


def test_an_earlier_list_counts_before_a_later_one() -> None:
    own, axis = AgencyList.of("own", [Entry("H22", "đóng", closed=MERGED)]), AgencyList.of("axis", LISTED)
    town = Directory([], [], gateway=GATEWAY, lists=[own, axis])
    assert [town.agency("H22").name, town.agency("G12").name] == ["đóng", "Bộ Tài chính"]  # type: ignore[union-attr]


# ------------------------------------------------------------------------------------------- what a parcel is told


def told(to: str | None, recipient: System = AXIS, **override: Any) -> tuple[str, ...]:
    event = {"type": "document.issued", "subject": "x", "source": "H33.05/dms", **({"to": to} if to else {})}
    return carried(event | override, recipient, a_directory(), DAY)


def test_a_carrier_is_told_for_whom_each_once_in_the_order_of_to() -> None:
    assert told("H60 000.00.00.G12 H33.16 G12 H22 H33.20") == ("H60", "G12", "H33.20")


@pytest.mark.parametrize("to", [None, "H33.14", "H33.14/axis", "G12 H33.14"])
def test_nothing_is_told_where_the_carriers_own_agency_is_meant(to: str | None) -> None:
    assert told(to) == ()


def test_who_carries_for_nobody_is_told_nothing() -> None:
    assert told("H33.16", recipient=SENDER) == ()


def test_where_nobody_is_reached_by_it_any_more_it_is_told_of_those_that_nobody_reaches() -> None:
    assert told("H33.31 H33.16") == ("H33.31",)


@given(st.lists(st.sampled_from(["G12", "H60", "H22", "H33.16", "H33.20", "H53", "000.00.00.G12"]), min_size=1))
def test_the_carrier_gets_a_delivery_exactly_where_it_is_told_of_somebody(names: list[str]) -> None:
    assert ("H33.14/axis" in routes(" ".join(names))) == bool(told(" ".join(names)))


# ---------------------------------------------------------------------------------------------------- successions


def test_a_closed_code_is_readable_for_ever_and_leads_to_its_successor() -> None:
    town = a_directory()
    closed, heir = town.agency("H22"), town.recipient("H22", DAY)
    assert closed is not None
    assert heir is not None
    assert (closed.name, heir.code) == ("Hà Giang", "H60")
    assert told("H22 H39") == ("H60", "H53")


def test_until_its_day_a_code_stands_for_itself() -> None:
    eve = MERGED - timedelta(1)
    assert a_directory().recipient("H22", eve) == a_directory().agency("H22")
    assert routes("H33.40", day=eve) == ["H33.40/dms"]
    assert routes("H33.40", day=MERGED) == ["H33.16/dms"]


@pytest.mark.parametrize("to", ["H33.40", "H33.40/dms", "H33.40 H33.16", "H33.16/dms H33.40/dms"])
def test_what_is_sent_to_a_closed_agency_or_its_system_goes_to_the_successor_once(to: str) -> None:
    assert routes(to) == ["H33.16/dms"]


def test_successors_of_successors_are_followed() -> None:
    again = Agency("H33.41", "x", "district", closed=MERGED, successor="H33.40")
    assert routes("H33.41", more=(again,)) == ["H33.16/dms"]


@pytest.mark.parametrize("to", ["H58", "H61"])
def test_a_closed_code_that_leads_nowhere_is_unknown_and_it_is_told_since_when(to: str) -> None:
    with pytest.raises(Rejected) as rejected:
        routes(to)
    assert (rejected.value.problem, rejected.value.recipients) == ("unknown-recipient", (to,))
    assert "2025-07-01" in rejected.value.detail.vi
    assert "2025-07-01" in rejected.value.detail.en


def test_a_successor_has_the_rights_of_those_in_whose_place_it_stands() -> None:
    for receivers in (("H22",), ("H60",)):
        assert routes("H22", an_agreement(receivers=receivers)) == ["H33.14/axis"]
        assert routes("H60", an_agreement(receivers=receivers)) == ["H33.14/axis"]
    eve = MERGED - timedelta(1)
    assert refusal("H60", an_agreement(receivers=("H22",)), day=eve) == ("no-agreement", ("H60",))


def test_a_pattern_over_a_closed_code_covers_who_came_of_its_units_and_nobody_else_of_the_successor() -> None:
    below = an_agreement(receivers=("H22.*",))
    assert routes("H60.05 H22.05 H22.09", below) == ["H33.14/axis"]
    assert refusal("H60.07", below) == ("no-agreement", ("H60.07",))
    assert refusal("H60", below) == ("no-agreement", ("H60",))


def test_units_of_a_closed_agency_lie_below_its_successor() -> None:
    town = a_directory()
    assert town.is_match("H60.*", "H22.09", DAY)
    assert not town.is_match("H60.*", "H22.09", MERGED - timedelta(1))
    assert town.is_match("H22.*", "H22.09", DAY)


def test_a_filter_that_names_a_closed_code_passes_what_its_successor_sends() -> None:
    wish = System("H33.50/dms", "H33.50", "webhook", subscriptions=wishes_for("document.issued", sources=("H33.40",)))
    town = a_directory(more=(Agency("H33.50", "x", "province", systems=(wish,)),))
    assert town.wants(wish, "document.issued", "H33.16", "x", DAY)
    assert not town.wants(wish, "document.issued", "H33.05", "x", DAY)


def test_nobody_sends_in_the_name_of_a_closed_agency() -> None:
    closed = HERE[-1].systems[0]
    for to in ("H33.16", None):
        with pytest.raises(Rejected) as rejected:
            routes(to, source=closed)
        assert rejected.value.problem == "no-agreement"
        assert "2025-07-01" in rejected.value.detail.en
    assert routes("H33.16", source=closed, day=MERGED - timedelta(1)) == ["H33.16/dms"]


def test_what_a_closed_agency_sent_before_is_still_given_to_those_who_ask_late() -> None:
    event = an_event("H33.16", source="H33.40/dms")
    found = route_to(HERE[2].systems[0], Sent(event, "H33.40/dms", ISSUED), a_directory(), DAY)
    assert isinstance(found, Route)


def test_late_requests_follow_carriers_and_successors_as_acceptance_does() -> None:
    town = a_directory()
    assert isinstance(route_to(AXIS, Sent(an_event("G12"), "H33.05/dms", ISSUED), town, DAY), Route)
    assert isinstance(route_to(HERE[2].systems[0], Sent(an_event("H33.40"), "H33.05/dms", ISSUED), town, DAY), Route)
    assert route_to(AXIS, Sent(an_event("H33.16"), "H33.05/dms", ISSUED), town, DAY) == "not-addressed"
    assert route_to(AXIS, Sent(an_event("G12"), "H33.14/axis", ISSUED), town, DAY) == "not-addressed"
    assert route_to(HERE[-1].systems[0], Sent(an_event(None), "H33.05/dms", ISSUED), town, DAY) == "not-addressed"


def test_a_list_of_parents_without_end_does_not_make_the_bus_spin() -> None:
    chain = [Entry(f"A{n}", "x", parent=f"A{n + 1}", closed=MERGED, successor=f"A{n + 1}") for n in range(20_000)]
    town = Directory([], [], gateway=GATEWAY, lists=[AgencyList.of("axis", chain)])
    assert len(town.naming.above("A0", DAY)) <= 2_000
    assert len(town.naming.selves("A19999", DAY)) <= 2_000
    assert town.recipient("A0", DAY) is None
