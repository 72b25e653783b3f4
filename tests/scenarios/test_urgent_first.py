"""Urgent first: the urgency that a clerk chose in edXML overtakes what waits, on the way through the whole bus."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.content import InMemory
from gateway.core.documents.item import Sender, collected
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.values import (
    Attachment,
    Business,
    Code,
    DocumentMessage,
    DocumentType,
    Organization,
    OtherInfo,
    Promulgation,
)
from gateway.core.edxml.write import write
from gateway.ports import Collected
from tests.town import Town, a_town

SENDER, NAME = "H33.05/dms", "H33.30/dms"
FOLDER = {"adapter": "folder", "sealing": "gateway"}


@pytest.fixture
def town() -> Town:
    made = a_town(H33_05=FOLDER)
    made.collect = replace(made.collect, file_limit=1_000_000)
    return made


def a_document(town: Town, number: int, priority: int | None) -> Collected:
    """A document as its agency's system writes it, read as an adapter reads it."""
    raw = write(
        DocumentMessage(
            sender=Organization("H33.05"),
            recipients=(Organization("H33.30"),),
            subject="Về việc họp",
            document_id=f"H33.05,2026/11/23,{number}/STC-VP",
            code=Code(str(number), "STC-VP"),
            promulgation=Promulgation("Tỉnh Mẫu", "2026-11-23"),
            document_type=DocumentType("Công văn"),
            business=Business("new"),
            other=OtherInfo(priority=priority),
            attachments=(Attachment("1", "a.txt", InMemory(b"chao"), detected_type="text/plain"),),
        ),
        Limits(),
    )
    sender = Sender(SENDER, is_declared=True, limits=Limits())
    item = collected(InMemory(raw), name=f"{number}.edxml", token=str(number), sender=sender, now=town.clock.now())
    assert isinstance(item, Collected), item
    return item


async def test_what_is_more_urgent_in_edxml_is_delivered_first(town: Town) -> None:
    written = [0, None, 1, 4, 2, 3]
    items = [a_document(town, number, priority) for number, priority in enumerate(written)]
    town.desk(SENDER).outbox += items
    assert await town.collect.once() == len(written)
    heights = [(await town.delivery(item.event["id"], NAME)).priority for item in items]
    assert heights == [0, 0, 1, 3, 2, 3]

    town.dispatch.concurrency = 1
    await town.work()
    numbers = [int(parcel.event["data"]["code"]["number"]) for parcel in town.desk(NAME).parcels]
    assert numbers == [3, 5, 4, 2, 0, 1]
