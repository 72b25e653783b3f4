"""Between majors the bus translates once, signs what it made, and says of what and by which rules it made it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.agreement import Subscription
from gateway.core.contract import Catalog, Version
from gateway.core.delivery import State
from gateway.core.envelope import digest_of, seal
from gateway.core.faults import TransientFailure
from gateway.core.jws import split, verify
from gateway.ports import Accepted, HeldFile, Parcel
from gateway.relay.translate import HandedOut
from tests.build import MORNING, a_digest, a_key
from tests.town import CATALOG, GATEWAY, Town, a_town, document, wishes_for

READER = "H33.30/dms"
EVERYTHING = {
    "correlationid": "hội thoại 1",
    "causationid": a_key("cause"),
    "purpose": "van-ban",
    "priority": "urgent",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "dossierstep": "thẩm định",
}


@pytest.fixture
def town() -> Town:
    return a_town()


async def translated(town: Town, **override: Any) -> tuple[Accepted, bytes, Parcel]:
    """Send one to the reader of 2.0: the answer, the original bytes, what arrived."""
    raw = town.envelope(to="H33.30", **override)
    (answer,) = await town.accept.sealed_many([raw], address="")
    assert isinstance(answer, Accepted), answer
    await town.work()
    (parcel,) = town.desk(READER).parcels
    return answer, raw, parcel


def version(label: str) -> Version:
    found = CATALOG.find("document.issued", label)
    assert found is not None
    return found


@pytest.mark.parametrize("label", ["1.0", "1.1", "1.27"])
async def test_within_a_major_the_original_bytes_are_delivered(label: str) -> None:
    town = a_town(H33_16={"subscriptions": wishes_for("document.issued", version=label)})
    raw = town.envelope()
    await town.accept.sealed_many([raw], address="")
    await town.work()
    (parcel,) = town.desk("H33.16/dms").parcels
    assert (parcel.body, parcel.is_translated) == (raw, False)


async def test_between_majors_the_recipient_reads_its_own(town: Town) -> None:
    _, _, parcel = await translated(town)
    assert parcel.is_translated
    assert parcel.event["dataschema"] == "urn:lgsp:contract:document.issued:2.0"
    assert version("2.0").check(parcel.event["data"]) == ()
    assert version("1.0").check(parcel.event["data"]) != ()


async def test_a_translation_names_its_original_and_the_rules_and_copies_five_attributes_alone(town: Town) -> None:
    answer, raw, parcel = await translated(town, id=a_key("m").upper(), **EVERYTHING)
    chain = CATALOG.translation("document.issued", 1, 2)
    assert chain is not None
    event = {name: value for name, value in parcel.event.items() if name not in {"id", "data"}}
    assert event == {
        "specversion": "1.0",
        "source": GATEWAY,
        "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:2.0",
        "datacontenttype": "application/json",
        "subject": "H33.05,2026/11/23,1/STC-VP",
        "time": "2026-11-23T01:00:00.000Z",
        "correlationid": "hội thoại 1",
        "purpose": "van-ban",
        "priority": "urgent",
        "originsource": "H33.05/dms",
        "originid": answer.id,
        "origindigest": digest_of(raw),
        "rulesdigest": chain.digest,
    }
    assert parcel.event["id"] != answer.id


async def test_what_the_original_lacks_the_translation_lacks(town: Town) -> None:
    _, _, parcel = await translated(town, correlationid=None, purpose=None)
    assert not {"correlationid", "purpose", "priority"} & parcel.event.keys()


async def test_an_attribute_that_is_null_is_not_copied(town: Town) -> None:
    event = {**town.event(to="H33.30"), "correlationid": None}
    await town.accept.sealed_many([seal(event, town.signers["H33.05/dms"])], address="")
    await town.work()
    (parcel,) = town.desk(READER).parcels
    assert "correlationid" not in parcel.event


async def test_a_translation_is_signed_by_the_gateway(town: Town) -> None:
    _, _, parcel = await translated(town)
    signed = split(parcel.body)
    assert signed.header.typ == "ce+jws"
    assert signed.header.thumbprint == town.signers[GATEWAY].thumbprint
    assert verify(town.signers[GATEWAY].key.public_key(), signed)
    assert json.loads(signed.payload) == parcel.event


async def test_a_translation_is_made_once_and_tried_again_as_the_same_bytes(town: Town) -> None:
    town.desk(READER).script = [TransientFailure("down")]
    await town.sent(to="H33.30", id=a_key("m"))
    await town.work()
    first = await town.ledger.derived(a_key("m"), "document.issued/2")
    await town.pass_time(10)
    (parcel,) = town.desk(READER).parcels
    assert first is not None
    assert parcel.body == first.envelope
    assert await town.ledger.derived(a_key("m"), "document.issued/2") == first


async def test_two_recipients_of_one_major_get_one_translation() -> None:
    town = a_town(H33_16={"subscriptions": wishes_for("document.issued", version="2.0")})
    await town.sent(to="H33.16 H33.30")
    await town.work()
    (one,), (two,) = town.desk("H33.16/dms").parcels, town.desk(READER).parcels
    assert one.body == two.body


async def test_the_id_of_a_translation_follows_from_the_message_and_the_rules() -> None:
    ids = []
    for _ in range(2):
        town = a_town()
        _, _, parcel = await translated(town, id=a_key("m"))
        ids.append(parcel.event["id"])
    assert ids[0] == ids[1]
    assert ids[0] == ids[0].lower()


async def test_who_asks_for_the_id_of_a_translation_is_answered_as_for_the_original(town: Town) -> None:
    answer, _, parcel = await translated(town)
    assert await town.record(parcel.event["id"]) == await town.record(answer)
    assert parcel.message == answer.id


async def test_the_receipt_names_the_original_and_what_was_handed_over(town: Town) -> None:
    _, raw, parcel = await translated(town)
    (*_, delivered) = await town.journal("receipt")
    assert delivered["digest"] == digest_of(raw)
    assert delivered["delivered_digest"] == digest_of(parcel.body)


async def test_a_translation_keeps_the_originals_lane() -> None:
    town = a_town()
    town.desk(READER).script = [TransientFailure("down")]
    first, second = [await town.sent(to="H33.30", subject="dossier 1") for _ in range(2)]
    await town.work()
    assert (await town.delivery(second, READER)).state is State.BLOCKED
    await town.pass_time(10)
    assert town.taken_by(READER) == [first.id, second.id]


async def test_a_translation_keeps_the_originals_file_rights(town: Town) -> None:
    file = {"name": "a.pdf", "mediaType": "application/pdf", "size": 7, "sha256": a_digest("a")}
    held = HeldFile(a_digest("a"), 7, "application/pdf")
    await town.ledger.grant_file(held, "H33.05/dms", at=MORNING, is_present=lambda _: True)
    await translated(town, data=document(files=[file]))
    assert await town.ledger.may_read_file(a_digest("a"), READER) is not None
    assert await town.ledger.missing_files(READER, [a_digest("a")]) == ()


async def test_a_bare_translation_is_handed_over_where_it_is_wanted_so() -> None:
    town = a_town(H33_30={"subscriptions": wishes_for("document.issued", version="2.0", format="cloudevents")})
    _, _, parcel = await translated(town)
    assert json.loads(parcel.body) == parcel.event
    assert parcel.event["source"] == GATEWAY


@pytest.mark.parametrize("label", ["3.0", "9.1"])
async def test_where_no_rules_lead_the_delivery_is_dead_at_once(label: str) -> None:
    town = a_town(H33_30={"subscriptions": wishes_for("document.issued", version=label)})
    answer = await town.sent(to="H33.30")
    await town.work()
    delivery = await town.delivery(answer, READER)
    assert (delivery.state, delivery.cause) == (State.DEAD, "refused")
    (attempt,) = await town.attempts(answer, READER)
    assert attempt.detail == f"no rules lead from document.issued/1.0 to document.issued/{label[0]}"


async def test_where_the_rules_give_invalid_data_the_delivery_is_dead_and_nobody_sees_it(town: Town) -> None:
    stricter = {**version("2.0").schema, "required": ["something", "that", "no", "rule", "makes"]}
    contract = CATALOG.contracts["document.issued"]
    versions = tuple(replace(each, schema=stricter) if each.major == 2 else each for each in contract.versions)
    town.catalog = Catalog.of([replace(contract, versions=versions)])
    answer = await town.sent(to="H33.30")
    await town.work()
    assert (await town.delivery(answer, READER)).state is State.DEAD
    assert town.desk(READER).parcels == []
    assert await town.ledger.derived(answer.id, "document.issued/2") is None


async def test_what_was_handed_out_is_known_by_either_id_and_its_digest(town: Town) -> None:
    answer, _, parcel = await translated(town, id=a_key("m").upper())
    record = await town.record(answer)
    wish = town.system(READER).subscriptions["document.issued"]
    bare = Subscription("document.issued", "1.0", format="cloudevents")
    same = Subscription("document.issued", "1.3")
    of = HandedOut.of
    assert await of(record, wish, town.ledger) == HandedOut((answer.id, parcel.event["id"]), digest_of(parcel.body))
    original = await town.ledger.envelope(record.key)
    assert original is not None
    assert await of(record, bare, town.ledger) == HandedOut((answer.id,), digest_of(split(original).payload))
    assert await of(record, same, town.ledger) == await of(record, None, town.ledger) == HandedOut((answer.id,), None)
