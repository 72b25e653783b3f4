"""The interface of the Quảng Nam kind: tokens, the unit's secret, base64 both ways, and what it was sent compared."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from adapters.wso2_documents.stand_in import SECRET, UNIT_SECRET, Interface
from gateway.core.content import whole
from gateway.core.documents.sample import glance, sample_letter
from gateway.core.faults import (
    DeliveryFailure,
    DestinationGone,
    PermanentFailure,
    Text,
    TimedOut,
    TransientFailure,
)
from gateway.ports import Collected, Uncollectable
from tests.adapters.live import nothing_lost_nothing_twice
from tests.adapters.platforms import Facing, facing

TOLD = Text("Cơ quan cần ký thoả thuận.", "The agency must sign an agreement.")


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Facing]:
    async with facing("wso2_documents", tmp_path) as made:
        yield made


def there(desk: Facing) -> Interface:
    assert isinstance(desk.platform, Interface)
    return desk.platform


async def the_one(desk: Facing) -> Collected:
    (item,) = await desk.adapter.collect(50)
    assert isinstance(item, Collected)
    return item


# -------------------------------------------------------------------------------------------------------- out


async def test_a_document_goes_out_byte_for_byte_behind_base64(desk: Facing) -> None:
    parcel, raw = desk.letter()
    handed = await desk.adapter.deliver(parcel)
    (mail,) = there(desk).mail
    assert (mail.raw, mail.kind, mail.name) == (raw, "edoc", parcel.delivery)
    assert handed.reference == mail.id


async def test_a_status_goes_out_as_a_status(desk: Facing) -> None:
    await desk.adapter.deliver(desk.status("03"))
    (mail,) = there(desk).mail
    seen = glance(mail.raw)
    assert seen is not None
    assert (mail.kind, seen.status) == ("status", "03")


@pytest.mark.parametrize("fault", ["lost", "missing"])
@pytest.mark.parametrize("kind", ["document", "update", "status"])
async def test_after_a_lost_answer_the_very_bytes_are_found_there_and_not_sent_again(
    desk: Facing, fault: str, kind: str
) -> None:
    first, raw = desk.letter()
    await desk.adapter.deliver(first)
    update = raw.replace(b"BussinessDocType>0<", b"BussinessDocType>2<")
    parcel = {
        "document": lambda: desk.letter("13", "b")[0],
        "update": lambda: desk.letter(raw=update, name="b")[0],
        "status": lambda: desk.status("03", "b"),
    }[kind]()
    setattr(desk.platform.faults, fault, 1)
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(parcel)
    handed = await desk.anew().deliver(replace(parcel, attempt=2))
    assert len(there(desk).mail) == 2
    assert handed.reference == f"{there(desk).mail[1].id} (found there)"


async def test_it_is_found_among_many_that_were_posted_since_though_the_list_names_each_twice(desk: Facing) -> None:
    desk.platform.faults.twice = True
    lost, _ = desk.letter("1", "lost")
    desk.platform.faults.lost = 1
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(lost)
    for number in range(2, 32):
        await desk.adapter.deliver(desk.letter(str(number), number)[0])
    await desk.anew().deliver(replace(lost, attempt=2))
    assert len(there(desk).mail) == 31


async def test_a_letter_that_never_got_there_is_sent_although_another_did(desk: Facing) -> None:
    await desk.adapter.deliver(desk.letter()[0])
    parcel, _ = desk.letter("13", 2)
    desk.platform.faults.pages = 1
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(parcel)
    await desk.adapter.deliver(replace(parcel, attempt=2))
    assert await there(desk).arrivals() == [desk.letter()[0].delivery, parcel.delivery]


async def test_where_posts_cannot_be_listed_it_is_sent_again_under_the_same_name(desk: Facing) -> None:
    there(desk).lists_sent = False
    desk.platform.settings = {n: v for n, v in desk.platform.settings.items() if not n.startswith("sent_")}
    adapter = desk.anew()
    parcel, _ = desk.letter()
    desk.platform.faults.lost = 1
    with pytest.raises(TimedOut):
        await adapter.deliver(parcel)
    await adapter.deliver(replace(parcel, attempt=2))
    assert await there(desk).arrivals() == [parcel.delivery] * 2


@pytest.mark.parametrize(("code", "failure"), [("18", PermanentFailure), ("22", PermanentFailure),
                                               ("20", TransientFailure), ("15", DestinationGone)])  # fmt: skip
async def test_a_fail_with_status_200_is_told_by_its_code(
    desk: Facing, code: str, failure: type[DeliveryFailure]
) -> None:
    desk.platform.faults.refusal.append(code)
    with pytest.raises(failure) as told:
        await desk.adapter.deliver(desk.letter()[0])
    assert f"[{code}]" in str(told.value)
    assert there(desk).mail == []


@pytest.mark.parametrize("fault", ["pages", "words"])
async def test_a_page_or_plain_words_are_temporary(desk: Facing, fault: str) -> None:
    setattr(desk.platform.faults, fault, 1)
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(desk.letter()[0])


async def test_an_interface_that_is_slow_is_a_time_out(desk: Facing) -> None:
    await desk.adapter.deliver(desk.letter()[0])
    desk.platform.faults.slow = 5.0
    started = time.monotonic()
    with pytest.raises(TimedOut):
        await desk.anew(timeout=1, file_timeout=1).deliver(desk.letter("13", 2)[0])
    assert time.monotonic() - started < 3


# ------------------------------------------------------------------------------------------------------ tokens


async def test_one_token_serves_until_its_seconds_are_over(desk: Facing) -> None:
    there(desk).token_seconds = 600
    for _ in range(3):
        await desk.adapter.collect(10)
    assert there(desk).grants == 1
    desk.hands.moment += 580
    await desk.adapter.collect(10)
    assert there(desk).grants == 2


async def test_a_token_that_is_refused_is_renewed_once_and_the_file_sent_again(desk: Facing) -> None:
    await desk.adapter.collect(10)
    there(desk).expire_tokens()
    parcel, raw = desk.letter()
    await desk.adapter.deliver(parcel)
    assert there(desk).posted() == [raw]
    assert there(desk).grants == 2


async def test_an_account_without_rights_stops_the_queue_after_one_more_token(desk: Facing) -> None:
    desk.platform.faults.unauthorized = 100
    with pytest.raises(DestinationGone):
        await desk.adapter.deliver(desk.letter()[0])
    assert there(desk).grants == 2


@pytest.mark.parametrize("setting", ["consumer_secret_file", "unit_secret_file"])
async def test_a_wrong_secret_stops_the_queue_and_is_told_to_nobody(desk: Facing, setting: str) -> None:
    (desk.hands.folder / "keys/wrong").write_text("wrong-secret-of-a-test")
    with structlog.testing.capture_logs() as logs, pytest.raises(DestinationGone) as failure:
        await desk.anew(**{setting: "keys/wrong"}).deliver(desk.letter()[0])
    said = f"{failure.value!r}{logs}"
    for secret in (SECRET, UNIT_SECRET, "wrong-secret-of-a-test"):
        assert secret not in said


# --------------------------------------------------------------------------------------------------------- in


async def test_documents_and_statuses_come_in_by_one_list_and_are_settled(desk: Facing) -> None:
    raw = sample_letter("12")
    document = desk.platform.put(raw)
    await desk.platform.drop_status("H33.16,2026/11/20,7/STC", "03", "7/STC")
    one, two = await desk.adapter.collect(50)
    assert isinstance(one, Collected)
    assert isinstance(two, Collected)
    assert [one.event["type"], two.event["type"]] == ["document.issued", "document.status"]
    assert raw in [whole(file.content) for file in one.files]
    await desk.adapter.settle(one.token, None)
    await desk.adapter.settle(two.token, None)
    assert desk.platform.state(document) == "DONE"
    assert await desk.adapter.collect(50) == []


async def test_what_is_listed_twice_is_one_item(desk: Facing) -> None:
    desk.platform.faults.twice = True
    desk.platform.put(sample_letter("12"))
    await the_one(desk)


async def test_wrong_base64_stops_no_other_item_and_is_given_up_in_the_end(desk: Facing) -> None:
    bad, good = desk.platform.put(sample_letter("1")), desk.platform.put(sample_letter("2"))
    desk.platform.faults.spoiled.add(bad)
    await desk.adapter.settle((await the_one(desk)).token, None)
    assert desk.platform.state(good) == "DONE"
    for _ in range(2):
        with pytest.raises(TransientFailure):
            await desk.adapter.collect(50)
    (given_up,) = await desk.adapter.collect(50)
    assert isinstance(given_up, Uncollectable)
    await desk.adapter.settle(given_up.token, (given_up.reason, given_up.detail))
    assert desk.platform.state(bad) == "FAIL"


async def test_a_list_without_data_is_no_empty_list(desk: Facing) -> None:
    desk.platform.faults.missing = 2
    with pytest.raises(TransientFailure):
        await desk.adapter.collect(50)
    assert await desk.adapter.collect(50) == []


async def test_a_refused_documents_sender_is_told_in_words_by_a_status(desk: Facing) -> None:
    item_id = desk.platform.put(sample_letter("12"))
    item = await the_one(desk)
    await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    (words,) = await desk.platform.refusals()
    assert TOLD.vi in words
    assert desk.platform.state(item_id) == "FAIL"


async def test_an_operator_may_have_refusals_told_by_the_transport_state_alone(desk: Facing) -> None:
    item_id = desk.platform.put(sample_letter("12"))
    item = await the_one(desk)
    await desk.anew(tell_refusals=False).settle(item.token, ("no-agreement", TOLD))
    assert there(desk).mail == []
    assert desk.platform.state(item_id) == "FAIL"


async def test_a_large_document_comes_and_goes_byte_for_byte(desk: Facing) -> None:
    raw = sample_letter("12", content=b"%PDF-1.4\n" + bytes(range(256)) * 20_000)
    desk.platform.put(raw)
    item = await the_one(desk)
    assert raw in [whole(file.content) for file in item.files]
    out, sent = desk.letter(raw=sample_letter("13", sender="H33.05", content=b"%PDF-1.4\n" + b"z" * 5_000_000))
    await desk.adapter.deliver(out)
    assert there(desk).posted() == [sent]


async def test_an_item_over_the_limit_is_refused_without_being_read_to_its_end(desk: Facing) -> None:
    desk.platform.put(sample_letter("12", content=b"%PDF-1.4\n" + b"z" * 5_000_000))
    (item,) = await desk.anew(max_mebibytes=1).collect(50)
    assert isinstance(item, Uncollectable)
    assert item.reason == "too-large"
    await desk.adapter.settle(item.token, (item.reason, item.detail))
    assert await desk.platform.waiting() == []


async def test_the_agencies_are_told_with_their_parents_codes_however_the_list_names_them(desk: Facing) -> None:
    there(desk).agencies = [
        {"id": 2, "code": "H47.01", "name": "Sở", "pid": 1},
        {"id": 1, "code": "H47", "name": "Uỷ ban", "pid": None},
        {"id": 3, "code": "H47.01.02", "name": "Phòng", "pid": "H47.01"},
        {"id": 4, "code": "", "name": "?", "pid": 1},
    ]
    found = [dict(each) async for each in desk.adapter.fetch_agencies()]
    assert [(each["code"], each["parent"]) for each in found] == [
        ("H47.01", "H47"),
        ("H47", None),
        ("H47.01.02", "H47.01"),
    ]
    assert all(set(each) == {"code", "name", "parent", "aliases", "level"} for each in found)


# ---------------------------------------------------------------------------------------------- a real gateway


async def test_with_a_gateway_between_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    async def misbehave(platform: Interface) -> None:
        platform.faults.lost = 3
        platform.faults.twice = True
        platform.faults.missing = 2
        platform.faults.pages = 2
        platform.faults.words = 2
        platform.faults.refusal += ["20", "21"]

    log = await nothing_lost_nothing_twice("wso2_documents", tmp_path, misbehave)
    assert SECRET not in log
    assert UNIT_SECRET not in log
