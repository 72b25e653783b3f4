"""The public look-up: what anybody may know, what the applicant may, and that nothing else can be found out."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapters.status_lookup.adapter import StatusLookup, open_adapter
from adapters.status_lookup.page import HEADERS
from adapters.status_lookup.stand_in import CODE, Kiosk, asked, sent
from adapters.status_lookup.told import is_known_by
from gateway.core.content import InMemory
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.event import DossierEvent, Hop, Told
from gateway.core.dossiers.history import dossier_of
from gateway.core.faults import Misconfigured
from gateway.core.moments import parse_moment
from gateway.ports import Call, Collected, NotReceived, Received, Reply
from tests.adapters.fitting import Hands
from tests.api.hall import open_hall, system_of

RECORD = {
    "dossierCode": CODE,
    "procedure": {"code": "2.002492", "name": "Đăng ký biến động đất đai <b>"},
    "agency": {"code": "H33.05", "name": "Sở Tài nguyên"},
    "unit": "Phòng Đăng ký",
    "applicant": {
        "name": "Nguyễn Văn Mẫu", "kind": "citizen", "phone": "0912 345 678", "email": "nguyen.van.mau@example.vn",
        "address": "1 Đường Mẫu", "identities": [{"kind": "12-digit", "number": "091099001234"}],
    },
    "abstract": "Trích yếu riêng tư",
    "note": "Ghi chú riêng tư",
    "papers": [{"name": "Giấy của Nguyễn Văn Mẫu", "link": "https://example.vn/tep.pdf"}],
    "supplements": [
        {"id": "1", "content": "Lần một", "requestedAt": "2026-11-21T08:00:00+07:00", "receivedAt": "2026-11-22"},
        {"id": "2", "content": "Bản sao <giấy tờ>", "requestedAt": "2026-11-23T08:00:00+07:00",
         "requestedBy": {"name": "Cán bộ Mẫu"}, "papers": [{"name": "Giấy của Nguyễn Văn Mẫu"}]},
    ],
}  # fmt: skip
PRIVATE = ("Nguyễn", "Mẫu", "0912", "345", "091099", "Đường", "riêng tư", "tep.pdf", "example.vn", "Cán bộ")


def at(text: str) -> float:
    moment = parse_moment(text)
    assert moment is not None
    return moment


def a_dossier(record: Mapping[str, Any] = RECORD, last: int = 5) -> Dossier:
    """Received, processed, then whatever; a stranger's word among it that nobody believes."""
    told = [
        ("registered", "H33.05", 2, "2026-11-20T08:30:00+07:00"),
        ("progressed", "H33.05", 4, "2026-11-20T14:00:00+07:00"),
        ("progressed", "H33.99", 9, "2026-11-20T15:00:00+07:00"),
        ("progressed", "H33.05", 4, "2026-11-21T09:00:00+07:00"),
        ("progressed", "H33.05", last, "2026-11-23T08:00:00+07:00"),
    ]
    lines = []
    for place, (kind, agency, status, moment) in enumerate(told, 1):
        event = DossierEvent(kind, CODE, CODE, agency, (), at(moment), at(moment), status, has_result=True)  # type: ignore[arg-type]
        if kind == "registered":
            event = replace(event, due=at("2026-11-27T17:00:00+07:00"), procedure="2.002492")
        lines.append(Told(place, f"m{place}", f"{agency}/dms", at(moment), event))
    return replace(dossier_of(CODE, lines), record=record)


class Lookup:
    """The adapter, and what the register knows."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.hands = Hands(folder)
        self.known: dict[str, Dossier] = {CODE: a_dossier()}
        self.delay = 0.0
        context = self.hands.context("status_lookup", {"answer_milliseconds": 10, **settings})
        self.adapter: StatusLookup = open_adapter(
            replace(context, dossier=self.dossier, course=self.course, agency_name=lambda code: f"Chi nhánh {code}")
        )

    async def course(self, code: str) -> Dossier | None:
        """As the dossier, but its record is not made."""
        found = self.known.get(code)
        return None if found is None else replace(found, record={})

    async def dossier(self, code: str) -> Dossier | None:
        found = self.known.get(code)
        if found is not None and self.delay:
            await asyncio.sleep(self.delay)
        return found

    async def reply(self, call: Call) -> Reply:
        async def nothing(_: Collected) -> Received | NotReceived:
            raise AssertionError("a question brings nothing to take")

        return await self.adapter.answer(call, nothing)

    async def json(self, code: str, secret: str = "", **call: Any) -> tuple[int, dict[str, Any]]:
        reply = await self.reply(asked(code, secret, **call))
        assert reply.media_type == "application/json; charset=utf-8"
        return reply.status, json.loads(reply.body)

    async def page(self, code: str, secret: str = "") -> tuple[int, str]:
        reply = await self.reply(sent(code, secret))
        assert reply.media_type == "text/html; charset=utf-8"
        return reply.status, reply.body.decode()


@pytest.fixture
def lookup(tmp_path: Path) -> Lookup:
    return Lookup(tmp_path)


# ------------------------------------------------------------------------------------------------- what is told


async def test_anybody_may_know_the_code_and_the_degree_of_completion(lookup: Lookup) -> None:
    status, told = await lookup.json(CODE)
    assert status == 200
    assert told == {
        "code": CODE,
        "completion": {"degree": "in-progress", "text": {"vi": "Đang giải quyết", "en": "Being dealt with"}},
    }


async def test_a_province_may_keep_even_that_to_itself(tmp_path: Path) -> None:
    lookup = Lookup(tmp_path, anonymous=False)
    assert await lookup.json(CODE) == await lookup.json("H33.05-261120-9999")
    assert (await lookup.json(CODE, "345678"))[0] == 200


@pytest.mark.parametrize(("last", "degree"), [(4, "in-progress"), (6, "in-progress"), (9, "completed"), (8, "ended")])
async def test_the_degree_follows_the_status(lookup: Lookup, last: int, degree: str) -> None:
    lookup.known[CODE] = a_dossier(last=last)
    assert (await lookup.json(CODE))[1]["completion"]["degree"] == degree


async def test_who_knows_the_secret_sees_status_department_dates_and_steps(lookup: Lookup) -> None:
    status, told = await lookup.json(CODE, "345678")
    assert status == 200
    assert told["status"]["code"] == 5
    assert told["status"]["text"]["vi"] == "Yêu cầu bổ sung giấy tờ"
    assert told["department"] == "Phòng Đăng ký"
    assert told["dueAt"] == "2026-11-27T17:00:00+07:00"
    assert told["supplement"] == {"content": "Bản sao <giấy tờ>", "requestedAt": "2026-11-23T08:00:00+07:00"}
    assert [(step["status"], step["at"], step["office"]) for step in told["steps"]] == [
        (2, "2026-11-20T08:30:00+07:00", "Sở Tài nguyên"),
        (4, "2026-11-20T14:00:00+07:00", "Sở Tài nguyên"),
        (5, "2026-11-23T08:00:00+07:00", "Sở Tài nguyên"),
    ]


async def test_it_lies_with_the_agency_to_which_it_was_handed_on(lookup: Lookup) -> None:
    base = a_dossier(last=4)
    hop = DossierEvent("forwarded", CODE, CODE, "H33.05", (), at("2026-11-24T08:00:00+07:00"), 2e9,
                       hop=Hop(1, "H33.05", "H33.16"))  # fmt: skip
    lines = [*[step.told for step in base.steps], Told(9, "m9", "H33.05/dms", 0.0, hop)]
    lookup.known[CODE] = replace(dossier_of(CODE, lines), record=RECORD)
    assert (await lookup.json(CODE, "345678"))[1]["department"] == "Chi nhánh H33.16"


async def test_nothing_personal_is_told_to_anybody(lookup: Lookup) -> None:
    for secret in ("", "345678"):
        said = json.dumps((await lookup.json(CODE, secret))[1], ensure_ascii=False)
        text = (await lookup.page(CODE, secret))[1].partition("<form")[0].partition("<h1>")[2]
        for word in PRIVATE:
            assert word not in said
            assert word not in text


async def test_an_answered_supplement_and_one_of_a_finished_dossier_are_asked_for_no_more(lookup: Lookup) -> None:
    lookup.known[CODE] = a_dossier(last=9)
    assert "supplement" not in (await lookup.json(CODE, "345678"))[1]
    lookup.known[CODE] = a_dossier({**RECORD, "supplements": RECORD["supplements"][:1]})  # type: ignore[index]
    assert "supplement" not in (await lookup.json(CODE, "345678"))[1]


# ---------------------------------------------------------------------------------------------------- the secret


@pytest.mark.parametrize("given", ["345678", "0912 345 678", "84912345678", "0912-345-678"])
async def test_the_last_digits_or_the_whole_number_is_the_secret(lookup: Lookup, given: str) -> None:
    assert (await lookup.json(CODE, given))[0] == 200


@pytest.mark.parametrize(
    "given", ["5678", "45678", "345679", "001234", "abcdef", "-", "--", "０９１２３４５６７８", "34567８"]
)
async def test_anything_else_is_not(lookup: Lookup, given: str) -> None:
    assert (await lookup.json(CODE, given))[0] == 404


async def test_the_secret_is_taken_from_what_the_province_chose(tmp_path: Path) -> None:
    by_identity = Lookup(tmp_path, secret="identity", digits=4)
    assert (await by_identity.json(CODE, "1234"))[0] == 200
    assert (await by_identity.json(CODE, "5678"))[0] == 404
    by_either = Lookup(tmp_path, secret="either", digits=4)
    assert [(await by_either.json(CODE, given))[0] for given in ("1234", "5678", "9999")] == [200, 200, 404]


def test_without_a_number_to_compare_no_secret_is_right() -> None:
    for applicant in ({}, {"phone": ""}, {"phone": "12"}, {"phone": None}, {"identities": "x"}, None):
        dossier = a_dossier({"applicant": applicant})
        for given in ("", "-", "--", "12", "000000"):
            assert not is_known_by(dossier, given, frozenset({"phone", "identity"}), 6)
            assert not is_known_by(None, given, frozenset({"phone", "identity"}), 6)


async def test_an_unknown_code_and_a_wrong_secret_are_one_answer(lookup: Lookup) -> None:
    other = "H33.05-261120-9999"
    assert await lookup.json(CODE, "000000") == await lookup.json(other, "000000")
    known, unknown = await lookup.reply(sent(CODE, "000000")), await lookup.reply(sent(other, "000000"))
    assert known.body.replace(CODE.encode(), b"") == unknown.body.replace(other.encode(), b"")
    assert (known.status, known.fields) == (unknown.status, unknown.fields)
    lookup.known[other] = replace(a_dossier(), status=None)
    assert await lookup.json(other, "345678") == await lookup.json(CODE, "000001")


async def test_and_take_the_same_time(tmp_path: Path) -> None:
    lookup = Lookup(tmp_path, answer_milliseconds=60)
    lookup.delay = 0.03
    loop = asyncio.get_running_loop()
    differences = []
    for _ in range(3):
        took = []
        for code in (CODE, "H33.05-261120-9999"):
            begun = loop.time()
            await lookup.json(code, "000000")
            took.append(loop.time() - begun)
        assert min(took) >= 0.059
        differences.append(abs(took[0] - took[1]))
    # A busy machine may hold one of them up.
    assert min(differences) < 0.02


# -------------------------------------------------------------------------------------------------------- limits


async def test_a_code_is_locked_for_everybody_after_some_wrong_secrets_whether_or_not_it_exists(lookup: Lookup) -> None:
    for code in (CODE, "H33.05-261120-9999"):
        answers = [(await lookup.json(code, "000000", address=f"10.0.0.{n}"))[0] for n in range(7)]
        assert answers == [404] * 5 + [429] * 2
    # The right one is no better now, in any spelling of the code; without a secret nothing changed.
    assert (await lookup.json(CODE, "345678"))[0] == 429
    assert (await lookup.json(f" {CODE.lower()}", "345678"))[0] == 429
    assert (await lookup.json(CODE))[0] == 200
    lookup.hands.moment += 3600
    assert (await lookup.json(CODE, "345678"))[0] == 200


async def test_right_secrets_are_not_counted(lookup: Lookup) -> None:
    for n in range(12):
        assert (await lookup.json(CODE, "345678", address=f"10.0.0.{n}"))[0] == 200


async def test_many_wrong_ones_at_once_are_no_way_around_it(lookup: Lookup) -> None:
    lookup.delay = 0.01
    answers = await asyncio.gather(*(lookup.json(CODE, f"{n:06}", address=f"10.0.0.{n}") for n in range(40)))
    assert sorted(status for status, _ in answers) == [404] * 5 + [429] * 35


async def test_an_address_may_be_wrong_only_so_often_whatever_the_codes(tmp_path: Path) -> None:
    lookup = Lookup(tmp_path, failures_per_address_hour=3)
    assert [(await lookup.json(f"C-{n}", "000000"))[0] for n in range(5)] == [404] * 3 + [429] * 2
    assert (await lookup.json("C-9", "000000", address="10.0.0.1"))[0] == 404


async def test_an_address_and_all_of_them_have_a_pace(tmp_path: Path) -> None:
    lookup = Lookup(tmp_path, per_address_minute=2, per_minute=5)
    assert [(await lookup.json(CODE))[0] for _ in range(3)] == [200, 200, 429]
    assert [(await lookup.json(CODE, address=f"10.0.0.{n}"))[0] for n in range(4)] == [200] * 3 + [429]
    refused = await lookup.reply(asked(CODE))
    assert 1 <= int(refused.fields["Retry-After"]) <= 60
    lookup.hands.moment += 60
    assert (await lookup.json(CODE))[0] == 200


async def test_an_ipv6_network_is_one_address(tmp_path: Path) -> None:
    lookup = Lookup(tmp_path, per_address_minute=1)
    assert [(await lookup.json(CODE, address=f"2001:db8::{n}"))[0] for n in range(1, 3)] == [200, 429]
    assert (await lookup.json(CODE, address="2001:db8:0:1::1"))[0] == 200


async def test_only_the_provinces_own_proxies_are_believed_about_an_address(tmp_path: Path) -> None:
    lookup = Lookup(tmp_path, per_address_minute=1, proxies=["10.9.0.0/24"])

    async def from_(address: str, forwarded: str) -> int:
        call = asked(CODE, address=address)
        return (await lookup.reply(replace(call, fields={"x-forwarded-for": forwarded}))).status

    assert [await from_("10.9.0.1", "198.51.100.1"), await from_("10.9.0.1", "198.51.100.2")] == [200, 200]
    # What the caller wrote before its proxy's word does not count, nor do two of ours in a row.
    assert await from_("10.9.0.1", "203.0.113.7, 198.51.100.1") == 429
    assert await from_("10.9.0.1", "203.0.113.7, 198.51.100.2, 10.9.0.2") == 429
    assert [await from_("192.0.2.1", "198.51.100.8"), await from_("192.0.2.1", "198.51.100.9")] == [200, 429]
    with pytest.raises(Misconfigured, match="proxies"):
        Lookup(tmp_path, proxies=["nowhere"])


async def test_what_is_remembered_is_bounded(lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = lookup.adapter._guard
    monkeypatch.setattr(guard._wrong_codes, "_most", 10)
    for n in range(50):
        guard.guess(f"10.0.0.{n}", f"C-{n}", lookup.hands.moment)
    assert len(guard._wrong_codes) == 10


async def test_secrets_stand_in_no_log(lookup: Lookup, capfd: pytest.CaptureFixture[str]) -> None:
    with structlog.testing.capture_logs() as logs:
        await lookup.json(CODE, "345678")
        await lookup.json(CODE, "987654")
    assert not re.search("345678|987654", repr(logs) + "".join(capfd.readouterr()) + repr(lookup.adapter))


# ------------------------------------------------------------------------------------------------------ the page


class Reader(HTMLParser):
    """Reads a page as a browser does: what it loads, what its labels are for, whether its elements close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.labels: set[str] = set()
        self.ids: set[str] = set()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.labels |= {str(given["for"])} if "for" in given else set()
        self.ids |= {str(given["id"])} if "id" in given else set()
        self.loaded += [str(given[name]) for name in ("src", "href", "style", "onclick") if name in given]
        if tag not in {"meta", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_page_is_whole_and_loads_nothing(lookup: Lookup) -> None:
    for code, secret in (("", ""), (CODE, ""), (CODE, "345678"), (CODE, "1"), ('"><script>alert(1)</script>', "1")):
        text = (await lookup.page(code, secret))[1]
        reader = Reader()
        reader.feed(text)
        assert reader.open == []
        assert "script" not in reader.tags
        assert reader.loaded == []
        assert reader.labels == {"code", "secret"} <= reader.ids
        assert '<html lang="vi">' in text


async def test_what_people_wrote_is_shown_as_text(lookup: Lookup) -> None:
    text = (await lookup.page(CODE, "345678"))[1]
    assert "Bản sao &lt;giấy tờ&gt;" in text
    assert "Đăng ký biến động đất đai &lt;b&gt;" in text
    assert "17:00 27/11/2026" in text
    assert "345678" not in text


async def test_every_answer_forbids_what_a_page_of_text_does_not_need(lookup: Lookup) -> None:
    style = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in style
    assert "unsafe" not in style
    for call in (asked(CODE), sent(CODE, "1"), sent(""), replace(asked(CODE), path="x"), asked("")):
        reply = await lookup.reply(call)
        assert reply.fields["Content-Security-Policy"] == style
        assert reply.fields["Cache-Control"] == "no-store"
        assert reply.fields["Referrer-Policy"] == "no-referrer"


async def test_a_browser_is_shown_the_form_and_a_program_is_told_what_is_missing(lookup: Lookup) -> None:
    assert (await lookup.page(""))[0] == 200
    assert (await lookup.json(""))[0] == 400
    browser = {"accept": "text/html"}
    assert (await lookup.reply(replace(asked(""), fields=browser))).media_type.startswith("text/html")
    chosen = replace(asked(CODE), fields=browser, query={"code": CODE, "format": "json"})
    assert (await lookup.reply(chosen)).media_type.startswith("application/json")


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (replace(asked(CODE), method="DELETE"), 405),
        (replace(asked(CODE), path="admin"), 404),
        (asked("x" * 51), 400),
        (asked("H33\x00"), 400),
        (replace(sent(CODE), body=InMemory(b"a" * 5000)), 400),
        (replace(sent(CODE), body=InMemory(b"\xff")), 400),
        (replace(sent(CODE), body=InMemory(b"&".join([b"a=b"] * 50))), 400),
        (replace(sent(CODE), fields={"content-type": "application/json"}), 400),
    ],
)
async def test_what_is_no_question_is_answered_in_words(lookup: Lookup, call: Call, status: int) -> None:
    reply = await lookup.reply(call)
    assert reply.status == status
    assert reply.body


async def test_a_kiosk_asks_over_http_at_the_systems_own_door(tmp_path: Path) -> None:
    lookup = Lookup(tmp_path)
    async with open_hall(tmp_path / "hall") as hall:
        hall.register(replace(system_of(hall, "H33.05/dms"), sealing="gateway"))
        hall.answering["H33.05/dms"] = lookup.adapter
        kiosk = Kiosk(door=f"{hall.url}/in/H33.05/dms/")
        assert (await kiosk.ask(CODE)).told["completion"]["degree"] == "in-progress"
        assert (await kiosk.ask(CODE, "345678")).told["status"]["code"] == 5
        assert (await kiosk.ask(CODE, "111111")).status == 404
        shown = await kiosk.ask(CODE, "345678", as_browser=True)
        assert "Phòng Đăng ký" in shown.text
        assert shown.fields["content-security-policy"] == HEADERS["Content-Security-Policy"]
