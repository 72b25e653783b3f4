"""Documents out to the axis: framed as it demands, handed in once whatever is lost on the way, refused in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog

from adapters.vdxp.stand_in import a_letter
from gateway.core.documents.axis_error import PARK_AFTER
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage
from gateway.core.faults import DeliveryFailure, Misconfigured, PermanentFailure, TimedOut, TransientFailure
from gateway.core.moments import format_moment
from tests.adapters.axis_desk import LATER, Desk, Fault, a_desk, issued, reported
from tests.adapters.fitting import an_event


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(tmp_path) as made:
        yield made


def titles(desk: Desk) -> list[str]:
    return [kept.title for kept in desk.axis.sent_by("H33.05")]


# ---------------------------------------------------------------------------------------------------- one document


async def test_a_document_is_handed_in_for_the_agencies_it_is_carried_to(desk: Desk) -> None:
    taken = await desk.adapter.deliver(desk.parcel(to=("G22", "H27.01")))
    (kept,) = desk.axis.sent_by("H33.05")
    assert taken.reference == kept.doc_id
    assert taken.detail == f"{kept.doc_id} · sha-256:{sha256(kept.raw).hexdigest()} {len(kept.raw)} bytes"
    assert desk.calls("sendEdoc")[0] | {"hash-file": ""} == {
        "from": "H33.05",
        "servicetype": "eDoc",
        "messagetype": "edoc",
        "to": '["G22","H27.01"]',
        "hash-file": "",
    }
    assert [row["to"] for row in desk.axis.sender_view("H33.05")] == ["G22", "H27.01"]


async def test_the_bytes_of_the_sender_go_as_they_came(desk: Desk) -> None:
    raw = a_letter("12", sender="H33.05", to=["G22"]).replace(b"TT\xc4\x90T", b"STC")
    item = {"name": "12.edxml", "mediaType": "application/xml", "size": len(raw)}
    event = issued(documentId="H33.05,2026/11/23,12/VPCP-STC", raw=item | {"sha256": _kept(desk, raw)})
    await desk.adapter.deliver(desk.parcel(event=event))
    assert desk.axis.sent_by("H33.05")[0].raw == raw


def _kept(desk: Desk, raw: bytes) -> str:
    from gateway.core.content import InMemory

    digest = InMemory(raw).sha256
    desk.hands.files[digest] = raw
    return digest


async def test_a_status_is_handed_in_as_a_status(desk: Desk) -> None:
    await desk.adapter.deliver(desk.parcel(event=reported("03")))
    (kept,) = desk.axis.sent_by("H33.05")
    assert (kept.type, kept.notation) == ("status", "100/VPCP-TTĐT")
    assert desk.axis.items_of("G22") == [("", "initial")]


async def test_without_the_header_the_file_itself_names_just_these_agencies(desk: Desk) -> None:
    to = [{"organId": "H33.16"}, {"organId": "G22"}, {"organId": "H33.20"}]
    event = issued(to=to, attachments=[_attached(desk, b"%PDF-1")])
    await desk.anew(to_header=False).deliver(desk.parcel(event=event))
    assert "to" not in desk.calls("sendEdoc")[0]
    message = read(desk.axis.sent_by("H33.05")[0].raw)
    assert isinstance(message, DocumentMessage)
    assert [each.organ_id for each in message.recipients] == ["G22"]


async def test_the_centre_may_stand_for_the_agency_as_sender(desk: Desk) -> None:
    await desk.anew(None, **{"from": "centre"}).deliver(desk.parcel())
    assert desk.calls("sendEdoc")[0]["from"] == "00.33.W00"


async def test_more_receivers_than_a_header_holds_are_written_in_parts(desk: Desk) -> None:
    codes = tuple(f"H27.{number:03}" for number in range(1000, 1700))
    from adapters.vdxp.stand_in import Listed

    desk.axis.join("00.99.W00", "x", [Listed(code, "Xã") for code in codes])
    await desk.adapter.deliver(desk.parcel(to=codes))
    assert 1 < len(desk.calls("sendEdoc")) < 10
    assert [row["to"] for row in desk.axis.sender_view("H33.05")] == list(codes)


async def test_what_came_from_the_axis_is_never_sent_back_to_it(desk: Desk) -> None:
    with pytest.raises(PermanentFailure, match="not sent back"):
        await desk.adapter.deliver(desk.parcel(event=an_event(source="H33.16/dms")))
    assert desk.calls("sendEdoc") == []


async def test_what_is_for_the_line_s_own_agency_is_refused_where_the_axis_would_bring_it_back(desk: Desk) -> None:
    with pytest.raises(PermanentFailure, match="a system of its own"):
        await desk.anew(ours=["H33.*"]).deliver(desk.parcel(to=()))
    assert desk.calls("sendEdoc") == []


@pytest.mark.parametrize("code", ["mã", "H33 05", "H33.05\r\nX: 1", "x" * 300])
async def test_a_code_that_cannot_stand_in_a_header_is_refused_for_good(desk: Desk, code: str) -> None:
    with pytest.raises(PermanentFailure):
        await desk.adapter.deliver(desk.parcel(to=(code,)))
    assert desk.calls("sendEdoc") == []


async def test_a_file_over_the_limit_is_refused_for_good(desk: Desk) -> None:
    event = issued(attachments=[_attached(desk, b"%PDF-" + b"x" * (1 << 20))])
    with pytest.raises(PermanentFailure, match="the most here"):
        await desk.anew(max_mebibytes=1).deliver(desk.parcel(event=event))


def _attached(desk: Desk, content: bytes) -> dict[str, Any]:
    file = {"name": "a.pdf", "mediaType": "application/pdf", "size": len(content), "sha256": _kept(desk, content)}
    return {"contentId": "1", "file": file, "wrapped": "none"}


# -------------------------------------------------------------------------------------------- errors of the axis


@pytest.mark.parametrize("code", ["10", "18", "19", "22", "23"])
async def test_what_the_axis_will_never_take_is_permanent_and_told_in_both_languages(desk: Desk, code: str) -> None:
    desk.faults.once("sendEdoc", Fault("code", code))
    with pytest.raises(PermanentFailure) as failure:
        await desk.adapter.deliver(desk.parcel())
    assert f"[{code}]" in failure.value.detail
    assert "nơi gửi" in failure.value.detail
    assert "the sender" in failure.value.detail


async def test_receivers_that_are_locked_dissolved_or_unknown_are_refused_by_their_codes(desk: Desk) -> None:
    for code, told in [("H27.02", "[23]"), ("H27.03", "[18]"), ("H99", "[18]")]:
        with pytest.raises(PermanentFailure) as failure:
            await desk.adapter.deliver(desk.parcel(code, to=(code,)))
        assert told in failure.value.detail
    with pytest.raises(PermanentFailure) as failure:
        await desk.adapter.deliver(desk.parcel(event=an_event(data={**an_event()["data"], "issuingOrganId": "H27.01"})))
    assert "[19]" in failure.value.detail


@pytest.mark.parametrize(
    "fault",
    [
        Fault("code", "20"),
        Fault("code", "999"),
        Fault("code", "21"),
        Fault("http", 503),
        Fault("http", 404),
        Fault("http", 302),
    ],
)
async def test_what_may_pass_is_temporary(desk: Desk, fault: Fault) -> None:
    desk.faults.once("sendEdoc", fault)
    with pytest.raises(TransientFailure) as failure:
        await desk.adapter.deliver(desk.parcel())
    assert not isinstance(failure.value, TimedOut)
    await desk.adapter.deliver(desk.parcel(attempt=2))
    assert titles(desk) == [an_event()["data"]["subject"]]


async def test_a_file_that_stays_unprocessed_is_given_up_after_a_few_tries(desk: Desk) -> None:
    desk.faults.usual["sendEdoc"] = Fault("code", "21")
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(desk.parcel(attempt=PARK_AFTER - 1))
    with pytest.raises(PermanentFailure):
        await desk.adapter.deliver(desk.parcel(attempt=PARK_AFTER))


@pytest.mark.parametrize("fault", [Fault("code", "15"), Fault("unauthorized")])
async def test_refused_credentials_raise_an_alarm_and_are_not_shown_again_until_changed(
    desk: Desk, fault: Fault
) -> None:
    desk.faults.once("sendEdoc", fault)
    with structlog.testing.capture_logs() as logs, pytest.raises(TransientFailure) as failure:
        await desk.adapter.deliver(desk.parcel())
    assert failure.value.retry_after == 900
    assert [(line["event"], line["log_level"]) for line in logs] == [("axis.credentials-refused", "error")]
    before = len(desk.axis.doors.calls)
    for call in (desk.adapter.deliver(desk.parcel()), desk.adapter.collect(1)):
        with pytest.raises(TransientFailure):
            await call
    assert len(desk.axis.doors.calls) == before
    desk.hands.moment += 901
    await desk.adapter.deliver(desk.parcel())


async def test_a_new_secret_is_tried_at_once(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "keys/axis.secret"
    right = file.read_text()
    file.write_text("wrong")
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(desk.parcel())
    file.write_text(right)
    await desk.adapter.deliver(desk.parcel())
    assert len(titles(desk)) == 1


async def test_a_secret_that_is_not_there_is_temporary(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "keys/axis.secret").unlink()
    with pytest.raises(TransientFailure, match="the secret of the axis cannot be read"):
        await desk.adapter.deliver(desk.parcel())


# ---------------------------------------------------------------------------------------------- answers are lost

_UNSURE = [
    Fault("lost-reply"),
    Fault("html"),
    Fault("text"),
    Fault("null"),
    Fault("cut"),
    Fault("reset"),
]


@pytest.mark.parametrize("fault", _UNSURE, ids=lambda fault: fault.kind)
async def test_a_lost_answer_is_asked_about_before_anything_is_sent_again(desk: Desk, fault: Fault) -> None:
    desk.faults.once("sendEdoc", fault)
    with pytest.raises(TimedOut) as failure:
        await desk.adapter.deliver(desk.parcel())
    assert failure.value.retry_after == 60
    taken = await desk.adapter.deliver(desk.parcel(attempt=2))
    (kept,) = desk.axis.sent_by("H33.05")
    assert taken.reference == kept.doc_id


async def test_a_lost_answer_is_asked_about_by_a_process_that_knows_nothing(desk: Desk) -> None:
    desk.faults.once("sendEdoc", Fault("lost-reply"))
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(desk.parcel())
    taken = await desk.anew().deliver(desk.parcel(attempt=2))
    assert [kept.doc_id for kept in desk.axis.sent_by("H33.05")] == [taken.reference]


async def test_an_answer_that_took_too_long_is_lost_too(desk: Desk) -> None:
    desk.faults.once("sendEdoc", Fault("slow", 2))
    with pytest.raises(TimedOut):
        await desk.anew(timeout=1).deliver(desk.parcel())


async def test_a_file_that_takes_longer_than_a_try_goes_on_and_the_next_try_finds_it_taken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = desk.anew()
    monkeypatch.setattr(adapter._posting._lasting, "_patience", 0.2)
    desk.faults.once("sendEdoc", Fault("slow", 1))
    with pytest.raises(TimedOut, match="still being sent") as failure:
        await adapter.deliver(desk.parcel())
    assert failure.value.retry_after == 10
    await asyncio.sleep(1.2)
    taken = await adapter.deliver(desk.parcel(attempt=2))
    assert [kept.doc_id for kept in desk.axis.sent_by("H33.05")] == [taken.reference]
    assert desk.calls("getSentEdocList") == []


async def test_a_try_that_is_cut_off_does_not_cut_off_the_sending(desk: Desk) -> None:
    desk.faults.once("sendEdoc", Fault("slow", 0.5))
    cut = asyncio.ensure_future(desk.adapter.deliver(desk.parcel()))
    await asyncio.sleep(0.1)
    cut.cancel("too late")
    with pytest.raises(asyncio.CancelledError):
        await cut
    await desk.adapter.deliver(desk.parcel(attempt=2))
    assert len(titles(desk)) == 1


async def test_closing_while_something_is_sent_is_a_lost_answer_and_no_cancellation(desk: Desk) -> None:
    adapter = desk.anew()
    desk.faults.once("sendEdoc", Fault("slow", 1))
    under_way = asyncio.ensure_future(adapter.deliver(desk.parcel()))
    await asyncio.sleep(0.2)
    await adapter.close()
    with pytest.raises(TimedOut):
        await under_way


async def test_what_failed_under_way_is_told_to_the_next_try_and_then_begun_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = desk.anew()
    monkeypatch.setattr(adapter._posting._lasting, "_patience", 0.2)
    desk.faults.once("sendEdoc", Fault("slow", 0.5))
    with pytest.raises(TimedOut):
        await adapter.deliver(desk.parcel(to=("H99",)))
    await asyncio.sleep(0.6)
    with pytest.raises(PermanentFailure):
        await adapter.deliver(desk.parcel(to=("H99",), attempt=2))


async def test_an_interrupted_first_try_is_asked_about_too(desk: Desk) -> None:
    await desk.adapter.deliver(desk.parcel())
    await desk.anew().deliver(replace(desk.parcel(), interrupted=True))
    assert len(titles(desk)) == 1


async def test_an_answer_without_an_id_means_taken(desk: Desk) -> None:
    desk.faults.once("sendEdoc", Fault("no-data"))
    assert (await desk.adapter.deliver(desk.parcel())).reference is None


async def test_where_the_axis_cannot_be_asked_nothing_is_sent_again(desk: Desk) -> None:
    desk.faults.once("getSentEdocList", Fault("html"))
    with pytest.raises(TransientFailure):
        await desk.adapter.deliver(desk.parcel(attempt=2))
    assert titles(desk) == []


async def test_a_document_that_looks_the_same_but_holds_something_else_is_sent(desk: Desk) -> None:
    first = issued(attachments=[_attached(desk, b"%PDF-1")])
    await desk.adapter.deliver(desk.parcel(1, event=first))
    update = issued(attachments=[_attached(desk, b"%PDF-2")], business={"type": "update", "reason": "sửa phụ lục"})
    await desk.anew().deliver(desk.parcel(2, event=update, attempt=2))
    assert len(titles(desk)) == 2


async def test_statuses_of_one_document_are_told_apart(desk: Desk) -> None:
    await desk.adapter.deliver(desk.parcel(1, event=reported("01")))
    await desk.anew().deliver(desk.parcel(2, event=reported("03", "2026-11-23T08:06:00+07:00"), attempt=2))
    await desk.anew().deliver(desk.parcel(2, event=reported("03", "2026-11-23T08:06:00+07:00"), attempt=3))
    assert len(titles(desk)) == 2


@pytest.mark.parametrize("check", ["copy", "list"])
async def test_where_only_the_list_tells_a_new_document_is_found_and_an_update_is_rather_repeated(
    desk: Desk, check: str
) -> None:
    desk.axis.doors.senders_may_fetch = False
    await desk.adapter.deliver(desk.parcel(1, event=issued()))
    await desk.anew(resend_check=check).deliver(desk.parcel(1, event=issued(), attempt=2))
    assert len(titles(desk)) == 1
    update = issued(business={"type": "update"})
    await desk.anew(resend_check=check).deliver(desk.parcel(2, event=update, attempt=2))
    assert len(titles(desk)) == 2


@pytest.mark.parametrize("fault", [Fault("html"), Fault("http", 503), Fault("code", "20"), Fault("cut")])
async def test_a_copy_that_cannot_be_had_now_is_waited_for(desk: Desk, fault: Fault) -> None:
    status = reported("03")
    await desk.adapter.deliver(desk.parcel(event=status))
    desk.faults.once("getEdoc", fault)
    with pytest.raises(TransientFailure):
        await desk.anew().deliver(desk.parcel(event=status, attempt=2))
    await desk.anew().deliver(desk.parcel(event=status, attempt=3))
    assert len(titles(desk)) == 1


async def test_a_copy_is_not_waited_for_for_ever(desk: Desk) -> None:
    status = reported("03")
    await desk.adapter.deliver(desk.parcel(event=status))
    desk.faults.usual["getEdoc"] = Fault("http", 500)
    adapter = desk.anew()
    for attempt in range(2, 6):
        with pytest.raises(TransientFailure):
            await adapter.deliver(desk.parcel(event=status, attempt=attempt))
    await adapter.deliver(desk.parcel(event=status, attempt=6))
    assert len(titles(desk)) == 2


async def test_a_document_of_last_week_is_not_taken_for_todays(desk: Desk) -> None:
    desk.axis.doors.senders_may_fetch = False
    desk.hands.moment = LATER - 7 * 86400
    await desk.adapter.deliver(desk.parcel(1, event=issued()))
    desk.hands.moment = LATER
    await desk.anew().deliver(desk.parcel(2, event=issued(), attempt=2))
    assert len(titles(desk)) == 2


async def test_what_this_process_handed_in_for_another_delivery_is_not_this_one(desk: Desk) -> None:
    await desk.adapter.deliver(desk.parcel(1, event=issued()))
    await desk.adapter.deliver(desk.parcel(2, event=issued(), attempt=2))
    assert len(titles(desk)) == 2


async def test_a_check_may_be_switched_off(desk: Desk) -> None:
    adapter = desk.anew(resend_check="none")
    await adapter.deliver(desk.parcel())
    await adapter.deliver(desk.parcel(attempt=2))
    assert len(titles(desk)) == 2
    assert desk.calls("getSentEdocList") == []


async def test_of_many_receivers_only_those_not_reached_are_sent_again(desk: Desk) -> None:
    await desk.adapter.deliver(desk.parcel(to=("G22",)))
    taken = await desk.adapter.deliver(desk.parcel(to=("G22", "H27.01"), attempt=2))
    assert [row["to"] for row in desk.axis.sender_view("H33.05")] == ["G22", "H27.01"]
    assert taken.reference == desk.axis.sender_view("H33.05")[1]["docId"]


async def test_a_receiver_listed_under_its_other_code_was_reached(desk: Desk) -> None:
    await desk.adapter.deliver(desk.parcel())
    desk.axis.keeper.items[0].receiver = "000.00.00.G22"
    await desk.adapter.deliver(desk.parcel(attempt=2))
    assert len(titles(desk)) == 1


async def test_a_document_that_the_axis_wrote_anew_is_known_again(desk: Desk) -> None:
    desk.axis.ways.rewraps = True
    event = issued(attachments=[_attached(desk, b"%PDF-1")])
    desk.faults.once("sendEdoc", Fault("lost-reply"))
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(desk.parcel(event=event))
    await desk.anew().deliver(desk.parcel(event=event, attempt=2))
    assert len(titles(desk)) == 1


async def test_the_axis_own_list_may_lag_and_the_wait_covers_it(desk: Desk) -> None:
    desk.faults.lag = 30
    desk.faults.once("sendEdoc", Fault("lost-reply"))
    with pytest.raises(TimedOut) as failure:
        await desk.adapter.deliver(desk.parcel())
    assert failure.value.retry_after is not None
    desk.hands.moment += failure.value.retry_after
    await desk.adapter.deliver(desk.parcel(attempt=2))
    assert len(titles(desk)) == 1


# ------------------------------------------------------------------------------------------------- the surroundings


async def test_no_secret_and_no_content_stands_in_any_error(desk: Desk, tmp_path: Path) -> None:
    secret = (tmp_path / "keys/axis.secret").read_text().strip()
    said = ""
    for number, fault in enumerate([*_UNSURE, Fault("code", "18"), Fault("code", "15"), Fault("http", 500)]):
        desk.faults.once("sendEdoc", fault)
        with structlog.testing.capture_logs() as logs, pytest.raises(DeliveryFailure) as failure:
            await desk.adapter.deliver(desk.parcel(number))
        said += str(failure.value) + repr(failure.value) + repr(logs)
        desk.hands.moment += 1000
    assert secret not in said
    assert an_event()["data"]["subject"] not in said


@pytest.mark.parametrize("url", ["http://", "https://:99999/x", "http://0177.1/axis"])
def test_an_address_that_cannot_be_one_is_refused_at_once(desk: Desk, url: str) -> None:
    with pytest.raises(Misconfigured, match=r"settings\.url"):
        desk.anew(url=url)


async def test_the_gateways_own_listener_is_never_called(desk: Desk) -> None:
    port = int(desk.axis.url.rpartition(":")[2].partition("/")[0])
    desk.hands.own = frozenset({("127.0.0.1", port)})
    with pytest.raises(TransientFailure, match="own listener"):
        await desk.anew().deliver(desk.parcel())


async def test_a_delivery_names_itself_only_where_that_is_wished(desk: Desk) -> None:
    await desk.anew(delivery_header=False).deliver(desk.parcel())
    assert "lgsp-delivery" not in desk.axis.sent_by("H33.05")[0].fields


async def test_a_message_made_in_the_future_by_a_clock_ahead_is_still_found(desk: Desk) -> None:
    event = {**issued(), "time": format_moment(LATER + 120)}
    await desk.adapter.deliver(desk.parcel(event=event))
    await desk.anew().deliver(replace(desk.parcel(event=event), attempt=2))
    assert len(titles(desk)) == 1
