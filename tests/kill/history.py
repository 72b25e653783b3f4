"""Decides from what senders and recipients saw whether a bus that was killed kept its word. Pure: no clock, no I/O.

The word, in ten rules: what was acknowledged arrives; nothing arrives that was not sent; a lane keeps the order of
acceptance; what comes twice is the same and has a reason; attempts are counted honestly; a repeat earns the first
receipt; receipts hold; what was confirmed as taken never comes again; every end is told once; and told truly.

A fault around the bus (``Struck`` to ``Calm``) may keep an answer from it, or a request on its way: what was in a
recipient's hands by then may be pushed once more afterwards, even behind a later one of its lane. The first taking
never is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.kill.seen import Answered, Arrived, Calm, Denied, Heard, History, Said, Started, Struck, Submitted, Told

#: A receipt's payload where its signature holds, else None.
Opened = Callable[[str], Mapping[str, Any] | None]


def violations(history: History, opened: Opened) -> list[str]:
    """Every promise that the history breaks, one sentence each; empty where the bus kept its word."""
    rules: Sequence[Callable[[History], Iterator[str]]] = (
        _nothing_is_lost,
        _nothing_is_invented,
        _lanes_keep_their_order,
        _duplicates_are_the_same,
        _duplicates_have_a_reason,
        _attempts_are_counted,
        _a_repeat_earns_the_first_answer,
        _what_was_confirmed_stays_away,
        _every_end_is_told_once_and_truly,
    )
    found = [sentence for rule in rules for sentence in rule(history)]
    return [*found, *_receipts_hold(history, opened)]


def _nothing_is_lost(history: History) -> Iterator[str]:
    ended = history.taken() | history.expired()
    for id_, recipients in history.promised().items():
        for name in recipients:
            if (id_, name) not in ended:
                yield f"lost: {id_} was acknowledged and never came to its end at {name}"


def _nothing_is_invented(history: History) -> Iterator[str]:
    promised = history.promised()
    outcomes = {each.id for each in history.all(Told)}
    for each in history.all(Arrived):
        if each.message in outcomes:
            continue
        if each.message not in history.submitted():
            yield f"invented: nobody sent {each.message}, which came to {each.recipient}"
        elif each.recipient not in promised.get(each.message, ()):
            yield f"invented: {each.message} came to {each.recipient}, which no answer to its sender names"


def _lanes_keep_their_order(history: History) -> Iterator[str]:
    """Nothing comes before an earlier one of its lane has ended, nor again once a later one came."""
    promised, expired = history.promised(), history.expired()
    place: dict[str, tuple[str, int]] = {}
    lanes: dict[str, list[str]] = defaultdict(list)
    for each in history.all(Submitted):
        if each.id in promised:
            place[each.id] = (each.lane, len(lanes[each.lane]))
            lanes[each.lane].append(each.id)
    message = {each.delivery: each.message for each in history.all(Arrived)}
    taken: set[tuple[str, str]] = set()
    latest: dict[tuple[str, str], int] = {}
    excused = repeats_that_faults_excuse(history)
    for position, each in enumerate(history.seen):
        if isinstance(each, Said) and each.word == "taken":
            taken.add((message.get(each.delivery, ""), each.recipient))
        if not isinstance(each, Arrived) or each.message not in place:
            continue
        lane, number = place[each.message]
        if number < latest.get((lane, each.recipient), 0) and position not in excused:
            yield f"order: {each.message} came again to {each.recipient} after a later message of its lane"
        latest[lane, each.recipient] = max(number, latest.get((lane, each.recipient), 0))
        for earlier in lanes[lane][:number]:
            pair = (earlier, each.recipient)
            if each.recipient in promised[earlier] and pair not in taken and pair not in expired:
                yield f"order: {each.message} came to {each.recipient} before {earlier} of the same lane had ended"


def _duplicates_are_the_same(history: History) -> Iterator[str]:
    by_delivery: dict[str, Arrived] = {}
    by_message: dict[tuple[str, str], str] = {}
    for each in history.all(Arrived):
        first = by_delivery.setdefault(each.delivery, each)
        if (first.message, first.recipient) != (each.message, each.recipient):
            yield f"duplicate: delivery {each.delivery} names two messages or recipients"
        elif first.digest != each.digest:
            yield f"duplicate: {each.message} came to {each.recipient} with two bodies"
        if by_message.setdefault((each.message, each.recipient), each.delivery) != each.delivery:
            yield f"duplicate: {each.message} came to {each.recipient} under two delivery ids"


def _duplicates_have_a_reason(history: History) -> Iterator[str]:
    """Pushed again only after the recipient asked for it or after a crash; leased again only once it may be."""
    last: dict[str, Arrived] = {}
    excused: set[str] = set()
    by_faults = repeats_that_faults_excuse(history)
    for position, each in enumerate(history.seen):
        if isinstance(each, Started):
            excused |= {id_ for id_, arrived in last.items() if arrived.until is None}
        elif isinstance(each, Said) and each.word == "later":
            excused.add(each.delivery)
        elif isinstance(each, Arrived):
            before = last.get(each.delivery)
            lapsed = before is not None and before.until is not None and each.at >= before.until
            if before is not None and not lapsed and each.delivery not in excused and position not in by_faults:
                why = "without a crash between" if before.until is None else "while its lease ran"
                yield f"duplicate: {each.message} came twice to {each.recipient} {why}"
            last[each.delivery] = each
            excused.discard(each.delivery)


def repeats_that_faults_excuse(history: History) -> set[int]:
    """Where pushes stand that came again while a fault lasted, or once after it, having come before its end."""
    found: set[int] = set()
    came: set[str] = set()
    in_hand: set[str] = set()
    is_rough = False
    for position, each in enumerate(history.seen):
        if isinstance(each, Struck):
            is_rough = True
        elif isinstance(each, Calm):
            is_rough = False
            in_hand |= came
        elif isinstance(each, Arrived) and each.until is None:
            if each.delivery in came and (is_rough or each.delivery in in_hand):
                found.add(position)
            if not is_rough:
                in_hand.discard(each.delivery)
            came.add(each.delivery)
    return found


def _attempts_are_counted(history: History) -> Iterator[str]:
    """A push that was put off may use up an attempt (a crash may forget it); a lease never does.

    Once a fault kept attempts from their recipients, these cannot know how many there were.
    """
    highest: dict[str, int] = {}
    put_off: dict[str, float] = defaultdict(int)
    pushed = {each.delivery for each in history.all(Arrived) if each.until is None}
    unseen = 0.0
    for each in history.seen:
        if isinstance(each, Struck):
            unseen = math.inf
        if isinstance(each, Said) and each.word == "later" and each.delivery in pushed:
            put_off[each.delivery] += 1
        elif isinstance(each, Arrived):
            least, most = highest.get(each.delivery, 1), 1 + put_off[each.delivery]
            if each.until is None:
                most += unseen
            if not least <= each.attempt <= most:
                yield (
                    f"attempts: {each.message} came to {each.recipient} as attempt {each.attempt},"
                    f" which must be from {least} to {most:g}"
                )
            highest[each.delivery] = max(least, each.attempt)


def _a_repeat_earns_the_first_answer(history: History) -> Iterator[str]:
    first: dict[str, Answered] = {}
    for each in history.seen:
        if isinstance(each, Answered) and first.setdefault(each.id, each) != each:
            yield f"repeat: {each.id} was answered in two ways"
        if isinstance(each, Denied):
            if each.id in first:
                yield f"repeat: {each.id} was acknowledged, and then refused with {each.problem}"
            elif each.problem != "expired" or not history.submitted()[each.id].expires:
                yield f"refused: the sound message {each.id} was refused with {each.problem}"


def _what_was_confirmed_stays_away(history: History) -> Iterator[str]:
    confirmed: set[str] = set()
    for each in history.seen:
        if isinstance(each, Heard) and not each.is_known:
            yield f"forgotten: {each.recipient} took {each.delivery}, and the bus says that there is none such"
        elif isinstance(each, Heard):
            confirmed.add(each.delivery)
        elif isinstance(each, Arrived) and each.delivery in confirmed:
            yield f"forgotten: {each.message} was leased again by {each.recipient} after its taken was confirmed"


def _every_end_is_told_once_and_truly(history: History) -> Iterator[str]:
    submitted, promised, taken = history.submitted(), history.promised(), history.taken()
    delivery = {(each.message, each.recipient): each.delivery for each in history.all(Arrived)}
    heard = {each.delivery for each in history.all(Heard)}
    first: dict[tuple[str, str], Told] = {}
    for each in history.all(Told):
        pair = (each.message, each.recipient)
        if each.recipient not in promised.get(each.message, ()):
            yield f"outcome: the sender was told of {each.message} at {each.recipient}, which it was never promised"
            continue
        if first.setdefault(pair, each) != each:
            yield f"outcome: the end of {each.message} at {each.recipient} was told in two messages"
        wanted = submitted[each.message].digest or each.digest
        if each.digest != wanted or each.delivery != delivery.get(pair, each.delivery):
            yield f"outcome: what was told of {each.message} at {each.recipient} names another body or delivery"
        if each.kind == "delivered" and pair not in taken:
            yield f"outcome: {each.message} was told as delivered, but {each.recipient} never took it"
        if each.kind == "expired" and (not submitted[each.message].expires or each.delivery in heard):
            yield f"outcome: {each.message} was told as expired, but it had no such end at {each.recipient}"
        if each.kind not in {"delivered", "expired"}:
            yield f"outcome: {each.message} was told as {each.kind}, which {each.recipient} never brought about"
    for id_, recipients in promised.items():
        for name in recipients:
            if (id_, name) not in first:
                yield f"outcome: the end of {id_} at {name} was never told"


def _receipts_hold(history: History, opened: Opened) -> Iterator[str]:
    submitted = history.submitted()
    for id_, recipients, receipt in {(each.id, each.recipients, each.receipt) for each in history.all(Answered)}:
        said = opened(receipt)
        if said is None:
            yield f"receipt: the signature on {id_}'s does not hold"
            continue
        wanted = {"receipt": "accepted", "id": id_, "digest": submitted[id_].digest, "to": list(recipients)}
        if {name: said.get(name) for name in wanted} != wanted:
            yield f"receipt: {id_}'s speaks of something else than what was sent"
