"""The life of a delivery: the table, what each signal changes, and what no run of signals can break."""

from __future__ import annotations

import uuid
from itertools import pairwise, product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.delivery import (
    ENDED,
    LAPSED,
    TABLE,
    Claimed,
    Deferred,
    Delivered,
    Delivery,
    Discarded,
    Expired,
    Freed,
    GaveUp,
    Held,
    LeaseExpired,
    Refused,
    Released,
    Replayed,
    Signal,
    State,
    as_blocked,
    lane_of,
)
from gateway.core.faults import IllegalStep
from tests.build import MORNING, RECIPIENT, SENDER, a_delivery, a_key

DAY = 86400.0
FORTNIGHT = 14 * DAY
KINDS: tuple[type[Signal], ...] = get_args(Signal)
#: What the interface says, in its own words: state -> the signals it may meet.
PROMISED: dict[str, str] = {
    "queued": "Claimed Delivered Refused GaveUp Held Expired Discarded",
    "leased": "Delivered Deferred Refused LeaseExpired GaveUp",
    "held": "Delivered Refused Released Expired Discarded",
    "blocked": "Freed Expired Discarded",
    "dead": "Replayed Discarded",
    "delivered": "",
    "expired": "",
    "discarded": "",
}
FINAL = {State.DELIVERED, State.EXPIRED, State.DISCARDED}


def signal_of(kind: type[Signal], at: float = MORNING) -> Signal:
    """A signal of that kind, at ``at``."""
    arguments: dict[type[Signal], tuple[Any, ...]] = {
        Claimed: ("push:a", at + 28), Deferred: (at + 5,), LeaseExpired: (at,), GaveUp: ("deadline",),
        Held: (at,), Released: (at,), Freed: (at,), Replayed: (at,),
    }  # fmt: skip
    return kind(*arguments.get(kind, ()))


def through(delivery: Delivery, *signals: Signal) -> Delivery:
    for signal in signals:
        delivery = delivery.after(signal)
    return delivery


@pytest.mark.parametrize(("state", "kind"), list(product(State, KINDS)), ids=lambda x: getattr(x, "__name__", x))
def test_the_table_alone_says_what_may_follow(state: State, kind: type[Signal]) -> None:
    delivery = a_delivery(state=state)
    if kind.__name__ in PROMISED[state].split():
        assert delivery.after(signal_of(kind)).state is TABLE[state, kind]
    else:
        with pytest.raises(IllegalStep) as refusal:
            delivery.after(signal_of(kind))
        assert refusal.value.problem == "illegal-state"
        assert state.value in refusal.value.detail.vi


def test_there_are_eight_states_and_twelve_signals() -> None:
    assert {state.value for state in State} == set(PROMISED)
    assert len(KINDS) == 12
    assert {kind for _, kind in TABLE} == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (Claimed, "leased"), (Delivered, "delivered"), (Deferred, "queued"), (Refused, "dead"),
        (LeaseExpired, "queued"), (GaveUp, "dead"), (Held, "held"), (Released, "queued"), (Freed, "queued"),
        (Expired, "expired"), (Replayed, "queued"), (Discarded, "discarded"),
    ],
)  # fmt: skip
def test_a_signal_leads_to_the_same_state_wherever_it_comes(kind: type[Signal], state: str) -> None:
    assert {target.value for (_, signal), target in TABLE.items() if signal is kind} == {state}


def test_delivered_expired_and_discarded_end_a_delivery_and_dead_and_held_do_not() -> None:
    assert {state for state in State if a_delivery(state=state).is_over} == FINAL == ENDED


def test_every_state_but_the_ended_ones_has_a_way_on() -> None:
    assert {state for state, _ in TABLE} == set(State) - FINAL


# ------------------------------------------------------------------------------------------------- attempts


def test_a_failed_try_uses_up_an_attempt() -> None:
    tried = through(a_delivery(), Claimed("w", MORNING + 28), Deferred(MORNING + 5))
    assert (tried.attempts, tried.due, tried.lease_owner, tried.lease_until) == (1, MORNING + 5, None, None)


def test_a_lapsed_lease_and_one_given_back_use_up_none() -> None:
    lapsed = through(a_delivery(), Claimed("w", MORNING + 28), LeaseExpired(MORNING + 28))
    later = through(a_delivery(), Claimed("w", MORNING + 28), Deferred(MORNING + 60, counted=False))
    assert (lapsed.attempts, lapsed.due) == (0, MORNING + 28)
    assert (later.attempts, later.due) == (0, MORNING + 60)


def test_the_last_try_counts_and_giving_up_without_one_does_not() -> None:
    assert through(a_delivery(), Claimed("w", MORNING), GaveUp("attempts")).attempts == 1
    assert through(a_delivery(), GaveUp("deadline")).attempts == 0


@pytest.mark.parametrize(
    ("signal", "cause"), [(Refused(), "refused"), (GaveUp("deadline"), "deadline"), (GaveUp("attempts"), "attempts")]
)
def test_the_dead_say_what_they_died_of(signal: Signal, cause: str) -> None:
    assert through(a_delivery(), Claimed("w", MORNING), signal).cause == cause


def test_a_late_answer_counts_from_the_queue_and_on_hold() -> None:
    lapsed = through(a_delivery(), Claimed("w", MORNING), LeaseExpired(MORNING + 28))
    assert lapsed.after(Delivered()).state is State.DELIVERED
    assert lapsed.after(Held(MORNING + 30)).after(Delivered()).state is State.DELIVERED
    assert lapsed.after(Refused()).cause == "refused"


def test_a_replay_starts_counting_anew_but_keeps_the_numbers() -> None:
    dead = through(a_delivery(), Claimed("w", MORNING), GaveUp("attempts"))
    replayed = dead.after(Replayed(MORNING + DAY))
    assert (replayed.attempts, replayed.spent, replayed.replays, replayed.cause) == (1, 1, 1, None)
    assert (replayed.due, replayed.deadline) == (MORNING + DAY, MORNING + DAY + FORTNIGHT)


# ------------------------------------------------------------------------------------------------- patience


def test_patience_counts_from_acceptance() -> None:
    assert a_delivery().deadline == MORNING + FORTNIGHT


def test_or_from_notbefore_where_that_is_later() -> None:
    later = a_delivery(notbefore=MORNING + DAY)
    assert (later.due, later.deadline) == (MORNING + DAY, MORNING + DAY + FORTNIGHT)
    past = a_delivery(notbefore=MORNING - DAY)
    assert (past.due, past.deadline) == (MORNING, MORNING + FORTNIGHT)


def test_what_is_pulled_waits_for_ever() -> None:
    pulled = a_delivery(patience=None)
    held = pulled.after(Held(MORNING)).after(Released(MORNING + DAY))
    assert pulled.deadline is held.deadline is as_blocked(pulled).after(Freed(MORNING)).deadline is None


def test_patience_does_not_run_while_held() -> None:
    held = a_delivery().after(Held(MORNING + DAY))
    assert (held.deadline, held.left) == (None, FORTNIGHT - DAY)
    released = held.after(Released(MORNING + 30 * DAY))
    assert (released.due, released.deadline) == (MORNING + 30 * DAY, MORNING + 30 * DAY + FORTNIGHT - DAY)
    assert released.left is None


def test_a_hold_before_notbefore_neither_takes_nor_gives_patience() -> None:
    held = a_delivery(notbefore=MORNING + 10 * DAY).after(Held(MORNING + DAY))
    assert held.after(Released(MORNING + 2 * DAY)).deadline == MORNING + 10 * DAY + FORTNIGHT
    assert held.after(Released(MORNING + 12 * DAY)).deadline == MORNING + 12 * DAY + FORTNIGHT


def test_patience_does_not_run_while_blocked() -> None:
    blocked = as_blocked(a_delivery())
    assert (blocked.state, blocked.deadline) == (State.BLOCKED, None)
    freed = blocked.after(Freed(MORNING + 20 * DAY))
    assert (freed.due, freed.deadline) == (MORNING + 20 * DAY, MORNING + 34 * DAY)


def test_a_freed_delivery_still_waits_for_its_notbefore() -> None:
    freed = as_blocked(a_delivery(notbefore=MORNING + DAY)).after(Freed(MORNING + 1))
    assert (freed.due, freed.deadline) == (MORNING + DAY, MORNING + DAY + FORTNIGHT)


def test_a_lease_takes_nothing_from_patience_and_gives_nothing() -> None:
    leased = a_delivery().after(Claimed("push:a", MORNING + 28))
    assert (leased.lease_owner, leased.lease_until, leased.deadline) == ("push:a", MORNING + 28, MORNING + FORTNIGHT)


# ------------------------------------------------------------------------------------------------ any life


@st.composite
def lives(draw: st.DrawFn) -> list[Delivery]:
    """A delivery after each of a run of legal signals, while the clock goes on."""
    at = MORNING
    delivery = a_delivery(
        patience=draw(st.sampled_from([None, 60.0, FORTNIGHT])),
        notbefore=draw(st.sampled_from([None, MORNING - 5, MORNING + 100])),
        priority=draw(st.integers(0, 3)),
    )
    life = [draw(st.sampled_from([delivery, as_blocked(delivery)]))]
    for _ in range(draw(st.integers(0, 25))):
        at += draw(st.sampled_from([0.0, 1.0, 50.0, DAY]))
        kinds = [kind for (state, kind) in TABLE if state is life[-1].state]
        if not kinds:
            break
        life.append(life[-1].after(signal_of(draw(st.sampled_from(kinds)), at)))
    return life


@given(lives())
def test_attempts_never_decrease_and_rise_one_at_a_time(life: list[Delivery]) -> None:
    for before, after in pairwise(life):
        assert 0 <= after.attempts - before.attempts <= 1
        assert before.spent <= after.spent <= after.attempts
        assert 0 <= after.replays - before.replays <= 1


@given(lives())
def test_an_ended_delivery_stays_as_it_is(life: list[Delivery]) -> None:
    assert not any(before.is_over for before in life[:-1])
    if life[-1].is_over:
        for kind in KINDS:
            with pytest.raises(IllegalStep):
                life[-1].after(signal_of(kind))


@given(lives())
def test_only_the_leased_have_a_lease_and_only_the_dead_and_the_interrupted_a_cause(life: list[Delivery]) -> None:
    for each in life:
        assert (each.lease_owner is not None) == (each.lease_until is not None) == (each.state is State.LEASED)
        assert each.cause is not None if each.state is State.DEAD else each.cause in {None, LAPSED}


@given(lives())
def test_patience_runs_only_where_somebody_tries(life: list[Delivery]) -> None:
    for each in life:
        if each.patience is None:
            assert each.deadline is each.left is None
        if each.state in {State.HELD, State.BLOCKED}:
            assert each.deadline is None
        if each.state in {State.QUEUED, State.LEASED} and each.patience is not None:
            assert each.deadline is not None
            assert each.left is None


@given(lives())
def test_nothing_is_due_before_its_notbefore_unless_it_was_tried(life: list[Delivery]) -> None:
    for each in life:
        if each.state is State.QUEUED and each.attempts == each.spent and each.notbefore is not None:
            tried = any(before.state is State.LEASED for before in life)
            assert tried or each.due >= each.notbefore


@given(lives())
def test_what_a_delivery_is_never_changes_with_where_it_is(life: list[Delivery]) -> None:
    fixed = {(d.id, d.message, d.source, d.recipient, d.contract, d.lane, d.priority, d.patience) for d in life}
    assert len(fixed) == 1


# ----------------------------------------------------------------------------------------- ids and lanes


def test_the_same_acceptance_makes_the_same_delivery() -> None:
    assert a_delivery("m").id == a_delivery("m").id
    assert str(uuid.UUID(a_delivery("m").id)) == a_delivery("m").id
    assert len({a_delivery("m").id, a_delivery("n").id, a_delivery("m", recipient="H33.20/dms").id}) == 3


def test_a_lane_is_source_subject_and_recipient_system() -> None:
    lane = lane_of(SENDER, "dossier 1", RECIPIENT)
    assert a_delivery("m", subject="dossier 1").lane == lane
    assert a_delivery("n", subject="dossier 1", message=a_key("n")).lane == lane
    others = [
        ("H33.06/dms", "dossier 1", RECIPIENT),
        (SENDER, "dossier 2", RECIPIENT),
        (SENDER, "dossier 1", "H33.20/x"),
    ]
    assert lane not in {lane_of(*other) for other in others}


def test_a_contract_without_order_has_no_lane() -> None:
    assert a_delivery(ordered=False).lane is None
