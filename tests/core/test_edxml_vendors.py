"""Whatever software wrote a message, the same message is read of it, up to what that software is known to change."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.documents.inward import document_id_of
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, StatusMessage, Unreadable
from gateway.core.edxml.write import write
from tests.vendors import WRITERS
from tests.vendors.first import FIRST_GENERATION
from tests.vendors.messages import documents, reports
from tests.vendors.paper import Message, Writer
from tests.vendors.relay import relayed
from tests.vendors.transit import transit

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted(
    path
    for folder in (ROOT / "tests/vectors/edxml", ROOT / "../shared/samples/edxml")
    for path in folder.glob("*.edxml")
)
GENERATION_2 = sorted(set(WRITERS) - set(FIRST_GENERATION))
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
seeds = st.integers(0, 2**32)


def comparable(message: Message) -> Message:
    """Without warnings, packaging and the order of extras: what nobody promises to keep."""
    if isinstance(message, StatusMessage):
        return replace(message, warnings=())
    attachments = tuple(replace(one, wrapped="none", declared_type=None) for one in message.attachments)
    return replace(message, warnings=(), attachments=attachments, extra=tuple(sorted(message.extra)))


def check(writer: Writer, message: Message, chance: random.Random) -> None:
    written = writer(message, chance)
    if written.refused is not None:
        with pytest.raises(Unreadable) as refusal:
            read(written.raw)
        assert refusal.value.name == written.refused
        return
    found = read(written.raw)
    assert comparable(found) == comparable(written.expected)
    assert written.warnings <= {warning.name for warning in found.warnings}
    if isinstance(found, DocumentMessage):
        # The vendors' signature block is decoration, and is not written.
        found = replace(found, signature_present=False)
    assert comparable(read(write(found))) == comparable(found)


@pytest.mark.parametrize("name", sorted(WRITERS))
@settings(max_examples=40, suppress_health_check=SLOW)
@given(message=documents, seed=seeds)
def test_a_document_of_any_vendor_is_read_as_what_was_meant(name: str, message: DocumentMessage, seed: int) -> None:
    check(WRITERS[name], message, random.Random(seed))


@pytest.mark.parametrize("name", sorted(WRITERS))
@settings(max_examples=20, suppress_health_check=SLOW)
@given(message=reports, seed=seeds)
def test_a_report_of_any_vendor_is_read_as_what_was_meant(name: str, message: StatusMessage, seed: int) -> None:
    check(WRITERS[name], message, random.Random(seed))


@pytest.mark.parametrize("name", [*GENERATION_2, "ours"])
@settings(max_examples=30, suppress_health_check=SLOW)
@given(message=documents | reports, seed=seeds)
def test_what_comes_over_the_axis_is_what_went_in_up_to_what_the_axis_does(
    name: str, message: Message, seed: int
) -> None:
    chance = random.Random(seed)
    if name == "ours":
        raw, expected = write(message), message
    else:
        written = WRITERS[name](message, chance)
        if written.refused is not None:
            return
        raw, expected = written.raw, written.expected
    passed = transit(raw.removeprefix(b"\xef\xbb\xbf").lstrip(), expected, chance)
    assert comparable(read(passed.raw)) == comparable(passed.expected)
    twice = transit(passed.raw, passed.expected, chance)
    assert comparable(read(twice.raw)) == comparable(twice.expected)


@pytest.mark.parametrize("name", sorted(WRITERS))
@settings(max_examples=15, suppress_health_check=SLOW)
@given(message=documents | reports, seed=seeds)
def test_generation_2_is_relayed_byte_for_byte_and_generation_1_told_anew(
    name: str, message: Message, seed: int
) -> None:
    written = WRITERS[name](message, random.Random(seed))
    if written.refused is not None:
        return
    out = relayed(written.raw)
    if name in GENERATION_2:
        assert out == written.raw
        return
    found = read(out)
    assert comparable(found) == comparable(_as_contracts_say(written.expected))
    assert "generation-1" not in {warning.name for warning in found.warnings}


def _as_contracts_say(message: Message) -> Message:
    """What has passed the contracts: a document has its id, a report its moment."""
    if isinstance(message, StatusMessage):
        return replace(message, timestamp=message.timestamp or "2026-09-15T08:30:00+07:00")
    return replace(message, document_id=document_id_of(message))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("name", sorted(FIRST_GENERATION))
def test_every_sample_means_the_same_when_it_is_told_in_generation_1(path: Path, name: str) -> None:
    try:
        message = read(path.read_bytes())
    except Unreadable:
        # What is refused has no meaning to tell; test_edxml_samples says which.
        return
    if isinstance(message, DocumentMessage):
        message = replace(message, signature_present=False)
    written = FIRST_GENERATION[name](replace(message, extra=()), random.Random(path.name))
    assert comparable(read(written.raw)) == comparable(written.expected)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_relayed_as_it_came_where_it_is_generation_2_in_utf_8(path: Path) -> None:
    raw = path.read_bytes()
    try:
        message = read(raw)
    except Unreadable:
        return
    told = {warning.name for warning in message.warnings} & {"generation-1", "converted-encoding"}
    assert (relayed(raw) == raw) == (not told)
