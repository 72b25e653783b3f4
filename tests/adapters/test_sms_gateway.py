"""SMS to applicants: the request as the provider wants it, what its answer means, segments, and questions by SMS."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sms_gateway.adapter import SmsGateway, open_adapter
from adapters.sms_gateway.segments import cut, segments, without_marks
from adapters.sms_gateway.stand_in import KEY, PASSWORD, Provider, a_registration, agency, asked
from gateway.core.content import InMemory
from gateway.core.dossiers.dossier import Dossier
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, Rejected, TimedOut, TransientFailure
from gateway.core.moments import parse_moment
from gateway.ports import AdapterContext, Call, Collected, HandedOver, NotReceived, Received
from tests.adapters.fitting import CONTENT, Hands, a_parcel, an_event

CODE = "H33.05-261120-0012"
STATUS = {"code": 5, "at": "2026-11-21T09:00:00+07:00"}


@dataclass(slots=True)
class Office:
    """An adapter in front of its provider, and what the register knows."""

    provider: Provider
    hands: Hands
    known: dict[str, Dossier]

    def adapter(self, **settings: Any) -> SmsGateway:
        return open_adapter(self.context(**settings))

    def context(self, **settings: Any) -> AdapterContext:
        made = {**self.provider.settings, **settings}

        async def dossier(code: str) -> Dossier | None:
            return self.known.get(code)

        return replace(
            self.hands.context("sms_gateway", {name: value for name, value in made.items() if value is not None}),
            dossier=dossier,
        )

    async def told(self, event: dict[str, Any], attempt: int = 1, **settings: Any) -> HandedOver:
        """What became of one message."""
        adapter = self.adapter(**settings)
        try:
            return await adapter.deliver(a_parcel(self.context(), event=event, attempt=attempt))
        finally:
            await adapter.close()

    def text(self) -> str:
        """What the one phone that got a message reads."""
        (sms,) = self.provider.sent.values()
        return sms.text

    async def reply(self, call: Call, **settings: Any) -> str:
        """What a phone is answered."""
        adapter = self.adapter(**settings)
        said = await adapter.answer(call, nothing)
        await adapter.close()
        assert said.status == 200
        return str(json.loads(said.body)["reply"])


async def nothing(_: Collected) -> Received | NotReceived:
    raise AssertionError("a question brings nothing to take")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with agency(tmp_path) as provider:
        yield Office(provider, Hands(tmp_path), {CODE: a_dossier()})


def a_dossier(phone: str | None = "0912.345.678", **override: Any) -> Dossier:
    record = {
        "dossierCode": CODE,
        "procedure": {"name": "Đăng ký thành lập hộ kinh doanh"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen", **({} if phone is None else {"phone": phone})},
    }
    made: dict[str, Any] = {
        "code": CODE, "written": CODE, "lead": "H33.05", "status": 4, "status_at": 0.0, "procedure": "2.002492",
        "received_at": None, "due": parse_moment("2026-11-27T10:00:00+07:00"), "finished_at": None, "steps": (),
        "record": record, **override,
    }  # fmt: skip
    return Dossier(**made)


def a_supplement(content: str) -> dict[str, Any]:
    supplement = {"id": "1", "content": content, "requestedAt": STATUS["at"]}
    data = {"dossierCode": CODE, "status": STATUS, "supplement": supplement}
    return an_event(type="dossier.supplement-requested", subject=CODE, data=data)


# ------------------------------------------------------------------------------------------------ what is sent


async def test_a_phone_gets_one_plain_line_about_its_dossier_and_nothing_else(office: Office) -> None:
    taken = await office.told(a_registration(an_event()), contact={"vi": "Hỏi: 1022", "en": "Ask: 1022"})
    assert office.text() == f"Ho so {CODE}: Duoc tiep nhan. Hen tra: 17:00 27/11/2026. Hoi: 1022"
    assert taken.reference == "sms-1 · 1 segment"
    (sms,) = office.provider.sent.values()
    assert sms.phone == "0912345678"
    assert CONTENT not in sms.text


async def test_letters_keep_their_marks_where_the_province_pays_for_them(office: Office) -> None:
    await office.told(a_registration(an_event()), diacritics=True, language="vi")
    assert office.text().startswith(f"Hồ sơ {CODE}: Được tiếp nhận.")


@pytest.mark.parametrize(("form", "number"), [("international", "84912345678"), ("plus", "+84912345678")])
async def test_the_number_is_written_as_the_provider_wants_it(office: Office, form: str, number: str) -> None:
    await office.told(a_registration(an_event()), phone_form=form)
    assert [sms.phone for sms in office.provider.sent.values()] == [number]


async def test_a_provider_that_reads_forms_gets_a_form(tmp_path: Path) -> None:
    async with agency(tmp_path, form=True) as provider:
        office = Office(provider, Hands(tmp_path), {})
        await office.told(a_registration(an_event(), procedure={"name": "a&b=c"}), diacritics=True)
        assert "Được tiếp nhận" in office.text()


async def test_what_people_wrote_is_never_read_as_a_placeholder(office: Office) -> None:
    await office.told(a_supplement('Bổ sung {password} "và {key}'))
    assert PASSWORD not in office.text()
    assert KEY not in office.text()


async def test_a_long_notice_is_cut_at_the_segments_that_are_paid_for(office: Office) -> None:
    taken = await office.told(a_supplement("giấy tờ " * 300), most_segments=2)
    assert segments(office.text()) == 2
    assert office.text().endswith("...")
    assert str(taken.reference).endswith("2 segments")


@pytest.mark.parametrize("phone", ["", "02973812345", "không có", "0123456789", "0912345678 ext 5"])
async def test_without_a_mobile_number_the_message_is_taken_and_says_so(office: Office, phone: str) -> None:
    office.known.clear()
    applicant = {"name": "Nguyễn Văn Mẫu", "kind": "citizen", "phone": phone}
    assert (await office.told(a_registration(an_event(), applicant=applicant))).reference == "no number"
    assert office.provider.counter.asked == []


async def test_a_fixed_number_gets_what_is_not_for_the_applicant(office: Office) -> None:
    await office.told(a_registration(an_event()), to="0987 654 321")
    assert [sms.phone for sms in office.provider.sent.values()] == ["0987654321"]


# ------------------------------------------------------------------------------------------ what its answers mean


async def test_a_repeat_after_a_lost_answer_is_the_same_message(office: Office) -> None:
    office.provider.faults.lost = 1
    with pytest.raises(TimedOut):
        await office.told(a_registration(an_event()))
    await office.told(a_registration(an_event()), attempt=2)
    assert len(office.provider.sent) == 1


@pytest.mark.parametrize(
    ("fault", "value", "expected"),
    [
        ("unauthorized", 1, DestinationGone),
        ("pages", 1, TransientFailure),
        ("words", 1, TransientFailure),
        ("refusal", ["104"], PermanentFailure),
        ("refusal", ["103"], TransientFailure),
        ("refusal", ["999"], TransientFailure),
    ],
)
async def test_each_answer_is_told_as_the_settings_say(
    office: Office, fault: str, value: Any, expected: type[Exception]
) -> None:
    setattr(office.provider.faults, fault, value)
    with pytest.raises(expected) as failure:
        await office.told(a_registration(an_event()))
    assert type(failure.value) is expected
    assert "912345678" not in str(failure.value)
    assert office.provider.sent == {}


@pytest.mark.parametrize("as_text", [True, False])
async def test_a_code_is_the_same_as_number_and_as_text(office: Office, as_text: bool) -> None:
    office.provider.numbers_as_text = as_text
    await office.told(a_registration(an_event()))
    assert len(office.provider.sent) == 1


async def test_without_a_member_to_look_at_any_success_is_one(office: Office) -> None:
    office.provider.faults.refusal = ["103"]
    assert (await office.told(a_registration(an_event()), answer={})).reference == "1 segment"


async def test_a_slow_provider_may_have_sent_it(office: Office) -> None:
    office.provider.faults.slow = 5
    with pytest.raises(TimedOut):
        await office.told(a_registration(an_event()), timeout=0.2)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"body": {"form": "json", "members": {"to": "{phone}"}}}, "members"),
        ({"body": {"form": "json", "members": {"to": "{phone}", "t": "{text}", "x": "{nobody}"}}}, "members"),
        ({"body": {"form": "json", "members": {"to": "{phone}", "t": "{text} {"}}}, "members"),
        ({"body": {"form": "form", "members": {"to": "{phone}", "t": ["{text}"]}}}, "members"),
        ({"fields": {"X-To": "{phone}"}}, "fields"),
        ({"secrets": {"phone": "sms/key.secret"}}, "secrets"),
        ({"to": "02973812345"}, "to"),
        ({"answer": {"member": "/a~b", "taken": ["0"]}}, "member"),
        ({"caller_secret_file": None}, "settings"),
        ({"inbound": {"phone": "/a~", "text": "/b"}}, "inbound"),
        ({"inbound": {"phone": "/a", "text": "/b", "reply": {"x": "{id}"}}}, "inbound"),
    ],
)
def test_settings_that_cannot_work_are_found_when_it_is_opened(
    office: Office, settings: dict[str, Any], where: str
) -> None:
    with pytest.raises(Misconfigured, match=where):
        office.adapter(**settings)


# ---------------------------------------------------------------------------------------------------- segments


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("[" * 80, 1), ("[" * 81, 2),
     ("đ" * 70, 1), ("đ" * 71, 2), ("đ" * 134, 2), ("đ" * 135, 3), ("a" * 152 + "[" + "a" * 152, 3),
     ("😀" * 35, 1), ("😀" * 36, 2)],
)  # fmt: skip
def test_segments_are_counted_as_networks_count_them(text: str, count: int) -> None:
    assert segments(text) == count


def test_vietnamese_without_marks_reads_like_vietnamese_without_marks() -> None:
    assert (
        without_marks("Đề nghị bổ sung “Giấy khai sinh” – trước 17:00…")
        == 'De nghi bo sung "Giay khai sinh" - truoc 17:00...'
    )
    assert without_marks("Được trả: 5.000 đồng") == "Duoc tra: 5.000 dong"
    assert without_marks("漢字 ok") == "?? ok"


@given(st.text(max_size=900), st.integers(1, 5))
def test_what_is_cut_takes_no_more_than_was_allowed_and_what_fits_is_left_alone(text: str, most: int) -> None:
    for each in (text, without_marks(text)):
        made = cut(each, most)
        assert segments(made) <= most
        assert made == each or made.endswith("...")
        assert (made == each) or segments(each) > most


# ------------------------------------------------------------------------------------------- questions by SMS


async def test_the_applicants_phone_is_told_the_status_and_no_more(office: Office) -> None:
    for number in ("84912345678", "0912345678", "+84 912 345 678"):
        told = await office.reply(asked(f"tc {CODE}", number))
        assert told == f"Ho so {CODE}: Dang xu ly. Hen tra: 10:00 27/11/2026."


async def test_another_phone_and_an_unknown_code_get_the_same_words(office: Office) -> None:
    foreign = await office.reply(asked(f"TC {CODE}", "0987654321"))
    unknown = await office.reply(asked("TC H33.05-261120-9999", "0987654321"))
    office.known[CODE] = a_dossier(phone=None)
    without = await office.reply(asked(f"TC {CODE}"))
    assert foreign == unknown == without
    assert CODE not in foreign


@pytest.mark.parametrize("words", ["", "TC", "TC   ", "alo", f"{CODE}", f"TCX {CODE}"])
async def test_what_is_no_question_is_answered_with_how_to_ask(office: Office, words: str) -> None:
    assert (await office.reply(asked(words))).startswith("Soan: TC")


async def test_who_is_not_the_provider_is_told_nothing(office: Office) -> None:
    adapter = office.adapter()
    with pytest.raises(Rejected, match="unauthenticated"):
        await adapter.answer(office.provider.stranger_visit({}), nothing)
    closed = office.adapter(inbound=None, caller_secret_file=None)
    assert closed.gate is None
    with pytest.raises(Rejected, match="not-found"):
        await closed.answer(asked(f"TC {CODE}"), nothing)


async def test_a_phone_that_asks_too_often_is_told_to_wait_and_others_are_not(office: Office) -> None:
    adapter = office.adapter()
    told = [json.loads((await adapter.answer(asked(f"TC {CODE}"), nothing)).body)["reply"] for _ in range(7)]
    assert [each.startswith("Ong/ba da hoi qua nhieu") for each in told] == [False] * 5 + [True] * 2
    other = json.loads((await adapter.answer(asked(f"TC {CODE}", "0987654321"), nothing)).body)["reply"]
    assert other.startswith("Khong co ho so")
    office.hands.moment += 3600
    again = json.loads((await adapter.answer(asked(f"TC {CODE}"), nothing)).body)["reply"]
    assert again.startswith("Ho so")


async def test_all_phones_together_have_a_pace_too(office: Office) -> None:
    inbound = {**office.provider.settings["inbound"], "per_minute": 2}
    adapter = office.adapter(inbound=inbound)
    told = [
        json.loads((await adapter.answer(asked(f"TC {CODE}", f"091234567{n}"), nothing)).body)["reply"]
        for n in range(4)
    ]
    assert [each.startswith("Ong/ba da hoi qua nhieu") for each in told] == [False, False, True, True]


async def test_questions_come_as_json_and_by_query_too(office: Office) -> None:
    body = json.dumps({"msisdn": "0912345678", "message": f"TC {CODE}"}).encode()
    call = asked("")
    fields = {**call.fields, "content-type": "application/json"}
    assert (await office.reply(replace(call, fields=fields, body=InMemory(body)))).startswith("Ho so")
    query = {"msisdn": "0912345678", "message": f"TC {CODE}"}
    assert (await office.reply(replace(call, method="GET", query=query, body=InMemory(b"")))).startswith("Ho so")
    adapter = office.adapter(inbound={"phone": "/msisdn", "text": "/message"})
    said = await adapter.answer(asked(f"TC {CODE}"), nothing)
    assert (said.media_type, said.body[:5]) == ("text/plain; charset=utf-8", b"Ho so")


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[1]", b'"x"', b"a" * 20_000])
async def test_rubbish_from_the_provider_is_answered_and_never_an_exception(office: Office, body: bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        call = asked("")
        call = replace(call, fields={**call.fields, "content-type": kind}, body=InMemory(body))
        if len(body) > 16384:
            adapter = office.adapter()
            with pytest.raises(Rejected, match="too-large"):
                await adapter.answer(call, nothing)
        else:
            assert (await office.reply(call)).startswith("Soan:")
