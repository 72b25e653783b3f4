"""Whether a destination is down, who probes it, and how it is loaded again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.breaker import ERRORS_OF_ONE, FULL_WIDTH, OPEN_AFTER, Breaker


def failing(*deliveries: str, is_error: bool = False) -> Breaker:
    """A breaker after these deliveries failed in a row."""
    breaker = Breaker()
    for number, delivery in enumerate(deliveries):
        breaker = breaker.failed(delivery, float(number), is_error=is_error)
    return breaker


def test_a_destination_that_answers_is_loaded_fully() -> None:
    assert Breaker().room(0) == FULL_WIDTH
    assert Breaker().room(FULL_WIDTH) == 0


def test_failures_in_a_row_open_the_breaker_and_the_one_that_opened_it_probes() -> None:
    breaker = failing("a", "b", "c")

    assert breaker.is_open
    assert breaker.prober == "c"
    assert breaker.since == 0.0
    assert breaker.room(0) == 0


def test_a_success_between_failures_counts_them_afresh() -> None:
    breaker = failing("a", "b").answered().failed("c", 3.0, is_error=False)

    assert not breaker.is_open
    assert breaker.failures == 1


def test_one_message_that_draws_errors_again_and_again_does_not_make_its_destination_down() -> None:
    breaker = failing(*["poison"] * 50, is_error=True)

    assert not breaker.is_open
    assert breaker.room(0) == FULL_WIDTH


def test_errors_met_by_different_messages_do() -> None:
    assert failing("a", "b", "a", is_error=True).is_open


def test_silence_opens_it_even_where_only_one_message_met_it() -> None:
    assert failing(*["a"] * OPEN_AFTER).is_open


def test_the_prober_stays_the_same_while_nobody_answers() -> None:
    breaker = failing("a", "b", "c")
    for number in range(100):
        breaker = breaker.failed("c", float(number), is_error=False)

    assert breaker.prober == "c"


def test_a_prober_that_draws_nothing_but_errors_makes_way_for_another() -> None:
    breaker = failing("a", "b", "c", is_error=True)
    for number in range(ERRORS_OF_ONE - 1):
        breaker = breaker.failed("c", float(number), is_error=True)

    assert breaker.is_open
    assert breaker.prober is None
    assert breaker.room(0) == 1


def test_a_prober_that_ended_otherwise_is_replaced_by_whichever_is_due_next() -> None:
    breaker = failing("a", "b", "c").without_prober()

    assert breaker.room(0) == 1
    assert breaker.failed("d", 9.0, is_error=False).prober == "d"


def test_the_way_back_is_a_slope() -> None:
    breaker = failing("a", "b", "c").answered()
    widths = [breaker.width]
    while not breaker.is_quiet:
        breaker = breaker.answered()
        widths.append(breaker.width)

    assert widths == [1, 2, 4, 8]


def test_a_failure_on_the_way_back_opens_it_again_at_once() -> None:
    breaker = failing("a", "b", "c").answered().failed("d", 9.0, is_error=True)

    assert breaker.is_open
    assert breaker.prober == "d"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=60))
def test_whatever_happens_there_is_always_a_way_on(history: list[tuple[str, bool, bool]]) -> None:
    breaker = Breaker()
    for number, (delivery, is_success, is_error) in enumerate(history):
        breaker = breaker.answered() if is_success else breaker.failed(delivery, float(number), is_error=is_error)

        assert breaker.prober is not None or breaker.room(0) > 0
        assert breaker.room(0) <= FULL_WIDTH
    while not breaker.is_quiet:
        breaker = breaker.answered()
