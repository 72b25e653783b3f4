"""E-mail to applicants: what it says and never says, what a mail server's answers mean, what happens to a repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.mail_notice.adapter import MailNotice, open_adapter
from adapters.mail_notice.letter import address_in
from adapters.mail_notice.stand_in import APPLICANT, PASSWORD, MailServer, a_registration, agency
from gateway.core.dossiers.dossier import Dossier, Step
from gateway.core.dossiers.event import DossierEvent, Told
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, TimedOut, TransientFailure
from gateway.core.moments import parse_moment
from gateway.ports import AdapterContext, HandedOver, Parcel
from tests.adapters.fitting import Hands, a_parcel, an_event

CODE = "H33.05-261120-0012"
RECORD = {
    "dossierCode": CODE,
    "procedure": {"code": "2.002492", "name": "Đăng ký thành lập hộ kinh doanh"},
    "agency": {"code": "H33.05", "name": "Sở Tài chính"},
    "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen", "email": APPLICANT, "phone": "0912345678"},
}
STATUS = {"code": 4, "at": "2026-11-21T09:00:00+07:00"}


@dataclass(slots=True)
class Office:
    """An adapter in front of its mail server, and what the register knows."""

    server: MailServer
    hands: Hands
    known: dict[str, Dossier]

    def adapter(self, **settings: Any) -> MailNotice:
        return open_adapter(self.context(**settings))

    def context(self, **settings: Any) -> AdapterContext:
        made = {**self.server.settings, **settings}
        made = {name: value for name, value in made.items() if value is not None}

        async def dossier(code: str) -> Dossier | None:
            return self.known.get(code)

        return replace(self.hands.context("mail_notice", made), dossier=dossier)

    async def told(self, event: dict[str, Any], *, adapter: MailNotice | None = None, **override: Any) -> HandedOver:
        """What became of one message."""
        used = adapter or self.adapter()
        try:
            return await used.deliver(a_parcel(self.context(), event=event, **override))
        finally:
            if adapter is None:
                await used.close()

    def text(self) -> str:
        """What the one person who got mail reads."""
        assert self.server.broken_rules == []
        (taken,) = self.server.box
        return taken.text


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with agency(tmp_path) as server:
        yield Office(server, Hands(tmp_path), {})


def said(kind: str, **data: Any) -> dict[str, Any]:
    """A message about the dossier, of contract ``dossier.KIND``."""
    return an_event(type=f"dossier.{kind}", subject=CODE, data={"dossierCode": CODE, **data})


def a_dossier(**override: Any) -> Dossier:
    made: dict[str, Any] = {
        "code": CODE, "written": CODE, "lead": "H33.05", "status": 4, "status_at": 0.0, "procedure": "2.002492",
        "received_at": None, "due": parse_moment("2026-11-27T10:00:00+07:00"), "finished_at": None, "steps": (),
        "record": RECORD, **override,
    }  # fmt: skip
    return Dossier(**made)


def a_step(message: str, *flags: Any, said_status: int | None = 4, status: int | None = 4) -> Step:
    event = DossierEvent("progressed", CODE, CODE, "H33.05", (), 1.0, 1.0, said_status)
    return Step(Told(1, message, "H33.05/dms", 1.0, event), status, counts=True, flags=flags)


# ------------------------------------------------------------------------------------------------- what it says


async def test_an_applicant_is_told_code_procedure_status_due_date_and_whom_to_ask(office: Office) -> None:
    contact = {"vi": "Tổng đài 1022", "en": "Hotline 1022"}
    adapter = office.adapter(contact=contact, lookup="https://tracuu.example.vn/", from_name="Một cửa tỉnh")
    await office.told(a_registration(an_event()), adapter=adapter)
    await adapter.close()
    (taken,) = office.server.box
    assert taken.recipients == (APPLICANT,)
    assert taken.sender == "motcua@example.vn"
    assert str(taken.message["From"]) == "Một cửa tỉnh <motcua@example.vn>"
    assert str(taken.message["Subject"]) == f"Hồ sơ {CODE} đã được tiếp nhận"
    for words in (
        f"Mã hồ sơ: {CODE}", "Thủ tục: Đăng ký thành lập hộ kinh doanh", "Trạng thái: Được tiếp nhận",
        "Hẹn trả kết quả: 17:00 27/11/2026", "Nơi hỏi thêm: Sở Tài chính", "Tổng đài 1022",
        "https://tracuu.example.vn/", "Status: Received", "Where to ask: Sở Tài chính", "Hotline 1022",
    ):  # fmt: skip
        assert words in taken.text
    assert taken.text.index("Trạng thái") < taken.text.index("Status")


async def test_nothing_else_about_a_person_leaves_the_bus(office: Office) -> None:
    await office.told(a_registration(an_event(), note="bí mật gia đình", abstract="trích yếu riêng tư"))
    raw = office.text() + str(office.server.box[0].message["To"])
    for secret in ("Nguyễn", "Mẫu", "0912", "Đường", "bí mật", "trích yếu", "Nội dung chỉ"):
        assert secret not in raw
    assert office.server.box[0].is_private


async def test_who_files_is_found_in_the_register_where_the_message_does_not_say_it(office: Office) -> None:
    office.known[CODE] = a_dossier()
    await office.told(said("progressed", at=STATUS["at"], status=STATUS, department="Phòng Đăng ký kinh doanh"))
    assert "Nơi xử lý: Phòng Đăng ký kinh doanh" in office.text()
    assert "Thủ tục: Đăng ký thành lập hộ kinh doanh" in office.text()
    assert "Hẹn trả kết quả: 10:00 27/11/2026" in office.text()


async def test_a_request_for_a_supplement_is_one_complete_notice(office: Office) -> None:
    office.known[CODE] = a_dossier(status=5)
    supplement = {
        "id": "BS-1", "content": "Bổ sung bản sao giấy tờ\nvà sơ đồ thửa đất", "requestedAt": STATUS["at"],
        "papers": [{"name": "Bản sao giấy chứng nhận"}, {"name": "Sơ đồ thửa đất"}],
        "fees": [{"name": "Lệ phí", "amount": 150_000}], "answerBefore": "2026-12-01T17:00:00+07:00",
    }  # fmt: skip
    await office.told(said("supplement-requested", status={**STATUS, "code": 5}, supplement=supplement))
    text = office.text()
    for words in (
        "Bổ sung bản sao giấy tờ\nvà sơ đồ thửa đất", "- Bản sao giấy chứng nhận\n- Sơ đồ thửa đất", "150.000 đồng",
        "Bổ sung trước: 17:00 01/12/2026",
    ):  # fmt: skip
        assert words in text


async def test_who_has_to_pay_reads_how_much_and_until_when(office: Office) -> None:
    office.known[CODE] = a_dossier(status=6)
    charges = {
        "fees": [{"name": "Thuế", "amount": 1_200_000}, {"name": "Lệ phí", "amount": 50_000}],
        "payBefore": "2026-12-05T17:00:00+07:00", "taxCode": "8000000001", "payer": "Nguyễn Văn Mẫu",
    }  # fmt: skip
    await office.told(said("progressed", at=STATUS["at"], status={**STATUS, "code": 6}, charges=charges))
    assert "Số tiền phải nộp: 1.250.000 đồng" in office.text()
    assert "Nộp trước: 17:00 05/12/2026" in office.text()
    assert "8000000001" not in office.text()


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("forwarded", None, "chuyển đến cơ quan có thẩm quyền"),
        ("supplemented", 4, "đã nhận phần bổ sung"),
        ("result-issued", 9, "đã có kết quả"),
        ("result-issued", 10, "đã được trả"),
        ("returned", 3, "không được tiếp nhận"),
        ("returned", 8, "không giải quyết tiếp"),
        ("withdrawn", 7, "rút theo yêu cầu"),
    ],
)
async def test_each_kind_of_news_has_its_words(office: Office, kind: str, code: int | None, words: str) -> None:
    office.known[CODE] = a_dossier()
    status = {} if code is None else {"status": {**STATUS, "code": code}}
    await office.told(said(kind, reason="lý do nêu tên người khác", **status))
    assert words in office.text()
    assert "lý do nêu tên" not in office.text()
    assert "{" not in office.text()


async def test_a_reminder_goes_to_fixed_mailboxes_alone(office: Office) -> None:
    told = {"vi": "H33.16 chưa báo tiếp nhận.", "en": "H33.16 has not reported."}
    reminder = an_event(type="document.reminder", data={"text": told})
    assert (await office.told(reminder)).reference == "no address"
    adapter = office.adapter(to=["vanthu@example.vn", "truc@example.vn"])
    await office.told(reminder, adapter=adapter)
    await adapter.close()
    assert office.server.box[0].recipients == ("vanthu@example.vn", "truc@example.vn")
    assert told["vi"] in office.text()


async def test_a_province_says_it_in_its_own_words(office: Office, tmp_path: Path) -> None:
    own = tmp_path / "loi-van"
    own.mkdir()
    text = '[default]\nsubject = {vi = "Tin", en = "News"}\nbody = {vi = "Hồ sơ {code} có tin.", en = "News {code}."}\n'
    (own / "dossier.registered.toml").write_text(text, "utf-8")
    (own / "payment.notified.toml").write_text(text, "utf-8")
    adapter = office.adapter(texts="loi-van")
    await office.told(a_registration(an_event()), adapter=adapter)
    assert office.text().startswith(f"Hồ sơ {CODE} có tin.")
    office.known[CODE] = a_dossier()
    await office.told(an_event(type="payment.notified", data={"dossierCode": CODE}), adapter=adapter)
    await adapter.close()
    assert len(office.server.box) == 2


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        '[default]\nsubject = {vi = "x", en = "x"}',
        '[default]\nsubject = {vi = "x"}\nbody = {vi = "x", en = "x"}',
        '[default]\nsubject = {vi = "{applicant}", en = "x"}\nbody = {vi = "x", en = "x"}',
        '[default]\nsubject = {vi = "{code", en = "x"}\nbody = {vi = "x", en = "x"}',
        '[default]\nsubject = {vi = "x", en = "x"}\nbody = {vi = "x", en = "x"}\n[status.11]\n',
        'audience = "all"\n[default]\nsubject = {vi = "x", en = "x"}\nbody = {vi = "x", en = "x"}',
    ],
)
def test_words_that_cannot_be_said_are_found_when_it_is_opened(tmp_path: Path, text: str) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "dossier.registered.toml").write_text(text, "utf-8")
    settings = {"host": "localhost", "from": "motcua@example.vn", "texts": "texts"}
    with pytest.raises(Misconfigured, match=r"settings\.texts/dossier\.registered\.toml"):
        open_adapter(Hands(tmp_path).context("mail_notice", settings))


# ----------------------------------------------------------------------------------- whom it tells, and when not


async def test_without_a_mailbox_the_message_is_taken_and_says_so(office: Office) -> None:
    applicant = {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}
    assert (await office.told(a_registration(an_event(), applicant=applicant))).reference == "no address"
    assert (await office.told(said("progressed", at=STATUS["at"], status=STATUS))).reference == "no address"
    assert office.server.connections == 0


@pytest.mark.parametrize(
    "email",
    [
        "mau@example.vn\r\nBcc: all@example.vn", "mau@example.vn, khac@example.vn", "<mau@example.vn>", "mau",
        "a b@c.vn", "mau@example.vn> SIZE=1",
        "mậu@example.vn", ".mau@example.vn", "m..au@example.vn", "m" * 65 + "@example.vn",
        "mau@localhost", "@example.vn", "",
    ],
)  # fmt: skip
async def test_what_is_no_single_plain_mailbox_is_no_address(office: Office, email: str) -> None:
    applicant = {"name": "Nguyễn Văn Mẫu", "kind": "citizen", "email": email}
    assert (await office.told(a_registration(an_event(), applicant=applicant))).reference == "no address"
    assert office.server.connections == 0


def test_usual_mailboxes_are_addresses() -> None:
    for address in ("mau@example.vn", "Nguyen.Van-Mau+1@thu.example.gov.vn", " mau@example.vn "):
        assert address_in(address) == address.strip()


@pytest.mark.parametrize("flag", ["out-of-order", "repeated", "unvouched", "doubled", "forced"])
async def test_what_the_register_does_not_believe_is_not_told(office: Office, flag: str) -> None:
    event = said("progressed", at=STATUS["at"], status=STATUS)
    office.known[CODE] = a_dossier(steps=(a_step(event["id"], flag),))
    assert "not told" in str((await office.told(event)).reference)
    office.known[CODE] = a_dossier(steps=(replace(a_step(event["id"].upper()), counts=True),))
    await office.told(event)
    assert len(office.server.box) == 1


@pytest.mark.parametrize("status", [3, 5, 7, 8, 9, 10])
async def test_a_status_that_another_message_says_more_of_is_told_by_that_one_alone(
    office: Office, status: int
) -> None:
    event = said("progressed", at=STATUS["at"], status={**STATUS, "code": status})
    step = replace(a_step(event["id"], said_status=status, status=status), counts=True)
    office.known[CODE] = a_dossier(steps=(step,))
    assert "not told" in str((await office.told(event)).reference)


@pytest.mark.parametrize(("counts", "flags"), [(False, ()), (True, ("late",))])
async def test_a_step_that_leads_nowhere_new_is_no_letter(office: Office, counts: bool, flags: tuple[str, ...]) -> None:
    event = said("progressed", at=STATUS["at"], status=STATUS)
    office.known[CODE] = a_dossier(steps=(replace(a_step(event["id"], *flags), counts=counts),))
    assert "not told" in str((await office.told(event)).reference)
    assert office.server.box == []


async def test_what_one_office_did_with_its_part_is_not_told_unless_it_asks_for_something(office: Office) -> None:
    event = said("progressed", at=STATUS["at"], status={**STATUS, "code": 9})
    office.known[CODE] = a_dossier(steps=(a_step(event["id"], said_status=9, status=4),))
    assert "not told" in str((await office.told(event)).reference)
    asks = {**event, "data": {**event["data"], "charges": {"fees": [{"name": "Thuế", "amount": 5}]}}}
    await office.told(asks)
    assert len(office.server.box) == 1


async def test_nothing_that_people_wrote_gets_into_a_header(office: Office) -> None:
    evil = f"{CODE}\r\nBcc: khac@example.vn\r\n\r\nhello"
    name = "Thủ tục\r\nSubject: x\u202e\x1b[31m"
    await office.told(a_registration(an_event(), dossierCode=evil, procedure={"code": "1", "name": name}))
    (taken,) = office.server.box
    assert taken.message["Bcc"] is None
    assert len(taken.message.get_all("Subject") or []) == 1
    assert taken.recipients == (APPLICANT,)
    assert "\u202e" not in taken.text
    assert "\x1b" not in taken.text


async def test_lines_of_dots_and_of_great_length_arrive_as_they_were(office: Office) -> None:
    office.known[CODE] = a_dossier(status=5)
    content = ".\n..\n.đầu dòng\n" + "dài " * 500
    supplement = {"id": "1", "content": content, "requestedAt": STATUS["at"]}
    await office.told(said("supplement-requested", status={**STATUS, "code": 5}, supplement=supplement))
    assert content.strip() in office.text()
    office.server.box.clear()
    await office.told(said("supplement-requested", status={**STATUS, "code": 5},
                           supplement={**supplement, "content": ".\n..\n.đầu dòng"}))  # fmt: skip
    assert office.server.box[0].is_8bit
    assert "\n.\n..\n.đầu dòng\n" in office.text()


# --------------------------------------------------------------------------------------------- the server's words


async def test_a_repeat_has_the_same_message_id_and_nobody_answers_it_by_machine(office: Office) -> None:
    office.server.faults.cut = 1
    event = a_registration(an_event())
    with pytest.raises(TimedOut):
        await office.told(event)
    taken = await office.told(event, attempt=2)
    first, second = office.server.box
    assert first.message["Message-ID"] == second.message["Message-ID"] == taken.reference
    assert str(second.message["Message-ID"]).endswith("@example.vn>")
    assert second.message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(second.message["Date"]).timestamp() == pytest.approx(office.hands.moment, abs=1)


async def test_a_greylisted_recipient_is_tried_again_later(office: Office) -> None:
    office.server.faults.greylist = 1
    event = a_registration(an_event())
    with pytest.raises(TransientFailure) as failure:
        await office.told(event)
    assert failure.value.status == 451
    assert "4.7.1" in failure.value.detail
    assert APPLICANT not in failure.value.detail
    await office.told(event, attempt=2)
    assert len(office.server.box) == 1


async def test_a_mailbox_that_does_not_exist_is_never_tried_again(office: Office) -> None:
    office.server.faults.unknown.add(APPLICANT)
    with pytest.raises(PermanentFailure) as failure:
        await office.told(a_registration(an_event()))
    assert failure.value.status == 550
    assert APPLICANT not in str(failure.value)


async def test_of_several_mailboxes_each_is_told_once_whatever_the_others_do(office: Office) -> None:
    adapter = office.adapter(to=["a@example.vn", "b@example.vn", "c@example.vn"])
    office.server.faults.unknown.add("a@example.vn")
    event = a_registration(an_event())
    office.server.faults.greylist = 1
    with pytest.raises(TransientFailure):
        await office.told(event, adapter=adapter)
    await office.told(event, adapter=adapter, attempt=2)
    told = [address for each in office.server.box for address in each.recipients]
    assert told == ["b@example.vn", "c@example.vn"]
    taken = await office.told(event, adapter=adapter, delivery="another")
    assert taken.reference == "1 of 3 mailboxes refused it (550)"
    await adapter.close()


@pytest.mark.parametrize(
    ("fault", "value", "expected"),
    [
        ("busy", 1, TransientFailure),
        ("cut_early", 1, TransientFailure),
        ("data_refusals", [452], TransientFailure),
        ("data_refusals", [554], PermanentFailure),
        ("refusals", [450], TransientFailure),
        ("refusals", [553], PermanentFailure),
        ("no_tls", True, TransientFailure),
        ("locked", True, DestinationGone),
    ],
)
async def test_what_the_server_says_is_told_as_the_bus_understands_it(
    office: Office, fault: str, value: Any, expected: type[Exception]
) -> None:
    setattr(office.server.faults, fault, value)
    with pytest.raises(expected) as failure:
        await office.told(a_registration(an_event()))
    assert type(failure.value) is expected
    assert PASSWORD not in str(failure.value)
    assert APPLICANT not in str(failure.value)
    assert office.server.box == []


async def test_a_message_that_is_too_large_for_the_server_is_never_taken(office: Office) -> None:
    office.server.size_limit = 500
    with pytest.raises(PermanentFailure) as failure:
        await office.told(a_registration(an_event()))
    assert failure.value.status == 552


async def test_a_server_that_takes_seven_bits_alone_gets_seven_bits(office: Office) -> None:
    office.server.faults.no_8bit = True
    await office.told(a_registration(an_event()))
    assert "Kính gửi" in office.text()
    assert office.server.box[0].raw.isascii()


async def test_a_slow_server_ends_the_try_and_holds_up_nothing(office: Office) -> None:
    office.server.faults.slow = 30
    adapter = office.adapter(timeout=0.2)
    with pytest.raises(TransientFailure, match=r"no answer within 0\.2 s"):
        await office.told(a_registration(an_event()), adapter=adapter)
    office.server.faults.slow = 0
    await office.told(a_registration(an_event()))
    async with asyncio.timeout(2):
        await adapter.close()
    assert len(office.server.box) == 1


async def test_no_password_goes_over_a_line_without_tls(office: Office, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        office.adapter(host="thu.example.vn", tls="none")
    office.server.faults.no_tls = True
    with pytest.raises(TransientFailure, match="TLS"):
        await office.told(a_registration(an_event()))
    assert office.server.broken_rules == []


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(office: Office) -> None:
    adapter = office.adapter(ca_file=None)
    with pytest.raises(TransientFailure, match="certificate"):
        await office.told(a_registration(an_event()), adapter=adapter)
    await adapter.close()
    assert office.server.box == []


async def test_the_gateways_own_listener_is_not_called(office: Office) -> None:
    office.hands.own = frozenset({("127.0.0.1", office.server.port)})
    with pytest.raises(TransientFailure, match="own listener"):
        await office.told(a_registration(an_event()))


@pytest.mark.parametrize(("tls", "needs_login"), [("implicit", True), ("none", True), ("none", False)])
async def test_other_ways_to_open_a_line_work_too(tmp_path: Path, tls: str, needs_login: bool) -> None:
    async with agency(tmp_path, tls, needs_login=needs_login) as server:
        office = Office(server, Hands(tmp_path), {})
        await office.told(a_registration(an_event()))
        assert "Kính gửi" in office.text()
        assert server.box[0].is_private is (tls == "implicit")


def test_a_root_certificate_that_is_none_is_found_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none", "utf-8")
    for file in ("ca.pem", "absent.pem"):
        settings = {"host": "localhost", "from": "motcua@example.vn", "ca_file": file}
        with pytest.raises(Misconfigured, match="ca_file"):
            open_adapter(Hands(tmp_path).context("mail_notice", settings))


async def test_what_there_are_no_words_for_is_never_taken(office: Office) -> None:
    parcel: Parcel = a_parcel(office.context(), event=an_event(type="sensor.reading"))
    adapter = office.adapter()
    with pytest.raises(PermanentFailure, match=r"no words for sensor\.reading"):
        await adapter.deliver(parcel)
