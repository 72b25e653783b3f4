"""A plan of faults follows from its seed, and has everything in it that may fail."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from gateway.relay.dispatch import LEASE
from tests.chaos.faults import FAULTS
from tests.chaos.plan import KINDS, OVERSLEPT, drawn

SEEDS = range(50)


def test_one_seed_is_one_plan() -> None:
    assert drawn(random.Random("a"), 20, 3) == drawn(random.Random("a"), 20, 3)
    assert drawn(random.Random("a"), 20, 3) != drawn(random.Random("b"), 20, 3)


def test_every_kind_can_be_brought_about() -> None:
    assert FAULTS.keys() == KINDS.keys()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_is_bounded_and_every_kind_comes_before_any_comes_again(seed: int) -> None:
    plan = drawn(random.Random(seed), 20, 3)
    faults = [fault for stroke in plan for fault in stroke.faults]
    assert len(plan) == 20
    assert {fault.kind for fault in faults} == set(KINDS)
    for stroke in plan:
        assert len({KINDS[fault.kind].place for fault in stroke.faults}) == len(stroke.faults) <= 2
    for fault in faults:
        assert KINDS[fault.kind].least <= fault.seconds <= KINDS[fault.kind].most
        assert 0 <= fault.node < 3
    assert Counter(fault.kind for fault in faults)["gateway-overslept"] == 1
    assert sum(stroke.seconds for stroke in plan) < 300


def test_an_overslept_lease_is_longer_than_the_lease() -> None:
    assert OVERSLEPT[0] > LEASE
