"""Where a dossier stands is worked out from messages that were kept; of a missed deadline it is told once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.core.calendar import Calendar
from gateway.core.directory import Directory
from gateway.core.dossiers.event import DossierEvent
from gateway.core.envelope import Event
from gateway.core.faults import Busy, Text
from gateway.core.moments import VIET_NAM
from gateway.core.routing import Route
from gateway.relay.dossiers import Dossiers, said_of_dossier
from gateway.store.memory import MemoryLedger
from gateway.store.memory_dossiers import MemoryDossierRegister
from gateway.telemetry import DOSSIERS_OVERDUE
from tests.build import MORNING
from tests.town import Town, a_town, an_agreement, wishes_for

CODE, CHILD = "H33.05-261123-0001", "H33.16-261123-0004"
ONE, OTHER = "H33.05/dms", "H33.16/dms"
KINDS = (
    "document.issued", "dossier.registered", "dossier.forwarded", "dossier.progressed", "dossier.result-issued",
)  # fmt: skip
HOUR, DAY = 3600.0, 86400.0
CALENDAR = Calendar()


def written(moment: float) -> str:
    return datetime.fromtimestamp(moment, VIET_NAM).isoformat(timespec="seconds")


@dataclass
class Hall:
    """The town, in which dossiers pass, and the step over its ledger."""

    town: Town
    dossiers: Dossiers

    async def tell(self, kind: str, data: Mapping[str, Any], source: str = ONE, **override: Any) -> str:
        members = {
            "type": kind, "subject": data["dossierCode"], "data": data, "purpose": "giai-quyet-tthc",
            "dataschema": f"urn:lgsp:contract:{kind}:{override.pop('version', '1.0')}",
            "to": "H33.16" if source == ONE else "H33.05", **override,
        }  # fmt: skip
        return (await self.town.sent(source, **members)).id

    async def register(self, code: str = CODE, *, status: int = 2, due: float | None = None, **more: Any) -> str:
        now = self.town.clock.now()
        due_at = {} if due is None else {"dueAt": written(due)}
        applicant = {"name": "Nguyễn Văn Mẫu", "kind": "citizen", "phone": "0900000000"}
        data = {
            "dossierCode": code, "procedure": {"code": "1.001234"}, "agency": {"code": "H33.05"},
            "applicant": applicant, "status": {"code": status, "at": written(now)}, **due_at, **more,
        }  # fmt: skip
        return await self.tell("dossier.registered", data)

    async def hand_on(self, *, due: float | None = None) -> str:
        hop: dict[str, Any] = {
            "number": 1, "from": {"code": "H33.05"}, "to": {"code": "H33.16"},
            "forwardedAt": written(self.town.clock.now()),
        }  # fmt: skip
        if due is not None:
            hop["dueAt"] = written(due)
        applicant = {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}
        data = {
            "dossierCode": CODE, "hop": hop, "child": {"dossierCode": CHILD},
            "dossier": {"procedure": {"code": "1.001234"}, "applicant": applicant},
        }  # fmt: skip
        return await self.tell("dossier.forwarded", data)

    async def progress(self, status: int, source: str = ONE) -> str:
        at = written(self.town.clock.now())
        return await self.tell(
            "dossier.progressed", {"dossierCode": CODE, "at": at, "status": {"code": status, "at": at}}, source
        )

    async def pass_time(self, seconds: float) -> None:
        self.town.clock.moment += seconds

    async def told(self) -> list[Mapping[str, Any]]:
        return [each for each in await self.town.journal("audit") if each["audit"] == "dossier.overdue"]


@pytest.fixture
def hall() -> Hall:
    wish = {"subscriptions": wishes_for(*KINDS)}
    town = a_town(H33_05=wish, H33_16=wish)
    town.agree(an_agreement(), an_agreement(id="HS-2026", purpose="giai-quyet-tthc", contracts=("dossier.*",)))
    town.accept = replace(town.accept, dossier_of=said)
    assert isinstance(town.ledger, MemoryLedger)
    register = MemoryDossierRegister(town.ledger)
    step = Dossiers(register, town.ledger, lambda: town.catalog, lambda: CALENDAR, town.clock, "dossiers:test")
    return Hall(town, step)


@dataclass
class NewEvent:
    """A registration of a system, as it says of itself."""

    source: str
    type: str = "dossier.registered"
    version: str = "2.0"
    time: float = 0.0
    to: tuple[str, ...] = ()
    data: Any = field(default_factory=lambda: {
        "dossierCode": CODE, "procedure": {"code": "1.001234"}, "agency": {"code": "H33.05"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
        "status": {"code": 1, "at": "2026-11-23T08:00:00+07:00"}, "ext": {"x": {"is_portal": True}},
    })  # fmt: skip


def said(event: Event, routes: Sequence[Route], directory: Directory, now: float) -> DossierEvent | None:
    return said_of_dossier(event, routes, directory, now, CALENDAR)


async def test_a_message_that_speaks_of_a_dossier_gets_a_line_and_no_other(hall: Hall) -> None:
    await hall.town.sent()
    await hall.register("h33.05-261123-0001")

    (line,) = await hall.dossiers.register.story(CODE)

    assert (line.event.kind, line.event.agency, line.event.recipients) == ("registered", "H33.05", ("H33.16",))
    assert (line.event.status, line.event.procedure, line.event.written) == (2, "1.001234", "h33.05-261123-0001")
    assert line.source == ONE


async def test_whether_a_portal_says_it_is_told_by_its_registration_and_not_by_the_message(hall: Hall) -> None:
    directory = hall.town.directory
    event = NewEvent(ONE)

    for is_portal in (False, True):
        systems = {ONE: replace(directory.systems[ONE], is_portal=is_portal)}
        agency = replace(directory.agencies["H33.05"], systems=tuple(systems.values()))
        known = Directory([agency], [], gateway="H33.00/lgsp", version=1)
        line = said_of_dossier(event, [], known, 0.0, CALENDAR)  # type: ignore[arg-type]
        assert line is not None
        assert line.is_portal == is_portal


async def test_what_speaks_of_no_dossier_is_not_even_asked(hall: Hall) -> None:
    asked = []
    hall.town.accept = replace(hall.town.accept, dossier_of=lambda event, *_: asked.append(event.type))

    await hall.town.sent()
    assert asked == []
    await hall.register()
    assert asked == ["dossier.registered"]


async def test_a_dossier_is_shown_by_any_writing_of_its_code_with_its_record_and_its_children(hall: Hall) -> None:
    assert await hall.dossiers.view(CODE) is None
    await hall.register(due=MORNING + 10 * DAY)
    await hall.pass_time(60)
    await hall.hand_on()
    await hall.progress(4)

    dossier = await hall.dossiers.view(" h33.05-261123-0001 ")

    assert dossier is not None
    assert (dossier.code, dossier.status, dossier.lead) == (CODE, 4, "H33.05")
    assert dossier.record["applicant"]["name"] == "Nguyễn Văn Mẫu"
    assert dossier.record["status"]["code"] == 4
    version = hall.town.catalog.find("dossier.registered", "2.0")
    assert version is not None
    assert version.check(dossier.record) == ()
    assert dossier.children == (CHILD,)
    assert await hall.dossiers.children(CODE) == [CHILD]
    assert [leg.hop.to_agency for leg in dossier.legs] == ["H33.16"]


async def test_a_record_whose_messages_are_gone_is_empty_and_the_dossier_is_not(hall: Hall) -> None:
    await hall.register()
    assert isinstance(hall.town.ledger, MemoryLedger)
    await hall.town.work()
    assert hall.town.ledger.strip(MORNING + DAY) == 1

    dossier = await hall.dossiers.view(CODE)

    assert dossier is not None
    assert (dossier.status, dossier.record) == (2, {})


async def test_heads_follow_what_was_said(hall: Hall) -> None:
    await hall.register(due=MORNING + DAY)
    assert await hall.dossiers.register.head(CODE) is None

    assert await hall.dossiers.settle_once() == 1
    head = await hall.dossiers.register.head(CODE)
    assert head is not None
    assert (head.status, head.lead, head.procedure) == (2, "H33.05", "1.001234")
    assert head.track == ((2, MORNING),)

    await hall.pass_time(60)
    await hall.progress(4)
    assert await hall.dossiers.settle_once() == 1
    head = await hall.dossiers.register.head(CODE)
    assert head is not None
    assert (head.status, head.track) == (4, ((2, MORNING), (4, MORNING + 60)))
    assert await hall.dossiers.settle_once() == 0


async def test_of_a_missed_deadline_of_an_office_it_is_told_once_and_nothing_of_anybody(hall: Hall) -> None:
    before = DOSSIERS_OVERDUE.labels("hop")._value.get()
    await hall.register(due=MORNING + 30 * DAY)
    await hall.pass_time(60)
    await hall.hand_on(due=MORNING + HOUR)
    await hall.dossiers.settle_once()

    await hall.pass_time(HOUR - 60)
    assert await hall.dossiers.look_once() == 0, "its last moment is in time"
    await hall.pass_time(61)
    with capture_logs() as logs:
        assert await hall.dossiers.look_once() == 1
    assert await hall.dossiers.look_once() == 0
    await hall.progress(4)
    await hall.dossiers.settle_once()
    await hall.pass_time(DAY)
    assert await hall.dossiers.look_once() == 0

    (row,) = await hall.told()
    assert row["details"] == {"dossier": CODE, "agency": "H33.16", "due": MORNING + HOUR, "hop": 1}
    (line,) = [each for each in logs if each["event"] == "dossier.overdue"]
    assert {name: line[name] for name in ("dossier", "agency", "due", "hop")} == row["details"]
    assert "Mẫu" not in str((row, logs))
    assert DOSSIERS_OVERDUE.labels("hop")._value.get() == before + 1


async def test_of_a_whole_dossier_it_is_told_from_the_day_after_on(hall: Hall) -> None:
    await hall.register(due=MORNING + HOUR)
    await hall.pass_time(60)
    await hall.progress(4)
    await hall.dossiers.settle_once()

    await hall.pass_time(2 * HOUR)
    assert await hall.dossiers.look_once() == 0
    await hall.pass_time(DAY)
    assert await hall.dossiers.look_once() == 1

    (row,) = await hall.told()
    assert row["details"] == {"dossier": CODE, "agency": "H33.05", "due": MORNING + HOUR}


async def test_a_deadline_that_had_passed_when_the_bus_heard_of_it_is_told_too(hall: Hall) -> None:
    await hall.register(due=MORNING + 30 * DAY)
    await hall.dossiers.settle_once()
    await hall.pass_time(60)
    await hall.hand_on(due=MORNING - HOUR)
    await hall.dossiers.settle_once()

    assert await hall.dossiers.look_once() == 1


async def test_what_is_done_in_time_is_not_told(hall: Hall) -> None:
    await hall.register(due=MORNING + 30 * DAY)
    await hall.pass_time(60)
    await hall.hand_on(due=MORNING + HOUR)
    await hall.pass_time(60)
    await hall.progress(9, OTHER)
    await hall.dossiers.settle_once()

    await hall.pass_time(DAY)
    assert await hall.dossiers.look_once() == 0
    assert await hall.told() == []


async def test_one_that_cannot_be_worked_out_holds_back_no_other(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    await hall.register("H33.05-261123-0666")
    await hall.register(CODE)
    sound = Dossiers._worked_out

    async def broken(step: Dossiers, code: str, story: Any) -> Any:
        if code.endswith("666"):
            raise ValueError("unforeseen")
        return await sound(step, code, story)

    monkeypatch.setattr(Dossiers, "_worked_out", broken)
    with capture_logs() as logs:
        await hall.dossiers.settle_once()
        await hall.dossiers.settle_once()
    assert [each["dossier"] for each in logs if each["event"] == "step.failed"] == ["H33.05-261123-0666"]
    assert await hall.dossiers.register.head(CODE) is not None

    monkeypatch.setattr(Dossiers, "_worked_out", sound)
    await hall.pass_time(601)
    assert await hall.dossiers.settle_once() == 1
    assert await hall.dossiers.register.unsettled() == []


async def test_a_part_under_a_code_of_its_own_stands_where_that_dossier_does(hall: Hall) -> None:
    await hall.register(due=MORNING + 30 * DAY)
    await hall.pass_time(60)
    await hall.hand_on(due=MORNING + HOUR)
    now = written(hall.town.clock.now())
    data = {
        "dossierCode": CHILD, "procedure": {"code": "1.001234"}, "agency": {"code": "H33.16"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}, "status": {"code": 2, "at": now},
        "parent": {"dossierCode": CODE},
    }  # fmt: skip
    await hall.tell("dossier.registered", data, OTHER)
    await hall.dossiers.settle_once()
    await hall.pass_time(60)
    at = written(hall.town.clock.now())
    done = {"dossierCode": CHILD, "status": {"code": 9, "at": at}, "results": [{"name": "Kết quả"}], "finishedAt": at}
    await hall.tell("dossier.result-issued", done, OTHER)
    await hall.dossiers.settle_once()

    dossier = await hall.dossiers.course(CODE)
    assert dossier is not None
    assert [(leg.status, leg.ended_at) for leg in dossier.legs] == [(9, MORNING + 120)]
    head = await hall.dossiers.register.head(CODE)
    assert head is not None
    assert head.next_look is not None
    assert head.next_look > MORNING + DAY, "what is done there is not waited for here"
    await hall.pass_time(DAY)
    assert await hall.dossiers.look_once() == 0


async def test_a_ledger_that_is_away_puts_no_dossier_off(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    await hall.register()

    async def away(*_: Any) -> Any:
        raise Busy("overloaded", Text("Đang bận.", "It is busy."))

    with monkeypatch.context() as broken:
        broken.setattr(MemoryDossierRegister, "story", away)
        with pytest.raises(Busy):
            await hall.dossiers.settle_once()

    assert await hall.dossiers.settle_once() == 1
