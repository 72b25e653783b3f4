"""A far side told by one file: what goes out, what an answer means, how lists are read, whatever is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.rest import adapter, stand_in
from gateway.calls.described.service import FarSide
from gateway.core.faults import (
    DeliveryFailure,
    DestinationGone,
    Misconfigured,
    PermanentFailure,
    TimedOut,
    TransientFailure,
)
from gateway.ports import Collected, Uncollectable
from tests.adapters.described import Anybody, a_procedure, anybody, described, quickly
from tests.adapters.fitting import Hands, a_parcel, an_event

SEND = {
    "contract": "procedure.catalogue", "version": "1.0", "verb": "POST", "path": "/p",
    "request": {"rules": [{"move": "/data/code", "to": "/ma"}]},
    "reply": {
        "success": [{"at": "/ok", "in": [1]}],
        "errors": [
            {"at": "/loi", "in": ["sai"], "means": "never"}, {"at": "/loi", "in": ["co"], "means": "there"},
            {"status": [410], "means": "refused"},
        ],
    },
}  # fmt: skip
LIST = {
    "name": "moi", "contract": "procedure.catalogue", "version": "1.0", "verb": "GET", "path": "/moi",
    "items": "/rows", "identity": {"ma": "/ma"}, "subject": "/code",
    "item": {"rules": [{"move": "/ma", "to": "/code"}], "needs": ["/code"]},
}  # fmt: skip
WINDOW = {
    **LIST, "by": "window", "overlap_seconds": 600, "may_lack": False,
    "request": {"format": "query", "rules": [
        {"date": "/window/since", "to": "/tu", "from": "iso-date-time", "as": "vn-date-time", "otherwise": "drop"},
        {"move": "/window/until", "to": "/den"}, {"move": "/page/number", "to": "/trang"},
        {"move": "/cursor", "to": "/tiep"},
    ]},
}  # fmt: skip


@pytest_asyncio.fixture
async def far() -> AsyncIterator[Anybody]:
    async with anybody() as made:
        yield made


def opened(folder: Path, far: Anybody, hands: Hands | None = None, **raw: Any) -> FarSide:
    name = described(folder, raw)
    hands = hands or Hands(folder)
    options = {"url": far.counter.url, "description": name, "poll_seconds": 0, "timeout": 2}
    return adapter.open_adapter(hands.context("rest", options))


def codes(items: Any) -> list[str]:
    return [each.event["data"]["code"] for each in items if isinstance(each, Collected)]


# ------------------------------------------------------------------------------------------------ what goes out


async def test_an_answer_means_what_the_description_says_whatever_the_http_status(tmp_path: Path, far: Anybody) -> None:
    side = opened(tmp_path, far, sends=[SEND])
    meanings: list[tuple[bytes, int, type[Exception] | None]] = [
        (b'{"ok":1}', 200, None),
        (b'{"ok":"01"}', 201, None),
        (b'{"loi":"co"}', 200, None),
        (b'{"loi":"sai"}', 200, PermanentFailure),
        (b'{"ok":1}', 500, TransientFailure),
        (b'{"ok":0}', 200, TransientFailure),
        (b"<html>502</html>", 200, TransientFailure),
        (b"", 200, TransientFailure),
        (b"{}", 410, DestinationGone),
        (b"{}", 401, DestinationGone),
        (b"{}", 413, PermanentFailure),
    ]
    for body, status, failure in meanings:
        far.says(body, status)
        if failure is None:
            await side.deliver(a_procedure(Hands(tmp_path)))
        else:
            with pytest.raises(failure):
                await side.deliver(a_procedure(Hands(tmp_path)))
    await side.close()


async def test_the_path_the_key_against_repeats_and_the_reference_are_as_described(
    tmp_path: Path, far: Anybody
) -> None:
    send = {
        **SEND, "verb": "PUT", "path": "/p/{ma}", "path_values": {"ma": "/data/code"}, "idempotency": "X-Key",
        "reference": "/so",
    }  # fmt: skip
    side = opened(tmp_path, far, sends=[send], fields={"X-App": "{{not a template}}"})
    far.says(b'{"ok":1,"so":"A-1"}')
    parcel = a_procedure(Hands(tmp_path))
    handed = await side.deliver(parcel)
    ((method, path, fields, body),) = far.asked
    assert (method, path, json.loads(body)) == ("PUT", "/p/1.000001", {"ma": "1.000001"})
    assert fields["X-Key"] == fields["lgsp-delivery"] == parcel.delivery
    assert handed.reference == "A-1"
    for hostile in ("../x", "..", "a/../b", "a\\..", "/a", "a//b", "a\n", "x" * 201, "", " "):
        with pytest.raises(PermanentFailure):
            await side.deliver(a_procedure(Hands(tmp_path), hostile))
    assert len(far.asked) == 1
    for code, escaped in (
        ("12/5 A", "12%2F5%20A"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("a%2f", "a%252f"),
        ("Đ1", "%C4%901"),
    ):
        await side.deliver(a_procedure(Hands(tmp_path), code))
        assert far.asked[-1][1] == f"/p/{escaped}"
    await side.close()


async def test_after_a_lost_answer_the_far_side_is_asked_before_it_is_told_again(tmp_path: Path) -> None:
    async with stand_in.agency(tmp_path) as catalogue:
        hands = Hands(tmp_path)
        side = adapter.open_adapter(hands.context("rest", catalogue.settings))
        catalogue.faults.lost = 2  # a PUT is repeated once by the client itself, as HTTP lets it
        with pytest.raises(TimedOut):
            await side.deliver(a_procedure(hands))
        assert (await side.deliver(a_procedure(hands, attempt=2))).reference == "found there"
        told = len(catalogue.deliveries)
        catalogue.procedures.clear()
        await side.deliver(a_procedure(hands, attempt=3))
        assert len(catalogue.deliveries) == told + 1
        assert len(await catalogue.arrivals()) == 1
        catalogue.closed = True
        with pytest.raises(DestinationGone):
            await side.deliver(a_procedure(hands))
        await side.close()


async def test_a_message_that_the_description_does_not_name_is_a_permanent_failure(
    tmp_path: Path, far: Anybody
) -> None:
    side = opened(tmp_path, far, sends=[SEND])
    with pytest.raises(PermanentFailure, match=r"does not say how document\.issued 1\.0"):
        await side.deliver(a_parcel(Hands(tmp_path).context("rest", {}), event=an_event()))
    assert far.asked == []
    await side.close()


# ------------------------------------------------------------------------------------------------ what is asked


async def test_a_question_gets_the_answers_data_or_none_where_there_is_no_such_record(tmp_path: Path) -> None:
    async with stand_in.agency(tmp_path) as catalogue:
        side = adapter.open_adapter(Hands(tmp_path).context("rest", catalogue.settings))
        catalogue.parcels["12", "5"] = [{"to": 12, "so": "5", "dienTich": 120}]
        assert await side.ask(_question("12", "5")) == {
            "parcels": [{"mapSheet": "12", "parcelNumber": "5", "area": 120}]
        }
        assert await side.ask(_question("12", "6")) is None
        with pytest.raises(PermanentFailure):
            await side.ask(_question("12", ""))
        await catalogue.go_down()
        with pytest.raises(TransientFailure):
            await side.ask(_question("12", "5"))
        await side.close()


def _question(sheet: str, number: str) -> Any:
    event = an_event(
        type="land.lookup", dataschema="urn:lgsp:contract:land.lookup:1.0",
        data={"by": "parcel", "parcel": {"mapSheet": sheet, "parcelNumber": number}, "officer": {"account": "mau.nv"}},
    )  # fmt: skip
    return SimpleNamespace(event=event, within=2.0)


# ------------------------------------------------------------------------------------------------ what is fetched


async def test_a_window_reads_back_over_the_overlap_and_moves_on_only_when_all_is_settled(
    tmp_path: Path, far: Anybody
) -> None:
    hands = Hands(tmp_path, moment=1_795_000_000.0)
    side = opened(tmp_path, far, hands, collects=[WINDOW])
    far.says(b'{"rows":[{"ma":"1"},{"ma":"2"}]}')
    first = await side.collect(10)
    assert codes(first) == ["1", "2"]
    await side.settle(first[0].token, None)
    hands.moment += 5000
    assert codes(await side.collect(10)) == ["2"]
    starts = [path.split("tu=")[1].split("&")[0] for _, path, _, _ in far.asked]
    assert starts[0] == starts[1], "something is not settled: it must be read again"
    await side.settle(first[1].token, None)
    hands.moment += 5000
    assert codes(await side.collect(10)) == []
    again = opened(tmp_path, far, hands, collects=[WINDOW])
    assert codes(await again.collect(10)) == [], "another process knows what is done with"
    starts = [path.split("tu=")[1].split("&")[0] for _, path, _, _ in far.asked]
    assert starts[-1] == starts[-2] != starts[0]
    assert all(b"moi:" not in note.read_bytes() for note in (tmp_path / "var/rest").iterdir()), "no identity in notes"
    await side.close()
    await again.close()


async def test_a_cursor_is_kept_when_all_before_it_is_settled(tmp_path: Path, far: Anybody) -> None:
    part = {**WINDOW, "by": "cursor", "next": "/next"}
    pages = {"": ("a", "1"), "a": ("b", "2"), "b": ("", "3")}

    def told(request: Any, _: bytes) -> Any:
        following, code = pages[request.query["tiep"]]
        from aiohttp import web

        return web.json_response({"rows": [{"ma": code}], "next": following})

    far.told = told
    side = opened(tmp_path, far, collects=[part])
    found = await side.collect(10)
    assert codes(found) == ["1", "2", "3"]
    for each in found:
        await side.settle(each.token, None)
    await side.collect(10)
    other = opened(tmp_path, far, collects=[part])
    far.asked.clear()
    assert codes(await other.collect(10)) == []
    assert ["tiep=b" in path for _, path, _, _ in far.asked] == [True]
    await side.close()
    await other.close()


async def test_pages_are_read_until_one_is_not_full_and_never_for_ever(tmp_path: Path, far: Anybody) -> None:
    part = {**WINDOW, "by": "pages", "page_size": 2, "most_pages": 4}

    def told(request: Any, _: bytes) -> Any:
        from aiohttp import web

        number = int(request.query["trang"])
        rows = [{"ma": f"{number}-{n}"} for n in range(2 if number < 3 else 1)]
        return web.json_response({"rows": rows})

    far.told = told
    side = opened(tmp_path, far, collects=[part])
    assert codes(await side.collect(10)) == ["1-0", "1-1", "2-0", "2-1", "3-0"]
    far.says(b'{"rows":[{"ma":"x"},{"ma":"y"}]}')
    await side.close()
    other = opened(tmp_path, far, collects=[part])
    far.asked.clear()
    assert codes(await other.collect(10)) == ["x", "y"]
    assert len(far.asked) == 4
    await other.close()


async def test_what_no_rule_reads_is_kept_below_ext_where_the_description_says_so(tmp_path: Path, far: Anybody) -> None:
    far.says(json.dumps({"rows": [{"ma": "1", "la": {"x": None, "y": 2}}, {"ma": "2", "la": "x" * 70_000}]}).encode())
    side = opened(tmp_path, far, collects=[{**WINDOW, "unread": "danh-muc"}])
    kept, large = await side.collect(10)
    assert isinstance(kept, Collected)
    assert isinstance(large, Collected)
    assert kept.event["data"] == {"code": "1", "ext": {"danh-muc": {"la": {"y": 2}}}}
    assert large.event["data"] == {"code": "2"}
    await side.close()


async def test_a_list_that_is_not_where_the_description_says_is_no_empty_list(tmp_path: Path, far: Anybody) -> None:
    side = opened(tmp_path, far, collects=[WINDOW])
    for body in (b'{"others":[]}', b'{"rows":5}', b'{"rows":"x"}', b"[1,2]", b'"x"', b"7"):
        far.says(body)
        with pytest.raises(TransientFailure):
            await side.collect(10)
    for body in (b'{"rows":[]}', b'{"rows":null}'):
        far.says(body)
        assert await side.collect(10) == []
    await side.close()


# ------------------------------------------------------------------------------------------------ hostile answers

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["rows", "ma", "ok", "loi", "next", "so"]) | st.text(max_size=5), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@given(value=values)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_whatever_its_shape_is_more_than_a_failure_in_words(tmp_path: Path, value: Any) -> None:
    async def work() -> None:
        async with anybody() as far:
            far.says(json.dumps(value).encode())
            side = opened(tmp_path, far, sends=[{**SEND, "reference": "/so"}], collects=[WINDOW])
            with contextlib.suppress(DeliveryFailure):
                await side.deliver(a_procedure(Hands(tmp_path)))
            try:
                items = await side.collect(10)
            except TransientFailure:
                items = []
            for each in items:
                assert isinstance(each, Collected | Uncollectable)
                await side.settle(each.token, None)
            await side.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    "body",
    [b"[" * 1_000_000, b'{"rows":' * 100_000, b"9" * 2_000_000, b'{"a":1,"a":2}', b"\xff\xfe\x00", b"x" * (9 << 20),
     b'{"rows":[' + b"1," * 1_500_000 + b"1]}", b'{"rows":[{"ma":"' + b"x" * (2 << 20) + b'"}]}'],
    ids=lambda body: f"{body[:9]!r} {len(body)}",
)  # fmt: skip
async def test_an_answer_of_any_size_is_bounded_in_time_and_memory(tmp_path: Path, far: Anybody, body: bytes) -> None:
    far.says(body)
    side = opened(tmp_path, far, sends=[SEND], collects=[WINDOW])
    with pytest.raises(DeliveryFailure):
        await quickly(side.deliver(a_procedure(Hands(tmp_path))))
    try:
        items = await quickly(side.collect(10))
    except TransientFailure:
        items = []
    assert all(isinstance(each, Uncollectable) for each in items)
    await side.close()


# ------------------------------------------------------------------------------------------------ the file itself


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ({"sends": [{**SEND, "verb": "STEAL"}]}, "sends[1].verb"),
        ({"sends": [{**SEND, "pth": "/x"}]}, "sends[1].pth"),
        ({"sends": [SEND, SEND]}, "sends[2].contract"),
        ({"sends": [{**SEND, "path": "/{ma}"}]}, "sends[1].path_values"),
        ({"sends": [{**SEND, "request": {"rules": [{"mov": "/a", "to": "/b"}]}}]}, "sends[1]/request#/rules/0"),
        ({"sends": [{**SEND, "reply": {"errors": [{"at": "/a", "in": ["1"], "means": "gone"}]}}]},
         "sends[1].reply.errors[1].means"),
        ({"collects": [{**LIST, "by": "cursor"}]}, "collects[1].next"),
        ({"collects": [LIST]}, "collects[1].taken"),
        ({"collects": [{**WINDOW, "item": {"rules": [], "tables": [{"from": "/a", "to": "/b", "table": "x"}]}}]},
         "collects[1].item.tables[1].table"),
        ({"answers": [{"name": "x"}]}, "answers[1]"),
        ({"wat": 1}, "wat"),
        ([], "x.json"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_a_mistake_in_a_description_is_told_with_its_file_and_key(tmp_path: Path, raw: Any, where: str) -> None:
    options: Mapping[str, Any] = {"url": "http://127.0.0.1:9", "description": described(tmp_path, raw)}
    with pytest.raises(Misconfigured) as mistake:
        adapter.check(options, tmp_path)
    told = [mistake.value, *mistake.value.also]
    assert any("far/x.json" in each.where and where in each.where for each in told), [each.where for each in told]
    assert all(each.wrong.vi != each.wrong.en and each.right.vi for each in told)


def test_a_description_lies_inside_the_province_folder(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("{}")
    (tmp_path / "tinh").mkdir()
    for name in ("../out.json", "none.json"):
        with pytest.raises(Misconfigured):
            adapter.check({"url": "http://127.0.0.1:9", "description": name}, tmp_path / "tinh")


async def test_calls_without_a_gate_are_not_opened(tmp_path: Path) -> None:
    async with stand_in.agency(tmp_path) as catalogue:
        bare = {name: each for name, each in catalogue.settings.items() if name != "caller_secret_file"}
        with pytest.raises(Misconfigured):
            adapter.open_adapter(Hands(tmp_path).context("rest", bare))
