"""When a failed delivery is tried next: never sooner than first, never beyond the deadline, and sometimes never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.retry import LONGEST_WISH, Again, Never, RetryPolicy, next_step
from tests.build import MORNING

CHANCE = st.floats(0, 1, exclude_max=True)
POLICIES = st.builds(
    RetryPolicy,
    first=st.floats(0.001, 3600),
    factor=st.floats(1, 1e6),
    cap=st.floats(0.001, 86400),
    deadline=st.floats(1, 30 * 86400),
    attempts=st.none() | st.integers(1, 50),
)


def test_the_default_survives_the_tet_holidays() -> None:
    assert RetryPolicy() == RetryPolicy(first=5.0, factor=2.0, cap=3600.0, deadline=1_209_600.0, attempts=None)


@given(POLICIES, st.integers(1, 10_000), CHANCE)
def test_the_wait_is_never_shorter_than_first_nor_longer_than_the_cap(
    policy: RetryPolicy, attempt: int, chance: float
) -> None:
    wait = policy.delay(attempt, chance)
    assert policy.first <= wait <= max(policy.cap, policy.first)


@given(POLICIES, st.integers(1, 100), CHANCE)
def test_with_the_same_luck_the_wait_never_shrinks(policy: RetryPolicy, attempt: int, chance: float) -> None:
    assert policy.delay(attempt, chance) <= policy.delay(attempt + 1, chance)


@given(POLICIES, st.integers(1, 100), CHANCE, CHANCE)
def test_jitter_is_full_between_first_and_the_ceiling(policy: RetryPolicy, attempt: int, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert policy.delay(attempt, low) <= policy.delay(attempt, high)
    assert policy.delay(attempt, 0.0) == policy.first


def test_the_ceiling_grows_by_the_factor_up_to_the_cap() -> None:
    policy = RetryPolicy(first=5, factor=2, cap=60)
    ceilings = [policy.delay(attempt, 1.0) for attempt in range(1, 8)]
    assert ceilings == [5, 10, 20, 40, 60, 60, 60]


@pytest.mark.parametrize("attempt", [1, 2, 64, 65, 10**9])
def test_a_policy_that_outgrows_every_number_stays_at_its_cap(attempt: int) -> None:
    assert RetryPolicy(first=5, factor=1e300, cap=60).delay(attempt, 1.0) in {5, 60}


@given(POLICIES, st.integers(1, 60), st.floats(0, 1e6), CHANCE, st.none() | st.floats(-10, 1e9))
def test_the_next_try_lies_between_now_and_the_deadline_or_there_is_none(
    policy: RetryPolicy, attempt: int, left: float, chance: float, wish: float | None
) -> None:
    now, deadline = 1e6, 1e6 + left
    step = next_step(policy, attempt=attempt, now=now, deadline=deadline, chance=chance, wish=wish)
    if policy.attempts is not None and attempt >= policy.attempts:
        assert step == Never("attempts")
    elif now >= deadline:
        assert step == Never("deadline")
    else:
        assert isinstance(step, Again)
        assert now < step.due <= deadline
        assert step.due == deadline or step.due >= now + policy.first * (1 - 1e-9)


def test_the_last_try_falls_on_the_deadline_itself() -> None:
    policy = RetryPolicy(first=60)
    step = next_step(policy, attempt=1, now=MORNING, deadline=MORNING + 10, chance=0.5)
    assert step == Again(MORNING + 10)
    assert next_step(policy, attempt=2, now=MORNING + 10, deadline=MORNING + 10, chance=0.5) == Never("deadline")


def test_attempts_used_up_are_told_before_a_deadline_that_passed() -> None:
    policy = RetryPolicy(attempts=3)
    assert next_step(policy, attempt=3, now=2, deadline=1, chance=0) == Never("attempts")
    assert next_step(policy, attempt=2, now=0, deadline=1, chance=0) == Again(1)


def test_a_far_side_that_names_a_time_is_given_it() -> None:
    step = next_step(RetryPolicy(first=5), attempt=1, now=0, deadline=1e7, chance=0, wish=120)
    assert step == Again(120)


def test_a_far_side_cannot_be_asked_sooner_than_first() -> None:
    for wish in (-3.0, 0.0, 1.0):
        assert next_step(RetryPolicy(first=5), attempt=1, now=0, deadline=1e7, chance=0, wish=wish) == Again(5)


def test_a_far_side_cannot_put_the_bus_off_for_more_than_a_day() -> None:
    assert next_step(RetryPolicy(), attempt=1, now=0, deadline=1e7, chance=0, wish=1e9) == Again(LONGEST_WISH)
    assert LONGEST_WISH == 86_400


def test_a_far_side_cannot_put_the_bus_off_beyond_the_deadline() -> None:
    assert next_step(RetryPolicy(), attempt=1, now=0, deadline=100, chance=0, wish=3600) == Again(100)
