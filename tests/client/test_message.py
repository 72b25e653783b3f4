"""What an agency's system makes: ids in order of time, events the bus accepts, assertions that prove who asks."""

from __future__ import annotations

import json
import uuid

from hypothesis import given
from hypothesis import strategies as st

from gateway.client.message import assertion, make_event, new_id
from gateway.config.keys import new_key_pem
from gateway.core.envelope import check_attributes, check_window
from gateway.core.jws import Signer, split, verify

NOW = 1795395600.0
MOMENTS = st.floats(min_value=0, max_value=2**37, allow_nan=False)
CHANCES = st.binary(min_size=10, max_size=10)


@given(MOMENTS, CHANCES)
def test_an_id_is_a_uuid_of_version_seven_that_tells_its_time(now: float, chance: bytes) -> None:
    made = uuid.UUID(new_id(now, chance))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(now * 1000)


@given(MOMENTS, CHANCES, CHANCES)
def test_a_later_id_is_a_greater_one(now: float, one: bytes, other: bytes) -> None:
    assert new_id(now, one) < new_id(now + 0.002, other)


@given(CHANCES, CHANCES)
def test_other_chances_make_other_ids(one: bytes, other: bytes) -> None:
    random_bits = (1 << 80) - 1 & ~(0xF << 76) & ~(0x3 << 62)
    is_same = int.from_bytes(one, "big") & random_bits == int.from_bytes(other, "big") & random_bits
    assert (new_id(NOW, one) == new_id(NOW, other)) is is_same


def test_an_event_passes_every_rule_of_the_envelope() -> None:
    event = make_event(
        id=new_id(NOW, bytes(10)),
        source="H33.05/dms",
        contract="document.issued",
        version="1.0",
        subject="1/TB-STC",
        now=NOW,
        data={"a": 1},
        extensions={"to": "H33.16", "priority": "urgent", "purpose": None},
    )
    assert "purpose" not in event
    checked = check_attributes(event, gateway="H33.14/lgsp", gateway_names=frozenset({"H33.14/lgsp"}))
    check_window(checked, NOW)
    assert (checked.source, checked.version, checked.to) == ("H33.05/dms", "1.0", ("H33.16",))


def test_an_assertion_says_who_asks_which_door_for_how_long_and_once() -> None:
    key, _ = new_key_pem()
    signer = Signer(key, "EdDSA", "A" * 43)
    taken = split(assertion(signer, "H33.05/dms", "http://x/oauth2/token", now=NOW, once="một-lần").encode())
    claims = json.loads(taken.payload)
    assert verify(key.public_key(), taken)
    assert (taken.header.typ, taken.header.thumbprint) == ("JWT", "A" * 43)
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("H33.05/dms", "H33.05/dms", "http://x/oauth2/token")
    assert (claims["iat"], claims["jti"]) == (NOW, "một-lần")
    assert 0 < claims["exp"] - claims["iat"] <= 300
