"""An accepted event is read only where somebody looks, and then it is what was signed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.envelope import seal
from gateway.core.faults import Rejected
from gateway.core.jws import NotAJws
from gateway.core.unread import Unread
from tests.adapters.fitting import SENDER, an_event

EVENTS = st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8))


def sealed(event: dict[str, Any]) -> bytes:
    return seal(event, SENDER)


@given(EVENTS, st.text(max_size=8))
def test_it_answers_as_the_event_itself_does(event: dict[str, Any], name: str) -> None:
    for asked in (name, *event):
        assert Unread(sealed(event)).get(asked, "nothing") == event.get(asked, "nothing")
        assert (asked in Unread(sealed(event))) == (asked in event)
    assert dict(Unread(sealed(event))) == event
    assert len(Unread(sealed(event))) == len(event)


def test_a_name_written_with_escapes_is_found_too() -> None:
    payload = json.dumps(an_event(traceparent="00-1")).replace('"traceparent"', '"\\u0074raceparent"').encode()
    assert Unread(SENDER.sign("ce+jws", payload)).get("traceparent") == "00-1"


def test_asking_for_what_is_not_there_reads_nothing() -> None:
    assert Unread(SENDER.sign("ce+jws", b"no JSON at all")).get("traceparent") is None


def test_what_is_damaged_says_so_when_it_is_looked_at() -> None:
    with pytest.raises(Rejected):
        Unread(SENDER.sign("ce+jws", b"id, but no JSON"))["id"]
    with pytest.raises(NotAJws):
        Unread(b"no envelope").get("id")


def test_its_payload_is_the_bytes_that_were_signed() -> None:
    assert json.loads(Unread(sealed(an_event())).payload) == an_event()
