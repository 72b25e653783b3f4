"""The platform of the Lạng Sơn kind: what is posted is posted once, what waits is taken once, whatever goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog

from adapters.lgsp_rest.stand_in import PASSWORD, SECRET_KEY, Platform
from gateway.core.content import whole
from gateway.core.documents.sample import glance, sample_letter, sample_status
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
    async with facing("lgsp_rest", tmp_path) as made:
        yield made


def platform_of(desk: Facing) -> Platform:
    assert isinstance(desk.platform, Platform)
    return desk.platform


async def the_one(desk: Facing) -> Collected:
    (item,) = await desk.adapter.collect(50)
    assert isinstance(item, Collected)
    return item


# -------------------------------------------------------------------------------------------------------- out


async def test_a_document_goes_out_as_the_senders_own_bytes(desk: Facing) -> None:
    parcel, raw = desk.letter()
    handed = await desk.adapter.deliver(parcel)
    (mail,) = platform_of(desk).mail
    assert (mail.raw, mail.kind, mail.name) == (raw, "edoc", f"{parcel.delivery}.edxml")
    assert handed.reference == mail.id


async def test_a_status_goes_out_as_a_status(desk: Facing) -> None:
    await desk.adapter.deliver(desk.status("03"))
    (mail,) = platform_of(desk).mail
    seen = glance(mail.raw)
    assert seen is not None
    assert (mail.kind, seen.status, seen.sender, seen.receivers) == ("status", "03", "H33.16", ("H37.01",))


async def test_a_file_that_names_others_too_is_written_anew_for_whom_the_delivery_is(desk: Facing) -> None:
    raw = sample_letter("12", sender="H33.05", receivers=("H33.16", "H01.05", "H01.06"))
    one, _ = desk.letter(raw=raw, name=1)
    two, _ = desk.letter(raw=raw, name=2, carried=("H01.05", "H01.06"))
    await desk.adapter.deliver(one)
    await desk.adapter.deliver(two)
    seen = [glance(mail.raw) for mail in platform_of(desk).mail]
    assert [each.receivers for each in seen if each] == [("H33.16",), ("H01.05", "H01.06")]


async def test_a_recipient_in_the_other_form_of_its_code_leaves_the_bytes_alone(desk: Facing) -> None:
    raw = sample_letter("12", sender="H33.05", receivers=("000.00.16.H33",))
    parcel, _ = desk.letter(raw=raw)
    await desk.adapter.deliver(parcel)
    assert [mail.raw for mail in platform_of(desk).mail] == [raw]


@pytest.mark.parametrize("fault", ["lost", "missing"])
async def test_after_an_answer_that_was_lost_or_says_nothing_it_is_found_there_and_not_sent_again(
    desk: Facing, fault: str
) -> None:
    parcel, _ = desk.letter()
    setattr(desk.platform.faults, fault, 1)
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(parcel)
    handed = await desk.adapter.deliver(replace(parcel, attempt=2))
    (mail,) = platform_of(desk).mail
    assert handed.reference == f"{mail.id} (found there)"


async def test_a_process_that_starts_after_a_lost_answer_finds_it_too(desk: Facing) -> None:
    parcel, _ = desk.letter()
    desk.platform.faults.lost = 1
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(parcel)
    await desk.anew().deliver(replace(parcel, attempt=2))
    assert len(platform_of(desk).mail) == 1


async def test_a_hand_over_goes_on_though_its_try_is_cut_off_and_the_next_try_finds_how_it_ended(desk: Facing) -> None:
    parcel, _ = desk.letter()
    await desk.adapter.deliver(desk.letter("11", "warm")[0])  # the login is done
    desk.platform.faults.slow = 0.3
    task = asyncio.ensure_future(desk.adapter.deliver(parcel))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    handed = await desk.adapter.deliver(replace(parcel, attempt=2))
    assert handed.reference == platform_of(desk).mail[1].id
    assert len(platform_of(desk).mail) == 2


async def test_a_hand_over_that_its_adapters_end_cut_off_is_looked_for(desk: Facing) -> None:
    parcel, _ = desk.letter()
    await desk.adapter.deliver(desk.letter("11", "warm")[0])
    desk.platform.faults.slow = 0.5
    other = desk.anew()
    task = asyncio.ensure_future(other.deliver(parcel))
    async with asyncio.timeout(10):
        while platform_of(desk).counter.asked.count("/v1/sendEdoc") < 2:  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.01)
    await other.close()
    with pytest.raises(TimedOut):
        await task
    desk.platform.faults.slow = 0.0
    before = len(platform_of(desk).counter.asked)
    await desk.adapter.deliver(replace(parcel, interrupted=True))
    assert platform_of(desk).counter.asked[before] == "/v1/getSentEdocList"


async def test_an_earlier_letter_of_the_same_number_is_not_taken_for_this_one(desk: Facing) -> None:
    earlier, _ = desk.letter()
    await desk.adapter.deliver(earlier)
    platform_of(desk).mail[0] = replace(platform_of(desk).mail[0], at=time.time() - 3600)
    again, _ = desk.letter(name="again")
    desk.platform.faults.pages = 1
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(again)
    await desk.adapter.deliver(replace(again, attempt=2))
    assert len(platform_of(desk).mail) == 2


async def test_an_update_is_never_taken_for_sent_because_the_first_version_was(desk: Facing) -> None:
    first, raw = desk.letter()
    await desk.adapter.deliver(first)
    update = raw.replace(b"BussinessDocType>0<", b"BussinessDocType>2<")
    second, _ = desk.letter(raw=update, name="update")
    desk.platform.faults.words = 1
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(second)
    await desk.adapter.deliver(replace(second, attempt=2))
    seen = [glance(mail.raw) for mail in platform_of(desk).mail]
    assert [each.business for each in seen if each] == ["0", "2"]


async def test_without_a_list_of_what_was_sent_it_is_sent_again_under_the_same_name(desk: Facing) -> None:
    settings = {name: value for name, value in desk.platform.settings.items() if name != "sent_list"}
    desk.platform.settings = settings
    adapter = desk.anew()
    parcel, _ = desk.letter()
    desk.platform.faults.lost = 1
    with pytest.raises(TimedOut):
        await adapter.deliver(parcel)
    await adapter.deliver(replace(parcel, attempt=2))
    assert await desk.platform.arrivals() == [parcel.delivery] * 2


@pytest.mark.parametrize("code", ["10", "18", "19", "22", "23"])
async def test_what_the_platform_will_never_take_is_permanent_and_explained(desk: Facing, code: str) -> None:
    desk.platform.faults.refusal.append(code)
    with pytest.raises(PermanentFailure) as failure:
        await desk.adapter.deliver(desk.letter()[0])
    assert f"[{code}]" in failure.value.detail
    assert "văn thư nơi gửi" in failure.value.detail


@pytest.mark.parametrize("code", ["20", "21", "77", "<b>"])
async def test_what_it_cannot_do_now_is_temporary(desk: Facing, code: str) -> None:
    desk.platform.faults.refusal.append(code)
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(desk.letter()[0])


async def test_a_file_it_fails_to_process_is_given_up_after_a_few_tries(desk: Facing) -> None:
    parcel, _ = desk.letter()
    for attempt in range(1, 5):
        desk.platform.faults.refusal.append("21")
        with pytest.raises(TransientFailure):
            await desk.adapter.deliver(replace(parcel, attempt=attempt))
    desk.platform.faults.refusal.append("21")
    with pytest.raises(PermanentFailure):
        await desk.adapter.deliver(replace(parcel, attempt=5))


@pytest.mark.parametrize("fault", ["pages", "words"])
async def test_a_page_or_plain_words_are_temporary(desk: Facing, fault: str) -> None:
    setattr(desk.platform.faults, fault, 1)
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(desk.letter()[0])
    await desk.adapter.deliver(desk.letter()[0])
    assert len(platform_of(desk).mail) == 1


async def test_a_platform_that_is_slow_is_a_time_out(desk: Facing) -> None:
    await desk.adapter.deliver(desk.letter()[0])
    desk.platform.faults.slow = 5.0
    slow = desk.anew(timeout=1, file_timeout=1)
    started = time.monotonic()
    with pytest.raises(TimedOut):
        await slow.deliver(desk.letter("13", 2)[0])
    assert time.monotonic() - started < 3


# ------------------------------------------------------------------------------------------------------ the token


async def test_one_login_serves_many_calls(desk: Facing) -> None:
    await asyncio.gather(*(desk.adapter.deliver(desk.letter(str(n), n)[0]) for n in range(5)))
    assert platform_of(desk).logins == 1


async def test_a_token_is_renewed_before_it_ends(desk: Facing) -> None:
    await desk.adapter.collect(10)
    desk.hands.moment += 29.6 * 60
    await desk.adapter.collect(10)
    assert platform_of(desk).logins == 2


async def test_a_token_that_is_refused_is_renewed_once(desk: Facing) -> None:
    await desk.adapter.deliver(desk.letter()[0])
    platform_of(desk).expire_tokens()
    await desk.adapter.deliver(desk.letter("13", 2)[0])
    assert platform_of(desk).logins == 2
    assert len(platform_of(desk).mail) == 2


async def test_an_account_without_rights_stops_the_queue_after_one_more_login(desk: Facing) -> None:
    desk.platform.faults.unauthorized = 100
    with pytest.raises(DestinationGone) as failure:
        await desk.adapter.deliver(desk.letter()[0])
    assert platform_of(desk).logins == 2
    assert desk.platform.faults.unauthorized == 98
    assert "đơn vị vận hành trục" in failure.value.detail


@pytest.mark.parametrize("setting", ["password_file", "secret_key_file"])
async def test_a_wrong_secret_stops_the_queue(desk: Facing, setting: str) -> None:
    (desk.hands.folder / "keys/wrong").write_text("wrong")
    with pytest.raises(DestinationGone):
        await desk.anew(**{setting: "keys/wrong"}).deliver(desk.letter()[0])


async def test_a_secret_that_cannot_be_read_is_temporary_and_names_the_file_alone(desk: Facing) -> None:
    with pytest.raises(TransientFailure) as failure:
        await desk.anew(secret_key_file="keys/none").deliver(desk.letter()[0])
    assert "keys/none" in failure.value.detail


async def test_no_secret_and_nothing_the_platform_says_stands_in_an_error(desk: Facing) -> None:
    errors: list[str] = []
    with structlog.testing.capture_logs() as logs:
        for receiver in ("H99.99", "H98.98"):
            raw = sample_letter("12", sender="H33.05", receivers=(receiver,), subject="Điều không ai được đọc")
            with pytest.raises(DeliveryFailure) as failure:
                await desk.adapter.deliver(desk.letter(raw=raw, carried=(receiver,))[0])
            errors += [str(failure.value), repr(failure.value)]
        desk.platform.faults.unauthorized = 2
        with pytest.raises(DeliveryFailure) as failure:
            await desk.adapter.deliver(desk.letter()[0])
        errors.append(repr(failure.value))
    said = "".join([*errors, repr(logs)])
    for secret in (PASSWORD, SECRET_KEY, "Điều không ai được đọc"):
        assert secret not in said


# --------------------------------------------------------------------------------------------------------- in


async def test_a_document_and_a_status_come_in_and_are_settled(desk: Facing) -> None:
    raw = sample_letter("12")
    document = desk.platform.put(raw)
    await desk.platform.drop_status("H33.16,2026/11/20,7/STC", "03", "7/STC")
    one, two = await desk.adapter.collect(50)
    assert isinstance(one, Collected)
    assert isinstance(two, Collected)
    assert (one.event["type"], one.event["to"]) == ("document.issued", "H33.16")
    assert (two.event["type"], two.event["to"]) == ("document.status", "H33.16")
    assert raw in [whole(file.content) for file in one.files]
    await desk.adapter.settle(one.token, None)
    await desk.adapter.settle(two.token, None)
    assert desk.platform.state(document) == "done"
    assert await desk.adapter.collect(50) == []


async def test_what_is_listed_twice_is_one_item(desk: Facing) -> None:
    desk.platform.faults.twice = True
    await desk.platform.drop(_event())
    await the_one(desk)


async def test_the_same_bytes_for_two_receivers_are_two_messages(desk: Facing) -> None:
    raw = sample_letter("12", receivers=("H33.16", "H33.20"))
    for receiver in ("H33.16", "H33.20"):
        desk.platform.put(raw, receiver=receiver)
    one, two = await desk.adapter.collect(50)
    assert isinstance(one, Collected)
    assert isinstance(two, Collected)
    assert one.event["id"] != two.event["id"]
    assert {one.event["to"], two.event["to"]} == {"H33.16", "H33.20"}


@pytest.mark.parametrize("receiver", ["00.33.W00", "H33.W00", ""])
async def test_where_the_list_names_a_centre_the_item_is_for_ours_among_those_it_names(
    desk: Facing, receiver: str
) -> None:
    desk.platform.put(sample_letter("12", receivers=("H01.01", "H33.20", "H33.05")), receiver=receiver)
    adapter = desk.anew(receivers=["H33.05", "H33.16", "H33.20"])
    (item,) = await adapter.collect(50)
    assert isinstance(item, Collected)
    assert item.event["to"] == "H33.05 H33.20"


async def test_where_none_of_ours_is_named_as_we_write_it_whoever_is_named_gets_it(desk: Facing) -> None:
    desk.platform.put(sample_letter("12", receivers=("000.00.05.H33",)), receiver="00.33.W00")
    (item,) = await desk.anew(receivers=["H33.05", "H33.16"]).collect(50)
    assert isinstance(item, Collected)
    assert item.event["to"] == "000.00.05.H33"


async def test_an_item_whose_content_is_absent_stops_no_other_and_is_given_up_in_the_end(desk: Facing) -> None:
    bad = desk.platform.put(sample_letter("1"))
    desk.platform.faults.spoiled.add(bad)
    desk.platform.put(sample_letter("2"))
    (good,) = await desk.adapter.collect(50)
    assert isinstance(good, Collected)
    await desk.adapter.settle(good.token, None)
    for _ in range(2):
        with pytest.raises(TransientFailure) as failure:
            await desk.adapter.collect(50)
        assert bad in failure.value.detail
    (given_up,) = await desk.adapter.collect(50)
    assert isinstance(given_up, Uncollectable)
    await desk.adapter.settle(given_up.token, (given_up.reason, given_up.detail))
    assert desk.platform.state(bad) == "fail"


async def test_one_list_that_is_broken_does_not_hold_up_the_other(desk: Facing) -> None:
    await desk.platform.drop_status("H33.16,2026/11/20,7/STC", "03", "7/STC")
    await desk.adapter.collect(50)  # the login is done
    await desk.platform.drop(_event())
    desk.platform.faults.words = 1
    (item,) = await desk.adapter.collect(50)
    assert isinstance(item, Collected)
    assert item.event["type"] == "document.status"
    with pytest.raises(TransientFailure):
        await desk.adapter.collect(50)
    assert len(await desk.adapter.collect(50)) == 2


async def test_a_refused_documents_sender_is_told_in_words_by_a_status(desk: Facing) -> None:
    item_id = desk.platform.put(sample_letter("12"))
    item = await the_one(desk)
    await desk.anew().settle(item.token, ("no-agreement", TOLD))
    (mail,) = platform_of(desk).mail
    seen = glance(mail.raw)
    assert seen is not None
    assert (seen.status, seen.sender, seen.receivers) == ("02", "H33.16", ("H37.01",))
    assert (seen.code, seen.document_id) == ("12/UBND-VP", "H37.01,2026/11/23,12/UBND-VP")
    assert TOLD.vi in seen.description
    assert desk.platform.state(item_id) == "fail"


async def test_a_refused_status_earns_no_status(desk: Facing) -> None:
    await desk.platform.drop_status("H33.16,2026/11/20,7/STC", "03", "7/STC")
    item = await the_one(desk)
    await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    assert platform_of(desk).mail == []
    assert await desk.platform.waiting() == []


async def test_a_settling_that_fails_is_repeated_without_harm(desk: Facing) -> None:
    await desk.platform.drop(_event())
    item = await the_one(desk)
    desk.platform.faults.pages = 1
    with pytest.raises(TransientFailure):
        await desk.adapter.settle(item.token, None)
    again = await the_one(desk)
    assert again.event["id"] == item.event["id"]
    await desk.adapter.settle(again.token, None)
    assert await desk.platform.waiting() == []


async def test_the_list_is_asked_no_more_often_than_agreed(desk: Facing) -> None:
    adapter = desk.anew(poll_seconds=300)
    await adapter.collect(50)
    before = len(platform_of(desk).counter.asked)
    await desk.platform.drop(_event())
    for _ in range(10):
        desk.hands.moment += 29
        assert await adapter.collect(50) == []
    assert len(platform_of(desk).counter.asked) == before
    desk.hands.moment += 29
    assert len(await adapter.collect(50)) == 1


async def test_the_first_look_reaches_further_back_than_the_later_ones(desk: Facing) -> None:
    desk.platform.put(sample_letter("1"), age=20 * 86400)
    assert len(await desk.adapter.collect(50)) == 1
    assert len(await desk.adapter.collect(50)) == 0
    assert len(await desk.anew(first_window_days=7).collect(50)) == 0


async def test_after_an_absence_the_list_is_asked_for_as_long_as_it_lasted(desk: Facing) -> None:
    await desk.adapter.collect(50)
    desk.platform.put(sample_letter("1"))
    desk.hands.moment += 20 * 86400
    assert len(await desk.adapter.collect(50)) == 1


async def test_a_large_document_comes_and_goes_byte_for_byte(desk: Facing) -> None:
    raw = sample_letter("12", content=b"%PDF-1.4\n" + bytes(range(256)) * 20_000)
    desk.platform.put(raw)
    item = await the_one(desk)
    assert raw in [whole(file.content) for file in item.files]
    out, sent = desk.letter(raw=sample_letter("13", sender="H33.05", content=b"%PDF-1.4\n" + b"z" * 5_000_000))
    await desk.adapter.deliver(out)
    assert [mail.raw for mail in platform_of(desk).mail] == [sent]


async def test_an_item_over_the_limit_is_refused_without_being_read_to_its_end(desk: Facing) -> None:
    desk.platform.put(sample_letter("12", content=b"%PDF-1.4\n" + b"z" * 5_000_000))
    (item,) = await desk.anew(max_mebibytes=1).collect(50)
    assert isinstance(item, Uncollectable)
    assert item.reason == "too-large"
    await desk.adapter.settle(item.token, (item.reason, item.detail))
    assert await desk.platform.waiting() == []


# ------------------------------------------------------------------------------------- business codes, agencies


async def test_business_codes_go_by_update_status_only_where_the_setting_says_so(desk: Facing) -> None:
    platform_of(desk).takes_business_codes = True
    adapter = desk.anew(business_status="update-status")
    item_id = desk.platform.put(sample_letter("12"))
    (item,) = await adapter.collect(50)
    await adapter.settle(item.token, None)
    await adapter.deliver(desk.status("03", 3))
    assert desk.platform.state(item_id) == "03"
    assert platform_of(desk).mail == []
    await adapter.deliver(desk.status("01", 4))  # no business code of theirs
    await desk.adapter.deliver(desk.status("04", 5))  # the setting's default
    await desk.anew(business_status="update-status").deliver(desk.status("05", 6))  # a document it does not know
    assert [mail.kind for mail in platform_of(desk).mail] == ["status"] * 3
    assert desk.platform.state(item_id) == "03"


async def test_the_agencies_of_all_pages_are_told_with_their_parents_codes(desk: Facing) -> None:
    platform_of(desk).agencies = [
        {"id": "c", "code": "H37.01.02", "oldCode": "000.02.01.H37", "name": "Phòng", "parentId": "b", "level": 3},
        {"id": "b", "code": "H37.01", "oldCode": "H37.01", "name": "Sở", "parentId": "a", "level": 2},
        {"id": "a", "code": "H37", "oldCode": None, "name": "Uỷ ban", "parentId": None, "level": 1},
        {"id": "w", "code": "", "oldCode": None, "name": "", "parentId": None, "level": 1},
        {"id": "x", "code": "00.37.W00", "oldCode": "", "name": "Trung tâm", "parentId": "gone", "level": None},
    ]
    found = [dict(each) async for each in desk.adapter.fetch_agencies()]
    assert found == [
        {"code": "H37.01.02", "name": "Phòng", "parent": "H37.01", "aliases": ["000.02.01.H37"], "level": 3},
        {"code": "H37.01", "name": "Sở", "parent": "H37", "aliases": [], "level": 2},
        {"code": "H37", "name": "Uỷ ban", "parent": None, "aliases": [], "level": 1},
        {"code": "00.37.W00", "name": "Trung tâm", "parent": None, "aliases": [], "level": None},
    ]


async def test_a_platform_that_does_not_turn_pages_is_not_asked_for_ever(desk: Facing) -> None:
    platform_of(desk).agencies = [{"id": str(n), "code": f"H37.{n:02}", "name": ""} for n in range(9)]
    adapter = desk.anew(page_parameter="page")
    assert len([each async for each in adapter.fetch_agencies()]) == 2


def _event() -> dict[str, Any]:
    return {"to": "H33.16", "data": {"subject": "V/v họp"}}


def test_what_a_status_says_is_independent_of_the_product() -> None:
    seen = glance(sample_status("a,b,c", "06", symbol="1/A"))
    assert seen is not None
    assert (seen.status, seen.code, seen.document_id) == ("06", "1/A", "a,b,c")


# ---------------------------------------------------------------------------------------------- a real gateway


async def test_with_a_gateway_between_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    async def misbehave(platform: Platform) -> None:
        platform.faults.lost = 3
        platform.faults.twice = True
        platform.faults.missing = 2
        platform.faults.pages = 2
        platform.faults.words = 2

    log = await nothing_lost_nothing_twice("lgsp_rest", tmp_path, misbehave)
    assert PASSWORD not in log
    assert SECRET_KEY not in log
