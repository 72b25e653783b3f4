"""Whatever happens to a message of either generation, the reader takes it or says why not, soon and in bounds."""

from __future__ import annotations

import random
import time
import tracemalloc
from typing import Final

import pytest

from gateway.core.content import InMemory
from gateway.core.edxml.read import read
from gateway.core.edxml.values import (
    Attachment,
    Business,
    Code,
    DocumentMessage,
    Organization,
    OtherInfo,
    Promulgation,
    ResponseFor,
    Signer,
    Staff,
    StatusMessage,
    TraceStop,
    Unreadable,
)
from gateway.core.edxml.wording import REFUSALS
from gateway.core.edxml.write import write
from tests.vendors import WRITERS
from tests.vendors.mutations import MUTATIONS

#: What one message may take, however it was mangled: seconds of the processor and bytes beyond four times its own.
TIME: Final = 5.0
ROOM: Final = 64 << 20
DOCUMENT: Final = DocumentMessage(
    sender=Organization("H33.05", "Sở Nội vụ", address="Số 1 đường Mẫu"),
    recipients=(Organization("H33.07", "Sở Tài chính"), Organization("000.00.08.H33")),
    subject="V/v báo cáo tình hình thực hiện",
    document_id="H33.05,2026/09/15,118/SNV-VP",
    code=Code("118", "SNV-VP"),
    promulgation=Promulgation("Kiên Giang", "2026-09-15"),
    signer=Signer("KT. GIÁM ĐỐC", "Phó Giám đốc", "Nguyễn Văn Mẫu"),
    other=OtherInfo(priority=1, appendixes=("Phụ lục",)),
    business=Business("update", "cu", "Sửa số", content_changed=True, staff=Staff("VP", "Nguyễn Văn Mẫu")),
    trace=(TraceStop("H33.05", "2026-09-15T08:30:00+07:00"),),
    attachments=(
        Attachment("1", "vb.pdf", InMemory(b"%PDF-1.4\n" + bytes(range(256)) * 40), "Văn bản"),
        Attachment("2", "số liệu.csv", InMemory(b"a;b\n1;2\n" * 200)),
    ),
)
REPORT: Final = StatusMessage(
    Organization("H33.07"), ResponseFor("H33.05", "118/SNV-VP", "1"), "03", timestamp="2026-09-15T09:00:00+07:00"
)
VERDICTS: Final = {*REFUSALS, "taken"}
READABLE: Final = sorted(name for name in WRITERS if WRITERS[name](DOCUMENT, random.Random(1)).refused is None)


def seeds(chance: random.Random) -> bytes:
    """A sound message by any of the vendors, a report now and then."""
    return WRITERS[chance.choice(READABLE)](REPORT if chance.random() < 0.15 else DOCUMENT, chance).raw


def verdict(raw: bytes) -> str:
    """``taken``, or the name of the refusal; anything else that is raised fails the test."""
    try:
        message = read(raw)
    except Unreadable as refusal:
        return refusal.name if refusal.detail.vi != refusal.detail.en else "refused without a word"
    return "taken" if write(message) else "nothing"


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_a_mangled_message_is_taken_or_refused_and_nothing_else(name: str, seed: int) -> None:
    chance = random.Random(f"{name} {seed}")
    for _ in range(15):
        raw = MUTATIONS[name](seeds(chance), chance)
        if chance.random() < 0.3:
            second = chance.choice(sorted(MUTATIONS))
            raw = MUTATIONS[second](raw, chance) if raw and len(raw) < 1 << 20 else raw
        started = time.process_time()
        assert verdict(raw) in VERDICTS
        assert time.process_time() - started < TIME, (name, seed, len(raw))


@pytest.mark.parametrize("name", MUTATIONS)
def test_no_mangled_message_swells_in_memory(name: str) -> None:
    chance = random.Random(name)
    for _ in range(4):
        raw = MUTATIONS[name](seeds(chance), chance)
        tracemalloc.start()
        try:
            verdict(raw)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * len(raw) + ROOM, (name, len(raw), peak)


def test_the_seeds_are_sound_and_mutations_change_them() -> None:
    chance = random.Random(7)
    assert {verdict(WRITERS[name](DOCUMENT, chance).raw) for name in READABLE} == {"taken"}
    assert {"soap-with-mime", "soap-with-all-document", "java-kit"} <= set(READABLE)
    seen = {verdict(mutate(seeds(chance), chance)) for mutate in MUTATIONS.values() for _ in range(8)}
    assert {"taken", "not-well-formed", "doctype-forbidden", "too-deep", "too-many"} <= seen


@pytest.mark.parametrize("name", READABLE)
def test_a_message_cut_at_any_place_is_never_taken_for_whole(name: str) -> None:
    chance = random.Random(name)
    small = DocumentMessage(
        DOCUMENT.sender,
        DOCUMENT.recipients,
        "Thử",
        "1",
        attachments=(Attachment("1", "a.pdf", InMemory(b"%PDF-1.4\n" + bytes(range(60)))),),
    )
    raw = WRITERS[name](small, chance).raw.rstrip()
    whole = verdict(raw)
    assert whole == "taken"
    assert {verdict(raw[:length]) for length in range(0, len(raw), 3)} <= VERDICTS - {whole}
