"""Who owes an answer is reminded of it in office hours, those above are told, and nobody is told twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import pytest

from gateway.config.law import read_law
from gateway.core.directory import Agency, System
from gateway.core.documents.registrar import Registrar
from gateway.core.faults import PermanentFailure, Rejected, TransientFailure
from gateway.core.law.rules import Law, owed
from gateway.core.moments import VIET_NAM
from gateway.ports import Accepted
from gateway.ports.documents import Duty
from gateway.relay.remind import REMINDER, Remind
from gateway.relay.vigil import Vigil
from gateway.store.memory import MemoryLedger
from gateway.store.memory_documents import MemoryRegister
from tests.town import CATALOG, GATEWAY, Town, a_pair, a_town, document, wishes_for

LAW = read_law()
DOCUMENT = "H33.05,2026/11/27,125/STC-VP"


def at(text: str) -> float:
    """A moment as a clock on a wall in Viet Nam shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=VIET_NAM).timestamp()


@dataclass
class Office:
    """A town with the register, the law and the reminders; the sender, both recipients and those above want them."""

    town: Town
    register: MemoryRegister
    remind: Remind

    async def until(self, text: str, *, step: float = 600.0) -> None:
        """Time passes, the step running at each look, and last at the moment itself."""
        town, end = self.town, at(text)
        assert end >= town.clock.moment
        while town.clock.moment < end:
            town.clock.moment = min(end, town.clock.moment + step)
            await town.sweep.once()
            await town.work()
            await self.remind.once()
            await town.work()

    async def sends(self, when: str, **override: Any) -> Accepted:
        """The department sends a document of that day to H33.16."""
        self.town.clock.moment = at(when)
        data = override.pop("data", {})
        message = {"documentId": DOCUMENT, "issuingOrganId": "H33.05", "issuedOn": when[:10], **data}
        answer = await self.town.sent(**{"data": document(**message), **override})
        await self.town.work()
        return answer

    async def answers(self, code: str, agency: str = "H33.16", key: str = DOCUMENT) -> None:
        """A recipient reports a status of the document."""
        now = datetime.fromtimestamp(self.town.clock.moment, VIET_NAM).isoformat()
        data = {
            "from": {"organId": agency},
            "responseFor": {"organId": "H33.05", "documentId": key},
            "statusCode": code,
            "timestamp": now,
        }
        await self.town.sent(
            f"{agency}/dms", type="document.status", dataschema="urn:lgsp:contract:document.status:1.0", to="H33.05",
            subject=key, data=data,
        )  # fmt: skip

    def told(self, system: str) -> list[tuple[str, str, int]]:
        """The reminders that a system took: when, by which rule, of which level."""
        return [
            (_shown(parcel.event["time"]), parcel.event["data"]["rule"], parcel.event["data"]["level"])
            for parcel in self.town.desk(system).parcels
            if parcel.event["type"] == REMINDER
        ]

    async def audited(self, event: str) -> list[dict[str, Any]]:
        return [each["details"] for each in await self.town.journal("audit") if each["audit"] == event]


def _shown(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(VIET_NAM).strftime("%Y-%m-%d %H:%M")


def an_office(law: Law = LAW, **extra: Any) -> Office:
    wants = {
        "H33_05": {"subscriptions": wishes_for("document.status", REMINDER)},
        "H33_16": {"subscriptions": wishes_for("document.issued", REMINDER)},
        **extra,
    }
    town = a_town(**wants)
    town.signers["H33/ubnd"], certificate = a_pair("H33/ubnd")
    subscribed = wishes_for(REMINDER)
    above = System("H33/ubnd", "H33", "webhook", certificates=(certificate,), subscriptions=subscribed)
    town.enrol(Agency("H33", "UBND tỉnh", "province", systems=(above,)))
    registrar = Registrar(lambda entry, event, now: owed(law, town.directory, entry, event, now))
    town.accept = replace(town.accept, line_of=registrar.line, vigil=Vigil(town.ledger, lambda: law))
    assert isinstance(town.ledger, MemoryLedger)
    register = MemoryRegister(town.ledger)
    remind = Remind(town.ledger, register, town.accept, lambda: town.directory, lambda: law, town.clock)
    return Office(town, register, remind)


@pytest.fixture
def office() -> Office:
    return an_office()


async def test_sent_on_friday_afternoon_reminded_on_monday_told_above_on_tuesday_answered_and_closed(
    office: Office,
) -> None:
    """The whole story: 27 November 2026 is a Friday."""
    await office.sends("2026-11-27 16:50")
    (duty,) = await office.register.duties()
    assert (duty.agency, duty.name, _at(duty.due)) == ("H33.16", "receipt", "2026-11-27 17:00")

    await office.until("2026-11-27 16:59")
    await office.until("2026-11-30 07:29")
    assert office.told("H33.16/dms") == []

    await office.until("2026-11-30 07:30")
    assert office.told("H33.16/dms") == [("2026-11-30 07:30", "receipt", 1)]
    assert office.told("H33.05/dms") == office.told("H33/ubnd") == []

    await office.until("2026-12-01 07:29")
    assert office.told("H33/ubnd") == []

    await office.until("2026-12-01 07:30")
    assert office.told("H33/ubnd") == office.told("H33.05/dms") == [("2026-12-01 07:30", "receipt", 2)]
    assert len(office.told("H33.16/dms")) == 1

    office.town.clock.moment = at("2026-12-01 09:00")
    await office.answers("03")
    assert await office.register.duties() == []

    await office.until("2026-12-09 17:00")
    told = [office.told(each) for each in ("H33.16/dms", "H33.05/dms", "H33/ubnd")]
    assert [len(each) for each in told] == [1, 1, 1]
    assert [(each["level"], each["agency"], each["to"]) for each in await office.audited("duty.reminded")] == [
        (1, "H33.16", ["H33.16/dms"]),
        (2, "H33.16", ["H33.05/dms", "H33/ubnd"]),
    ]


async def test_nobody_is_reminded_in_tet(office: Office) -> None:
    """Tết 2027 lasts from Thursday, 4 February, to Wednesday, 10 February; the document goes out the evening before."""
    await office.sends("2027-02-03 16:50")
    await office.until("2027-02-11 07:29")
    assert office.told("H33.16/dms") == office.told("H33.05/dms") == []

    await office.until("2027-02-11 07:30")
    assert office.told("H33.16/dms") == [("2027-02-11 07:30", "receipt", 1)]
    await office.until("2027-02-12 07:30")
    assert office.told("H33/ubnd") == [("2027-02-12 07:30", "receipt", 2)]
    await office.until("2027-02-20 12:00")
    assert len(office.told("H33.16/dms")) == 1


async def test_who_answers_in_time_hears_nothing(office: Office) -> None:
    await office.sends("2026-11-27 09:00")
    await office.until("2026-11-27 10:00")
    await office.answers("03")
    await office.until("2026-12-03 12:00")
    assert [office.told(each) for each in ("H33.16/dms", "H33.05/dms", "H33/ubnd")] == [[], [], []]


@pytest.mark.parametrize("code", ["02", "05", "06"])
async def test_sending_back_or_going_further_answers_too(office: Office, code: str) -> None:
    await office.sends("2026-11-27 09:00")
    await office.answers(code)
    assert await office.register.duties() == []


async def test_that_it_arrived_is_no_answer(office: Office) -> None:
    await office.sends("2026-11-27 09:00")
    await office.answers("01")
    assert len(await office.register.duties()) == 1


async def test_an_urgent_document_is_answered_sooner(office: Office) -> None:
    await office.sends("2026-11-27 09:00", priority="express")
    await office.until("2026-11-27 09:50")
    assert office.told("H33.16/dms") == []
    await office.until("2026-11-27 10:10")
    assert [each[1:] for each in office.told("H33.16/dms")] == [("receipt", 1)]


async def test_the_reminder_says_who_owes_what_to_whom_since_when_and_on_which_basis(office: Office) -> None:
    await office.sends("2026-11-27 16:50")
    await office.until("2026-11-30 07:30")
    event = next(each.event for each in office.town.desk("H33.16/dms").parcels if each.event["type"] == REMINDER)
    (record,) = [each for each in [await office.town.ledger.find(event["causationid"])] if each is not None]
    assert (event["source"], event["subject"]) == (GATEWAY, DOCUMENT)
    data = dict(event["data"])
    text = data.pop("text")
    assert data == {
        "documentId": DOCUMENT,
        "message": record.key,
        "issuer": "H33.05",
        "rule": "receipt",
        "basis": "QĐ 28/2018/QĐ-TTg, điều 9; NĐ 30/2020/NĐ-CP, điều 21",
        "level": 1,
        "due": "2026-11-27T17:00:00+07:00",
        "owedBy": "H33.16",
        "owedTo": "H33.05",
    }
    assert f"Cơ quan H33.16 (H33.16) chưa báo tiếp nhận văn bản {DOCUMENT} của Cơ quan H33.05 (H33.05)" in text["vi"]
    assert "17:00 27/11/2026" in text["vi"]
    version = CATALOG.find(REMINDER, "1.0")
    assert version is not None
    assert version.check(event["data"]) == ()


async def test_a_recall_is_owed_an_answer_by_those_it_went_to(office: Office) -> None:
    await office.sends("2026-11-27 09:00")
    await office.until("2026-11-27 09:30")
    await office.answers("03")
    recall = "H33.05,2026/11/27,126/STC-VP"
    await office.sends("2026-11-27 10:00", data={"documentId": recall, "businessType": 1, "concerns": DOCUMENT})
    (duty,) = await office.register.duties()
    assert (duty.name, _at(duty.due)) == ("change", "2026-11-30 17:00")
    await office.answers("03", key=recall)
    assert len(await office.register.duties()) == 1
    await office.answers("15", key=recall)
    assert await office.register.duties() == []


async def test_what_was_not_handed_over_is_told_to_the_issuer_and_owed_by_nobody_yet(office: Office) -> None:
    """The destination is away from Friday to Monday afternoon; a document is to be there by Monday noon."""
    desk = office.town.desk("H33.16/dms")
    desk.poison = "fails"
    await office.sends("2026-11-27 16:50", subject="fails")
    await office.until("2026-11-30 11:20")
    assert office.told("H33.05/dms") == []

    # a minute after noon of a working day there are no office hours: the afternoon begins at half past one
    await office.until("2026-11-30 13:30")
    assert office.told("H33.05/dms") == [("2026-11-30 13:30", "dispatch", 1)]
    assert office.told("H33/ubnd") == []

    await office.until("2026-12-01 10:00")
    assert len(office.told("H33.05/dms")) == 1
    (told,) = await office.audited("duty.undelivered")
    assert (told["issuer"], told["agency"], told["rule"]) == ("H33.05", "H33.16", "dispatch")

    desk.poison = None
    await office.until("2026-12-01 16:00")
    assert office.town.taken_by("H33.16/dms")
    await office.until("2026-12-02 07:20")
    assert office.told("H33.16/dms") == []
    await office.until("2026-12-02 07:30")
    assert office.told("H33.16/dms") == [("2026-12-02 07:30", "receipt", 1)]


async def test_an_agency_that_is_carried_for_owes_as_any_other_and_those_above_it_are_told(office: Office) -> None:
    office.town.enrol(Agency("H33.77", "Xã", "commune", parent="H33", via="H33.16/dms"))
    await office.sends("2026-11-27 16:50", to="H33.77")
    (duty,) = await office.register.duties()
    assert duty.agency == "H33.77"
    await office.until("2026-12-01 07:30")
    assert office.told("H33.16/dms") == []
    assert [each[2] for each in office.told("H33/ubnd")] == [2]


async def test_what_is_sent_to_a_closed_code_is_owed_by_who_stands_in_its_place(office: Office) -> None:
    closed = Agency("H33.88", "Huyện cũ", "district", closed=date(2025, 7, 1), successor="H33.16")
    office.town.enrol(closed)
    await office.sends("2026-11-27 16:50", to="H33.88")
    (duty,) = await office.register.duties()
    assert duty.agency == "H33.16"
    await office.until("2026-11-30 07:30")
    assert len(office.told("H33.16/dms")) == 1
    await office.answers("03")
    assert await office.register.duties() == []


async def test_what_comes_late_to_the_agency_is_owed_by_the_end_of_that_day(office: Office) -> None:
    office.town.desk("H33.16/dms").script = [TransientFailure("away", 503)] * 6
    await office.sends("2026-11-27 16:58", priority="express")
    await office.until("2026-11-30 07:20")
    assert office.town.taken_by("H33.16/dms")
    (duty,) = await office.register.duties()
    assert duty.level == 0


async def test_of_what_will_never_be_handed_over_the_issuer_is_told_once_and_it_ends(office: Office) -> None:
    office.town.desk("H33.16/dms").script = [PermanentFailure("no", 422)]
    answer = await office.sends("2026-11-27 09:00")
    await office.until("2026-11-27 10:00")
    delivery = await office.town.delivery(answer)
    await office.town.operate.discard(delivery.id, "gửi nhầm", "operator:mau")
    await office.until("2026-12-04 12:00")
    assert len(office.told("H33.05/dms")) == 1
    assert office.told("H33.16/dms") == []
    assert await office.register.duties(due_by=at("2030-01-01 00:00")) == []


async def test_a_reminder_goes_only_where_a_system_subscribes(office: Office) -> None:
    office.town.change("H33.16/dms", subscriptions=wishes_for("document.issued"))
    await office.sends("2026-11-27 16:50")
    await office.until("2026-12-01 07:30")
    assert office.told("H33.16/dms") == []
    assert [each[2] for each in office.told("H33/ubnd")] == [2]
    assert [each["to"] for each in await office.audited("duty.reminded")] == [[], ["H33.05/dms", "H33/ubnd"]]


async def test_a_crash_after_a_reminder_was_sent_sends_none_twice(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.sends("2026-11-27 16:50")
    await office.until("2026-11-27 17:00")

    async def dies(*_: Any, **__: Any) -> bool:
        raise ConnectionError("the ledger is away")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryRegister, "remind", dies)
        broken.setattr(MemoryRegister, "postpone", dies)
        office.town.clock.moment = at("2026-11-30 07:30")
        with pytest.raises(ConnectionError):
            await office.remind.once()
    assert [duty.level for duty in await office.register.duties()] == [0]

    await office.until("2026-11-30 08:00", step=60)
    assert office.told("H33.16/dms") == [("2026-11-30 07:30", "receipt", 1)]
    assert len(await office.audited("duty.reminded")) == 1


async def test_one_duty_that_cannot_be_looked_at_holds_back_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await office.sends("2026-11-27 16:40")
    await office.sends("2026-11-27 16:50", data={"documentId": "H33.05,2026/11/27,126/STC-VP"}, subject="2")
    await office.until("2026-11-27 17:00")
    look = Remind._look

    async def stumbles(self: Remind, duty: Duty, now: float) -> None:
        if duty.message == first.id.lower() and now < at("2026-11-30 07:35"):
            raise ValueError("odd")
        await look(self, duty, now)

    monkeypatch.setattr(Remind, "_look", stumbles)
    await office.until("2026-11-30 07:30")
    assert len(office.told("H33.16/dms")) == 1
    await office.until("2026-11-30 07:40")
    assert len(office.told("H33.16/dms")) == 2


async def test_a_rule_that_the_province_took_out_reminds_nobody(office: Office) -> None:
    await office.sends("2026-11-27 16:50")
    office.remind = replace(office.remind, law=lambda: replace(LAW, rules=()))
    await office.until("2026-12-03 12:00")
    assert [office.told(each) for each in ("H33.16/dms", "H33.05/dms", "H33/ubnd")] == [[], [], []]


async def test_nobody_but_the_gateway_may_send_a_reminder(office: Office) -> None:
    fault = await office.town.refused(
        type=REMINDER, dataschema=f"urn:lgsp:contract:{REMINDER}:1.0", to="H33.16",
        data=dict(next(iter(_examples())).data),
    )  # fmt: skip
    assert isinstance(fault, Rejected)
    assert fault.problem == "unknown-contract"


async def test_a_hundred_documents_are_reminded_of_at_once(office: Office) -> None:
    for n in range(250):
        await office.sends("2026-11-27 16:50", subject=str(n), data={"documentId": f"H33.05,2026/11/27,{n}/STC-VP"})
    await office.until("2026-11-27 17:00", step=60)
    office.town.clock.moment = at("2026-11-30 07:30")
    assert await office.remind.once() == 250
    assert await office.remind.once() == 0


def _examples() -> Any:
    version = CATALOG.find(REMINDER, "1.0")
    assert version is not None
    return version.examples


def _at(moment: float) -> str:
    return datetime.fromtimestamp(moment, VIET_NAM).strftime("%Y-%m-%d %H:%M")
