"""How fast one party may send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rate import Rate


def test_a_burst_is_granted_and_the_next_one_waits_for_its_turn() -> None:
    rate = Rate(per_minute=60, burst=3)
    reached = 0.0
    for _ in range(3):
        reached, wait = rate.take(reached, 100.0)
        assert wait == 0.0

    assert rate.take(reached, 100.0) == (reached, 1.0)
    assert rate.take(reached, 101.0)[1] == 0.0


def test_more_at_once_than_a_burst_holds_is_granted_from_a_standing_start_and_paid_for_afterwards() -> None:
    rate = Rate(per_minute=60, burst=3)
    reached, wait = rate.take(0.0, 100.0, count=10)

    assert wait == 0.0
    assert rate.take(reached, 101.0)[1] == 7.0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_never_more_than_the_pace_and_one_burst_in_any_time(gaps: list[float]) -> None:
    rate = Rate(per_minute=60, burst=5)
    now, reached, granted = 1000.0, 0.0, 0
    begun = now
    for gap in gaps:
        now += gap
        reached, wait = rate.take(reached, now)
        granted += wait == 0.0

    assert granted <= (now - begun) * 1.0 + 5 + 1e-6


def test_what_was_granted_elsewhere_is_paid_for_here() -> None:
    rate = Rate(per_minute=60, burst=2)
    reached = rate.spent(0.0, 100.0, 5)

    assert rate.take(reached, 100.0) == (reached, 4.0)
    assert rate.take(reached, 104.0)[1] == 0.0
    assert rate.spent(reached, 100.0, 0) == reached
