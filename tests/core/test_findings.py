"""What is found in files, as values: which kind a file is, which verdict counts, which file a signature is for."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.findings import (
    KINDS,
    REASONS,
    VERDICTS,
    Findings,
    Looked,
    Signature,
    kind_of,
    looked_from,
    signed_by_name,
)

WORDS = st.text(max_size=20)
SIGNATURES = st.builds(
    Signature, st.sampled_from(VERDICTS), st.sampled_from(sorted(REASONS)), WORDS, WORDS,
    st.none() | st.floats(0, 4e9), st.booleans(), st.booleans(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", "pdf"),
        (b"\r\n\r\nsome junk before %PDF-1.4", "pdf"),
        (b'<?xml version="1.0"?><a/>', "xml"),
        (b"\xef\xbb\xbf<a/>", "xml"),
        ("<a/>".encode("utf-16"), "xml"),
        (b"\n\n  <a/>", "xml"),
        (b"<!DOCTYPE html><html>", "none"),
        (b"<html><body>", "none"),
        (bytes.fromhex("308006092a864886f70d010702a080"), "cms"),
        (bytes.fromhex("3082010006092a864886f70d010702a0"), "cms"),
        (bytes.fromhex("3082010006092a864886f70d010702a0") + b"%PDF-1.7", "cms"),
        (b"-----BEGIN PKCS7-----\n", "cms"),
        (b"-----BEGIN CMS-----\n", "cms"),
        (b"-----BEGIN CERTIFICATE-----\n", "none"),
        (b"PK\x03\x04", "none"),
        (b"\xd0\xcf\x11\xe0", "none"),
        (b"0 is a digit", "none"),
        (b"", "none"),
    ],
)
def test_a_file_is_told_by_its_bytes(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


@given(st.binary(max_size=3000))
def test_whatever_the_bytes_are_there_is_an_answer(data: bytes) -> None:
    assert kind_of(data) in KINDS


@given(st.lists(SIGNATURES, max_size=5))
def test_of_several_signatures_the_worst_counts_and_none_at_all_is_unsigned(signatures: list[Signature]) -> None:
    looked = Looked.of("pdf", signatures, by="x", lists="y")
    if not signatures:
        assert looked.verdict == "unsigned"
        return
    assert all(VERDICTS.index(each.verdict) <= VERDICTS.index(looked.verdict) for each in signatures)
    assert any((each.verdict, each.reason) == (looked.verdict, looked.reason) for each in signatures)


@given(st.lists(SIGNATURES, max_size=5), st.sampled_from(KINDS))
def test_what_is_written_down_is_read_back_the_same(signatures: list[Signature], kind: str) -> None:
    looked = Looked.of(kind, signatures, by="pyhanko 0", lists="0123456789ab")  # type: ignore[arg-type]
    assert looked_from(json.loads(json.dumps(asdict(looked)))) == looked
    told = Findings("0" * 64, looked, 1795395600.0).members()
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize(
    "change", [{"verdict": "fine"}, {"kind": "doc"}, {"reason": "because"}, {"signatures": [{"verdict": "fine"}]}]
)
def test_what_is_no_finding_is_refused(change: dict[str, object]) -> None:
    told = {**asdict(Looked("pdf", "valid")), **change}
    with pytest.raises((ValueError, TypeError)):
        looked_from(told)


def test_every_reason_is_said_in_two_languages() -> None:
    assert all(text.vi and text.en and text.vi != text.en for reason, text in REASONS.items() if reason)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.pdf.p7s", "A"),
        ("A.PDF.P7S", "A"),
        ("công văn.pdf.sig", "B"),
        ("a.pdf.p7b", "A"),
        ("a.p7s", None),
        ("b.pdf.p7s", None),
        ("a.pdf", None),
        ("a.pdf.asc", None),
        (".p7s", None),
        ("", None),
    ],
)
def test_a_detached_signature_has_the_whole_name_of_its_file_before_its_own_ending(
    name: str, found: str | None
) -> None:
    assert signed_by_name(name, {"a.pdf": "A", "công văn.pdf": "B"}) == found
