"""The service of the Bkav kind: headers, hashes, its two kinds of no, and repeats that it knows by the document."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from adapters.bkav_edoc.stand_in import TOKEN, Service
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
    async with facing("bkav_edoc", tmp_path) as made:
        made.platform.knows_repeats = True
        yield made


def there(desk: Facing) -> Service:
    assert isinstance(desk.platform, Service)
    return desk.platform


async def the_one(desk: Facing) -> Collected:
    (item,) = await desk.adapter.collect(50)
    assert isinstance(item, Collected)
    return item


# -------------------------------------------------------------------------------------------------------- out


async def test_a_document_goes_out_byte_for_byte_with_its_hash(desk: Facing) -> None:
    parcel, raw = desk.letter()
    handed = await desk.adapter.deliver(parcel)
    (mail,) = there(desk).mail
    assert (mail.raw, mail.kind, mail.name) == (raw, "edoc", parcel.delivery)
    assert handed.reference == str(mail.id)


@pytest.mark.parametrize("algorithm", ["sha1", "sha512", "md5"])
async def test_the_hash_is_a_setting(desk: Facing, algorithm: str) -> None:
    there(desk).hash_name = algorithm
    with pytest.raises(TransientFailure) as failure:
        await desk.adapter.deliver(desk.letter()[0])
    assert "EdocHash" in str(failure.value)
    await desk.anew(hash=algorithm).deliver(desk.letter()[0])
    there(desk).hash_name = None
    await desk.anew(hash="none").deliver(desk.letter("13", 2)[0])
    assert len(there(desk).mail) == 2


async def test_a_service_that_wants_the_type_in_another_header_gets_it_there(desk: Facing) -> None:
    with pytest.raises(PermanentFailure) as failure:
        await desk.anew(message_type_header="type").deliver(desk.letter()[0])
    assert "BadRequest" in str(failure.value)


async def test_a_status_goes_out_as_a_status_about_a_document_that_is_there(desk: Facing) -> None:
    there(desk).put(sample_letter("12"))
    await desk.adapter.deliver(desk.status("03"))
    (mail,) = there(desk).mail
    seen = glance(mail.raw)
    assert seen is not None
    assert (mail.kind, seen.status) == ("status", "03")


async def test_a_status_that_finds_no_document_is_tried_for_two_days_and_then_given_up(desk: Facing) -> None:
    parcel = desk.status("03")
    for hours in (0, 47):
        desk.hands.moment += hours * 3600
        with pytest.raises(TransientFailure):
            await desk.adapter.deliver(parcel)
    desk.hands.moment += 2 * 3600
    with pytest.raises(PermanentFailure) as failure:
        await desk.adapter.deliver(replace(parcel, attempt=99))
    assert "văn thư hai bên" in str(failure.value)


async def test_a_status_that_finds_its_document_later_is_taken_then(desk: Facing) -> None:
    parcel = desk.status("03")
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(parcel)
    there(desk).put(sample_letter("12"))
    await desk.adapter.deliver(replace(parcel, attempt=2))
    assert len(there(desk).mail) == 1


async def test_how_long_it_is_tried_is_a_setting(desk: Facing) -> None:
    desk.hands.moment += 0
    parcel = desk.status("03")
    desk.hands.moment += 3601
    with pytest.raises(PermanentFailure):
        await desk.anew(status_patience_hours=1).deliver(parcel)


@pytest.mark.parametrize("fault", ["lost", "missing"])
async def test_after_a_lost_answer_the_document_is_found_there(desk: Facing, fault: str) -> None:
    parcel, _ = desk.letter()
    setattr(desk.platform.faults, fault, 1)
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(parcel)
    handed = await desk.anew().deliver(replace(parcel, attempt=2))
    assert len(there(desk).mail) == 1
    assert handed.reference is not None
    assert "found there" in handed.reference
    assert there(desk).counter.asked[-1] == "/EdocService/checkExistDocument"


async def test_a_try_that_was_cut_off_with_its_gateway_counts_as_one_that_may_have_got_through(desk: Facing) -> None:
    parcel, _ = desk.letter()
    await desk.adapter.deliver(parcel)
    await desk.anew().deliver(replace(parcel, interrupted=True))
    assert len(there(desk).mail) == 1


async def test_where_it_cannot_be_asked_a_repeat_that_it_knows_counts_as_delivered(desk: Facing) -> None:
    parcel, _ = desk.letter()
    desk.platform.faults.lost = 1
    adapter = desk.anew(check="none")
    with pytest.raises(TimedOut):
        await adapter.deliver(parcel)
    await adapter.deliver(replace(parcel, attempt=2))
    assert len(there(desk).mail) == 1


async def test_a_document_that_came_there_by_another_way_is_for_an_operator_to_look_at(desk: Facing) -> None:
    await desk.adapter.deliver(desk.letter()[0])
    other, _ = desk.letter(name="other")
    with pytest.raises(PermanentFailure) as failure:
        await desk.adapter.deliver(other)
    assert "người vận hành" in str(failure.value)


async def test_one_that_is_there_for_somebody_else_is_not_taken_for_delivered_here(desk: Facing) -> None:
    await desk.adapter.deliver(desk.letter(raw=sample_letter("12", sender="H33.05", receivers=("H01.05",)),
                                           carried=("H01.05",))[0])  # fmt: skip
    here, _ = desk.letter(name="here")
    with pytest.raises(PermanentFailure):
        await desk.adapter.deliver(replace(here, attempt=2))


async def test_what_came_from_the_service_is_not_sent_back_there(desk: Facing) -> None:
    parcel, _ = desk.letter()
    back = replace(parcel, event={**parcel.event, "source": "H33.16/dms"})
    handed = await desk.adapter.deliver(back)
    assert handed.reference == "it came from there"
    with pytest.raises(PermanentFailure):
        await desk.adapter.deliver(replace(back, carried=("H01.05",)))
    assert there(desk).mail == []


async def test_an_update_goes_out_although_its_first_version_is_there(desk: Facing) -> None:
    first, raw = desk.letter()
    await desk.adapter.deliver(first)
    update, _ = desk.letter(raw=raw.replace(b"BussinessDocType>0<", b"BussinessDocType>2<"), name="update")
    await desk.adapter.deliver(replace(update, attempt=2))
    assert len(there(desk).mail) == 2


@pytest.mark.parametrize(("error", "failure"), [("CheckSubject", PermanentFailure), ("SendDocument", TransientFailure),
                                                ("InternalServer", TransientFailure)])  # fmt: skip
async def test_a_no_with_status_200_is_told_by_its_first_error(
    desk: Facing, error: str, failure: type[DeliveryFailure]
) -> None:
    desk.platform.faults.refusal.append(error)
    with pytest.raises(failure) as told:
        await desk.adapter.deliver(desk.letter()[0])
    assert type(told.value) is failure
    assert f"[{error}]" in str(told.value)


async def test_what_the_service_says_in_words_is_not_passed_on(desk: Facing) -> None:
    raw = sample_letter("12", sender="H33.05", receivers=("H99.99",), subject="Điều không ai được đọc")
    desk.platform.faults.refusal.append("<b>Điều không ai được đọc</b>")
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(PermanentFailure) as failure:
                await desk.adapter.deliver(desk.letter(raw=raw, carried=("H99.99",))[0])
            assert "Điều không ai" not in f"{failure.value!r}{logs}"


@pytest.mark.parametrize("fault", ["pages", "words"])
async def test_a_page_or_plain_words_are_temporary(desk: Facing, fault: str) -> None:
    setattr(desk.platform.faults, fault, 1)
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(desk.letter()[0])


async def test_a_service_that_is_slow_is_a_time_out(desk: Facing) -> None:
    desk.platform.faults.slow = 5.0
    started = time.monotonic()
    with pytest.raises(TimedOut):
        await desk.anew(timeout=1, file_timeout=1).deliver(desk.letter()[0])
    assert time.monotonic() - started < 3


async def test_a_token_that_is_refused_stops_the_queue_and_is_told_to_nobody(desk: Facing) -> None:
    (desk.hands.folder / "keys/bkav.token").write_text("another-token-of-a-test")
    with structlog.testing.capture_logs() as logs, pytest.raises(DestinationGone) as failure:
        await desk.adapter.deliver(desk.letter()[0])
    assert "another-token" not in f"{failure.value!r}{logs}"
    (desk.hands.folder / "keys/bkav.token").write_text(TOKEN)
    await desk.adapter.deliver(desk.letter()[0])


# --------------------------------------------------------------------------------------------------------- in


async def test_documents_and_statuses_come_in_by_their_own_lists_and_are_confirmed(desk: Facing) -> None:
    raw = sample_letter("12", receivers=("H33.16", "H01.01"))
    document = desk.platform.put(raw)
    await desk.platform.drop_status("H33.16,2026/11/20,7/STC", "03", "7/STC")
    one, two = await desk.adapter.collect(50)
    assert isinstance(one, Collected)
    assert isinstance(two, Collected)
    assert (one.event["type"], one.event["to"]) == ("document.issued", "H33.16")
    assert two.event["type"] == "document.status"
    assert raw in [whole(file.content) for file in one.files]
    await desk.adapter.settle(one.token, None)
    await desk.adapter.settle(two.token, None)
    assert not there(desk).is_pending(document)
    assert await desk.adapter.collect(50) == []


async def test_what_is_listed_twice_is_one_item(desk: Facing) -> None:
    desk.platform.faults.twice = True
    desk.platform.put(sample_letter("12"))
    await the_one(desk)


async def test_wrong_base64_stops_no_other_item_and_is_given_up_in_the_end(desk: Facing) -> None:
    bad = desk.platform.put(sample_letter("1"))
    desk.platform.put(sample_letter("2"))
    desk.platform.faults.spoiled.add(bad)
    await desk.adapter.settle((await the_one(desk)).token, None)
    for _ in range(2):
        with pytest.raises(TransientFailure):
            await desk.adapter.collect(50)
    (given_up,) = await desk.adapter.collect(50)
    assert isinstance(given_up, Uncollectable)
    await desk.adapter.settle(given_up.token, (given_up.reason, given_up.detail))
    assert await desk.platform.waiting() == []
    assert len(await desk.platform.refusals()) == 1


async def test_a_centres_channel_takes_what_is_for_the_agencies_behind_it(desk: Facing) -> None:
    desk.platform.put(sample_letter("12", receivers=("H01.01", "H33.20", "H33.05")))
    (item,) = await desk.anew(receivers=["H33.05", "H33.20"]).collect(50)
    assert isinstance(item, Collected)
    assert item.event["to"] == "H33.05 H33.20"


async def test_a_list_without_ids_is_no_empty_list(desk: Facing) -> None:
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
    assert there(desk).strays == []
    assert not there(desk).is_pending(item_id)


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


async def test_the_agencies_of_a_domain_are_told(desk: Facing) -> None:
    there(desk).organizations = [{"organId": "000.00.01.H53", "organName": "Sở"}, {"organId": "", "organName": "?"}]
    found = [dict(each) async for each in desk.adapter.fetch_agencies()]
    assert found == [{"code": "000.00.01.H53", "name": "Sở", "parent": None, "aliases": [], "level": None}]


# ---------------------------------------------------------------------------------------------- a real gateway


async def test_with_a_gateway_between_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    async def misbehave(platform: Service) -> None:
        platform.knows_repeats = True
        platform.faults.lost = 3
        platform.faults.twice = True
        platform.faults.missing = 2
        platform.faults.pages = 2
        platform.faults.words = 2
        platform.faults.refusal.append("InternalServer")

    log = await nothing_lost_nothing_twice("bkav_edoc", tmp_path, misbehave)
    assert TOKEN not in log
