"""Receipts: what the gateway took responsibility for, as exact bytes and as a compact JWS."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import jws
from gateway.core.contract import Version
from gateway.core.delivery import State
from gateway.core.receipt import OUTCOMES, outcome_key, payload_bytes, receipt_payload, sign_receipt
from tests.build import MORNING, a_delivery, a_digest, a_key
from tests.town import CATALOG


def a_receipt(outcome: Any = "accepted", **override: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": a_key("m").upper(),
        "digest": f"sha-256:{a_digest('envelope')}",
        "source": "H33.05/dms",
        "type": "document.issued",
        "to": ("H33.16/dms",),
        "at": MORNING,
        "gateway": "H33.14/lgsp",
    }
    return receipt_payload(outcome, **{**made, **override})


def contract(name: str) -> Version:
    version = CATALOG.find(name, "1.0")
    assert version is not None
    return version


def test_the_accepted_receipt_names_message_digest_sender_recipients_moment_and_gateway() -> None:
    assert a_receipt() == {
        "receipt": "accepted",
        "id": a_key("m").upper(),
        "digest": f"sha-256:{a_digest('envelope')}",
        "source": "H33.05/dms",
        "type": "document.issued",
        "to": ["H33.16/dms"],
        "at": "2026-11-23T01:00:00.000Z",
        "gateway": "H33.14/lgsp",
    }


def test_what_does_not_apply_is_left_out() -> None:
    told = a_receipt("refused", recipient="H33.16/dms", delivery="d", cause="deadline")
    assert told["cause"] == "deadline"
    assert told["recipient"] == "H33.16/dms"
    assert "delivered_digest" not in told
    assert "log" not in told  # there is no signed head yet
    assert None not in told.values()


@pytest.mark.parametrize("outcome", ["delivered", "refused", "expired", "discarded"])
def test_an_outcomes_payload_keeps_the_contract_under_which_it_is_told(outcome: str) -> None:
    extra = {"cause": "attempts"} if outcome == "refused" else {}
    payload = a_receipt(outcome, recipient="H33.16/dms", delivery=a_delivery().id, **extra)
    assert contract(f"receipt.{outcome}").check(payload) == ()


def test_a_receipt_is_signed_under_its_own_typ_with_the_gateways_kid() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signer = jws.Signer(key, "ES256", jws.b64url(bytes(32)), kid="gateway-2026")
    payload = payload_bytes(a_receipt())
    signed = jws.split(sign_receipt(payload, signer).encode())
    assert (signed.header.typ, signed.header.alg, signed.header.kid) == ("receipt+jws", "ES256", "gateway-2026")
    assert signed.payload == payload
    assert jws.verify(key.public_key(), signed)


def test_the_payload_is_utf_8_json_without_blanks_and_always_the_same() -> None:
    members = a_receipt(source="Sở Y tế")
    assert payload_bytes(members) == payload_bytes(a_receipt(source="Sở Y tế"))
    assert json.loads(payload_bytes(members)) == members
    assert "Sở Y tế".encode() in payload_bytes(members)
    assert b": " not in payload_bytes(members)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4), st.text())
def test_whatever_a_receipt_quotes_is_written_as_plain_json_writes_it(recipients: list[str], cause: str) -> None:
    cause = cause.encode("utf-8", "ignore").decode()
    members = a_receipt("refused", to=recipients, recipient="".join(recipients), cause=cause)
    assert payload_bytes(members) == json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def test_each_way_of_ending_has_its_receipt_and_nothing_else_has() -> None:
    assert {state.value: name for state, name in OUTCOMES.items()} == {
        "delivered": "delivered",
        "dead": "refused",
        "expired": "expired",
        "discarded": "discarded",
    }


def test_an_outcome_is_one_of_its_kind_by_delivery_outcome_and_replays() -> None:
    dead, delivered = a_delivery(state=State.DEAD), a_delivery(state=State.DELIVERED)
    replayed, other = a_delivery(state=State.DEAD, replays=1), a_delivery(2, state=State.DEAD)
    keys = {outcome_key(each) for each in (dead, delivered, replayed, other)}
    assert len(keys) == 4
    assert outcome_key(dead) == outcome_key(a_delivery(state=State.DEAD))
