"""The post: orders go out once, and every event of the tracking list comes in once, whatever the list does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.vnpost.adapter import VnPost, open_adapter
from adapters.vnpost.stand_in import Post, agency
from gateway.core.dossiers.dossier import Dossier
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, Text, TimedOut, TransientFailure
from gateway.core.plain_moment import written
from gateway.core.schema import Schema
from gateway.ports import Collected, Parcel, Uncollectable
from tests.adapters.fitting import CONTENT, Hands, a_parcel

CODE = "000.00.00.H33-261123-0001"
CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
WHY = Text("Cơ quan cần ký thoả thuận.", "An agreement is needed.")


@dataclass(slots=True)
class Desk:
    post: Post
    hands: Hands
    adapters: list[VnPost] = field(default_factory=list)

    @property
    def adapter(self) -> VnPost:
        """The one before the post from the beginning."""
        return self.adapters[0]

    def opened(self, *, without: str = "", dossier: Any = None, **settings: Any) -> VnPost:
        """Another adapter before the same post."""
        given = {name: value for name, value in {**self.post.settings, **settings}.items() if name != without}
        context = self.hands.context("vnpost", given)
        self.adapters.append(open_adapter(context if dossier is None else replace(context, dossier=dossier)))
        return self.adapters[-1]

    def order(self, number: str = f"{CODE}-1", attempt: int = 1, **data: Any) -> Parcel:
        context = self.hands.context("vnpost", self.post.settings)
        parcel = self.post.fits(a_parcel(context, number, attempt=attempt))
        said = {**parcel.event["data"], "orderNumber": number, **data}
        return replace(parcel, event={**parcel.event, "data": said})


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with agency(tmp_path) as post:
        made = Desk(post, Hands(tmp_path))
        made.opened()
        yield made
        for each in made.adapters:
            await each.close()


def is_valid(contract: str, data: Any) -> bool:
    schema = Schema.compiled(json.loads((CONTRACTS / contract / "1.0" / "schema.json").read_text("utf-8")), contract)
    return not schema.violations(data)


async def settled(adapter: VnPost) -> list[dict[str, Any]]:
    """Everything that waits, settled; the data in order."""
    found: list[dict[str, Any]] = []
    while items := await adapter.collect(50):
        for item in items:
            assert isinstance(item, Collected)
            found.append(dict(item.event["data"]))
            await adapter.settle(item.token, None)
    return found


def codes(found: Sequence[dict[str, Any]]) -> list[str]:
    return [each["event"]["code"] for each in found]


# ---------------------------------------------------------------------------------------------------- orders


async def test_a_result_goes_out_as_an_order_in_the_words_of_the_post_and_the_item_code_is_kept(desk: Desk) -> None:
    handed = await desk.adapter.deliver(desk.order(codAmount=30_000, senderNote="Giao giờ hành chính"))
    (order,) = desk.post.orders.values()
    assert handed.reference == order.item == "EM000000001VN"
    assert order.body == {
        "CustomerCode": "KHMAU01",
        "OrderNumber": f"{CODE}-1",
        "CODAmount": 30_000,
        "SenderAddress": "Số 1 đường Mẫu",
        "SenderName": "Nguyễn Văn Mẫu",
        "SenderTel": "0900000000",
        "SenderDesc": "Giao giờ hành chính",
        "Description": CONTENT,
        "ReceiverName": "Nguyễn Văn Mẫu",
        "ReceiverAddress": "Số 1 đường Mẫu",
        "ReceiverTel": "0900000000",
    }


async def test_documents_are_collected_by_a_document_order_that_names_the_procedure(desk: Desk) -> None:
    record = {"procedure": {"code": "1.004199", "name": "Cấp đổi"}}
    dossier = Dossier(CODE, CODE, "H33.05", 2, None, "1.004199", None, None, None, (), record=record)

    async def known(code: str) -> Dossier | None:
        return dossier if code == CODE else None

    adapter = desk.opened(dossier=known)
    await adapter.deliver(desk.order(kind="documents"))
    (order,) = desk.post.orders.values()
    assert desk.post.counter.asked == ["/document-order"]
    assert (order.body["IsSendDocument"], order.body["IsReceiveResult"]) == (True, False)
    assert order.body["Procedure"] == {"Code": "1.004199", "Title": "Cấp đổi"}
    assert order.body["DocumentSender"]["Phone"] == "0900000000"


async def test_a_document_order_needs_its_path(desk: Desk) -> None:
    adapter = desk.opened(without="document_order_path")
    with pytest.raises(PermanentFailure, match="document_order_path"):
        await adapter.deliver(desk.order(kind="documents"))


async def test_what_the_post_said_beyond_the_contract_goes_back_to_it(desk: Desk) -> None:
    await desk.adapter.deliver(desk.order(ext={"vnpost": {"State": "1", "OrderNumber": "no"}}))
    (order,) = desk.post.orders.values()
    assert (order.body["State"], order.body["OrderNumber"]) == ("1", f"{CODE}-1")


@pytest.mark.parametrize("number_status", [False, True])
async def test_status_100_is_a_yes_as_text_and_as_a_number(desk: Desk, number_status: bool) -> None:
    desk.post.number_status = number_status
    desk.post.gives_item_code = False
    handed = await desk.adapter.deliver(desk.order())
    assert (handed.status, handed.reference) == (200, None)


async def test_any_other_status_is_tried_again_unless_the_settings_know_better(desk: Desk) -> None:
    desk.post.refusal = ["98", "98", "07"]
    with pytest.raises(TransientFailure, match="98"):
        await desk.adapter.deliver(desk.order())
    final = desk.opened(final_statuses=["98"], known_statuses=["07"])
    with pytest.raises(PermanentFailure, match="98"):
        await final.deliver(desk.order())
    await final.deliver(desk.order())
    assert desk.post.orders == {}


async def test_an_answer_without_a_status_is_no_yes(desk: Desk) -> None:
    desk.post.faults.missing = 1
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(desk.order())


async def test_after_a_lost_answer_the_tracking_list_is_asked_before_anything_is_ordered_again(desk: Desk) -> None:
    desk.post.faults.lost = 1
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(desk.order())
    handed = await desk.adapter.deliver(desk.order(attempt=2))
    assert desk.post.counter.asked == ["/order", "/tracking"]
    assert handed.reference == "EM000000001VN (found there)"
    assert [order.times for order in desk.post.orders.values()] == [1]


async def test_where_the_list_cannot_be_asked_the_same_order_number_is_sent_again(desk: Desk) -> None:
    adapter = desk.opened(without="find_parameters")
    desk.post.faults.lost = 1
    with pytest.raises(TimedOut):
        await adapter.deliver(desk.order())
    await adapter.deliver(desk.order(attempt=2))
    assert [order.times for order in desk.post.orders.values()] == [2]


async def test_an_html_page_is_no_answer(desk: Desk) -> None:
    desk.post.faults.pages = 1
    desk.post.faults.words = 1
    for _ in range(2):
        with pytest.raises(TransientFailure):
            await desk.adapter.deliver(desk.order())
    assert desk.post.orders == {}


async def test_a_refused_account_stops_the_queue(desk: Desk) -> None:
    desk.post.faults.unauthorized = 1
    with pytest.raises(DestinationGone):
        await desk.adapter.deliver(desk.order())


def test_half_an_account_is_refused_at_opening(tmp_path: Path) -> None:
    settings = {"url": "http://127.0.0.1:9", "order_path": "/o", "tracking_path": "/t", "client_id": "x"}
    with pytest.raises(Misconfigured, match="token_file"):
        open_adapter(Hands(tmp_path).context("vnpost", settings))


# -------------------------------------------------------------------------------------------------- tracking


async def test_an_event_comes_in_the_words_of_the_contract_with_what_no_rule_reads_beside_it(desk: Desk) -> None:
    desk.post.move(f"{CODE}-1", "DEN", "Đã đến bưu cục")
    desk.post.events[-1] |= {"Weight": 20, "EventTime": "2026-11-23T09:00:00+07:00", "StatusCode": 5, "ItemCode": "E1"}
    desk.hands.moment = 1_795_392_000.0
    (item,) = await desk.adapter.collect(10)
    assert isinstance(item, Collected)
    assert item.event["data"] == {
        "orderNumber": f"{CODE}-1",
        "dossierCode": CODE,
        "itemCode": "E1",
        "customerCode": "KHMAU01",
        "event": {"at": "2026-11-23T09:00:00+07:00", "code": "5", "message": "Đã đến bưu cục", "place": "920000"},
        "ext": {"vnpost": {"Weight": 20}},
    }
    assert (item.event["subject"], item.event["purpose"]) == (f"{CODE}-1", "giai-quyet-tthc")
    assert is_valid("post.tracked", item.event["data"])


async def test_an_order_that_was_not_named_after_a_dossier_has_none(desk: Desk) -> None:
    desk.post.move("DH-77", "DEN", "…")
    (found,) = await settled(desk.adapter)
    assert "dossierCode" not in found


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2026-11-23T02:00:00Z", "2026-11-23T09:00:00+07:00"),
        ("2026-11-23T09:00:00", "2026-11-23T09:00:00+07:00"),
        ("2026-11-23 09:00:00.123", "2026-11-23T09:00:00+07:00"),
        ("23/11/2026 09:00:00", "2026-11-23T09:00:00+07:00"),
        ("2026/11/23 09:00:00", "2026-11-23T09:00:00+07:00"),
        ("20261123090000", "2026-11-23T09:00:00+07:00"),
        ({"$date": 1795399200000}, "2026-11-23T09:00:00+07:00"),
        ({"$date": "2026-11-23T02:00:00Z"}, "2026-11-23T09:00:00+07:00"),
        ("23.11.2026", None),
        ("0001-01-01T00:00:00Z", None),
        (True, None),
        ({"$date": True}, None),
        ({"$date": -1}, None),
    ],
)
def test_a_moment_is_read_in_every_form_that_is_plain(told: Any, meant: str | None) -> None:
    assert written(told) == meant


@pytest.mark.parametrize("newest_first", [True, False])
async def test_every_event_of_many_pages_comes_once_and_the_oldest_first(desk: Desk, newest_first: bool) -> None:
    desk.post.newest_first = newest_first
    adapter = desk.opened(order="newest-first" if newest_first else "oldest-first", overlap_pages=0)
    for number in range(20):
        desk.post.move("DH-1", str(number), "…")
    assert codes(await settled(adapter)) == [str(number) for number in range(20)]
    desk.post.counter.asked.clear()
    desk.post.move("DH-1", "20", "…")
    assert codes(await settled(adapter)) == ["20"]
    # What is known is not read through again and again: two looks, two pages each.
    assert len(desk.post.counter.asked) <= 4


@pytest.mark.parametrize("newest_first", [True, False])
async def test_pages_that_shift_while_they_are_read_lose_and_double_nothing(desk: Desk, newest_first: bool) -> None:
    desk.post.newest_first = newest_first
    adapter = desk.opened(order="newest-first" if newest_first else "oldest-first", overlap_pages=1)
    for number in range(10):
        desk.post.move("DH-1", str(number), "…")
    desk.post.shifts = [("DH-1", f"{number}", "…") for number in range(10, 16)]
    desk.post.faults.twice = True
    assert sorted(map(int, codes(await settled(adapter)))) == list(range(16))


async def test_what_waits_behind_pages_of_known_events_is_found_when_the_whole_list_is_read(desk: Desk) -> None:
    for number in range(12):
        desk.post.move("DH-1", str(number), "…")
    adapter = desk.opened(overlap_pages=0)
    for item in list(await adapter.collect(50))[1:]:
        await adapter.settle(item.token, None)
    other = desk.opened(overlap_pages=0)
    (left,) = await other.collect(50)
    assert isinstance(left, Collected)
    assert left.event["data"]["event"]["code"] == "0"


async def test_a_list_without_embedded_is_an_empty_one_and_one_that_claims_events_is_none(desk: Desk) -> None:
    desk.post.bare = True
    assert list(await desk.adapter.collect(10)) == []
    desk.post.move("DH-1", "DEN", "…")
    desk.post.faults.missing = 1
    with pytest.raises(TransientFailure):
        await desk.adapter.collect(10)
    desk.post.faults.words = 1
    with pytest.raises(TransientFailure):
        await desk.adapter.collect(10)
    assert len(await desk.adapter.collect(10)) == 1


async def test_a_cancelled_order_is_an_event_like_any_other(desk: Desk) -> None:
    await desk.adapter.deliver(desk.order())
    desk.post.cancel(f"{CODE}-1")
    assert codes(await settled(desk.adapter)) == ["MOI", "HUY"]


async def test_events_older_than_the_list_is_kept_for_are_passed_over(desk: Desk) -> None:
    desk.post.move("DH-1", "DEN", "…")
    desk.hands.moment += 31 * 86_400
    assert list(await desk.adapter.collect(10)) == []


async def test_an_event_without_an_id_is_what_it_says(desk: Desk) -> None:
    desk.post.move("DH-1", "DEN", "…")
    del desk.post.events[0]["_id"]
    (item,) = await desk.adapter.collect(10)
    await desk.adapter.settle(item.token, None)
    assert list(await desk.adapter.collect(10)) == []


async def test_an_event_that_says_nothing_is_refused_in_words_and_noted(desk: Desk) -> None:
    await desk.post.drop_rubbish()
    (item,) = await desk.adapter.collect(10)
    assert isinstance(item, Uncollectable)
    await desk.adapter.settle(item.token, (item.reason, item.detail))
    (said,) = await desk.post.refusals()
    assert "bưu điện" in said


async def test_notes_that_were_cut_off_in_a_line_go_on_and_the_event_comes_again(desk: Desk) -> None:
    desk.post.move("DH-1", "1", "…")
    desk.post.move("DH-1", "2", "…")
    first, second = await desk.adapter.collect(10)
    await desk.adapter.settle(first.token, None)
    file = desk.hands.folder / "var/vnpost/H33.16_dms.jsonl"
    with file.open("ab") as notes:
        notes.write(json.dumps({"token": second.token}).encode()[:20])
    anew = desk.opened()
    assert [each.token for each in await anew.collect(10)] == [second.token]
    await anew.settle(second.token, ("no-agreement", WHY))
    assert list(await anew.collect(10)) == []


async def test_notes_that_are_lost_lose_nothing_an_event_is_the_same_message_again(desk: Desk) -> None:
    desk.post.move("DH-1", "1", "…")
    (first,) = await desk.adapter.collect(10)
    await desk.adapter.settle(first.token, None)
    (desk.hands.folder / "var/vnpost/H33.16_dms.jsonl").unlink()
    (again,) = await desk.opened().collect(10)
    assert isinstance(first, Collected)
    assert isinstance(again, Collected)
    assert (again.event["id"], again.origin) == (first.event["id"], first.origin)


async def test_notes_that_grew_large_are_thinned_of_what_is_too_old_to_be_listed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.calls import notes

    monkeypatch.setattr(notes, "_LARGE", 100)
    desk.post.move("DH-1", "1", "…")
    (old,) = await desk.adapter.collect(10)
    await desk.adapter.settle(old.token, None)
    desk.hands.moment += 100 * 86_400
    desk.post.clock += timedelta(days=100)
    desk.post.move("DH-1", "2", "…")
    (new,) = await desk.adapter.collect(10)
    await desk.adapter.settle(new.token, None)
    await desk.opened().collect(10)
    file = desk.hands.folder / "var/vnpost/H33.16_dms.jsonl"
    assert [json.loads(line)["token"] for line in file.read_text().splitlines()] == [new.token]
    assert list(await desk.adapter.collect(10)) == []


async def test_two_may_ask_at_once(desk: Desk) -> None:
    desk.post.move("DH-1", "1", "…")
    one, two = await asyncio.gather(desk.adapter.collect(10), desk.adapter.collect(10))
    assert [each.token for each in one] == [each.token for each in two]
