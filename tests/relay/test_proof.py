"""The recipient's own receipt: checked and kept beside the delivery; a wrong one is an alert, never a loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.core.delivery import State
from gateway.core.envelope import digest_of
from gateway.core.jws import Signer, split
from gateway.ports import Accepted
from tests.build import a_key
from tests.town import GATEWAY, Town, a_pair, a_town, wishes_for

NAME, READER = "H33.16/dms", "H33.20/dms"


@pytest.fixture
def town() -> Town:
    return a_town()


def taken(id_: str, body: bytes, recipient: str = NAME, **override: Any) -> bytes:
    """The payload of a receipt that a recipient gives; ``None`` leaves a member out."""
    made = {
        "receipt": "taken",
        "id": id_,
        "digest": digest_of(body),
        "recipient": recipient,
        "at": "2026-11-23T08:00:00+07:00",
        **override,
    }
    return json.dumps({name: value for name, value in made.items() if value is not None}).encode()


def own(town: Town, name: str = NAME) -> Signer:
    return town.signers[name]


async def proof_of(town: Town, message: Accepted, recipient: str = NAME) -> bytes | None:
    record = await town.record(message)
    return next(each.proof for each in record.deliveries if each.delivery.recipient == recipient)


async def pushed(town: Town, proof: Callable[[str, bytes], bytes | None], **override: Any) -> tuple[bytes | None, bool]:
    """Push one message to a recipient that answers with ``proof``: what is kept, and whether there was an alert."""
    town.desk(NAME).proof = lambda parcel: proof(parcel.message, parcel.body)
    answer = await town.sent(**override)
    with structlog.testing.capture_logs() as lines:
        await town.work()
    assert (await town.delivery(answer)).state is State.DELIVERED  # whatever came back
    alerts = [line for line in lines if line["event"] == "receipt.wrong"]
    assert all(line["log_level"] == "warning" and line["agency"] == NAME for line in alerts)
    return await proof_of(town, answer), bool(alerts)


async def test_a_right_receipt_is_kept_as_it_came(town: Town) -> None:
    proofs: list[bytes] = []

    def sign(id_: str, body: bytes) -> bytes:
        proofs.append(own(town).sign("receipt+jws", taken(id_, body)))
        return proofs[-1]

    assert await pushed(town, sign) == (proofs[0], False)


async def test_without_a_receipt_there_is_none_and_no_alert(town: Town) -> None:
    assert await pushed(town, lambda *_: None) == (None, False)
    assert await pushed(town, lambda *_: b"") == (None, False)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_a_line_end_behind_it_is_no_part_of_it(town: Town, end: bytes) -> None:
    kept, alert = await pushed(town, lambda id_, body: own(town).sign("receipt+jws", taken(id_, body)) + end)
    assert kept is not None
    assert not kept.endswith(b"\n")
    assert not alert


async def test_ids_compare_without_case_and_the_recipient_may_use_any_of_its_codes(town: Town) -> None:
    def sign(id_: str, body: bytes) -> bytes:
        return own(town).sign("receipt+jws", taken(id_.upper(), body, "000.00.16.H33/dms"))

    kept, alert = await pushed(town, sign, id=a_key("m"))
    assert kept is not None
    assert not alert


WRONG: dict[str, dict[str, Any]] = {
    "another kind": {"receipt": "delivered"},
    "another message": {"id": a_key("other")},
    "no message": {"id": None},
    "another body": {"digest": digest_of(b"other")},
    "a digest without its name": {"digest": "0" * 64},
    "another recipient": {"recipient": "H33.20/dms"},
    "no recipient": {"recipient": None},
    "a recipient that is no text": {"recipient": 7},
    "no moment": {"at": None},
    "a moment in words": {"at": "this morning"},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_receipt_that_says_something_else_is_an_alert_and_not_kept(town: Town, wrong: str) -> None:
    def sign(id_: str, body: bytes) -> bytes:
        return own(town).sign("receipt+jws", taken(id_, body, **WRONG[wrong]))

    assert await pushed(town, sign) == (None, True)


@pytest.mark.parametrize("payload", [b"[]", b"7", b"junk", b'{"receipt":"taken","receipt":"taken"}', b""])
async def test_a_payload_that_is_no_strict_json_object_is_wrong(town: Town, payload: bytes) -> None:
    assert await pushed(town, lambda *_: own(town).sign("receipt+jws", payload)) == (None, True)


@pytest.mark.parametrize("typ", ["ce+jws", "head+jws", "JWT"])
async def test_only_its_own_typ_counts(town: Town, typ: str) -> None:
    assert await pushed(town, lambda id_, body: own(town).sign(typ, taken(id_, body))) == (None, True)


@pytest.mark.parametrize("signer", ["H33.05/dms", GATEWAY])
async def test_only_the_recipients_own_key_counts(town: Town, signer: str) -> None:
    assert await pushed(town, lambda id_, body: own(town, signer).sign("receipt+jws", taken(id_, body))) == (None, True)


async def test_a_key_that_nobody_registered_does_not_count(town: Town) -> None:
    stranger, _ = a_pair(NAME)
    assert await pushed(town, lambda id_, body: stranger.sign("receipt+jws", taken(id_, body))) == (None, True)


async def test_a_certificate_outside_its_dates_does_not_count(town: Town) -> None:
    late, certificate = a_pair(NAME, days=(-30, -1))
    town.change(NAME, certificates=(certificate,))
    assert await pushed(town, lambda id_, body: late.sign("receipt+jws", taken(id_, body))) == (None, True)


async def test_a_signature_that_does_not_verify_does_not_count(town: Town) -> None:
    def spoiled(id_: str, body: bytes) -> bytes:
        right = own(town).sign("receipt+jws", taken(id_, body))
        return right.rpartition(b".")[0] + b"." + b"A" * 86

    assert await pushed(town, spoiled) == (None, True)


async def test_an_algorithm_that_does_not_fit_the_key_does_not_count(town: Town) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signer, certificate = a_pair(NAME, key)
    town.change(NAME, certificates=(certificate,))
    odd = Signer(key, "EdDSA", signer.thumbprint)
    assert await pushed(town, lambda id_, body: odd.sign("receipt+jws", taken(id_, body))) == (None, True)


@pytest.mark.parametrize("proof", [b"junk", b"OK", b"\xff\xfe", b"a.b.c", b"x" * 70_000, b"<html>ok</html>"])
async def test_any_other_answer_is_an_alert_at_most(town: Town, proof: bytes) -> None:
    assert await pushed(town, lambda *_: proof) == (None, True)


# -------------------------------------------------------------------------- translated, bare, and pulled


@pytest.mark.parametrize("which", ["id", "originid"])
async def test_of_a_translation_either_id_counts_with_the_digest_of_what_was_handed_over(which: str) -> None:
    town = a_town(H33_16={"subscriptions": wishes_for("document.issued", version="2.0")})

    def sign(_: str, body: bytes) -> bytes:
        return own(town).sign("receipt+jws", taken(json.loads(split(body).payload)[which], body))

    kept, alert = await pushed(town, sign)
    assert kept is not None
    assert not alert


async def test_of_a_translation_the_originals_digest_does_not_count() -> None:
    town = a_town(H33_16={"subscriptions": wishes_for("document.issued", version="2.0")})

    def sign(id_: str, body: bytes) -> bytes:
        digest = json.loads(split(body).payload)["origindigest"]
        return own(town).sign("receipt+jws", taken(id_, body, digest=digest))

    assert await pushed(town, sign) == (None, True)


async def test_of_a_bare_event_the_digest_is_that_of_the_bare_event() -> None:
    town = a_town(H33_16={"subscriptions": wishes_for("document.issued", format="cloudevents")})
    kept, alert = await pushed(town, lambda id_, body: own(town).sign("receipt+jws", taken(id_, body)))
    assert kept is not None
    assert not alert


@pytest.mark.parametrize(
    "wish", [{}, {"version": "2.0"}, {"format": "cloudevents"}, {"version": "2.0", "format": "cloudevents"}]
)
async def test_with_taken_it_counts_as_with_a_2xx(wish: dict[str, Any]) -> None:
    town = a_town(H33_20={"adapter": "inbox", "subscriptions": wishes_for("document.issued", **wish)})
    answer = await town.sent(to="H33.20")
    (leased,) = await town.pull.lease(town.system(READER), max=1, wait=0, visibility=30)
    body = leased.envelope.encode()
    payload = json.loads(body if wish.get("format") else split(body).payload)
    proof = own(town, READER).sign("receipt+jws", taken(payload["id"], body, READER))
    assert await settle(town, leased.delivery, proof) == (1, [])
    assert await proof_of(town, answer, READER) == proof


async def test_a_wrong_one_with_taken_is_an_alert_and_the_delivery_is_taken(town: Town) -> None:
    answer = await town.sent(to="H33.20")
    (leased,) = await town.pull.lease(town.system(READER), max=1, wait=0, visibility=30)
    with structlog.testing.capture_logs() as lines:
        assert await settle(town, leased.delivery, b"junk") == (1, [])
    assert [line["event"] for line in lines] == ["receipt.wrong"]
    assert (await town.delivery(answer, READER)).state is State.DELIVERED
    assert await proof_of(town, answer, READER) is None


async def settle(town: Town, delivery: str, proof: bytes) -> tuple[int, list[str]]:
    return await town.pull.settle(town.system(READER), taken=[(delivery, proof)], refused=(), later=())
