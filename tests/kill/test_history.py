"""The checker of kill histories catches every way of breaking the bus's word, and takes what at-least-once allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.kill.history import violations
from tests.kill.seen import (
    Answered,
    Arrived,
    Calm,
    Collected,
    Denied,
    Heard,
    History,
    Said,
    Seen,
    Started,
    Struck,
    Submitted,
    Told,
)

PUSHED, PULLED = "H33.16/dms", "H33.20/dms"


def opened(receipt: str) -> Mapping[str, Any] | None:
    """Receipts of these histories read ``ID``; a forged one opens to nothing."""
    if receipt == "forged":
        return None
    return {"receipt": "accepted", "id": receipt, "digest": f"digest {receipt}", "to": [PUSHED, PULLED]}


def submitted(id_: str, **override: Any) -> Submitted:
    return Submitted(**{"id": id_, "lane": "a", "digest": f"digest {id_}", **override})


def answered(id_: str, receipt: str | None = None) -> Answered:
    return Answered(id_, (PUSHED, PULLED), id_ if receipt is None else receipt)


def pushed(id_: str, **override: Any) -> Arrived:
    made = {"recipient": PUSHED, "delivery": f"{id_}>", "message": id_, "attempt": 1, "digest": id_, "at": 1.0}
    return Arrived(**{**made, **override})


def leased(id_: str, at: float = 1.0, **override: Any) -> Arrived:
    made = {"recipient": PULLED, "delivery": f"{id_}<", "at": at, "until": at + 30}
    return pushed(id_, **{**made, **override})


def said(arrived: Arrived, word: Any = "taken") -> Said:
    return Said(arrived.recipient, arrived.delivery, word)


def told(arrived: Arrived, **override: Any) -> Told:
    made = {
        "id": f"end of {arrived.delivery}",
        "kind": "delivered",
        "message": arrived.message,
        "recipient": arrived.recipient,
        "delivery": arrived.delivery,
        "digest": f"digest {arrived.message}",
    }
    return Told(**{**made, **override})


def sent(*ids: str) -> list[Seen]:
    """Messages of one lane, acknowledged."""
    return [*(submitted(id_) for id_ in ids), *(answered(id_) for id_ in ids)]


def one(id_: str) -> list[Seen]:
    """One message that went well: pushed to one recipient, pulled and confirmed by the other, told twice."""
    push, pull = pushed(id_), leased(id_)
    return [
        submitted(id_),
        answered(id_),
        push,
        said(push),
        pull,
        said(pull),
        Heard(PULLED, pull.delivery),
        told(push),
        told(pull),
    ]


def judged(*seen: Seen) -> list[str]:
    return [sentence.partition(":")[0] for sentence in violations(History(list(seen)), opened)]


def without(seen: list[Seen], *kinds: type[Any]) -> list[Seen]:
    return [each for each in seen if type(each) not in kinds]


def test_a_history_in_which_all_went_well_is_clean() -> None:
    assert judged(Started(), *one("m1"), *one("m2")) == []
    assert History([Started(), *one("m1")]).unfinished() == []


def test_an_acknowledged_message_that_never_arrives_is_lost() -> None:
    seen = [each for each in one("m1") if not (isinstance(each, Arrived | Said) and each.recipient == PUSHED)]
    assert "lost" in judged(*seen)
    assert History(seen).unfinished() == [f"m1 at {PUSHED}"]


def test_a_message_fetched_from_a_folder_is_promised_as_well() -> None:
    assert judged(submitted("m1"), Collected("m1", (PUSHED,))) == ["lost", "outcome"]


def test_a_message_that_arrives_but_is_never_taken_is_lost() -> None:
    assert "lost" in judged(*[each for each in one("m1") if each != said(pushed("m1"))])


def test_a_message_without_an_answer_need_not_arrive() -> None:
    assert judged(submitted("m1")) == []
    assert History([submitted("m1")]).unfinished() == ["an answer on m1"]


def test_a_message_that_nobody_sent_is_invented() -> None:
    assert judged(pushed("m9")) == ["invented"]


def test_a_message_that_was_refused_or_sent_to_others_must_not_arrive() -> None:
    assert "invented" in judged(submitted("m1", expires=True), Denied("m1", "expired"), pushed("m1"))
    assert "invented" in judged(*one("m1"), pushed("m1", recipient="H33.99/dms", delivery="m1?"))


def test_a_later_message_of_a_lane_must_wait_until_the_earlier_one_ended() -> None:
    first, second = pushed("m1"), pushed("m2")
    both = sent("m1", "m2")
    assert "order" in judged(*both, first, second, said(first), said(second))
    assert "order" in judged(*both, second, said(second), first, said(first))
    assert "order" not in judged(*both, first, said(first), second, said(second))


def test_an_earlier_message_must_not_come_back_behind_a_later_one() -> None:
    first, second = pushed("m1"), pushed("m2")
    both = sent("m1", "m2")
    assert "order" in judged(*both, first, said(first), second, said(second), Started(), first, said(first))


def test_lanes_do_not_wait_for_one_another() -> None:
    first, second = pushed("m1"), pushed("m2")
    both: list[Seen] = [submitted("m1"), submitted("m2", lane="b"), answered("m1"), answered("m2")]
    assert "order" not in judged(*both, second, said(second), first, said(first))


def test_a_message_that_expired_holds_nobody_back() -> None:
    both: list[Seen] = [submitted("m1", expires=True), submitted("m2"), answered("m1"), answered("m2")]
    assert "order" not in judged(*both, pushed("m2"), told(pushed("m1"), kind="expired"))


def test_a_duplicate_under_another_id_or_with_another_body_is_told() -> None:
    assert "duplicate" in judged(*one("m1"), Started(), pushed("m1", delivery="other"))
    assert "duplicate" in judged(*one("m1"), Started(), pushed("m1", digest="other"))
    assert "duplicate" in judged(*one("m1"), *one("m2"), Started(), pushed("m2", delivery="m1>"))


def test_a_push_may_come_twice_after_a_crash_but_not_without() -> None:
    assert judged(*one("m1"), Started(), pushed("m1")) == []
    assert judged(*one("m1"), pushed("m1")) == ["duplicate"]
    assert judged(*one("m1"), Started(), pushed("m1"), pushed("m1")) == ["duplicate"]


def test_a_push_that_was_put_off_comes_again_as_the_next_attempt() -> None:
    asked = said(pushed("m1"), "later")
    again = pushed("m1", attempt=2)
    whole = one("m1")
    assert judged(*whole[:2], pushed("m1"), asked, again, said(again), *whole[4:]) == []


@pytest.mark.parametrize("attempt", [0, 2])
def test_an_attempt_that_nobody_saw_fail_is_told(attempt: int) -> None:
    assert judged(*one("m1"), Started(), pushed("m1", attempt=attempt)) == ["attempts"]


def test_a_number_of_attempts_never_goes_down() -> None:
    asked = said(pushed("m1"), "later")
    seen = [*one("m1"), asked, pushed("m1", attempt=2), Started(), pushed("m1", attempt=1)]
    assert judged(*seen) == ["attempts"]


def test_a_lease_is_its_recipients_until_it_lapses_even_after_a_crash() -> None:
    whole = without(one("m1"), Heard)
    assert judged(*whole, leased("m1", at=31.0)) == []
    assert judged(*whole, leased("m1", at=30.0)) == ["duplicate"]
    assert judged(*whole, Started(), leased("m1", at=30.0)) == ["duplicate"]


def test_a_lease_given_back_may_be_leased_at_once_as_the_same_attempt() -> None:
    whole = without(one("m1"), Heard)
    assert judged(*whole, said(leased("m1"), "later"), leased("m1", at=2.0)) == []
    assert judged(*whole, said(leased("m1"), "later"), leased("m1", at=2.0, attempt=2)) == ["attempts"]


def test_what_was_confirmed_as_taken_is_never_leased_again() -> None:
    assert judged(*one("m1"), leased("m1", at=99.0)) == ["forgotten"]
    assert judged(*one("m1"), Started(), leased("m1", at=99.0)) == ["forgotten"]


def test_a_taken_is_never_answered_with_not_mine() -> None:
    lease = leased("m1")
    seen = [each for each in one("m1") if not isinstance(each, Heard)]
    assert judged(*seen, Heard(PULLED, lease.delivery, is_known=False)) == ["forgotten"]


def test_a_repeat_earns_the_first_receipt_to_the_letter() -> None:
    assert judged(*one("m1"), answered("m1")) == []
    assert "repeat" in judged(*one("m1"), answered("m1", "m1 again"))
    assert "repeat" in judged(*one("m1"), Answered("m1", (PUSHED,), "m1"))


def test_what_was_acknowledged_is_not_refused_later_and_sound_messages_never_are() -> None:
    assert judged(*one("m1"), Denied("m1", "conflict")) == ["repeat"]
    assert judged(submitted("m1"), Denied("m1", "stale")) == ["refused"]
    assert judged(submitted("m1"), Denied("m1", "expired")) == ["refused"]
    assert judged(submitted("m1", expires=True), Denied("m1", "expired")) == []


def test_a_receipt_must_verify_and_speak_of_what_was_sent() -> None:
    assert judged(*one("m2"), *[answered("m1", "forged") if e == answered("m1") else e for e in one("m1")]) == [
        "receipt"
    ]
    assert judged(*[answered("m1", "m2") if e == answered("m1") else e for e in one("m1")]) == ["receipt"]


def test_every_end_is_told_to_the_sender_once() -> None:
    assert judged(*without(one("m1"), Told), told(pushed("m1"))) == ["outcome"]
    assert judged(*one("m1"), told(pushed("m1"))) == []
    assert judged(*one("m1"), told(pushed("m1"), id="told anew")) == ["outcome"]


def test_an_end_that_is_told_names_the_delivery_and_the_body() -> None:
    whole = without(one("m1"), Told)
    assert judged(*whole, told(leased("m1")), told(pushed("m1"), delivery="other")) == ["outcome"]
    assert judged(*whole, told(leased("m1")), told(pushed("m1"), digest="other")) == ["outcome"]


@pytest.mark.parametrize("kind", ["expired", "refused", "discarded"])
def test_an_end_that_never_was_must_not_be_told(kind: str) -> None:
    whole = without(one("m1"), Told)
    assert judged(*whole, told(leased("m1")), told(pushed("m1"), kind=kind)) == ["outcome"]


def test_delivered_is_told_only_of_what_was_taken() -> None:
    seen = [each for each in one("m1") if each != said(pushed("m1"))]
    assert judged(*seen) == ["lost", "outcome"]


def test_what_was_confirmed_as_taken_cannot_have_expired() -> None:
    whole = [submitted("m1", expires=True), *without(one("m1"), Told, Submitted), told(pushed("m1"))]
    assert judged(*whole, told(leased("m1"), kind="expired")) == ["outcome"]
    assert judged(*without(whole, Heard), told(leased("m1"), kind="expired")) == []


def test_an_outcome_must_belong_to_a_promise() -> None:
    assert judged(*one("m1"), told(pushed("m1"), recipient="H33.99/dms")) == ["outcome"]


def test_a_message_that_the_bus_seals_is_told_under_a_digest_of_its_own() -> None:
    sealed: list[Seen] = [submitted("m1", digest=None), Collected("m1", (PULLED,)), leased("m1"), said(leased("m1"))]
    assert judged(*sealed, told(leased("m1"), digest="the gateway's own")) == []


# ------------------------------------------------------------------------------------- faults around the bus


def test_a_push_may_come_again_while_a_fault_lasts_and_once_after_it() -> None:
    first = pushed("m1")
    assert judged(*one("m1"), Struck("x"), first, first, Calm(), first) == []
    assert judged(*one("m1"), Struck("x"), Calm(), first, first) == ["duplicate"]
    assert judged(Struck("x"), Calm(), *one("m1"), first) == ["duplicate"]


def test_a_fault_excuses_neither_a_lease_in_another_hand_nor_a_new_id_nor_another_body() -> None:
    whole = without(one("m1"), Heard)
    assert judged(Struck("x"), *whole, leased("m1", at=2.0), Calm()) == ["duplicate"]
    assert "duplicate" in judged(Struck("x"), *one("m1"), pushed("m1", delivery="other"), Calm())
    assert "duplicate" in judged(Struck("x"), *one("m1"), pushed("m1", digest="other"), Calm())


def test_an_earlier_message_may_come_back_behind_a_later_one_only_where_a_fault_held_it_up() -> None:
    first, second = pushed("m1"), pushed("m2")
    both = [*sent("m1", "m2"), first, said(first)]
    assert "order" not in judged(*both, Struck("x"), second, said(second), first, Calm())
    assert "order" not in judged(*both, Struck("x"), Calm(), second, said(second), first)
    assert "order" in judged(Struck("x"), Calm(), *both, second, said(second), first)


def test_no_fault_lets_a_later_message_come_before_an_earlier_one_was_taken() -> None:
    first, second = pushed("m1"), pushed("m2")
    assert "order" in judged(*sent("m1", "m2"), Struck("x"), second, said(second), Calm(), first, said(first))
    assert "order" in judged(*sent("m1", "m2"), Struck("x"), first, second, said(first), said(second), Calm())


def test_attempts_that_a_fault_kept_from_their_recipient_are_not_counted_against_the_bus() -> None:
    assert judged(*one("m1"), Struck("x"), pushed("m1", attempt=9), Calm()) == []
    assert judged(Struck("x"), Calm(), *without(one("m1"), Heard), leased("m1", at=99.0, attempt=2)) == ["attempts"]
    assert judged(*one("m1"), Struck("x"), pushed("m1", attempt=9), pushed("m1", attempt=8), Calm()) == ["attempts"]


def test_no_fault_excuses_a_loss() -> None:
    seen = [each for each in one("m1") if not (isinstance(each, Arrived | Said) and each.recipient == PUSHED)]
    assert "lost" in judged(Struck("x"), *seen, Calm())
