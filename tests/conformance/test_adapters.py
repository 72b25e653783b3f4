"""Every adapter folder keeps the promises of the port, shown with its own agency in small."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import jsonschema
import pytest
import pytest_asyncio
import structlog

from gateway.calls.gate import SETTINGS as GATE
from gateway.core.content import InMemory, whole
from gateway.core.faults import (
    Busy,
    DeliveryFailure,
    Fault,
    Misconfigured,
    PermanentFailure,
    Text,
    TransientFailure,
)
from gateway.ports import (
    Adapter,
    AdapterContext,
    Answering,
    Call,
    Collected,
    NotReceived,
    Parcel,
    Received,
    Reply,
    Uncollectable,
)
from tests.adapters.fitting import CONTENT, SECRET, SENDER, Hands, a_parcel, an_event

ADAPTERS = Path(__file__).resolve().parents[2] / "adapters"
#: An adapter whose agency in small needs a server -> the fixture that gives its address.
SERVERS = {"amqp": "rabbit_url"}
NAMES = sorted(path.parent.name for path in ADAPTERS.glob("*/adapter.py"))


class AgencyInSmall(Protocol):
    """What a stand-in offers; the last ones where the adapter collects, or answers.

    ``fits`` turns the suite's parcel into one that the agency's software understands, CONTENT somewhere in its data;
    without it the parcel fits as it is.
    """

    settings: Mapping[str, Any]

    async def arrivals(self) -> list[str]: ...
    async def go_down(self) -> None: ...
    async def come_back(self) -> None: ...
    def hopeless(self, parcel: Parcel) -> Parcel: ...
    async def drop(self, event: Mapping[str, Any]) -> None: ...
    async def drop_rubbish(self) -> None: ...
    async def waiting(self) -> list[str]: ...
    async def refusals(self) -> list[str]: ...
    def visit(self, event: Mapping[str, Any]) -> Call: ...
    def rubbish_visit(self) -> Call: ...
    def stranger_visit(self, event: Mapping[str, Any]) -> Call: ...
    def said_yes(self, reply: Reply) -> bool: ...


@dataclass(slots=True)
class Stage:
    """One adapter facing its agency in small."""

    kind: ModuleType
    agency: AgencyInSmall
    hands: Hands
    context: AdapterContext
    adapter: Adapter

    def parcel(self, name: str | int = 1) -> Parcel:
        """A parcel that the agency's software understands."""
        parcel = a_parcel(self.context, name)
        return fitted(self.agency, parcel)

    @property
    def answering(self) -> Answering:
        """The adapter where it answers calls."""
        return cast("Answering", self.adapter)


def fitted(agency: AgencyInSmall, parcel: Parcel) -> Parcel:
    """The parcel as the agency's software understands it: the same delivery, and the suite's content in its data."""
    fits = getattr(agency, "fits", None)
    if fits is None:
        return parcel
    made: Parcel = fits(parcel)
    assert (made.delivery, made.message) == (parcel.delivery, parcel.message)
    assert CONTENT in json.dumps(dict(made.event)["data"], ensure_ascii=False)
    return made


@dataclass(slots=True)
class Desk:
    """Takes what calls bring, or does whatever else it is told to."""

    taken: list[Collected] = field(default_factory=list)
    instead: Exception | NotReceived | None = None

    async def take(self, item: Collected) -> Received | NotReceived:
        """Take an item as the bus does: the same id is the same item."""
        if isinstance(self.instead, Exception):
            raise self.instead
        if self.instead is not None:
            return self.instead
        known = str(item.event["id"]) in {str(each.event["id"]) for each in self.taken}
        self.taken.append(item)
        return Received(str(item.event["id"]), repeated=known)


Opener = Callable[[str], AbstractAsyncContextManager[tuple[AgencyInSmall, Hands]]]


def kind_of(name: str) -> ModuleType:
    return importlib.import_module(f"adapters.{name}.adapter")


def brings(name: str) -> bool:
    """Whether calls bring anything: a stand-in that says ``BRINGS = False`` only asks."""
    with contextlib.suppress(ImportError):
        return bool(getattr(importlib.import_module(f"adapters.{name}.stand_in"), "BRINGS", True))
    return True


def schema_of(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((ADAPTERS / name / "settings.schema.json").read_text("utf-8")))


@pytest.fixture
def open_agency(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the agency in small of an adapter, with what the adapter is given beside it."""

    @contextlib.asynccontextmanager
    async def opened(name: str) -> AsyncIterator[tuple[AgencyInSmall, Hands]]:
        stand_in = importlib.import_module(f"adapters.{name}.stand_in")
        servers = [request.getfixturevalue(SERVERS[name])] if name in SERVERS else []
        async with stand_in.agency(tmp_path, *servers) as agency:
            yield agency, Hands(tmp_path, broker_url=servers[0] if servers else "local")

    return opened


@pytest_asyncio.fixture
async def stage(request: pytest.FixtureRequest, open_agency: Opener) -> AsyncIterator[Stage]:
    name = request.param
    kind = kind_of(name)
    async with open_agency(name) as (agency, hands):
        context = hands.context(name, agency.settings)
        adapter = kind.open_adapter(context)
        yield Stage(kind, agency, hands, context, adapter)
        await adapter.close()


every = pytest.mark.parametrize("name", NAMES)
on_stage = pytest.mark.parametrize("stage", NAMES, indirect=True)
pushing = pytest.mark.parametrize("stage", [n for n in NAMES if kind_of(n).MODE == "push"], indirect=True)
pulling = pytest.mark.parametrize("stage", [n for n in NAMES if kind_of(n).MODE == "pull"], indirect=True)
collecting = pytest.mark.parametrize("stage", [n for n in NAMES if kind_of(n).COLLECTS], indirect=True)
_ANSWERING = [n for n in NAMES if getattr(kind_of(n), "ANSWERS", False)]
answering = pytest.mark.parametrize("stage", _ANSWERING, indirect=True)
bringing = pytest.mark.parametrize("stage", [n for n in _ANSWERING if brings(n)], indirect=True)


def test_the_adapters_that_come_with_the_product_are_found() -> None:
    assert {"webhook", "inbox", "edxml_folder", "amqp", "skeleton"} <= set(NAMES)
    assert {"lgsp_rest", "wso2_documents", "bkav_edoc"} <= set(NAMES)


# ------------------------------------------------------------------------------------------------ the folder


@every
def test_the_settings_schema_is_valid_and_every_member_is_described(name: str) -> None:
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["type"] == "object"
    assert len(schema["description"]) > 10
    assert [member for member, rule in schema["properties"].items() if len(rule.get("description", "")) < 10] == []


@every
def test_settings_that_nobody_understands_are_refused(name: str) -> None:
    validator = jsonschema.Draft202012Validator(schema_of(name))
    assert not validator.is_valid({"mistyped-setting": 1})
    assert not validator.is_valid([])
    for member in schema_of(name).get("required", []):
        assert not validator.is_valid({member: None})


@on_stage
async def test_the_agency_in_small_has_settings_that_pass_the_schema(stage: Stage) -> None:
    jsonschema.Draft202012Validator(schema_of(stage.context.system.adapter)).validate(dict(stage.agency.settings))


@every
def test_the_readme_says_in_both_languages_what_to_ask_of_the_agency(name: str) -> None:
    text = (ADAPTERS / name / "README.md").read_text("utf-8")
    assert "What to ask of the agency" in text
    assert "Cần đề nghị cơ quan" in text


@every
def test_the_module_says_which_way_it_works(name: str) -> None:
    kind = kind_of(name)
    assert kind.MODE in {"push", "pull"}
    assert isinstance(kind.COLLECTS, bool)
    assert isinstance(getattr(kind, "ANSWERS", False), bool)


@every
def test_settings_that_prove_callers_are_the_same_everywhere(name: str) -> None:
    members = schema_of(name)["properties"]
    asked = {each: members[each] for each in GATE if each in members}
    assert asked == {each: GATE[each] for each in asked}


# ------------------------------------------------------------------------------------------------ handing over


@pushing
async def test_a_message_handed_over_arrives_once_under_its_delivery_id(stage: Stage) -> None:
    parcel = stage.parcel()
    await stage.adapter.deliver(parcel)
    assert await stage.agency.arrivals() == [parcel.delivery]


@pushing
async def test_a_repeat_carries_the_same_id_so_that_the_agency_can_drop_it(stage: Stage) -> None:
    parcel = stage.parcel()
    await stage.adapter.deliver(parcel)
    await stage.adapter.deliver(replace(parcel, attempt=2))
    assert set(await stage.agency.arrivals()) == {parcel.delivery}


@pushing
async def test_two_messages_are_two(stage: Stage) -> None:
    one, two = stage.parcel(1), stage.parcel(2)
    await stage.adapter.deliver(one)
    await stage.adapter.deliver(two)
    assert sorted(await stage.agency.arrivals()) == sorted([one.delivery, two.delivery])


@pushing
async def test_an_agency_out_of_reach_is_a_temporary_failure_and_works_again_when_back(stage: Stage) -> None:
    parcel = stage.parcel()
    await stage.agency.go_down()
    with pytest.raises(TransientFailure):
        await stage.adapter.deliver(parcel)
    await stage.agency.come_back()
    await stage.adapter.deliver(parcel)
    assert await stage.agency.arrivals() == [parcel.delivery]


@pushing
async def test_what_the_agency_will_never_take_is_a_permanent_failure(stage: Stage) -> None:
    with pytest.raises(PermanentFailure):
        await stage.adapter.deliver(stage.agency.hopeless(a_parcel(stage.context)))
    assert await stage.agency.arrivals() == []


@pulling
async def test_an_adapter_whose_recipients_fetch_for_themselves_takes_nothing(stage: Stage) -> None:
    with pytest.raises(TransientFailure):
        await stage.adapter.deliver(a_parcel(stage.context))
    assert await stage.agency.arrivals() == []


@pushing
async def test_no_secret_and_no_content_stands_in_an_error_or_a_log_line(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    errors: list[DeliveryFailure] = []
    with structlog.testing.capture_logs() as logs:
        await stage.adapter.deliver(stage.parcel(1))
        for unlucky in (stage.agency.hopeless(a_parcel(stage.context, 2)),):
            with pytest.raises(DeliveryFailure) as failure:
                await stage.adapter.deliver(unlucky)
            errors.append(failure.value)
        await stage.agency.go_down()
        with pytest.raises(DeliveryFailure) as failure:
            await stage.adapter.deliver(stage.parcel(3))
        errors.append(failure.value)
        await stage.agency.come_back()
    said = "".join([*map(str, errors), *map(repr, errors), repr(logs), *capfd.readouterr()])
    key = SENDER.thumbprint
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "a secret of twenty-four.", CONTENT, key):
        assert secret not in said
    assert str(stage.adapter).count(SECRET) == 0


# -------------------------------------------------------------------------------------------------- collecting


@on_stage
async def test_where_nothing_waits_nothing_is_collected(stage: Stage) -> None:
    assert list(await stage.adapter.collect(10)) == []


@collecting
async def test_an_item_comes_again_until_it_is_settled_and_then_no_more(stage: Stage) -> None:
    await stage.agency.drop(an_event())
    (first,) = await stage.adapter.collect(10)
    (again,) = await stage.adapter.collect(10)
    assert isinstance(first, Collected)
    assert isinstance(again, Collected)
    assert (again.token, again.event["id"], again.origin) == (first.token, first.event["id"], first.origin)
    await stage.adapter.settle(first.token, None)
    await stage.adapter.settle(first.token, None)
    assert list(await stage.adapter.collect(10)) == []
    assert await stage.agency.waiting() == []
    assert await stage.agency.refusals() == []


@collecting
async def test_an_adapter_opened_anew_finds_the_same_item_and_can_settle_it(stage: Stage) -> None:
    await stage.agency.drop(an_event())
    (first,) = await stage.adapter.collect(10)
    other = stage.kind.open_adapter(stage.context)
    (again,) = await other.collect(10)
    assert isinstance(first, Collected)
    assert isinstance(again, Collected)
    assert again.token == first.token
    assert again.event["id"] == first.event["id"]
    third = stage.kind.open_adapter(stage.context)
    await third.settle(first.token, None)
    assert list(await other.collect(10)) == []
    await other.close()
    await third.close()


@collecting
async def test_a_collected_item_is_an_event_that_lacks_only_its_source(stage: Stage) -> None:
    await stage.agency.drop(an_event())
    (item,) = await stage.adapter.collect(10)
    assert isinstance(item, Collected)
    is_an_event(item)
    if not hasattr(stage.agency, "fits"):
        assert item.event["to"] == "H33.16"
        assert item.event["data"]["subject"] == CONTENT


def is_an_event(item: Collected) -> None:
    """Everything that the bus needs to seal it, and what its sender wrote."""
    assert {"specversion", "id", "type", "dataschema", "subject", "time", "datacontenttype", "data"} <= set(item.event)
    assert not {"source", "sealedby"} & set(item.event)
    assert CONTENT in json.dumps(item.event["data"], ensure_ascii=False)
    assert re.fullmatch(r"[0-9a-f]{64}", item.origin)
    assert all(len(whole(file.content)) == file.size for file in item.files)


@collecting
async def test_a_refused_item_is_given_back_with_the_reason_in_both_languages(stage: Stage) -> None:
    await stage.agency.drop(an_event())
    (item,) = await stage.adapter.collect(10)
    told = Text("Cơ quan cần ký thoả thuận trước.", "The agency must sign an agreement first.")
    for _ in range(2):
        await stage.adapter.settle(item.token, ("no-agreement", told))
    (note,) = await stage.agency.refusals()
    assert note.index(told.vi) < note.index(told.en)
    assert "no-agreement" in note
    assert await stage.agency.waiting() == []
    assert list(await stage.adapter.collect(10)) == []


@collecting
async def test_what_is_no_message_is_told_apart_and_does_not_hold_up_the_rest(stage: Stage) -> None:
    await stage.agency.drop_rubbish()
    await stage.agency.drop(an_event())
    items = await stage.adapter.collect(10)
    bad = [item for item in items if isinstance(item, Uncollectable)]
    assert len(items) == 2
    assert len(bad) == 1
    assert bad[0].reason.replace("-", "").isalnum()
    assert bad[0].detail.vi != bad[0].detail.en
    await stage.adapter.settle(bad[0].token, (bad[0].reason, bad[0].detail))
    assert len(await stage.agency.refusals()) == 1
    assert len(await stage.adapter.collect(10)) == 1


@collecting
async def test_no_more_is_collected_than_was_asked_for(stage: Stage) -> None:
    await stage.agency.drop(an_event())
    await stage.agency.drop_rubbish()
    assert len(await stage.adapter.collect(1)) == 1


@collecting
async def test_an_agency_out_of_reach_is_no_empty_agency(stage: Stage) -> None:
    await stage.agency.drop(an_event())
    await stage.agency.go_down()
    with pytest.raises(TransientFailure):
        await stage.adapter.collect(10)
    await stage.agency.come_back()
    assert len(await stage.adapter.collect(10)) == 1


@collecting
async def test_a_token_that_is_no_items_settles_nothing(stage: Stage) -> None:
    await stage.agency.drop(an_event())
    before = await stage.agency.waiting()
    for token in ("", "#", "nothing", "../nothing", "../../etc/passwd#0", ".", "..#x", "a/b#c"):
        await stage.adapter.settle(token, None)
        await stage.adapter.settle(token, ("no-agreement", Text("Lý do", "Reason")))
    assert await stage.agency.waiting() == before
    assert await stage.agency.refusals() == []


# -------------------------------------------------------------------------------------------------- answering

OTHER = "0193c0de-0000-7000-8000-000000000002"
#: What may become of an item that is no reason to tell its caller that it was taken.
NO: list[Exception | NotReceived] = [
    NotReceived("no-agreement", Text("Cơ quan cần ký thoả thuận trước.", "The agency must sign an agreement first.")),
    Busy("overloaded", Text("Bên gửi hãy gửi lại sau.", "The sender must come again."), retry_after=5),
    OSError(28, "No space left on device"),
]


async def answered(stage: Stage, desk: Desk, call: Call) -> Reply | None:
    """The reply; None where the adapter leaves the answer to the bus by raising a Fault."""
    try:
        reply = await stage.answering.answer(call, desk.take)
    except Fault:
        return None
    assert 200 <= reply.status <= 599
    return reply


def is_yes(stage: Stage, reply: Reply | None) -> bool:
    return reply is not None and stage.agency.said_yes(reply)


@bringing
async def test_what_a_call_brings_is_taken_once_before_the_caller_is_told_so(stage: Stage) -> None:
    desk = Desk()
    assert is_yes(stage, await answered(stage, desk, stage.agency.visit(an_event())))
    (item,) = desk.taken
    is_an_event(item)


@bringing
async def test_a_call_that_comes_again_brings_the_same_item_and_another_call_another(stage: Stage) -> None:
    desk = Desk()
    for _ in range(2):
        assert is_yes(stage, await answered(stage, desk, stage.agency.visit(an_event())))
    other = stage.kind.open_adapter(stage.context)
    try:
        await other.answer(stage.agency.visit(an_event()), desk.take)
        await other.answer(stage.agency.visit(an_event(id=OTHER, subject="H33.05,2026/11/23,13/STC-VP")), desk.take)
    finally:
        await other.close()
    first, again, elsewhere, another = desk.taken
    assert (first.event["id"], first.origin) == (again.event["id"], again.origin)
    assert (first.event["id"], first.origin) == (elsewhere.event["id"], elsewhere.origin)
    assert (first.event["id"], first.origin) != (another.event["id"], another.origin)


@bringing
@pytest.mark.parametrize("no", NO, ids=lambda no: type(no).__name__)
async def test_what_was_not_taken_is_never_a_yes(stage: Stage, no: Exception | NotReceived) -> None:
    desk = Desk(instead=no)
    try:
        reply = await answered(stage, desk, stage.agency.visit(an_event()))
    except OSError:
        reply = None
    assert not is_yes(stage, reply)
    desk.instead = None
    assert is_yes(stage, await answered(stage, desk, stage.agency.visit(an_event())))
    assert len(desk.taken) == 1


@answering
async def test_who_does_not_prove_itself_is_refused_and_nothing_is_taken(stage: Stage) -> None:
    desk = Desk()
    assert not is_yes(stage, await answered(stage, desk, stage.agency.stranger_visit(an_event())))
    assert desk.taken == []


@answering
async def test_what_a_caller_should_not_have_sent_is_answered_in_its_own_words(stage: Stage) -> None:
    desk = Desk()
    reply = await stage.answering.answer(stage.agency.rubbish_visit(), desk.take)
    assert not stage.agency.said_yes(reply)
    assert reply.body
    assert desk.taken == []


@answering
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff\xfe",
        b"[" * 200_000,
        b"<a>" * 200_000,
        b'{"a":' * 100_000,
        b'{"a":1,"a":2}',
        b"null",
        b"9" * 100_000,
        "\ud800".encode("utf-16-le", "surrogatepass"),
        b"--x\r\n" * 50_000,
        b"a=" * 100_000,
    ],
    ids=lambda body: repr(body[:8]),
)
async def test_no_body_however_wild_is_taken_or_brings_an_adapter_down(stage: Stage, body: bytes) -> None:
    desk = Desk()
    started = time.monotonic()
    sound = stage.agency.rubbish_visit()
    for call in (sound, replace(sound, method="GET"), replace(sound, path="no/such/path"), replace(sound, query={})):
        assert not is_yes(stage, await answered(stage, desk, replace(call, body=InMemory(body))))
    assert desk.taken == []
    assert time.monotonic() - started < 5


@bringing
async def test_no_secret_and_no_content_of_a_call_stands_in_an_error_or_a_log_line(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()
    said: list[str] = []
    with structlog.testing.capture_logs() as logs:
        for call in (stage.agency.visit(an_event()), stage.agency.stranger_visit(an_event())):
            for instead in (None, *NO):
                desk.instead = instead
                try:
                    await stage.answering.answer(call, desk.take)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
                    said += [str(error), repr(error)]
        await answered(stage, desk, stage.agency.rubbish_visit())
    told = "".join([*said, repr(logs), *capfd.readouterr(), str(stage.adapter)])
    brought = stage.agency.visit(an_event())
    secrets = [value for name, value in brought.fields.items() if name in {"authorization", "x-api-key"}]
    for secret in (CONTENT, SECRET, *secrets):
        assert secret not in told


@answering
async def test_settings_that_let_anybody_in_are_not_opened_or_let_nobody_in(stage: Stage) -> None:
    bare = {name: value for name, value in stage.agency.settings.items() if name not in GATE}
    if bare == dict(stage.agency.settings):
        return  # its callers are proven by something else, as the stranger above found out
    context = stage.hands.context(stage.context.system.adapter, bare)
    try:
        opened = stage.kind.open_adapter(context)
    except Misconfigured:
        return
    desk = Desk()
    with contextlib.suppress(Fault):
        assert not stage.agency.said_yes(await opened.answer(stage.agency.stranger_visit(an_event()), desk.take))
    await opened.close()
    assert desk.taken == []


# ----------------------------------------------------------------------------------------------- opening, closing


@on_stage
async def test_it_closes_within_five_seconds_used_or_not(stage: Stage) -> None:
    unused = stage.kind.open_adapter(stage.context)
    started = time.monotonic()
    async with asyncio.timeout(5):
        await unused.close()
        await stage.adapter.close()
    assert time.monotonic() - started < 5


@every
async def test_opening_needs_no_agency_within_reach_and_misconfigured_is_the_only_no(
    name: str, open_agency: Opener
) -> None:
    async with open_agency(name) as (agency, hands):
        await agency.go_down()
        try:
            opened = kind_of(name).open_adapter(hands.context(name, agency.settings))
        except Misconfigured as mistake:
            pytest.fail(str(mistake))
        await opened.close()
        await agency.come_back()
