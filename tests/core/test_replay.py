"""An operation on many deliveries: its phases, what may be in it, and what follows from how far it is."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.core.delivery import State
from gateway.core.faults import IllegalStep
from gateway.core.replay import (
    BURST,
    CANARY,
    ENOUGH,
    OVER,
    PHASES,
    REASONS,
    Candidate,
    Finish,
    Phase,
    Plan,
    Progress,
    Send,
    Stop,
    Verb,
    Wait,
    after,
    is_within,
    next_allowed,
    next_move,
    stage_left,
    why_not,
)
from tests.build import MORNING

NOW = MORNING
CARELESS = Plan(rate=100, canary=(), stop_percent=None)


# --------------------------------------------------------------------------------------------------------- phases


def test_an_operation_begins_goes_on_and_ends() -> None:
    assert after(Phase.PLANNED, "start") is Phase.RUNNING
    assert after(Phase.RUNNING, "pause") is Phase.PAUSED
    assert after(Phase.PAUSED, "resume") is Phase.RUNNING
    assert after(Phase.RUNNING, "stop") is Phase.STOPPED
    assert after(Phase.STOPPED, "resume") is Phase.RUNNING
    assert after(Phase.RUNNING, "finish") is Phase.DONE


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in OVER])
def test_whatever_has_not_ended_can_be_cancelled(phase: Phase) -> None:
    assert after(phase, "cancel") is Phase.CANCELLED


@pytest.mark.parametrize(("phase", "verb"), list(itertools.product(Phase, get_args(Verb))))
def test_what_the_table_does_not_name_is_refused_in_words(phase: Phase, verb: Verb) -> None:
    if (phase, verb) in PHASES:
        assert phase not in OVER
        return
    with pytest.raises(IllegalStep, match=phase.value):
        after(phase, verb)


# ------------------------------------------------------------------------------------------------ what may be in it


@pytest.mark.parametrize("state", State)
def test_only_the_dead_are_replayed(state: State) -> None:
    found = why_not("replay", Candidate("d", 1, "H33.16/dms", state), is_known=True, now=NOW)
    assert (found is None) == (state is State.DEAD)
    assert found is None or found in REASONS


@pytest.mark.parametrize("state", State)
def test_what_has_not_ended_and_is_in_nobodys_hands_is_discarded(state: State) -> None:
    found = why_not("discard", Candidate("d", 1, "H33.16/dms", state), is_known=False, now=NOW)
    assert (found is None) == (state in {State.DEAD, State.QUEUED, State.HELD, State.BLOCKED})


def test_a_dead_one_that_expired_lost_its_body_or_its_recipient_is_not_replayed() -> None:
    def reason(*, expires: float | None = None, has_body: bool = True, is_known: bool = True) -> str | None:
        candidate = Candidate("d", 1, "H33.16/dms", State.DEAD, expires, has_body)
        return why_not("replay", candidate, is_known=is_known, now=NOW)

    assert reason(expires=NOW) == "expired"
    assert reason(expires=NOW + 1) is None
    assert reason(has_body=False) == "body-gone"
    assert reason(is_known=False) == "recipient-unknown"


# ----------------------------------------------------------------------------------------------------- what is next


def test_a_careful_replay_sends_one_then_ten_then_a_hundred_then_the_rest() -> None:
    assert stage_left(CANARY, 0, 0) == 1
    assert stage_left(CANARY, 1, 1) == 0
    assert stage_left(CANARY, 1, 0) == 10
    assert stage_left(CANARY, 4, 2) == 7
    assert stage_left(CANARY, 11, 3) == 0
    assert stage_left(CANARY, 11, 0) == 100
    assert stage_left(CANARY, 111, 1) == 0
    assert stage_left(CANARY, 111, 0) is None
    assert stage_left(CANARY, 112, 5) is None
    assert stage_left((), 0, 0) is None


def test_it_waits_while_a_stage_is_on_its_way() -> None:
    found = next_move(Plan(), Progress(99, 1, 1), next_at=NOW, now=NOW)
    assert isinstance(found, Wait)
    assert found.why == "canary"


def test_a_canary_that_fails_stops_it_at_once() -> None:
    assert next_move(Plan(), Progress(99, 1, 0, (True,)), next_at=NOW, now=NOW) == Stop(1, 1)


def test_without_a_canary_a_few_failures_are_waited_out() -> None:
    plan = Plan(canary=())
    early = Progress(99, 50, 20, (True,) * (ENOUGH - 1))
    assert isinstance(next_move(plan, early, next_at=NOW, now=NOW), Wait)
    enough = Progress(99, 50, 20, (True,) * ENOUGH)
    assert next_move(plan, enough, next_at=NOW, now=NOW) == Stop(ENOUGH, ENOUGH)


def test_as_many_failures_as_allowed_do_not_stop_it_and_one_more_does() -> None:
    plan = Plan(stop_percent=10)
    just = (True,) * 5 + (False,) * 45
    assert isinstance(next_move(plan, Progress(99, 500, 0, just), next_at=NOW, now=NOW), Send)
    assert next_move(plan, Progress(99, 500, 0, (True, *just[:-1])), next_at=NOW, now=NOW) == Stop(6, 50)


def test_without_a_stop_rule_nothing_stops_it() -> None:
    assert isinstance(next_move(CARELESS, Progress(9, 50, 0, (True,) * 50), next_at=NOW, now=NOW), Send)


def test_it_ends_when_everything_was_put_back_and_nothing_is_on_its_way() -> None:
    assert next_move(Plan(), Progress(0, 5, 0, (True,) * 5), next_at=NOW, now=NOW) == Finish()
    assert isinstance(next_move(Plan(), Progress(0, 5, 1), next_at=NOW, now=NOW), Wait)


def test_it_works_only_in_its_window_which_may_span_midnight() -> None:
    # the MORNING of the tests is eight in Viet Nam
    assert is_within((8 * 60, 9 * 60), NOW)
    assert not is_within((9 * 60, 17 * 60), NOW)
    assert is_within((22 * 60, 9 * 60), NOW)
    assert not is_within((22 * 60, 5 * 60), NOW)
    found = next_move(Plan(canary=(), window=(22 * 60, 5 * 60)), Progress(9, 0, 0), next_at=NOW, now=NOW)
    assert isinstance(found, Wait)
    assert found.why == "window"


def test_no_more_are_on_their_way_at_once_than_the_plan_allows() -> None:
    plan = Plan(rate=1000, canary=(), most=30)
    assert next_move(plan, Progress(999, 100, 25), next_at=NOW - 5, now=NOW) == Send(5, NOW - BURST)
    assert isinstance(next_move(plan, Progress(999, 100, 30), next_at=NOW - 5, now=NOW), Wait)


@pytest.mark.parametrize(("rate", "most"), [(0.5, 8), (20, 20), (1000, 200)])
def test_at_most_a_seconds_worth_is_on_its_way_between_8_and_200(rate: float, most: int) -> None:
    assert Plan(rate=rate).most_in_flight == most


@given(st.floats(0.1, 1000), st.lists(st.floats(0.001, 3), min_size=1, max_size=60))
def test_over_any_time_no_more_is_sent_than_the_rate_allows(rate: float, pauses: list[float]) -> None:
    plan = Plan(rate=rate, canary=(), most=1000)
    now = next_at = began = NOW
    sent = 0
    for pause in pauses:
        found = next_move(plan, Progress(1000, 0, 0), next_at=next_at, now=now)
        if isinstance(found, Send):
            sent += found.count
            next_at = next_allowed(plan, found.since, found.count)
        now += pause
    assert sent <= rate * (now - began + BURST) + 1


@given(
    st.integers(0, 300),
    st.integers(1, 50),
    st.integers(0, 20),
    st.randoms(use_true_random=False),
)
def test_a_replay_of_sound_messages_ends_with_each_moved_once_and_its_stages_kept(
    total: int, rate: int, most_fail: int, chance: object
) -> None:
    import random

    assert isinstance(chance, random.Random)
    plan = Plan(rate=float(rate))
    waiting, moved, in_flight, now, next_at = total, 0, 0, NOW, NOW
    at_gates: list[int] = []
    for _ in range(20_000):
        found = next_move(plan, Progress(waiting, moved, in_flight, (False,) * min(moved - in_flight, 50)),
                          next_at=next_at, now=now)  # fmt: skip
        if isinstance(found, Finish):
            break
        assert not isinstance(found, Stop)
        if isinstance(found, Send):
            assert 1 <= found.count <= waiting
            waiting, moved, in_flight = waiting - found.count, moved + found.count, in_flight + found.count
            next_at = next_allowed(plan, found.since, found.count)
        else:
            at_gates += [moved] if found.why == "canary" else []
            now = max(now + 0.01, found.until)
        assert in_flight <= plan.most_in_flight
        if in_flight and chance.random() < 0.7:
            in_flight -= chance.randint(1, in_flight)
    assert (waiting, moved, in_flight) == (0, total, 0)
    assert set(at_gates) <= {1, 11, 111}


@given(st.floats(0.1, 1000), st.integers(0, 10**6))
def test_the_estimate_is_the_time_that_the_rate_takes(rate: float, count: int) -> None:
    assume(count)
    assert Plan(rate=rate).seconds(count) == pytest.approx(count / rate)
