"""/in/AGENCY/SYSTEM/…: a system's software calls the bus in its own words; what it brings is durable before the yes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway import checkpoints
from gateway.api.doors import Limits
from gateway.calls.gate import Gate
from gateway.core.content import InMemory, whole
from gateway.core.faults import Busy, Rejected, Text, TransientFailure
from gateway.core.visit import Call, NotReceived, Received, Reply
from gateway.ports import Collected, CollectedFile, Take
from gateway.relay.reception import Crowd
from tests.api.hall import PUBLIC_URL, Hall, conforms, open_hall, system_of
from tests.build import a_key
from tests.town import document

NAME = "H33.05/dms"
DOOR = "/in/H33.05/dms"
SECRET = "the caller's own secret"


@dataclass
class Portal:
    """An adapter in small: takes JSON, says YES or NO in its own words, and remembers how it was called."""

    hall: Hall
    gate: Gate | None = None
    calls: list[Call] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    instead: Callable[[Call, Take], Awaitable[Reply]] | None = None

    async def answer(self, call: Call, take: Take) -> Reply:
        """Take what the call brings."""
        self.calls.append(call)
        if self.gate is not None and not self.gate.lets_in(call):
            return Reply(b"WHO ARE YOU", 401, "text/plain")
        self.bodies.append(whole(call.body))
        if self.instead is not None:
            return await self.instead(call, take)
        try:
            brought = json.loads(self.bodies[-1])
        except ValueError:
            return Reply(b"NO: unreadable", 200, "text/plain")
        said = await take(self.item(**brought))
        if isinstance(said, NotReceived):
            return Reply(f"NO: {said.problem}".encode(), 200, "text/plain")
        return Reply(f"YES: {said.id}".encode(), 200, "text/plain", {"X-Repeated": str(said.repeated)})

    def item(self, name: str = "one", files: Sequence[str] = (), **override: Any) -> Collected:
        """What a call brings, as an event without source."""
        came = tuple(CollectedFile("application/pdf", InMemory(each.encode())) for each in files)
        named = [
            {"name": "a.pdf", "mediaType": each.media_type, "size": each.size, "sha256": each.sha256} for each in came
        ]
        data = document(files=named) if named else document()
        members = self.hall.town.event(id=a_key(name), data=data, **override)
        del members["source"]
        return Collected(name, members, hashlib.sha256(name.encode()).hexdigest(), came)

    async def collect(self, _: int) -> Sequence[Collected]:
        """Nothing waits here."""
        return []


@pytest.fixture
async def portal(hall: Hall) -> Portal:
    return with_a_door(hall)


def with_a_door(hall: Hall) -> Portal:
    """Let H33.05/dms be a system that the bus seals for and whose software calls."""
    old = hall.town.directory.system(NAME)
    assert old is not None
    hall.register(replace(old, sealing="gateway"))
    made = Portal(hall)
    hall.answering[NAME] = made
    return made


async def bring(hall: Hall, path: str = "receive", **brought: Any) -> Any:
    return await hall.ask("POST", f"{DOOR}/{path}", data=json.dumps(brought).encode())


# ------------------------------------------------------------------------------------------------- taking


async def test_what_a_call_brings_is_durable_before_the_caller_is_told(hall: Hall, portal: Portal) -> None:
    answer = await bring(hall)

    assert (answer.status, answer.body.decode()) == (200, f"YES: {a_key('one')}")
    assert answer.headers["Content-Type"] == "text/plain"
    assert await hall.town.ledger.envelope(a_key("one")) is not None
    assert answer.headers["X-Repeated"] == "False"


async def test_the_same_again_is_the_same_message(hall: Hall, portal: Portal) -> None:
    first, again = await bring(hall), await bring(hall)

    assert first.body == again.body
    assert again.headers["X-Repeated"] == "True"


async def test_the_same_at_one_moment_is_one_message(hall: Hall, portal: Portal) -> None:
    answers = await asyncio.gather(*(bring(hall) for _ in range(8)))

    assert {answer.body for answer in answers} == {f"YES: {a_key('one')}".encode()}
    assert [answer.headers["X-Repeated"] for answer in answers].count("False") == 1


async def test_files_that_come_with_it_are_kept_first(hall: Hall, portal: Portal) -> None:
    answer = await bring(hall, files=["a scan"])

    assert answer.body.startswith(b"YES")
    assert hall.town.files.is_present(hashlib.sha256(b"a scan").hexdigest())


async def test_what_is_refused_is_told_to_the_adapter_and_stands_in_the_audit(hall: Hall, portal: Portal) -> None:
    answer = await bring(hall, to="H33.99")

    assert answer.body == b"NO: unknown-recipient"
    rows = [(row["audit"], row["actor"]) for row in await hall.town.journal("audit")]
    assert rows == [("message.refused", NAME), ("item.refused", NAME)]
    assert await hall.town.ledger.envelope(a_key("one")) is None


async def test_a_file_over_the_limit_is_refused_as_any(hall: Hall, portal: Portal) -> None:
    assert (await bring(hall, files=["x" * 5000])).body == b"NO: too-large"


async def test_a_bus_that_is_busy_is_never_a_yes(hall: Hall, portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: Any) -> Any:
        raise Busy(
            "overloaded", Text("Trục đang đầy, hãy gửi lại sau.", "Full: come back in a little while."), retry_after=7
        )

    monkeypatch.setattr(type(hall.town.ledger), "accept_many", busy)

    answer = await bring(hall)

    answer.problem("overloaded", 503)
    assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize("point", ["collect.files-kept", "accept.kept", "collect.accepted"])
async def test_a_fall_at_any_point_costs_a_repeat_and_nothing_else(hall: Hall, portal: Portal, point: str) -> None:
    class Fallen(Exception):
        pass

    def fall() -> None:
        raise Fallen

    checkpoints.arm(point, 1, fall)
    fallen = await bring(hall, files=["a scan"])
    again = await bring(hall, files=["a scan"])

    fallen.problem("internal", 500)
    assert again.body.decode() == f"YES: {a_key('one')}"
    assert again.headers["X-Repeated"] == str(point != "collect.files-kept")


# ------------------------------------------------------------------------------------------------- the call


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
async def test_any_method_and_path_is_the_adapters_to_understand(hall: Hall, portal: Portal, method: str) -> None:
    async def said(call: Call, _: Take) -> Reply:
        return Reply(b"seen", 201)

    portal.instead = said
    answer = await hall.ask(
        method, f"{DOOR}/api/v2/nhận?a=1&b=%C4%91&a=2", data=b"abc", headers={"X-Own": "value", "X-Twice": "1"}
    )

    (call,) = portal.calls
    assert (answer.status, answer.body) == (201, b"seen")
    assert (call.method, call.path, dict(call.query)) == (method, "api/v2/nhận", {"a": "1", "b": "đ"})
    assert (call.fields["x-own"], call.address, portal.bodies) == ("value", "127.0.0.1", [b"abc"])


@pytest.mark.parametrize(("path", "seen"), [("", ""), ("/", ""), ("/a/", "a/"), ("/a//b", "a//b"), ("/..%2fx", "../x")])
async def test_the_door_itself_is_a_path_too(hall: Hall, portal: Portal, path: str, seen: str) -> None:
    await hall.ask("POST", DOOR + path, data=b"{}")

    assert [call.path for call in portal.calls] == [seen]


async def test_an_alias_of_the_agency_is_the_agency(hall: Hall, portal: Portal) -> None:
    agency = hall.town.directory.agencies["H33.05"]
    assert agency.aliases
    for alias in agency.aliases:
        assert (await hall.ask("POST", f"/in/{alias}/dms/x", data=b"{}")).status == 200


@pytest.mark.parametrize("path", ["/in/H33.16/dms/x", "/in/H33.05/other/x", "/in/none/none/", "/in", "/in/H33.05"])
async def test_where_there_is_no_door_there_is_nothing(hall: Hall, portal: Portal, path: str) -> None:
    (await hall.ask("POST", path, data=b"{}")).problem("not-found", 404)
    assert portal.calls == []


async def test_a_large_body_lies_on_disk_and_comes_whole(hall: Hall, portal: Portal) -> None:
    content = bytes(range(256)) * 8192

    async def said(call: Call, _: Take) -> Reply:
        assert type(call.body).__name__ == "ScratchFile"
        return Reply(call.body.sha256.encode())

    portal.instead = said
    answer = await hall.ask("POST", DOOR, data=io.BytesIO(content))

    assert answer.body.decode() == hashlib.sha256(content).hexdigest()


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[Hall]:
    """A hall whose doors take a kilobyte, within half a second."""
    async with open_hall(tmp_path, limits=Limits(visit=1024, visit_seconds=0.3)) as opened:
        with_a_door(opened)
        yield opened


async def chunks(*pieces: bytes, pause: float = 0) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(pause)


async def test_no_more_is_read_than_the_door_takes(narrow: Hall) -> None:
    (await narrow.ask("POST", DOOR, data=b"x" * 1025)).problem("too-large", 413)
    (await narrow.ask("POST", DOOR, data=chunks(*[b"x" * 300] * 5))).problem("too-large", 413)
    assert (await narrow.ask("POST", DOOR, data=b"x" * 1024)).status == 200


async def test_nobody_waits_for_ever_for_a_body(narrow: Hall) -> None:
    (await narrow.ask("POST", DOOR, data=chunks(b"x", b"y", pause=0.5))).problem("bad-request", 400)


async def test_a_compressed_body_is_not_taken(hall: Hall, portal: Portal) -> None:
    answer = await hall.ask("POST", DOOR, data=b"x", headers={"Content-Encoding": "gzip"})

    answer.problem("unsupported-media-type", 415)
    assert portal.calls == []


async def test_an_adapter_says_by_the_head_of_a_call_how_much_of_it_is_read(hall: Hall, portal: Portal) -> None:
    class Doorkeeper:
        def lets_in(self, _: Call) -> bool:
            return True

        def most(self, call: Call) -> int | None:
            return 100 if call.path == "token" else None

    portal.gate = Doorkeeper()  # type: ignore[assignment]
    (await hall.ask("POST", f"{DOOR}/token", data=b"x" * 101)).problem("too-large", 413)
    assert portal.calls == []
    assert (await hall.ask("POST", f"{DOOR}/token", data=b"x" * 100)).body == b"NO: unreadable"
    assert (await hall.ask("POST", f"{DOOR}/other", data=b"x" * 101)).body == b"NO: unreadable"


# ------------------------------------------------------------------------------------------------- strangers


async def test_who_does_not_pass_the_gate_is_refused_in_the_adapters_words_and_its_body_is_not_read(
    hall: Hall, portal: Portal
) -> None:
    portal.gate = Gate(secret_file="keys/caller", read_secret=lambda _: SECRET.encode())

    async def endless() -> AsyncIterator[bytes]:
        yield b"{}"
        await asyncio.sleep(30)

    async with asyncio.timeout(5):
        stranger = await hall.ask("POST", DOOR, data=endless())
    known = await hall.ask("POST", DOOR, data=b"{}", headers={"Authorization": f"Bearer {SECRET}"})

    assert (stranger.status, stranger.body) == (401, b"WHO ARE YOU")
    assert known.status == 200
    assert [call.body.size for call in portal.calls] == [0, 2]
    assert [key for key in hall.town.accept.refusals if key[2] == "unauthenticated"]


async def test_a_header_cannot_lie_about_the_callers_address(hall: Hall, portal: Portal) -> None:
    portal.gate = Gate(callers=["10.0.0.0/8"], read_secret=lambda _: b"")
    lying = {"X-Forwarded-For": "10.1.1.1", "Forwarded": "for=10.1.1.1", "X-Real-IP": "10.1.1.1"}

    assert (await hall.ask("POST", DOOR, data=b"{}", headers=lying)).status == 401
    assert portal.calls[0].address == "127.0.0.1"


async def test_a_secret_that_cannot_be_read_is_the_bus_fault_and_not_the_callers(hall: Hall, portal: Portal) -> None:
    def unreadable(path: str) -> bytes:
        raise FileNotFoundError(path)

    portal.gate = Gate(secret_file="keys/caller", read_secret=unreadable)
    with structlog.testing.capture_logs() as logs:
        answer = await hall.ask("POST", DOOR, data=b"{}")

    answer.problem("overloaded", 503)
    assert [line["detail"].count("keys/caller") for line in logs if line["event"] == "visit.failed"] == [1]
    assert "keys" not in answer.body.decode()


# --------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("error", "problem", "status"),
    [
        (
            Rejected("unauthenticated", Text("Bên gọi lạ, hãy tự giới thiệu.", "Who are you, stranger?")),
            "unauthenticated",
            401,
        ),
        (Rejected("bad-request", Text("Bên gọi hãy sửa yêu cầu.", "The caller must mend it.")), "bad-request", 400),
        (Busy("overloaded", Text("Bên gọi hãy gửi lại sau.", "Come again in a while.")), "overloaded", 503),
        (TransientFailure("the far side is away"), "overloaded", 503),
        (RuntimeError(SECRET), "internal", 500),
        (ConnectionError(SECRET), "internal", 500),
    ],
)
async def test_what_goes_wrong_in_an_adapter_becomes_a_problem_that_holds_no_secret(
    hall: Hall, portal: Portal, error: Exception, problem: str, status: int
) -> None:
    async def fails(_: Call, __: Take) -> Reply:
        raise error

    portal.instead = fails
    with structlog.testing.capture_logs() as logs:
        answer = await hall.ask("POST", f"{DOOR}/x?secret={SECRET}", data=b"{}")

    answer.problem(problem, status)
    assert SECRET not in answer.body.decode()
    assert SECRET not in repr([{k: v for k, v in line.items() if k != "exc_info"} for line in logs])
    if problem == "overloaded":
        assert int(answer.headers["Retry-After"]) >= 1


async def test_an_adapter_that_does_not_come_to_an_end_is_not_waited_for(hall: Hall, portal: Portal) -> None:
    async def sleeps(_: Call, __: Take) -> Reply:
        await asyncio.sleep(30)
        return Reply()

    portal.instead = sleeps
    assert hall.doors.reception is not None
    object.__setattr__(hall.doors.reception, "within", 0.05)

    (await hall.ask("POST", DOOR, data=b"{}")).problem("overloaded", 503)


@pytest.mark.parametrize(
    "reply", [Reply(b"", 99), Reply(b"", 101), Reply(b"", 700), Reply(b"", 200, "a\r\nSet-Cookie: b")]
)
async def test_an_answer_that_is_none_is_not_sent(hall: Hall, portal: Portal, reply: Reply) -> None:
    async def said(_: Call, __: Take) -> Reply:
        return reply

    portal.instead = said
    (await hall.ask("POST", DOOR, data=b"{}")).problem("internal", 500)


async def test_an_adapter_that_cannot_be_opened_is_told_to_the_operator_and_the_caller_comes_again(hall: Hall) -> None:
    class Shut(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            raise TransientFailure("agencies/H33.05.toml: no such folder")

    with_a_door(hall)
    assert hall.doors.reception is not None
    shut = Shut()
    object.__setattr__(hall.doors.reception, "adapter_of", lambda system: shut[system.name])

    with structlog.testing.capture_logs() as logs:
        (await hall.ask("POST", DOOR, data=b"{}")).problem("overloaded", 503)

    assert [line["agency"] for line in logs if line["event"] == "visit.failed"] == [NAME]


# ----------------------------------------------------------------------------------------------------- crowds


async def test_one_caller_may_have_so_much_under_way_and_no_more(hall: Hall, portal: Portal) -> None:
    free = asyncio.Event()

    async def waits(_: Call, __: Take) -> Reply:
        await free.wait()
        return Reply(b"done")

    portal.instead = waits
    assert hall.doors.reception is not None
    object.__setattr__(hall.doors.reception, "crowd", Crowd(of_one_caller=2, at_one_door=3))
    under_way = [asyncio.create_task(hall.ask("POST", DOOR, data=b"{}")) for _ in range(2)]
    async with asyncio.timeout(5):
        while len(portal.calls) < 2:  # noqa: ASYNC110 - the other end rings no bell
            await asyncio.sleep(0.01)

    refused = await hall.ask("POST", DOOR, data=b"{}")
    free.set()

    refused.problem("rate-limited", 429)
    assert refused.headers["Retry-After"] == "5"
    assert [answer.status for answer in await asyncio.gather(*under_way)] == [200, 200]
    assert (await hall.ask("POST", DOOR, data=b"{}")).status == 200


def test_one_door_and_all_doors_have_their_limits_too() -> None:
    crowd = Crowd(of_one_caller=2, at_one_door=3, held_at_one_door=100, held=150)
    with crowd.joined("a", "1") as one, crowd.joined("a", "2"), crowd.joined("a", "3"):
        with pytest.raises(Busy) as full, crowd.joined("a", "4"):
            pass
        assert full.value.problem == "overloaded"
        with crowd.joined("b", "1") as other:
            one.take(100)
            other.take(50)
            with pytest.raises(Busy):
                other.take(1)
        with crowd.joined("b", "1") as other:
            other.take(50)
    with crowd.joined("a", "1") as one, pytest.raises(Busy):
        one.take(101)
    assert crowd == Crowd(of_one_caller=2, at_one_door=3, held_at_one_door=100, held=150)


# ------------------------------------------------------------------------------------------------------ telling


async def test_a_call_is_one_line_and_one_count_and_tells_neither_path_nor_query_nor_body(
    hall: Hall, portal: Portal
) -> None:
    with structlog.testing.capture_logs() as logs:
        await hall.ask("POST", f"{DOOR}/api/{SECRET}?token={SECRET}", data=json.dumps({"subject": SECRET}).encode())

    (line,) = [each for each in logs if each["event"] == "request.answered"]
    assert (line["door"], line["system"], line["status"]) == ("/in/{agency}/{system}/{path}", NAME, 200)
    assert line["message_id"] == a_key("one")
    assert SECRET not in repr(logs)
    figures = (await hall.get("/metrics")).body.decode()
    assert 'door="/in/{agency}/{system}/{path}"' in figures


async def test_nobody_makes_up_counters(hall: Hall, portal: Portal) -> None:
    await hall.ask("PROPFIND", DOOR, data=b"{}")

    assert "PROPFIND" not in (await hall.get("/metrics")).body.decode()


async def test_a_system_is_told_where_its_door_is(hall: Hall, portal: Portal) -> None:
    hall.register(replace(system_of(hall, NAME), sealing="self"))
    told = (await hall.get("/v1/me", token=await hall.token(NAME))).json
    other = (await hall.get("/v1/me", token=await hall.token("H33.16/dms"))).json

    conforms("Me", told)
    assert told["door"] == f"{PUBLIC_URL}{DOOR}/"
    assert "door" not in other


async def test_received_and_not_received_say_so(hall: Hall, portal: Portal) -> None:
    seen: list[Received | NotReceived] = []

    async def takes(_: Call, take: Take) -> Reply:
        seen.append(await take(portal.item("two")))
        return Reply()

    portal.instead = takes
    with structlog.testing.capture_logs() as logs:
        await hall.ask("POST", DOOR, data=b"{}")
        await hall.ask("POST", DOOR, data=b"{}")

    first, again = seen
    assert isinstance(first, Received)
    assert isinstance(again, Received)
    assert (first.repeated, again.repeated) == (False, True)
    assert len([each for each in logs if each["event"] == "item.received"]) == 2
