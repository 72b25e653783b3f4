"""Names of an agency's queue and user: no two systems share one, and the patterns of rights mean just those."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.agency_queue import PREFIX, REJECTED, AgencyQueue, system_of

CODES = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}", fullmatch=True)
LOCAL = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True)
SYSTEMS = st.builds("{}/{}".format, CODES, LOCAL)


def test_a_name_says_whose_it_is() -> None:
    queue = AgencyQueue("H33.05/dms")
    assert queue.name == "lgsp.agency.H33.05.dms"
    assert queue.rejected == "lgsp.rejected.H33.05.dms"
    assert queue.settle == "lgsp.settle.H33.05.dms"


def test_a_dot_in_the_systems_own_name_does_not_make_two_systems_one() -> None:
    assert AgencyQueue("H33/05.dms").name == "lgsp.agency.H33.05~dms"
    assert AgencyQueue("H33.05/dms").name != AgencyQueue("H33/05.dms").name


@given(SYSTEMS)
def test_the_system_can_be_read_from_every_name_and_amqp_can_carry_it(system: str) -> None:
    queue = AgencyQueue(system)
    assert system_of(queue.name) == system
    assert system_of(queue.rejected, REJECTED) == system
    assert len(queue.name.encode()) < 256


@given(SYSTEMS, SYSTEMS)
def test_the_pattern_of_one_system_lets_nobody_read_what_is_anothers(one: str, other: str) -> None:
    mine, theirs = AgencyQueue(one), AgencyQueue(other)
    may_read = re.compile(mine.read)
    assert may_read.search(mine.name)
    assert may_read.search(mine.rejected)
    assert (may_read.search(theirs.name) is not None) == (one == other)


@pytest.mark.parametrize(
    "name",
    ["lgsp.agencyXH33.05.dms", "lgsp.agency.H33.05.dms2", "xlgsp.agency.H33.05.dms", "lgsp.deliver.H33.05/dms", ""],
)
def test_a_pattern_is_no_looser_than_a_name(name: str) -> None:
    assert re.compile(AgencyQueue("H33.05/dms").read).search(name) is None


@pytest.mark.parametrize("name", ["lgsp.agency.", "lgsp.agency.dms", "lgsp.agency..dms", "lgsp.agency.H33.", "guest",
                                  "lgsp.agencies", "lgsp.deliver.H33.05/dms", "lgsp.agency.H33.05.Dms"])  # fmt: skip
def test_what_is_no_agencys_name_is_left_alone(name: str) -> None:
    assert system_of(name) is None
    assert PREFIX == "lgsp.agency."


def test_its_user_may_make_nothing_and_write_nowhere_but_where_it_settles() -> None:
    plain, settling = AgencyQueue("H33.05/dms"), AgencyQueue("H33.05/dms", settles=True)
    assert (plain.configure, plain.write) == ("", "")
    assert settling.configure == ""
    assert re.fullmatch(settling.write, "lgsp.settle.H33.05.dms")
    assert not re.fullmatch(settling.write, "lgsp.settle.H33.05.dms2")


def test_a_queue_is_replicated_and_bounded_and_refuses_rather_than_forgets() -> None:
    for arguments in (AgencyQueue("H33.05/dms").arguments, AgencyQueue("H33.05/dms").rejected_arguments):
        assert arguments["x-queue-type"] == "quorum"
        assert arguments["x-overflow"] == "reject-publish"
        assert 0 < arguments["x-max-length"] <= 10_000
        assert 0 < arguments["x-max-length-bytes"] <= 64 << 20
    assert AgencyQueue("H33.05/dms").arguments["x-dead-letter-strategy"] == "at-least-once"
