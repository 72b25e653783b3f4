"""Every adapter folder keeps the promises of the port, shown with its own agency in small."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import jsonschema
import pytest
import pytest_asyncio
import structlog

from gateway.core.content import whole
from gateway.core.faults import DeliveryFailure, Misconfigured, PermanentFailure, Text, TransientFailure
from gateway.ports import Adapter, AdapterContext, Collected, Parcel, Uncollectable
from tests.adapters.fitting import CONTENT, SECRET, SENDER, Hands, a_parcel, an_event

ADAPTERS = Path(__file__).resolve().parents[2] / "adapters"
#: An adapter whose agency in small needs a server -> the fixture that gives its address.
SERVERS = {"amqp": "rabbit_url"}
NAMES = sorted(path.parent.name for path in ADAPTERS.glob("*/adapter.py"))


class AgencyInSmall(Protocol):
    """What a stand-in offers; the last four where the adapter collects."""

    settings: Mapping[str, Any]

    async def arrivals(self) -> list[str]: ...
    async def go_down(self) -> None: ...
    async def come_back(self) -> None: ...
    def hopeless(self, parcel: Parcel) -> Parcel: ...
    async def drop(self, event: Mapping[str, Any]) -> None: ...
    async def drop_rubbish(self) -> None: ...
    async def waiting(self) -> list[str]: ...
    async def refusals(self) -> list[str]: ...


@dataclass(slots=True)
class Stage:
    """One adapter facing its agency in small."""

    kind: ModuleType
    agency: AgencyInSmall
    hands: Hands
    context: AdapterContext
    adapter: Adapter


Opener = Callable[[str], AbstractAsyncContextManager[tuple[AgencyInSmall, Hands]]]


def kind_of(name: str) -> ModuleType:
    return importlib.import_module(f"adapters.{name}.adapter")


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


# ------------------------------------------------------------------------------------------------ handing over


@pushing
async def test_a_message_handed_over_arrives_once_under_its_delivery_id(stage: Stage) -> None:
    parcel = a_parcel(stage.context)
    await stage.adapter.deliver(parcel)
    assert await stage.agency.arrivals() == [parcel.delivery]


@pushing
async def test_a_repeat_carries_the_same_id_so_that_the_agency_can_drop_it(stage: Stage) -> None:
    parcel = a_parcel(stage.context)
    await stage.adapter.deliver(parcel)
    await stage.adapter.deliver(replace(parcel, attempt=2))
    assert set(await stage.agency.arrivals()) == {parcel.delivery}


@pushing
async def test_two_messages_are_two(stage: Stage) -> None:
    one, two = a_parcel(stage.context, 1), a_parcel(stage.context, 2)
    await stage.adapter.deliver(one)
    await stage.adapter.deliver(two)
    assert sorted(await stage.agency.arrivals()) == sorted([one.delivery, two.delivery])


@pushing
async def test_an_agency_out_of_reach_is_a_temporary_failure_and_works_again_when_back(stage: Stage) -> None:
    parcel = a_parcel(stage.context)
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
        await stage.adapter.deliver(a_parcel(stage.context, 1))
        for unlucky in (stage.agency.hopeless(a_parcel(stage.context, 2)),):
            with pytest.raises(DeliveryFailure) as failure:
                await stage.adapter.deliver(unlucky)
            errors.append(failure.value)
        await stage.agency.go_down()
        with pytest.raises(DeliveryFailure) as failure:
            await stage.adapter.deliver(a_parcel(stage.context, 3))
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
    assert {"specversion", "id", "type", "dataschema", "subject", "time", "datacontenttype", "to", "data"} <= set(
        item.event
    )
    assert not {"source", "sealedby"} & set(item.event)
    assert item.event["to"] == "H33.16"
    assert item.event["data"]["subject"] == CONTENT
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
