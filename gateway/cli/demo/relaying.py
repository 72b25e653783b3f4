"""The demo's chapters on the relay: a recipient down and back, a translation, a commune that fetches, and the count."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from gateway.cli.demo.story import ALL_STATES, Story, a_document, event_in, settled
from gateway.cli.demo.telling import PATIENCE
from gateway.cli.timeline import members_of
from gateway.cli.timeline import told as timeline


async def outage(story: Story) -> None:
    """The finance office is down while five documents are sent; they arrive in order."""
    story.chapter(
        "Sở Tài chính ngừng máy, năm văn bản vẫn được gửi", "The finance office is down; five documents are sent"
    )
    before = len(story.finance.taken())
    await story.finance.go_down()
    first = ""
    for number in range(1, 6):
        data = a_document(f"H33.05,2026/11/23,{number}/SNV-VP", f"Văn bản số {number}")
        answer = await story.send("H33.05,2026/11/23,SNV-VP", "H33.08", data)
        first = first or answer["id"]
    await asyncio.sleep(1.0)
    record = await story.gateway.ledger.find(first)
    tries = 0 if record is None else len(record.deliveries[0].attempts)
    story.check(
        tries > 0, f"đã thử {tries} lần, chưa giao được; không mất gì", f"{tries} tries so far, nothing is lost"
    )
    await story.finance.come_back()
    story.say("  … máy chạy lại", "  … it is back")
    await story.until(lambda: len(story.finance.taken()) - before >= 5, "the five documents")
    subjects = [event_in(each.body)["data"]["subject"] for each in story.finance.taken()[before:]]
    wanted = [f"Văn bản số {number}" for number in range(1, 6)]
    story.check(subjects == wanted, "cả năm tới đúng thứ tự", "all five arrived in order")
    await settled(story)
    record = await story.gateway.ledger.find(first)
    if record is not None:
        story.say("  Hành trình của văn bản đầu tiên:", "  The first one's timeline:")
        for line in timeline(members_of(record), story.language or "vi"):
            story.say(f"    {line}", f"    {line}")


async def translation(story: Story) -> None:
    """The health office still reads the older version."""
    story.chapter(
        "Sở Y tế còn dùng document.issued/1.0: trục dịch từ 2.0",
        "The health office still reads document.issued/1.0: the bus translates from 2.0",
    )
    before = len(story.health.taken())
    data = a_document("H33.05,2026/11/23,9/SNV-VP", "Kế hoạch năm 2027") | {"signer": {"fullName": "Nguyễn Văn Mẫu"}}
    answer = await story.send("H33.05,2026/11/23,9/SNV-VP", "H33.30", data)
    if not await story.until(lambda: len(story.health.taken()) > before, "the translation"):
        return
    event = event_in(story.health.taken()[-1].body)
    story.say(f"  2.0: {json.dumps(data, ensure_ascii=False)}", "")
    story.say(f"  1.0: {json.dumps(event['data'], ensure_ascii=False)}", "")
    story.check(
        event["originid"] == answer["id"] and event["dataschema"].endswith(":1.0"),
        f"bản dịch do trục ký, nêu bản gốc và quy tắc ({event['rulesdigest'][:24]}…)",
        "the translation is signed by the bus and names its original and its rules",
    )


async def commune(story: Story) -> None:
    """A commune fetches, and so does the sender its receipts."""
    story.chapter(
        "UBND xã tự lấy văn bản; Sở Nội vụ lấy biên nhận", "The commune fetches; the home office fetches its receipts"
    )
    answer = await story.send(
        "H33.05,2026/11/23,10/SNV-VP", "H33.07.03", a_document("H33.05,2026/11/23,10/SNV-VP", "Giấy mời họp")
    )
    taken = await story.commune.take_all()
    story.wakes += [each.delivery for each in taken]
    story.check(len(taken) == 1, "xã đã lấy một văn bản", "the commune took one document")
    receipts: list[dict[str, Any]] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and answer["id"] not in [each["subject"] for each in receipts]:
        leased = await story.receiver.take_all()
        story.wakes += [each.delivery for each in leased]
        receipts += [event_in(each.envelope.encode()) for each in leased]
        await asyncio.sleep(0.1)
    delivered = [each for each in receipts if each["type"] == "receipt.delivered"]
    story.check(
        answer["id"] in [each["subject"] for each in delivered],
        f"{len(delivered)} biên nhận «đã giao» về tới bên gửi",
        f"{len(delivered)} receipts of delivery came back to the sender",
    )


async def count(story: Story) -> None:
    """What was sent and what arrived: the difference is what was lost."""
    await settled(story)
    ledger = story.gateway.ledger
    deliveries = await ledger.deliveries(states=ALL_STATES, limit=100_000)
    arrived = {
        *await story.office.arrivals(),
        *await story.district.arrivals(),
        *await story.neighbour.arrivals(),
        *await story.axis.arrivals(),
        *await story.finance.arrivals(),
        *await story.health.arrivals(),
        *story.wakes,
    }
    story.sent = len({each.message for each in deliveries})
    story.delivered = sum(each.id in arrived for each in deliveries)
    story.lost = sum(each.id not in arrived for each in deliveries)
    story.chapter("Tổng kết", "The count")
    story.say(
        f"  tệp {story.dropped} · từ chối {story.refused} · thông điệp {story.sent} · lượt giao {story.delivered}"
        f" · biên nhận đã kiểm {story.receipts} · mất {story.lost}",
        f"  files {story.dropped} · refused {story.refused} · messages sent {story.sent} · delivered {story.delivered}"
        f" · receipts verified {story.receipts} · lost {story.lost}",
    )
    story.check(story.is_well, "mọi lời hứa đều giữ được", "every promise was kept")
