"""Agreements and subscriptions: who may send what to whom and when, who wants what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gateway.core.agreement import Subscription
from gateway.core.directory import Agency, Directory, System
from gateway.core.moments import day_of
from tests.town import GATEWAY, an_agreement

DAY = date(2026, 11, 23)
SYSTEM = System("H33.99/dms", "H33.99", "webhook")
#: H33 is not registered itself; H33.05.01 lies two levels below it, H27 outside.
AGENCIES = [
    Agency("H33.05", "Sở Tài chính", "province", aliases=("000.00.05.H33",), parent="H33"),
    Agency("H33.05.01", "Chi cục", "province", parent="H33.05"),
    Agency("H33.X", "Sở cũ", "province", parent="000.00.05.H33"),
    Agency("H33.99", "Trông giống, nhưng không thuộc", "province"),
    Agency("H27", "Tỉnh khác", "province"),
]


def directory(**agreement: Any) -> Directory:
    return Directory(AGENCIES, [an_agreement(**agreement)], gateway=GATEWAY)


def may_send(source: str, recipient: str, day: date = DAY, **agreement: Any) -> bool:
    return bool(directory(**agreement).agreements_for(source, recipient, "document.issued", day))


def test_both_first_and_last_day_are_included() -> None:
    dates: dict[str, Any] = {"valid_from": date(2026, 1, 1), "valid_until": date(2026, 12, 31)}
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [may_send("H33.05", "H27", day=day, **dates) for day in days] == [False, True, True, False]


def test_the_days_are_days_of_viet_nam() -> None:
    midnight = datetime(2026, 12, 31, 17, tzinfo=UTC)  # 00:00 of 1 January in Viet Nam
    until: dict[str, Any] = {"valid_until": date(2026, 12, 31)}
    before, after = (day_of((midnight + timedelta(seconds=s)).timestamp()) for s in (-1, 0))
    assert may_send("H33.05", "H27", day=before, **until)
    assert not may_send("H33.05", "H27", day=after, **until)


@pytest.mark.parametrize(
    ("pattern", "codes"),
    [
        ("*", "H33.05 H33.05.01 H33.X H33.99 H27"),
        ("H33.*", "H33.05 H33.05.01 H33.X"),
        ("H33.05.*", "H33.05.01 H33.X"),
        ("000.00.05.H33.*", "H33.05.01 H33.X"),
        ("H33.05", "H33.05"),
        ("000.00.05.H33", "H33.05"),
        ("H33", ""),
        ("H27.*", ""),
        ("H3*", ""),
        ("H33.0*", ""),
    ],
)
def test_a_pattern_goes_by_parent_links_and_never_by_the_text_of_a_code(pattern: str, codes: str) -> None:
    matching = [agency.code for agency in AGENCIES if directory().is_match(pattern, agency.code)]
    assert matching == codes.split()


def test_below_h33_is_not_h33_itself() -> None:
    with_h33 = Directory([*AGENCIES, Agency("H33", "Tỉnh", "province")], [], gateway=GATEWAY)
    assert not with_h33.is_match("H33.*", "H33")
    assert with_h33.is_match("H33", "H33")
    assert with_h33.is_match("H33.*", "H33.05.01")


def test_a_code_may_be_asked_about_in_either_form() -> None:
    assert directory().is_match("H33.05", "000.00.05.H33")
    assert directory().is_match("H33.*", "000.00.05.H33")
    assert may_send("000.00.05.H33", "H27", senders=("H33.05",))


def test_agencies_that_name_each_other_as_parents_do_not_make_the_bus_spin() -> None:
    circle = [Agency("A", "A", "province", parent="B"), Agency("B", "B", "province", parent="A")]
    known = Directory(circle, [], gateway=GATEWAY)
    assert known.ancestors("A") == {"B"}
    assert known.is_match("B.*", "A")
    assert not known.is_match("A.*", "A")


@pytest.mark.parametrize(
    ("patterns", "is_covered"),
    [(("document.issued",), True), (("document.*",), True), (("*",), True), (("document.status", "dossier.*"), False),
     (("document",), False), ((), False)],
)  # fmt: skip
def test_an_agreement_covers_the_contracts_that_it_names(patterns: tuple[str, ...], is_covered: bool) -> None:
    assert may_send("H33.05", "H27", contracts=patterns) is is_covered


def test_without_an_agreement_nothing_may_be_sent() -> None:
    assert Directory(AGENCIES, [], gateway=GATEWAY).agreements_for("H33.05", "H27", "document.issued", DAY) == ()


def test_an_agreement_holds_in_its_direction_only() -> None:
    one_way: dict[str, Any] = {"senders": ("H33.05",), "receivers": ("H27",)}
    assert may_send("H33.05", "H27", **one_way)
    assert not may_send("H27", "H33.05", **one_way)


def test_two_agencies_may_exchange_where_either_may_send_to_the_other() -> None:
    known = directory(senders=("H33.05",), receivers=("H27",), contracts=("document.status",))
    assert known.may_exchange("H33.05", "H27", DAY)
    assert known.may_exchange("H27", "H33.05", DAY)
    assert known.may_exchange("H33.05", "000.00.05.H33", DAY)  # itself
    assert not known.may_exchange("H33.05", "H33.05.01", DAY)
    assert not known.may_exchange("H33.05", "H27", date(2031, 1, 1))


def test_the_purposes_of_a_sender_are_those_of_its_agreements_in_force() -> None:
    known = Directory(
        AGENCIES,
        [an_agreement(), an_agreement(purpose="cu-tri", valid_until=DAY), an_agreement(purpose="x", senders=("H27",))],
        gateway=GATEWAY,
    )
    assert known.purposes("H33.05", "document.issued", DAY) == {"van-ban", "cu-tri"}
    assert known.purposes("H33.05", "document.issued", DAY + timedelta(1)) == {"van-ban"}
    assert known.purposes("H33.05", "dossier.filed", DAY) == frozenset()


# -------------------------------------------------------------------------------------------- subscriptions


def wants(wish: Subscription, source: str = "H33.05", subject: str = "dossier 1") -> bool:
    town = Directory(AGENCIES, [], gateway=GATEWAY)
    system = replace(SYSTEM, subscriptions={wish.contract: wish})
    return town.wants(system, "document.issued", source, subject) is wish


def test_without_a_filter_everything_of_the_contract_is_wanted() -> None:
    assert wants(Subscription("document.issued", "1.0"))


def test_another_contract_is_not_wanted() -> None:
    assert not wants(Subscription("document.status", "1.0"))


@pytest.mark.parametrize(
    ("sources", "is_wanted"), [(("H33.*",), True), (("H27", "000.00.05.H33"), True), (("H27", "H33"), False)]
)
def test_a_filter_over_sources_goes_by_parent_links_too(sources: tuple[str, ...], is_wanted: bool) -> None:
    assert wants(Subscription("document.issued", "1.0", sources=sources)) is is_wanted


@pytest.mark.parametrize(
    ("subjects", "is_wanted"), [(("*",), True), (("dossier *",), True), (("x", "*1"), True), (("dossier",), False)]
)
def test_a_filter_over_subjects_lets_a_star_stand_for_anything(subjects: tuple[str, ...], is_wanted: bool) -> None:
    assert wants(Subscription("document.issued", "1.0", subjects=subjects)) is is_wanted


def test_both_filters_must_let_a_message_pass() -> None:
    assert not wants(Subscription("document.issued", "1.0", sources=("H33.*",), subjects=("other",)))
    assert not wants(Subscription("document.issued", "1.0", sources=("H27",), subjects=("*",)))


def test_the_major_is_what_decides_about_translation() -> None:
    assert [Subscription("x", version).major for version in ("1.0", "1.7", "12.3")] == [1, 1, 12]
