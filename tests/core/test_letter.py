"""A parcel as a letter: the sender's own bytes where they are for this delivery alone, else just its addressees."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from gateway.core.content import whole
from gateway.core.documents.axis_error import ERRORS, failure_of
from gateway.core.documents.letter import Letter, is_for, letter_of
from gateway.core.documents.outgoing import Outgoing
from gateway.core.documents.rejection import Answered, rejection
from gateway.core.documents.sample import glance, sample_letter
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import ResponseFor, StatusMessage
from gateway.core.faults import DestinationGone, PermanentFailure, Text, TransientFailure
from tests.adapters.fitting import Hands, a_parcel, an_event


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path)


def a_letter(hands: Hands, event: dict[str, Any], **override: Any) -> Letter:
    parcel = a_parcel(hands.context("skeleton", {}), event=event, **override)
    return letter_of(parcel, Outgoing(hands.open_file, Limits()), Limits())


def data_2_0(*to: str) -> dict[str, Any]:
    return {
        "documentId": "H33.05,2026/11/23,12/STC-VP",
        "code": {"number": "12", "notation": "STC-VP"},
        "from": {"organId": "H33.05"},
        "to": [{"organId": code, "organName": f"Cơ quan {code}"} for code in to],
        "subject": "V/v họp",
        "confidentiality": "none",
        "business": {"type": "new"},
    }


@pytest.mark.parametrize("carried", [(), ("H01.05",), ("H01.05", "H01.06")])
@pytest.mark.parametrize("label", ["1.0", "2.0"])
def test_a_document_from_data_names_whom_the_delivery_is_for_and_nobody_else(
    hands: Hands, label: str, carried: tuple[str, ...]
) -> None:
    everybody = ["H33.16", "H01.05", "H01.06", "H01.07"]
    data = data_2_0(*everybody) if label == "2.0" else {**an_event()["data"], "recipients": everybody}
    event = an_event(data=data, dataschema=f"urn:lgsp:contract:document.issued:{label}", to=" ".join(everybody))
    letter = a_letter(hands, event, carried=carried)
    wanted = carried or ("H33.16",)
    seen = glance(whole(letter.content))
    assert seen is not None
    assert seen.receivers == letter.receivers == wanted
    assert (letter.kind, letter.sender, letter.code, letter.is_new) == ("edoc", "H33.05", "12/STC-VP", True)
    assert letter.document_id == "H33.05,2026/11/23,12/STC-VP"


def test_what_is_attached_is_the_same_when_a_file_is_written_anew(hands: Hands) -> None:
    raw = sample_letter("12", sender="H33.05", receivers=("H33.16", "H01.05"))
    sha256 = hashlib.sha256(raw).hexdigest()
    hands.files[sha256] = raw
    named = {"name": "a.edxml", "mediaType": "application/xml", "size": len(raw), "sha256": sha256}
    data = {**data_2_0("H33.16", "H01.05"), "documentId": "H33.05,2026/11/23,12/UBND-VP", "raw": named}
    letter = a_letter(
        hands, an_event(data=data, dataschema="urn:lgsp:contract:document.issued:2.0", to="H33.16 H01.05")
    )
    before, after = read(raw), read(whole(letter.content))
    assert whole(letter.content) != raw
    assert not isinstance(before, StatusMessage)
    assert not isinstance(after, StatusMessage)
    assert [each.organ_id for each in after.recipients] == ["H33.16"]
    assert after.attachments == before.attachments
    assert after.trace == before.trace


@pytest.mark.parametrize(
    ("named", "addressees", "to", "answer"),
    [
        (["A"], ["A"], "A", True),
        (["A", "B"], ["B", "A"], "A B", True),
        (["old-A"], ["A"], "old-A", True),
        (["old-A"], ["A"], "old-A/dms", True),
        (["old-A", "B"], ["A"], "old-A B", False),
        (["X"], ["A"], "A", False),
        (["A", "B"], ["A"], "A", False),
        ([], ["A"], None, False),
    ],
)
def test_a_file_is_for_the_addressees_alone_also_in_the_other_form_of_their_codes(
    named: list[str], addressees: list[str], to: str | None, answer: bool
) -> None:
    assert is_for(named, addressees, {"to": to}) is answer


def test_a_rejection_says_who_refuses_what_and_why_and_no_more_than_fits() -> None:
    about = Answered("H33.16", ResponseFor("H37.01", "12/UBND-VP", "H37.01,2026/11/23,12/UBND-VP", "2026-11-23"))
    for detail in (Text("Chưa có thoả thuận.", "No agreement."), Text("x" * 9000, "y" * 9000)):
        message = read(rejection(about, "no-agreement", detail, 1795395600.0))
        assert isinstance(message, StatusMessage)
        assert (message.code, message.sender.organ_id) == ("02", "H33.16")
        assert message.response_for == about.document
        assert message.description is not None
        assert "no-agreement" in message.description
        assert len(message.description) <= 2000


def test_every_code_of_the_guide_has_a_meaning_and_says_who_acts() -> None:
    assert set(ERRORS) == {"10", "15", "18", "19", "20", "21", "22", "23"}
    kinds = {code: type(failure_of(code, attempt=1)) for code in (*ERRORS, "9999", "")}
    assert {code for code, kind in kinds.items() if kind is PermanentFailure} == {"10", "18", "19", "22", "23"}
    assert {code for code, kind in kinds.items() if kind is DestinationGone} == {"15"}
    assert {code for code, kind in kinds.items() if kind is TransientFailure} == {"20", "21", "9999", ""}
    assert isinstance(failure_of("21", attempt=5), PermanentFailure)
