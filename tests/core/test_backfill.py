"""What a late subscriber is due follows from the message and from today's rules alone, as routing would have it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.agreement import Agreement
from gateway.core.backfill import OVER, PHASES, REASONS, Found, Late, Phase, Verb, after
from gateway.core.contract import Contract
from gateway.core.delivery import Delivery, State, lane_of
from gateway.core.directory import Agency, Directory, System
from gateway.core.envelope import check_attributes, seal
from gateway.core.faults import IllegalStep, Rejected, Text
from gateway.core.moments import day_of, format_moment
from gateway.core.routing import NoRoute, route
from tests.build import MORNING, a_key
from tests.town import GATEWAY, a_pair, an_agreement, wishes_for

SIGNER, _ = a_pair("H33.05/dms")
ISSUED = Contract("document.issued", Text("Văn bản", "Document"), "H33.14")
PERSONAL = replace(ISSUED, personal=True)
SENDER = System("H33.05/dms", "H33.05", "webhook")
LATER = MORNING + 86400


def a_system(name: str, **wish: Any) -> System:
    return System(name, name.partition("/")[0], "webhook", subscriptions=wishes_for("document.issued", **wish))


def an_agency(code: str, *systems: System) -> Agency:
    return Agency(code, code, "province", (f"000.00.{code[-2:]}.H33",), "H33", systems)


LATE = a_system("H33.40/dms")
AGENCIES = (
    an_agency("H33.05", SENDER, a_system("H33.05/archive")),
    an_agency("H33.16", a_system("H33.16/dms"), a_system("H33.16/portal")),
    an_agency("H33.40", LATE, System("H33.40/hr", "H33.40", "webhook")),
    an_agency("H33.41", a_system("H33.41/dms", sources=("H33.16",))),
)


def a_late(system: System = LATE, *agreements: Agreement, contract: Contract = ISSUED, is_pulled: bool = False) -> Late:
    return Late(system, contract, Directory(AGENCIES, agreements or (an_agreement(),), gateway=GATEWAY), is_pulled)


def members(**override: Any) -> dict[str, Any]:
    made = {
        "specversion": "1.0",
        "id": a_key("m"),
        "source": "H33.05/dms",
        "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:1.0",
        "subject": "letter 1",
        "time": format_moment(MORNING),
        "datacontenttype": "application/json",
        "to": None,
        "data": {},
        **override,
    }
    return {name: value for name, value in made.items() if value is not None}


def found(place: int = 1, *, source: str = "H33.05/dms", **override: Any) -> Found:
    return Found(place, source, seal(members(**override), SIGNER))


def delivery(late: Late | None = None, **override: Any) -> Delivery:
    made = (late or a_late()).delivery(found(**override), LATER)
    assert isinstance(made, Delivery), made
    return made


def reason(late: Late | None = None, **override: Any) -> str:
    why = (late or a_late()).delivery(found(**override), LATER)
    assert isinstance(why, str), why
    return why


# -------------------------------------------------------------------------------------------------- what is due


@pytest.mark.parametrize("to", [None, "H33.40", "H33.40/dms", "000.00.40.H33", "H33.16 000.00.40.H33/dms"])
def test_a_message_to_everybody_or_to_the_system_or_its_agency_is_due(to: str | None) -> None:
    assert delivery(to=to).recipient == "H33.40/dms"


@pytest.mark.parametrize("to", ["H33.16", "H33.40/hr", "H33.16 H33.41", "H33.99", "H33.99/dms"])
def test_a_message_to_others_is_not_due_even_where_they_are_gone(to: str) -> None:
    assert reason(to=to) == "not-addressed"


def test_a_message_to_everybody_is_not_due_to_its_sender_but_one_to_its_agency_is() -> None:
    sender = replace(SENDER, subscriptions=LATE.subscriptions)

    assert reason(a_late(sender)) == "not-addressed"
    assert delivery(a_late(sender), to="H33.05").recipient == "H33.05/dms"


def test_it_is_todays_agreement_that_counts() -> None:
    assert reason(a_late(LATE, an_agreement(receivers=("H33.16",)))) == "no-agreement"
    assert reason(a_late(LATE, an_agreement(valid_until=day_of(MORNING)))) == "no-agreement"
    assert delivery(a_late(LATE, an_agreement(valid_from=day_of(LATER)))).recipient == "H33.40/dms"


def test_the_purpose_must_be_that_of_an_agreement_with_the_system() -> None:
    two = (an_agreement(), an_agreement(purpose="cu-tri", receivers=("H33.16",)))

    assert delivery(a_late(LATE, *two), purpose="van-ban").recipient == "H33.40/dms"
    assert reason(a_late(LATE, *two), purpose="cu-tri") == "no-agreement"
    assert reason(a_late(contract=PERSONAL)) == "no-agreement"
    assert delivery(a_late(contract=PERSONAL), purpose="van-ban").recipient == "H33.40/dms"


def test_a_sender_that_is_gone_does_not_matter_while_its_agency_is_registered() -> None:
    assert delivery(source="H33.05/retired").source == "H33.05/retired"
    assert reason(source="H33.98/dms") == "no-agreement"


def test_the_filter_of_today_must_let_it_pass() -> None:
    picky = a_system("H33.40/dms", sources=("H33.16",))

    assert reason(a_late(picky)) == "no-subscriber"
    assert reason(a_late(a_system("H33.40/dms", subjects=("dossier *",)))) == "no-subscriber"
    assert delivery(a_late(picky), source="H33.16/dms").recipient == "H33.40/dms"


def test_what_has_expired_what_is_gone_and_what_the_system_has_already_are_not_due() -> None:
    assert reason(expirytime=format_moment(LATER)) == "expired"
    assert delivery(expirytime=format_moment(LATER + 1)).expires == LATER + 1
    assert a_late().delivery(Found(1, "H33.05/dms", None), LATER) == "body-gone"
    assert a_late().delivery(Found(1, "H33.05/dms", None, is_recipient=True), LATER) == "recipient"
    assert a_late().delivery(Found(1, "H33.05/dms", b"not an envelope"), LATER) == "unreadable"


# --------------------------------------------------------------------------------------------- the new delivery


def test_a_delivery_is_as_if_accepted_now_with_the_messages_own_id_lane_and_priority() -> None:
    made = delivery(priority="express", notbefore=format_moment(MORNING + 60))

    assert (made.state, made.due, made.priority, made.attempts) == (State.QUEUED, LATER, 3, 0)
    assert made.lane == lane_of("H33.05/dms", "letter 1", "H33.40/dms")
    assert made.deadline == LATER + 14 * 86400
    assert made.id == delivery().id
    assert delivery(notbefore=format_moment(LATER + 60)).due == LATER + 60


def test_what_is_fetched_has_no_deadline_and_what_has_no_order_no_lane() -> None:
    assert delivery(a_late(is_pulled=True)).deadline is None
    assert delivery(a_late(contract=replace(ISSUED, ordering="none"))).lane is None


NAMES = ["H33.05", "H33.16", "H33.40", "000.00.40.H33", "H33.40/dms", "H33.40/hr", "H33.41", "H33.77", "H33.16/crm"]


@given(
    to=st.none() | st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(" ".join),
    receivers=st.sampled_from([("*",), ("H33.16",), ("H33.4*", "H33.05"), ("H33.40",)]),
    purpose=st.sampled_from([None, "van-ban", "khac"]),
    late=st.sampled_from(["H33.40/dms", "H33.16/portal", "H33.41/dms", "H33.05/archive"]),
)
def test_a_delivery_is_due_exactly_where_the_message_sent_today_would_bring_one(
    to: str | None, receivers: tuple[str, ...], purpose: str | None, late: str
) -> None:
    directory = Directory(AGENCIES, (an_agreement(receivers=receivers),), gateway=GATEWAY)

    def gets_it(named: str | None) -> bool:
        event = check_attributes(
            members(to=named, purpose=purpose), gateway=GATEWAY, gateway_names=frozenset({GATEWAY})
        )
        try:
            routes = route(event, SENDER, ISSUED, directory, day_of(LATER))
        except Rejected:
            return False
        return late in {each.system.name for each in routes}

    made = Late(directory.systems[late], ISSUED, directory).delivery(found(to=to, purpose=purpose), LATER)

    # what is said to several is said to each of them
    assert isinstance(made, Delivery) == any(gets_it(name) for name in ([None] if to is None else to.split(" ")))


@given(st.lists(st.sampled_from(["H33.40", "H33.16", "H33.40 H33.16", None]), max_size=12))
def test_every_message_is_either_due_or_left_out_for_a_reason_and_order_is_kept(names: list[str | None]) -> None:
    asked = [found(place, id=a_key(place), to=to) for place, to in enumerate(names)]

    due, left_out = a_late().weigh(asked, LATER)

    meant = [a_key(place) for place, to in enumerate(names) if to != "H33.16"]
    assert [each.message for each in due] == meant
    assert left_out == Counter({"not-addressed": len(names) - len(meant)} if len(names) > len(meant) else {})
    assert len({each.id for each in due}) == len(due)


def test_every_reason_has_its_words() -> None:
    assert set(get_args(NoRoute)) <= REASONS.keys()
    assert all(text.vi and text.en for text in REASONS.values())


# ------------------------------------------------------------------------------------------------------- phases


def test_a_request_that_was_refused_cancelled_or_done_stays_so() -> None:
    assert after(Phase.ASKED, "approve") is Phase.APPROVED
    assert {phase for phase in Phase if not any(each is phase for each, _ in PHASES)} == OVER
    for phase in OVER:
        for verb in get_args(Verb):
            with pytest.raises(IllegalStep):
                after(phase, verb)


def test_what_runs_can_be_cancelled_but_not_refused() -> None:
    assert after(Phase.RUNNING, "cancel") is Phase.CANCELLED
    with pytest.raises(IllegalStep) as illegal:
        after(Phase.RUNNING, "refuse")
    assert "running" in illegal.value.detail.vi
