"""Lists that are read by windows, dossiers that are told, and services that a province adds by a file alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.ngsp.adapter import open_adapter
from adapters.ngsp.description import BUILT_IN, described, descriptions
from adapters.ngsp.notes import Notes
from adapters.ngsp.pulling import Window
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, TransientFailure
from gateway.core.handover import Collected, Uncollectable
from tests.adapters.fitting import a_parcel, an_event
from tests.adapters.ngsp_desk import Desk, citizen, conforms, desk
from tests.province import write

DAY = 86_400.0


@pytest_asyncio.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as made:
        yield made


async def collected(at: Desk) -> list[Collected | Uncollectable]:
    at.hands.moment += 1
    return list(await at.adapter.collect(100))


# ------------------------------------------------------------------------------------------------------ windows


async def test_a_dossier_of_the_ministry_becomes_a_message_in_which_zero_means_direct(at: Desk) -> None:
    at.axis.list_dossier("000.00.16.H33-261123-0001", KenhThucHien="0", EmaiNguoiNop="mau@example.vn")
    at.axis.list_dossier("000.00.16.H33-261123-0002", KenhThucHien="1", NgayTiepNhan="23/11/2026 08:00:00")
    one, other = (each.event for each in await collected(at) if isinstance(each, Collected))
    for event in (one, other):
        conforms("dossier.registered", event["data"], "2.0")
    assert [event["data"]["submission"]["channel"] for event in (one, other)] == ["direct", "online"]
    assert one["data"]["applicant"] == {"name": "Nguyễn Văn Mẫu", "kind": "other", "email": "mau@example.vn"}
    assert other["data"]["receivedAt"] == "2026-11-23T08:00:00+07:00"
    assert other["data"]["status"] == {
        "code": 2, "at": "2026-11-23T08:00:00+07:00",
        "told": {"vocabulary": "gtvt", "code": "2", "text": "Đang xử lý"},
    }  # fmt: skip
    # What no rule reads is kept as it came; null is nothing.
    assert one["data"]["ext"] == {"ngsp": {"NguoiNop": "Nguyễn Văn Mẫu"}}
    assert (other["subject"], other["purpose"]) == ("000.00.16.H33-261123-0002", "giai-quyet-tthc")


async def test_the_last_three_days_are_read_again_and_known_codes_are_skipped(at: Desk) -> None:
    at.axis.list_dossier("000.00.16.H33-261123-0001")
    (item,) = await collected(at)
    await at.adapter.settle(item.token, None)
    at.hands.moment += DAY
    assert await collected(at) == []
    today = (datetime.fromtimestamp(at.hands.moment, UTC) + timedelta(hours=7)).date()
    start, end = (f"{each:%d/%m/%Y}" for each in (today - timedelta(days=4), today))
    assert at.axis.windows[-1] == (start, end)


async def test_a_dossier_that_appears_late_is_found_by_the_overlap(at: Desk) -> None:
    assert await collected(at) == []
    at.hands.moment += 2 * DAY
    at.axis.list_dossier("000.00.16.H33-261123-0009", NgayTiepNhan="21/11/2026 08:00:00")
    (item,) = await collected(at)
    assert isinstance(item, Collected)


async def test_days_on_which_the_bus_was_down_are_read_afterwards_in_windows_that_are_let(at: Desk) -> None:
    await collected(at)
    at.axis.windows.clear()
    at.hands.moment += 12 * DAY
    other = open_adapter(at.context)
    await other.collect(10)
    await other.close()
    spans = [[datetime.strptime(f"{each} +0700", "%d/%m/%Y %z") for each in window] for window in at.axis.windows]
    assert [(end - start).days + 1 for start, end in spans] == [5, 5, 5, 1]
    for (_, before), (after, _) in pairwise(spans):
        assert after - before == timedelta(days=1)


@pytest.mark.parametrize("span", range(1, 8))
@pytest.mark.parametrize("overlap", range(8))
def test_whatever_the_span_and_the_overlap_every_day_is_read_and_no_window_is_too_long(span: int, overlap: int) -> None:
    today, pull = date(2026, 11, 23), {"span_days": span, "overlap_days": overlap}
    window = Window.first(date(2026, 11, 1), today, pull)
    seen: set[date] = set()
    while True:
        days = (window.end - window.start).days + 1
        assert 1 <= days <= span
        seen |= {window.start + timedelta(days=each) for each in range(days)}
        if window.end >= today:
            break
        window = window.next(today, pull)
    assert seen == {today - timedelta(days=each) for each in range(22 + overlap + 1)}


@pytest.mark.parametrize("code", [-300, -301, -302, -303, -304])
async def test_a_key_or_unit_that_is_wrong_is_the_operators_to_mend(at: Desk, code: int) -> None:
    at.axis.refused = {"transport": [code]}
    with pytest.raises(DestinationGone):
        await collected(at)


async def test_a_look_that_failed_loses_nothing(at: Desk) -> None:
    at.axis.list_dossier("000.00.16.H33-261123-0001")
    at.axis.refused = {"transport": [-999]}
    with pytest.raises(TransientFailure):
        await collected(at)
    assert len(await collected(at)) == 1


@pytest.mark.parametrize(
    "odd", [{"MaHoSo": None}, {"TrangThaiHoSo": "99"}, {"NgayTiepNhan": "hôm qua"}, {"ChuHoSo": ""}, {"TenTTHC": {}}]
)
async def test_a_row_that_is_no_dossier_is_told_apart_and_not_again(at: Desk, odd: dict[str, Any]) -> None:
    at.axis.list_dossier("000.00.16.H33-261123-0001", **odd)
    at.axis.list_dossier("000.00.16.H33-261123-0002")
    items = await collected(at)
    (bad,) = (each for each in items if isinstance(each, Uncollectable))
    assert len(items) == 2
    await at.adapter.settle(bad.token, (bad.reason, bad.detail))
    assert len(await collected(at)) == 1


async def test_rows_that_are_no_rows_stop_nothing(at: Desk) -> None:
    at.axis.listed += [None, 1, "x", []]
    items = await collected(at)
    assert all(isinstance(each, Uncollectable) for each in items)


LISTED = """\
title = { vi = "Hồ sơ đăng ký doanh nghiệp", en = "Applications" }
source = "tài liệu của tỉnh"
profile = "wso2"

[[operations]]
name = "list"
use = "pull"
contract = "dossier.registered"
version = "2.0"
verb = "GET"
path = "/apiCSDLDKDN/danhSachHoSo"
pull = { items = "/Data", identity = ["/MaHoSo"], subject = "/dossierCode", overlap_days = 3, span_days = SPAN }

[operations.request]
format = "query"
dates = [
  { from = "/window/from", writes = [{ precision = "day", form = "dd/MM/yyyy", to = "/from_date" }] },
  { from = "/window/to", writes = [{ precision = "day", form = "dd/MM/yyyy", to = "/to_date" }] },
]

[operations.reply]
success = [{ at = "/Status", in = ["1"] }]
rules = [{ move = "/MaHoSo", to = "/dossierCode" }]
"""


@pytest.mark.parametrize(("span", "is_let"), [(5, True), (6, False)])
async def test_a_window_over_five_days_is_refused_over_there_and_one_of_five_is_not(
    tmp_path: Path, span: int, is_let: bool
) -> None:
    def change(settings: dict[str, Any]) -> None:
        own(tmp_path, LISTED.replace("SPAN", str(span)))(settings)
        settings["services"] = {"gia": {"account": "axis"}}

    async with desk(tmp_path, change) as at:
        at.axis.list_dossier("000.00.16.H33-261123-0001")
        (tmp_path / "var/ngsp").mkdir(parents=True)
        notes = Notes(tmp_path / "var/ngsp/H33.16_dms.jsonl")
        notes.read_to("gia-list", f"{datetime.fromtimestamp(at.hands.moment - 20 * DAY, UTC):%Y-%m-%d}", 1.0)
        if is_let:
            assert len(await collected(at)) == 1
        else:
            with pytest.raises(TransientFailure):
                await collected(at)


INSERT = """\
title = { vi = "Thêm danh mục", en = "Insert" }
source = "tài liệu của tỉnh"
profile = "wso2"
dirty = true

[[operations]]
name = "insert"
use = "push"
contract = "category.updated"
verb = "POST"
path = "/dmdc/Category/{category}"
path_values = { category = "/data/category" }
request = { format = "json", rules = [{ move = "/data/code", to = "/Ma" }] }

[operations.reply]
unpack = ["loose-json"]
errors = [{ at = "/MSG", holds = ["is duplicate"], means = "there" }]
success = [{ at = "/MSG", in = ["Done"] }, { at = "/Count", in = ["1"] }]
"""


async def test_a_duplicate_told_by_words_in_broken_json_is_what_is_there_already(tmp_path: Path) -> None:
    def change(settings: dict[str, Any]) -> None:
        own(tmp_path, INSERT)(settings)

    async with desk(tmp_path, change) as at:
        event = an_event(type="category.updated", data={"category": "madantoc", "code": "01"})
        for name in ("one", "two"):
            await at.adapter.deliver(a_parcel(at.context, name, event=event))
        assert at.axis.categories == {"madantoc": [{"Ma": "01"}]}


def test_notes_that_were_cut_off_are_read_up_to_there_and_written_on(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "n.jsonl")
    notes.settled("a:1", 1.0, None)
    notes.read_to("a", "2026-11-20", 1.0)
    with (tmp_path / "n.jsonl").open("ab") as file:
        file.write(b'{"token": "cut')
    again = Notes(tmp_path / "n.jsonl")
    assert again.read() == (frozenset({"a:1"}), {"a": "2026-11-20"})
    again.settled("a:2", 2.0, None)
    assert Notes(tmp_path / "n.jsonl").read()[0] == {"a:1", "a:2"}
    notes.read_to("a", "2026-11-19", 3.0)
    assert notes.read()[1] == {"a": "2026-11-20"}


# ------------------------------------------------------------------------------------------------------- telling


def dossier(at: Desk, name: str, **override: Any) -> Any:
    parcel = at.axis.fits(a_parcel(at.context, name))
    data = {**parcel.event["data"], **override}
    return a_parcel(at.context, name, event={**an_event(), **parcel.event, "data": data})


async def test_the_land_office_is_told_a_dossier_under_its_own_names_with_the_code_in_the_body(at: Desk) -> None:
    parcel = dossier(at, "one", papers=[{"name": "Đơn"}], dueAt="2026-12-01T17:00:00+07:00")
    await at.adapter.deliver(parcel)
    ((_, body),) = at.axis.seen
    data = parcel.event["data"]
    assert body == {
        "SoBienNhan": data["receiptNumber"], "MaHoSoMotCua": data["dossierCode"],
        "NgayTiepNhan": "23/11/2026 08:00:00", "NgayHenTra": "01/12/2026 17:00:00",
        "ThongTinNguoiNopDon": {"HoTen": "Nguyễn Văn Mẫu", "DiaChiChiTiet": data["applicant"]["address"]},
        "ThongTinQuyTrinh": {"MaQuyTrinh": "1.004199", "TenQuyTrinh": "Đất đai"},
        "DanhSachGiayToDinhKem": [{"TenGiayTo": "Đơn"}],
    }  # fmt: skip


async def test_a_dossier_that_is_there_already_is_delivered_where_its_code_is_known(tmp_path: Path) -> None:
    def known(settings: dict[str, Any]) -> None:
        settings["services"]["land"]["names"] = {"known": "409"}

    async with desk(tmp_path, known) as at:
        at.axis.refused = {"land": ["409"]}
        await at.adapter.deliver(dossier(at, "one"))
        at.axis.refused = {"land": ["500"]}
        with pytest.raises(TransientFailure):
            await at.adapter.deliver(dossier(at, "one"))


async def test_a_dossier_without_a_receipt_number_is_none_that_the_land_office_takes(at: Desk) -> None:
    with pytest.raises(PermanentFailure, match="no national service"):
        await at.adapter.deliver(dossier(at, "one", receiptNumber=None))


# ------------------------------------------------------------------------------------------- services by a file

PRICES = """\
title = { vi = "Giá", en = "Prices" }
source = "tài liệu của tỉnh"
profile = "none"
personal = false

[[operations]]
name = "list"
use = "ask"
contract = "category.lookup"
answer = "category.found"
when = [{ at = "/category", in = ["gia"] }]
verb = "GET"
path = "/dmdc/Category/{category}"
path_values = { category = "/data/category" }
request = { format = "none" }

[operations.reply]
success = []
rules = [{ each = "/items", to = "/items", rules = [{ move = "/Ma", to = "/code" }] }]
needs = ["/items"]
"""


def own(folder: Path, text: str, name: str = "gia.toml") -> Any:
    write(folder, f"dich-vu/{name}", text)

    def change(settings: dict[str, Any]) -> None:
        settings["services_folder"] = "dich-vu"
        settings["services"]["gia"] = {"account": "axis"}

    return change


async def test_a_new_service_is_a_file_and_a_line_of_settings(tmp_path: Path) -> None:
    async with desk(tmp_path, own(tmp_path, PRICES)) as at:
        at.axis.categories = {"gia": [{"Ma": "X1"}]}
        found = await at.ask("category.lookup", {"category": "gia", "dossierCode": None, "officer": None})
        assert found == {"items": [{"code": "X1"}]}


async def test_a_description_may_be_json_and_one_of_the_same_name_replaces_ours(tmp_path: Path) -> None:
    changed = json.loads(json.dumps(described(BUILT_IN / "enterprise.toml")))
    changed["operations"] = changed["operations"][1:]
    change = own(tmp_path, json.dumps(changed), "enterprise.json")

    def without(settings: dict[str, Any]) -> None:
        change(settings)
        del settings["services"]["gia"]

    async with desk(tmp_path, without) as at:
        with pytest.raises(PermanentFailure, match="no service"):
            await at.ask("enterprise.lookup", {"enterpriseCode": "0000000000"})


async def test_elements_in_any_other_order_are_refused_over_there(tmp_path: Path) -> None:
    changed = json.loads(json.dumps(described(BUILT_IN / "population.toml")))
    order = changed["operations"][0]["request"]["order"]
    order[0], order[1] = order[1], order[0]
    change = own(tmp_path, json.dumps(changed), "population.json")

    def without(settings: dict[str, Any]) -> None:
        change(settings)
        del settings["services"]["gia"]

    async with desk(tmp_path, without) as at:
        with pytest.raises(TransientFailure):
            await at.ask("citizen.lookup", citizen())


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ('use = "ask"', 'use = "guess"', "dich-vu/gia.toml#/operations/0/use"),
        ('profile = "none"', 'profile = "magic"', "dich-vu/gia.toml#/profile"),
        ('verb = "GET"', 'verb = "DELETE"', "dich-vu/gia.toml#/operations/0/verb"),
        ('needs = ["/items"]', 'needs = ["items"]', "dich-vu/gia.toml#/operations/0/reply/needs/0"),
        ('answer = "category.found"\n', "", "dich-vu/gia.toml#/operations/0"),
        ("success = []", 'success = []\nunpack = ["loose-json"]', "dich-vu/gia.toml#/dirty"),
        ("title = {", "title = [", "dich-vu/gia.toml"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key_in_both_languages(
    tmp_path: Path, before: str, after: str, where: str
) -> None:
    assert before in PRICES
    own(tmp_path, PRICES.replace(before, after))
    with pytest.raises(Misconfigured) as fault:
        descriptions([BUILT_IN, tmp_path / "dich-vu"])
    assert fault.value.where == where
    assert fault.value.wrong.vi != fault.value.wrong.en
    assert fault.value.right.vi != fault.value.right.en


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ('{ move = "/Ma", to = "/code" }', '{ mvoe = "/Ma", to = "/code" }', "reply#/rules/0/rules/0"),
        ("success = []", 'success = [{ at = "/a" }]', "reply/success/0"),
        ("success = []", 'success = []\nunpack = ["yaml"]', "reply/unpack"),
        ('{ at = "/category", in = ["gia"] }', '{ in = ["gia"] }', "when/0"),
    ],
)
async def test_a_mistake_in_a_rule_or_condition_is_named_by_its_key_too(
    tmp_path: Path, before: str, after: str, key: str
) -> None:
    assert before in PRICES
    with pytest.raises(Misconfigured) as fault:
        async with desk(tmp_path, own(tmp_path, PRICES.replace(before, after))):
            pass
    assert fault.value.where == f"services/gia#/operations/0/{key}"


@pytest.mark.parametrize("name", sorted(path.stem for path in BUILT_IN.glob("*.toml")))
def test_every_description_that_comes_with_the_product_is_sound_and_says_what_is_not_known(name: str) -> None:
    said = described(BUILT_IN / f"{name}.toml")
    assert said["unknown"]
    assert all(" - " in each for each in [*said["unknown"], *said.get("names", {}).values()])
    for operation in said["operations"]:
        for contract in (operation.get("contract"), operation.get("answer")):
            assert contract is None or (Path(__file__).parents[2] / "contracts" / contract).is_dir()
