"""What a message says of a dossier: read from data of every contract and both majors."""

from __future__ import annotations

import copy
import random
import time
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.catalog import builtin_folder, read_catalog
from gateway.config.law import read_law
from gateway.core.contract import Version
from gateway.core.dossiers.event import DossierEvent, Hop
from gateway.core.dossiers.history import dossier_of
from gateway.core.dossiers.reading import event_of
from tests.core.dossier_told import at, told

CALENDAR = read_law().calendar
SENT = at("2026-11-23T09:00")
FILE = {"name": "a.pdf", "mediaType": "application/pdf", "size": 3, "sha256": "0" * 64}


class Message(NamedTuple):
    type: str
    version: str
    data: Any
    time: float = SENT


def canonical(code: str) -> str:
    return {"000.00.09.H33": "H33.09", "000.00.07.H33": "H33.07"}.get(code, code)


def read(name: str, data: dict[str, Any], version: str = "1.0", to: tuple[str, ...] = ()) -> DossierEvent | None:
    made = {"dossierCode": "h33.09-261123-0001", **data}
    return event_of(Message(name, version, made), "H33.09", to, canonical, CALENDAR)


def a_status(code: int, when: str = "2026-11-23T08:00:00+07:00") -> dict[str, Any]:
    return {"code": code, "at": when}


def a_registration(**more: Any) -> dict[str, Any]:
    return {
        "procedure": {"code": "1.004199"},
        "agency": {"code": "000.00.09.H33", "name": "Sở Mẫu"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
        "status": a_status(2),
        **more,
    }


@pytest.mark.parametrize("version", ["1.0", "1.7", "2.0"])
def test_a_registration_of_either_major_says_whose_it_is_and_until_when(version: str) -> None:
    event = read("dossier.registered", a_registration(
        receivedAt="2026-11-23T07:50:00+07:00", dueAt="2026-11-30T17:00:00+07:00", results=[{"name": "Giấy phép"}],
        parent={"dossierCode": " g15-1 "}, submission={"channel": "online"}, finishedAt="2026-11-27T10:00:00+07:00",
    ), version, ("G22",))  # fmt: skip

    assert event == DossierEvent(
        kind="registered",
        code="H33.09-261123-0001",
        written="h33.09-261123-0001",
        agency="H33.09",
        recipients=("G22",),
        said_at=at("2026-11-23T08:00"),
        sent_at=SENT,
        status=2,
        due=at("2026-11-30T17:00"),
        procedure="1.004199",
        parent="G15-1",
        channel="online",
        has_result=True,
        received_at=at("2026-11-23T07:50"),
        finished_at=at("2026-11-27T10:00"),
        addressee="H33.09",
        code_agency="H33.09",
    )


@pytest.mark.parametrize(
    ("code", "agency"),
    [
        ("000.00.09.H33-261123-0001", "H33.09"),
        ("h33.30-261123-0001", "H33.30"),
        ("H33.30-269923-0001", ""),
        ("BTP-2026-17", ""),
    ],
)
def test_a_line_says_whose_code_it_is_by_the_directory(code: str, agency: str) -> None:
    event = read("dossier.registered", a_registration(dossierCode=code))

    assert event is not None
    assert (event.code_agency, event.is_portal) == (agency, False)


def test_a_term_becomes_a_due_date_where_none_is_written() -> None:
    term = {"number": 3, "unit": "working-day"}
    received = "2026-11-25T08:00:00+07:00"

    with_term = read("dossier.registered", a_registration(receivedAt=received, term=term))
    with_date = read("dossier.registered", a_registration(receivedAt=received, term=term, dueAt=received))
    at_its_receipt = read("dossier.registered", a_registration(term=term))
    without_receipt = read("dossier.registered", a_registration(term=term, status=a_status(4)))

    assert with_term is not None
    assert with_term.due == at("2026-11-30T08:00")
    assert with_date is not None
    assert with_date.due == at("2026-11-25T08:00")
    assert at_its_receipt is not None
    assert at_its_receipt.due == at("2026-11-27T08:00")
    assert without_receipt is not None
    assert without_receipt.due is None


def a_hop(**more: Any) -> dict[str, Any]:
    hop = {
        "number": 2,
        "from": {"code": "000.00.09.H33"},
        "to": {"code": "000.00.07.H33"},
        "forwardedAt": "2026-11-23T08:10:00+07:00",
        **more,
    }
    return {"hop": hop, "dossier": {"procedure": {"code": "1.004199"}, "applicant": {"name": "X", "kind": "other"}}}


def test_a_hop_says_from_whom_to_whom_and_by_when() -> None:
    event = read(
        "dossier.forwarded",
        {**a_hop(dueAt="2026-11-27T17:00:00+07:00"), "child": {"dossierCode": "h33.07-261123-0009"}},
    )

    assert event is not None
    assert event.hop == Hop(2, "H33.09", "H33.07", at("2026-11-27T17:00"), "H33.07-261123-0009")
    assert (event.said_at, event.status, event.due, event.reference) == (at("2026-11-23T08:10"), None, None, "2/H33.07")


def test_a_hop_to_a_unit_without_a_code_goes_to_the_one_that_it_was_sent_to() -> None:
    nameless = a_hop(to={"name": "UBND huyện Mẫu"}, **{"from": {"name": "Sở Mẫu"}})

    sent = read("dossier.forwarded", nameless, to=("H33.07",))
    many = read("dossier.forwarded", nameless, to=("H33.07", "H33.14"))

    assert sent is not None
    assert sent.hop == Hop(2, "H33.09", "H33.07")
    assert many is not None
    assert many.hop == Hop(2, "H33.09", "")


def test_a_hops_term_counts_from_when_it_was_handed_on() -> None:
    event = read("dossier.forwarded", a_hop(term={"number": 1, "unit": "day"}))

    assert event is not None
    assert event.hop is not None
    # The day after is the Day of Vietnamese Culture, and a day off.
    assert event.hop.due == at("2026-11-25T08:10")


WHEN = "2026-11-23T08:20:00+07:00"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        (
            "dossier.progressed",
            {"at": WHEN, "status": a_status(4), "dueAt": "2026-12-01T08:00:00+07:00"},
            (4, "", None),
        ),
        (
            "dossier.progressed",
            {"at": WHEN, "status": a_status(6), "charges": {"fees": [], "noticeNumber": "TB-1"}},
            (6, "TB-1", None),
        ),
        (
            "dossier.supplement-requested",
            {"status": a_status(5), "supplement": {"id": "1", "content": "…", "requestedAt": WHEN}},
            (5, "1", None),
        ),
        (
            "dossier.supplemented",
            {
                "status": a_status(4),
                "supplement": {"id": "1", "receivedAt": WHEN, "newDueAt": "2026-12-01T08:00:00+07:00"},
            },
            (4, "1", at("2026-12-01T08:00")),
        ),
        ("dossier.returned", {"status": a_status(8), "returnedAt": WHEN, "reason": "…"}, (8, "", None)),
        ("dossier.withdrawn", {"status": a_status(7), "withdrawnAt": WHEN}, (7, "", None)),
        ("dossier.result-issued", {"status": a_status(9, WHEN), "results": []}, (9, "", None)),
        ("signing.completed", {"outcome": "trace", "at": WHEN, "requestId": "S1"}, (None, "S1", None)),
        (
            "payment.notified",
            {"noticeId": "P1", "amount": 1, "paidAt": WHEN, "outcome": "paid", "status": a_status(4)},
            (4, "P1", None),
        ),
        (
            "payment.notified",
            {"noticeId": "P1", "amount": 1, "paidAt": WHEN, "outcome": "failed", "status": a_status(4)},
            (None, "P1", None),
        ),
        (
            "payment.refunded",
            {"noticeId": "P2", "refundOf": "P1", "amount": 1, "refundedAt": WHEN},
            (None, "P2", None),
        ),
        ("post.tracked", {"orderNumber": "E1", "event": {"at": WHEN, "code": "70"}}, (None, "E1/70", None)),
    ],
)
def test_each_contract_says_when_it_happened_to_which_status_and_about_what(
    name: str, data: dict[str, Any], expected: tuple[int | None, str, float | None]
) -> None:
    event = read(name, data)

    assert event is not None
    assert (event.status, event.reference, event.due) == expected
    assert event.said_at == at("2026-11-23T08:20")
    assert event.kind == (name.removeprefix("dossier.") if name.startswith("dossier.") else name.replace(".", "-"))


def test_what_has_no_moment_of_its_own_happened_when_it_was_sent() -> None:
    asked = read("signing.requested", {"requestId": "S1", "title": "…", "draft": {"abstract": "…", "attachments": []}})
    ordered = read("post.ordered", {"orderNumber": "E1", "kind": "result"})

    assert asked is not None
    assert (asked.said_at, asked.reference) == (SENT, "S1")
    assert ordered is not None
    assert (ordered.said_at, ordered.reference) == (SENT, "E1")


def test_a_signed_document_is_a_result_and_a_rejected_one_is_none() -> None:
    signed = {"at": WHEN, "outcome": "issued", "document": {"attachments": [{"name": "a", "file": FILE}]}}

    assert [
        event.has_result
        for data in (signed, {**signed, "outcome": "rejected"}, {"at": WHEN, "outcome": "signed"})
        if (event := read("signing.completed", data)) is not None
    ] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "version"),
    [("document.issued", "2.0"), ("procedure.catalogue", "1.0"), ("dossier.registered", "3.0"), ("dossier.x", "1.0")],
)
def test_what_speaks_of_no_dossier_or_in_a_major_that_is_not_known_gets_no_line(name: str, version: str) -> None:
    assert read(name, a_registration(), version) is None


def test_a_parcel_of_no_dossier_gets_no_line() -> None:
    tracked = Message("post.tracked", "1.0", {"orderNumber": "E1", "event": {"at": WHEN, "code": "70"}})

    assert event_of(tracked, "H33.14", (), canonical) is None


# ------------------------------------------------------------------------------------------------- whatever is valid


CATALOG = read_catalog([builtin_folder()])
SPOKEN = [
    version
    for contract in CATALOG.contracts.values()
    if contract.name.split(".")[0] in {"dossier", "signing", "payment", "post"}
    for version in contract.versions
]


@pytest.mark.parametrize("version", SPOKEN, ids=lambda version: f"{version.name}-{version.label}")
def test_every_example_of_every_contract_gets_its_line(version: Version) -> None:
    for example in version.examples:
        event = event_of(Message(version.name, version.label, example.data), "H33.09", ("G22",), canonical, CALENDAR)

        assert (event is None) == ("dossierCode" not in example.data)
        assert event is None or event.written == example.data["dossierCode"]


def _places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, part in parts for found in ((*place, name), *_places(part, (*place, name)))]


@given(chance=st.randoms(use_true_random=False), version=st.sampled_from(SPOKEN))
@settings(max_examples=200)
def test_whatever_is_valid_can_be_read(chance: random.Random, version: Version) -> None:
    """What is optional may be absent, anywhere."""
    data = copy.deepcopy(dict(chance.choice(version.examples).data))
    for place in chance.sample(places := _places(data), chance.randint(0, len(places))):
        holder: Any = data
        for name in place[:-1]:
            holder = holder[name] if isinstance(holder, dict) and name in holder else None
        if isinstance(holder, dict) and place[-1] in holder:
            gone = holder.pop(place[-1])
            if version.check(data):
                holder[place[-1]] = gone
    assert not version.check(data)

    event = event_of(Message(version.name, version.label, data), "H33.09", (), canonical, CALENDAR)

    assert event is None or dossier_of(event.code, told([event]), CALENDAR).steps


def test_a_line_is_read_in_a_few_microseconds() -> None:
    message = Message("dossier.registered", "2.0", {"dossierCode": "H33.09-261123-0001", **a_registration()})
    other = Message("document.issued", "2.0", {})

    assert _best(message) < 100e-6
    assert _best(other) < 5e-6


def _best(message: Message) -> float:
    def once() -> float:
        began = time.perf_counter()
        for _ in range(100):
            event_of(message, "H33.09", (), canonical)
        return (time.perf_counter() - began) / 100

    return min(once() for _ in range(10))


def test_what_people_read_of_a_step_tells_it_from_another_and_is_not_in_the_line_itself() -> None:
    def words(**more: Any) -> tuple[str, str]:
        data = {
            "dossierCode": "H33.09-261123-0001", "at": "2026-11-23T08:30:00+07:00",
            "status": {"code": 4, "at": "2026-11-23T08:30:00+07:00"}, **more,
        }  # fmt: skip
        line = read("dossier.progressed", data)
        assert line is not None
        return line.words

    assert words() == ("", "")
    assert words(content="Thẩm định") == words(content=" Thẩm định ")
    assert words(content="Thẩm định") != words(content="Trình ký")
    assert "Thẩm định" not in words(content="Thẩm định", officer={"name": "Nguyễn Văn Mẫu"})
