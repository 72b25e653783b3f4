"""The platform of the Lạng Sơn kind, outwards and as a whole: what is posted is posted once, whatever goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from adapters.lgsp_rest.stand_in import PASSWORD, SECRET_KEY, Platform
from gateway.core.documents.sample import glance, sample_letter
from gateway.core.faults import (
    DeliveryFailure,
    DestinationGone,
    PermanentFailure,
    TimedOut,
    TransientFailure,
)
from tests.adapters.live import nothing_lost_nothing_twice
from tests.adapters.platforms import Facing, facing


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Facing]:
    async with facing("lgsp_rest", tmp_path) as made:
        yield made


def platform_of(desk: Facing) -> Platform:
    assert isinstance(desk.platform, Platform)
    return desk.platform


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
