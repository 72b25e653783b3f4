"""What becomes of a dossier that many speak of: told stories, and what holds of every history."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.law import read_law
from gateway.core.dossiers.dossier import Dossier, Step
from gateway.core.dossiers.event import Hop, Told
from gateway.core.dossiers.history import dossier_of, is_heard, is_of_record
from gateway.core.dossiers.order import happened_at, in_order
from gateway.core.dossiers.parties import SKEW
from gateway.core.dossiers.statuses import ENDS, STATUSES, WAITING, is_allowed, is_reachable
from tests.core.dossier_told import (
    BANK,
    CODE,
    DISTRICT,
    HISTORIES,
    HOUR,
    LAND,
    ONE_STOP,
    PORTAL,
    STRANGER,
    an_event,
    arrivals,
    outcome,
    shown,
    told,
    vector_event,
)

CALENDAR = read_law().calendar
VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "dossiers").glob("*.json"))


def flags_of(dossier: Dossier) -> list[tuple[str, ...]]:
    return [step.flags for step in dossier.steps]


# ---------------------------------------------------------------------------------------------- stories as data


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_told_story_comes_out_as_it_was_written_down(path: Path) -> None:
    story = json.loads(path.read_text())
    lines = told([vector_event(words) for words in story["told"]])

    dossier = dossier_of(CODE, lines, CALENDAR)

    assert [_shown(step) for step in dossier.steps] == story["steps"]
    assert {name: _plain(getattr(dossier, name)) for name in story["dossier"]} == story["dossier"]
    legs = [
        {"to": leg.hop.to_agency, "status": leg.status, "due": shown(leg.due), "ended_at": shown(leg.ended_at)}
        for leg in dossier.legs
    ]
    assert legs == story.get("legs", [])


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_told_story_ends_the_same_in_whatever_order_it_arrives(path: Path) -> None:
    story = json.loads(path.read_text())
    lines = told([vector_event(words) for words in story["told"]])
    expected = outcome(dossier_of(CODE, lines, CALENDAR))
    chance = random.Random(path.stem)

    for _ in range(10):
        shuffled = [line.event for line in chance.sample(lines * 2, 2 * len(lines))]
        ids = {id(line.event): line.message for line in lines}
        again = [Told(n, ids[id(event)], "", 0.0, event) for n, event in enumerate(shuffled)]
        assert outcome(dossier_of(CODE, again, CALENDAR)) == expected


def _shown(step: Step) -> dict[str, Any]:
    made = {"is": step.told.event.kind, "by": step.told.event.agency, "then": step.status}
    return {**made, "flags": list(step.flags)} if step.flags else made


def _plain(value: Any) -> Any:
    return shown(value) if isinstance(value, float) else list(value) if isinstance(value, tuple) else value


def test_there_are_stories_of_every_flag() -> None:
    stories = [json.loads(path.read_text()) for path in VECTORS]
    shown_flags = {flag for story in stories for step in story["steps"] for flag in step.get("flags", ())}

    assert len(stories) >= 12
    assert shown_flags == {
        "out-of-order", "forced", "skipped", "repeated", "unvouched", "doubled", "ahead", "late", "unregistered",
    }  # fmt: skip


# ------------------------------------------------------------------------------------------- of every history


@given(both=arrivals())
@settings(max_examples=250)
def test_any_order_and_any_repetition_gives_the_same_dossier(both: tuple[list[Told], list[Told]]) -> None:
    lines, others = both

    assert outcome(dossier_of(CODE, others, CALENDAR)) == outcome(dossier_of(CODE, lines, CALENDAR))


@given(events=HISTORIES)
@settings(max_examples=150)
def test_time_never_runs_backwards_and_nothing_that_was_said_is_lost(events: list[Any]) -> None:
    lines = told(events)

    dossier = dossier_of(CODE, lines, CALENDAR)

    placed = in_order(lines)
    moments = [moment for moment, _ in placed]
    assert moments == sorted(moments)
    assert [line for _, line in placed] == [step.told for step in dossier.steps]
    assert all(0 <= moment - happened_at(line.event) <= SKEW for moment, line in placed)
    assert sorted(step.told.place for step in dossier.steps) == [line.place for line in lines]
    assert dossier.status_at is None or dossier.status_at in moments


@given(events=HISTORIES)
@settings(max_examples=150)
def test_a_status_only_moves_as_the_table_allows_and_every_step_out_of_it_is_flagged(events: list[Any]) -> None:
    before: int | None = None
    for step in dossier_of(CODE, told(events), CALENDAR).steps:
        after = step.status
        assert step.counts == (after != before)
        if step.counts and before is not None and after is not None:
            assert before not in ENDS
            assert is_allowed(before, after) or ("skipped" in step.flags and is_reachable(before, after))
            assert before not in WAITING or after not in {9, 10} or step.told.event.has_result
        assert is_heard(step) or not step.counts
        before = after


@given(events=HISTORIES)
@settings(max_examples=150)
def test_an_agency_that_nobody_handed_it_to_moves_nothing(events: list[Any]) -> None:
    others = [event for event in events if event.agency != STRANGER and event.kind != "payment-notified"]
    first = [an_event("registered", when=0.0, status=2)]
    strange = [event for event in events if event.agency == STRANGER and event.kind != "payment-notified"]

    alone = dossier_of(CODE, told([*first, *others]), CALENDAR)
    beset = dossier_of(CODE, told([*first, *others, *strange]), CALENDAR)

    assert (beset.status, beset.due, beset.legs, beset.lead) == (alone.status, alone.due, alone.legs, alone.lead)


@given(said_at=st.floats(-6e10, 2.5e11, allow_nan=False), status=st.sampled_from(sorted(STATUSES)))
def test_no_clock_however_wrong_is_an_error(said_at: float, status: int) -> None:
    lines = told([
        an_event("registered", when=said_at, status=5, due=said_at, received_at=said_at, sent_at=1e9),
        an_event("progressed", when=1e9, status=status),
    ])  # fmt: skip

    assert dossier_of(CODE, lines, CALENDAR).status in STATUSES


# --------------------------------------------------------------------------------------------------- who may speak


def test_the_agency_that_registered_it_first_answers_for_it_however_late_that_came() -> None:
    second = an_event("registered", STRANGER, 20 * HOUR, status=4)
    first = an_event("registered", ONE_STOP, 10 * HOUR, status=2)

    dossier = dossier_of(CODE, told([second, first]))

    assert (dossier.lead, dossier.status) == (ONE_STOP, 2)
    assert flags_of(dossier) == [("late",), ("doubled",)]


@pytest.mark.parametrize(
    ("recipients", "addressee", "lead"),
    [
        ((ONE_STOP,), "", ONE_STOP),
        ((ONE_STOP, DISTRICT), ONE_STOP, ONE_STOP),
        ((ONE_STOP, DISTRICT), "", PORTAL),  # until one of them takes it up
        ((ONE_STOP,), "a code that nobody has", ONE_STOP),
        ((), "", PORTAL),
    ],
)
def test_what_is_filed_at_a_portal_waits_at_the_agency_it_was_filed_to(
    recipients: tuple[str, ...], addressee: str, lead: str
) -> None:
    filed = an_event("registered", PORTAL, status=1, recipients=recipients, addressee=addressee)

    dossier = dossier_of(CODE, told([filed]))

    assert (dossier.lead, dossier.status, dossier.received_at) == (lead, 1, None)


def test_of_several_to_which_it_was_filed_the_first_that_takes_it_up_answers_for_it() -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", PORTAL, 0.0, status=1, recipients=(ONE_STOP, DISTRICT)),
        an_event("progressed", DISTRICT, HOUR, status=2),
        an_event("progressed", ONE_STOP, 2 * HOUR, status=4),
    ]))  # fmt: skip

    assert (dossier.lead, dossier.status, flags_of(dossier)[2]) == (DISTRICT, 2, ("unvouched",))


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ({"kind": "withdrawn", "status": 7}, 7),
        ({"kind": "progressed", "status": 6}, 6),
        ({"kind": "progressed", "status": 9}, 4),
        ({"kind": "result-issued", "status": 9, "has_result": True}, 4),
        ({"kind": "returned", "status": 8}, 4),
    ],
)
def test_a_portal_tells_what_the_applicant_does_and_what_is_to_be_paid_and_nothing_else(
    said: dict[str, Any], then: int
) -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", PORTAL, 0.0, status=1, recipients=(ONE_STOP,)),
        an_event("registered", ONE_STOP, HOUR, status=4),
        an_event(said["kind"], PORTAL, 2 * HOUR, **{k: v for k, v in said.items() if k != "kind"}),
    ]))  # fmt: skip

    assert dossier.status == then
    assert flags_of(dossier)[2] == (() if then != 4 else ("unvouched",))


def test_a_portal_whose_clock_is_ahead_stays_a_party() -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", PORTAL, HOUR + 300.0, status=1, recipients=(ONE_STOP,)),
        an_event("registered", ONE_STOP, HOUR, status=2),
        an_event("withdrawn", PORTAL, 3 * HOUR, status=7),
    ]))  # fmt: skip

    assert (dossier.lead, dossier.status) == (ONE_STOP, 7)
    assert flags_of(dossier) == [("late",), ("out-of-order",), ()]


OWN: dict[str, Any] = {"code_agency": ONE_STOP}


def test_nobody_takes_a_dossier_over_from_the_agency_that_its_code_names_whatever_date_it_writes() -> None:
    taken = an_event("registered", STRANGER, -99 * HOUR, sent_at=50 * HOUR, status=4, **OWN)
    dossier = dossier_of(CODE, told([
        an_event("registered", ONE_STOP, 10 * HOUR, status=2, **OWN),
        taken,
        an_event("withdrawn", STRANGER, 60 * HOUR, status=7, **OWN),
    ]))  # fmt: skip

    assert (dossier.lead, dossier.status) == (ONE_STOP, 2)
    assert [flags for step, flags in zip(dossier.steps, flags_of(dossier), strict=True)
            if step.told.event.agency == STRANGER] == [("doubled", "late"), ("unvouched",)]  # fmt: skip


def test_where_the_code_names_nobody_who_speaks_a_registration_counts_from_thirty_days_before_it_was_sent() -> None:
    day = 24 * HOUR
    true = an_event("registered", ONE_STOP, 100 * day, status=2)
    taken = an_event("registered", STRANGER, 0.0, sent_at=131 * day, status=4)
    older = an_event("registered", STRANGER, 0.0, sent_at=129 * day, status=4)

    assert dossier_of(CODE, told([true, taken])).lead == ONE_STOP
    assert dossier_of(CODE, told([true, older])).lead == STRANGER


def test_nobody_steps_in_before_the_agency_with_which_a_portal_filed_it() -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", PORTAL, HOUR, status=1, recipients=(ONE_STOP,), **OWN),
        an_event("registered", STRANGER, 0.0, sent_at=2 * HOUR, status=4, **OWN),
    ]))  # fmt: skip

    assert (dossier.lead, dossier.status) == (ONE_STOP, 1)


def test_only_what_the_province_registered_as_a_portal_is_one() -> None:
    said = {"status": 1, "recipients": (ONE_STOP,), "addressee": ONE_STOP}
    for own in ({}, OWN):
        dossier = dossier_of(CODE, told([
            an_event("registered", STRANGER, HOUR + 60.0, **said, **own),
            an_event("registered", ONE_STOP, HOUR, status=2, **own),
            an_event("withdrawn", STRANGER, 2 * HOUR, status=7, **own),
        ]))  # fmt: skip

        assert (dossier.lead, dossier.status) == (ONE_STOP, 2)
        assert flags_of(dossier) == [("late",), ("doubled",), ("unvouched",)]


def test_of_a_portals_agency_only_the_portal_itself_speaks_as_one() -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", PORTAL, 0.0, status=1, recipients=(ONE_STOP,), **OWN),
        an_event("registered", ONE_STOP, HOUR, status=2, **OWN),
        an_event("withdrawn", PORTAL, 2 * HOUR, status=7, is_portal=False, **OWN),
    ]))  # fmt: skip

    assert (dossier.status, flags_of(dossier)[2]) == (2, ("unvouched",))


def test_an_agency_that_makes_codes_and_is_a_portal_too_leads_what_it_receives_itself() -> None:
    both = {"is_portal": True, "code_agency": PORTAL}
    filed = an_event("registered", PORTAL, 0.0, status=1, recipients=(ONE_STOP,), **both)
    received = an_event("registered", PORTAL, HOUR, status=2, **both)

    assert dossier_of(CODE, told([filed])).lead == ONE_STOP
    assert dossier_of(CODE, told([filed, received])).lead == PORTAL


@given(both=arrivals())
@settings(max_examples=100)
def test_whoever_else_speaks_the_agency_that_the_code_names_keeps_its_dossier(
    both: tuple[list[Told], list[Told]],
) -> None:
    own = told([an_event("registered", ONE_STOP, 2e9, sent_at=2e9, status=2, **OWN)])
    others = [replace(line, event=replace(line.event, **OWN)) for line in both[1]]

    assert dossier_of(CODE, [*others, *own], CALENDAR).lead == ONE_STOP


def test_what_an_office_says_a_moment_before_it_was_given_the_dossier_is_of_its_part() -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", when=0.0, status=4),
        an_event("progressed", DISTRICT, HOUR - 120.0, status=2),
        an_event("forwarded", when=HOUR, hop=Hop(1, ONE_STOP, DISTRICT)),
        an_event("progressed", LAND, HOUR, status=2),
        an_event("forwarded", DISTRICT, 9 * HOUR, hop=Hop(2, DISTRICT, LAND)),
    ]))  # fmt: skip

    assert [leg.status for leg in dossier.legs] == [2, None]
    assert flags_of(dossier) == [(), (), (), ("unvouched",), ()]


def test_only_who_has_a_part_in_hand_hands_it_on_and_only_as_itself() -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", when=0.0, status=4),
        an_event("forwarded", STRANGER, HOUR, hop=Hop(1, STRANGER, LAND)),
        an_event("forwarded", when=2 * HOUR, hop=Hop(1, ONE_STOP, DISTRICT)),
        an_event("forwarded", DISTRICT, 3 * HOUR, hop=Hop(2, ONE_STOP, LAND)),
        an_event("forwarded", DISTRICT, 4 * HOUR, hop=Hop(2, DISTRICT, LAND)),
    ]))  # fmt: skip

    assert [leg.hop.to_agency for leg in dossier.legs] == [DISTRICT, LAND]
    assert flags_of(dossier) == [(), ("unvouched",), (), ("unvouched",), ()]


def test_giving_it_back_ends_a_part_and_the_same_hop_told_again_with_more_time_is_one_hop() -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", when=0.0, status=4),
        an_event("forwarded", when=HOUR, hop=Hop(1, ONE_STOP, DISTRICT, 90 * HOUR)),
        an_event("forwarded", when=2 * HOUR, hop=Hop(1, ONE_STOP, DISTRICT, 99 * HOUR)),
        an_event("forwarded", DISTRICT, 3 * HOUR, hop=Hop(2, DISTRICT, ONE_STOP)),
    ]))  # fmt: skip

    assert [(leg.due, leg.ended_at) for leg in dossier.legs] == [(99 * HOUR, 3 * HOUR)]


def test_a_part_that_was_stopped_goes_on_and_one_that_was_given_back_does_not() -> None:
    begin = [
        an_event("registered", when=0.0, status=4),
        an_event("forwarded", when=HOUR, hop=Hop(1, ONE_STOP, DISTRICT)),
    ]
    stopped = an_event("returned", DISTRICT, 2 * HOUR, status=8)
    given_back = an_event("forwarded", DISTRICT, 2 * HOUR, hop=Hop(2, DISTRICT, ONE_STOP))
    goes_on = an_event("progressed", DISTRICT, 3 * HOUR, status=4)

    assert [leg.ended_at for leg in dossier_of(CODE, told([*begin, stopped])).legs] == [2 * HOUR]
    assert [leg.ended_at for leg in dossier_of(CODE, told([*begin, stopped, goes_on])).legs] == [None]
    assert [leg.ended_at for leg in dossier_of(CODE, told([*begin, given_back, goes_on])).legs] == [2 * HOUR]


def test_a_payment_moves_what_waits_for_it_whoever_is_the_bank_and_nothing_else() -> None:
    paid = an_event("payment-notified", BANK, 5 * HOUR, status=4, reference="N1")
    waiting = [an_event("registered", when=0.0, status=4), an_event("progressed", when=HOUR, status=6)]
    asked = [an_event("registered", when=0.0, status=4), an_event("supplement-requested", when=HOUR, status=5)]

    assert dossier_of(CODE, told([*waiting, paid])).status == 4
    assert dossier_of(CODE, told([*asked, paid])).status == 5


# ------------------------------------------------------------------------------------------------ dates of the whole


def test_the_receipt_is_when_the_one_stop_says_it_was_or_else_when_it_first_had_it_in_hand() -> None:
    filed = an_event("registered", PORTAL, 0.0, status=1, recipients=(ONE_STOP,), received_at=0.0)
    taken = an_event("progressed", ONE_STOP, 5 * HOUR, status=2)
    whole = an_event("registered", ONE_STOP, 9 * HOUR, status=4, received_at=4 * HOUR)

    assert dossier_of(CODE, told([filed, taken])).received_at == 5 * HOUR
    assert dossier_of(CODE, told([filed, taken, whole])).received_at == 4 * HOUR


def test_a_dossier_is_finished_when_its_result_was_there_not_when_it_was_fetched() -> None:
    lines = told([
        an_event("registered", when=0.0, status=4),
        an_event("result-issued", when=7 * HOUR, status=9, has_result=True, finished_at=6 * HOUR),
        an_event("result-issued", when=90 * HOUR, status=10),
    ])  # fmt: skip

    assert dossier_of(CODE, lines).finished_at == 6 * HOUR


def test_a_result_that_is_dated_before_the_receipt_was_there_with_the_receipt() -> None:
    lines = told([
        an_event("registered", when=24 * HOUR, status=2, received_at=20 * HOUR),
        an_event("result-issued", when=48 * HOUR, status=9, has_result=True, finished_at=-9000 * HOUR),
    ])  # fmt: skip

    assert dossier_of(CODE, lines).finished_at == 20 * HOUR


def test_a_restated_due_date_takes_nothing_of_the_time_that_waiting_added() -> None:
    lines = told([
        an_event("registered", when=0.0, status=4, due=100 * HOUR),
        an_event("supplement-requested", when=26 * HOUR, status=5, reference="1"),
        an_event("supplemented", when=28 * HOUR, status=4, reference="1"),
        an_event("registered", when=30 * HOUR, status=4, due=100 * HOUR),
    ])  # fmt: skip

    due = dossier_of(CODE, lines).due

    assert due is not None
    assert due > 100 * HOUR


def test_of_what_was_not_believed_a_repeat_is_not_either() -> None:
    sound = an_event("registered", when=0.0, status=2)
    strange = an_event("registered", STRANGER, HOUR, status=4)

    dossier = dossier_of(CODE, told([sound, strange, strange, sound]))

    assert flags_of(dossier) == [(), ("repeated",), ("doubled",), ("repeated", "doubled")]
    assert [is_heard(step) for step in dossier.steps] == [True, False, False, False]
    assert [is_of_record(step) for step in dossier.steps] == [True, True, False, False]


def test_without_a_line_there_is_a_dossier_of_which_nothing_is_known() -> None:
    dossier = dossier_of(CODE, [])

    assert (dossier.code, dossier.lead, dossier.status, dossier.steps) == (CODE, "", None, ())


def test_forty_lines_are_worked_out_in_well_under_a_millisecond() -> None:
    events = [an_event("registered", when=0.0, status=2, due=200 * HOUR)]
    for n in range(13):
        events += [
            an_event("progressed", when=(3 * n + 1) * HOUR, status=4),
            an_event("supplement-requested", when=(3 * n + 2) * HOUR, status=5, reference=str(n)),
            an_event("supplemented", PORTAL if n % 2 else ONE_STOP, (3 * n + 3) * HOUR, status=4, reference=str(n)),
        ]
    lines = told(events)
    dossier_of(CODE, lines)

    best = min(_seconds(lines) for _ in range(20))

    assert len(lines) == 40
    assert best < 0.001


def _seconds(lines: list[Told]) -> float:
    began = time.perf_counter()
    dossier_of(CODE, lines)
    return time.perf_counter() - began


# ------------------------------------------------------------------------------------------- clocks that differ


@pytest.mark.parametrize("behind", [0.0, 1.0, 60.0, 3599.0])
def test_an_answer_by_a_clock_that_is_behind_answers_its_request(behind: float) -> None:
    dossier = dossier_of(CODE, told([
        an_event("registered", PORTAL, -HOUR, status=1, recipients=(ONE_STOP,)),
        an_event("registered", when=0.0, status=4),
        an_event("supplement-requested", when=2 * HOUR, status=5, reference="1"),
        an_event("supplemented", PORTAL, 2 * HOUR - behind, status=4, reference="1"),
    ]))  # fmt: skip

    assert (dossier.status, dossier.status_at) == (4, 2 * HOUR)


@pytest.mark.parametrize(("asked", "reference"), [("", "TB1"), ("TB1", "TB1"), ("0012", "TB1")])
def test_a_payment_by_a_clock_that_is_a_minute_behind_pays_what_was_asked_for(asked: str, reference: str) -> None:
    lines = told([
        an_event("payment-notified", BANK, 2 * HOUR - 60, status=4, reference=reference),
        an_event("registered", when=0.0, status=4),
        an_event("progressed", when=2 * HOUR, status=6, reference=asked),
    ])  # fmt: skip

    assert dossier_of(CODE, lines).status == 4


def test_a_payment_of_something_else_long_before_ends_no_waiting_of_now() -> None:
    lines = [
        an_event("registered", when=0.0, status=4),
        an_event("payment-notified", BANK, HOUR, status=4, reference="TB1"),
        an_event("progressed", when=1.5 * HOUR, status=6, reference="TB2"),
    ]

    assert dossier_of(CODE, told(lines)).status == 6
    assert dossier_of(CODE, told([lines[0], lines[1], an_event("progressed", when=3 * HOUR, status=6)])).status == 6


def test_a_second_request_is_not_answered_by_what_answered_the_first() -> None:
    lines = [
        an_event("registered", when=0.0, status=4),
        an_event("progressed", when=HOUR, status=6, reference="TB1"),
        an_event("payment-notified", BANK, 2 * HOUR, status=4, reference="TB1"),
        an_event("progressed", when=2.5 * HOUR, status=6, reference="TB2"),
    ]

    assert dossier_of(CODE, told(lines)).status == 6


# ------------------------------------------------------------------------------------- two steps of one second


def test_steps_of_one_second_are_two_where_people_read_something_else_in_them() -> None:
    def step(content: str, officer: str = "") -> Any:
        return an_event("progressed", when=HOUR, status=4, content=content, officer=officer)

    def repeated(*steps: Any) -> int:
        dossier = dossier_of(CODE, told([an_event("registered", when=0.0, status=2), *steps]))
        return sum("repeated" in each.flags for each in dossier.steps)

    assert repeated(step("a"), step("b")) == 0
    assert repeated(step("a", "x"), step("a", "y")) == 0
    assert repeated(step("a", "x"), step("a", "x")) == 1
    assert repeated(step(""), step("a", "x")) == 1, "another way of telling that leaves out the words says the same"
