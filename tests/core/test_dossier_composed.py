"""A dossier as one record: the registration with all that was said since, and nothing that does not count."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings

from gateway.config.catalog import builtin_folder, read_contract
from gateway.core.dossiers.composed import composed
from gateway.core.dossiers.event import DossierEvent, Told
from gateway.core.dossiers.history import dossier_of, is_of_record
from gateway.core.dossiers.reading import event_of
from gateway.core.moments import parse_moment
from tests.core.dossier_told import BANK, CODE, DISTRICT, HISTORIES, ONE_STOP, PORTAL, STRANGER, shown, told
from tests.core.test_dossier_reading import Message, canonical

REGISTRATION = read_contract(builtin_folder() / "dossier.registered").version("2.0")


def a_moment(day: int, hour: str = "08:00") -> str:
    return f"2026-03-{day:02}T{hour}:00+07:00"


def a_status(code: int, day: int) -> dict[str, Any]:
    return {"code": code, "at": a_moment(day)}


def a_registration(code: int = 2, day: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "procedure": {"code": "1.004199", "name": "Đăng ký mẫu"},
        "agency": {"code": ONE_STOP},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
        "status": a_status(code, day),
        "dueAt": a_moment(13, "17:00"),
        **more,
    }


def record_of(*said: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    """The record of what agencies said: (contract, by whom, data)."""
    lines, data = [], {}
    for place, (name, by, words) in enumerate(said, start=1):
        message = Message(name, "2.0" if name == "dossier.registered" else "1.0", {"dossierCode": CODE, **words})
        event = event_of(message._replace(time=2e9), by, (ONE_STOP,), canonical, is_portal=by == PORTAL)
        assert event is not None
        lines.append(Told(place, f"m{place}", f"{by}/app", 0.0, event))
        data[f"m{place}"] = message.data
    kept = copy.deepcopy(data)

    record = composed(dossier_of(CODE, lines), data)

    assert data == kept
    assert REGISTRATION is not None
    assert record == {} or REGISTRATION.check(record) == ()
    return record


def test_a_record_is_the_registration_with_where_it_stands() -> None:
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration(resultDelivery="post", ext={"x": {"lạ": 1}})),
        (
            "dossier.progressed",
            ONE_STOP,
            {"at": a_moment(3), "status": {**a_status(4, 3), "told": {"vocabulary": "w"}}},
        ),
    )

    assert record == {
        "dossierCode": CODE,
        **a_registration(resultDelivery="post", ext={"x": {"lạ": 1}}),
        "status": {**a_status(4, 3), "told": {"vocabulary": "w"}},
        "receivedAt": a_moment(2),
    }


def a_request(id: str = "1") -> dict[str, Any]:
    papers = [{"name": "Bản vẽ"}]
    return {
        "status": a_status(5, 4),
        "supplement": {"id": id, "content": "Thiếu bản vẽ", "requestedAt": a_moment(4), "papers": papers,
                       "answerBefore": a_moment(30)},
    }  # fmt: skip


def an_answer(id: str = "1", **more: Any) -> dict[str, Any]:
    return {
        "status": a_status(4, 5),
        "supplement": {"id": id, "receivedAt": a_moment(5), "state": "1", "newDueAt": a_moment(16, "17:00")},
        "papers": [{"name": "Bản vẽ", "link": "https://motcua.example.vn/1"}],
        **more,
    }


def test_a_supplement_and_its_answer_become_one_entry_and_the_due_date_the_new_one() -> None:
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration()),
        ("dossier.supplement-requested", ONE_STOP, a_request()),
        ("dossier.supplemented", ONE_STOP, an_answer()),
    )

    assert record["dueAt"] == a_moment(16, "17:00")
    assert record["supplements"] == [
        {
            "id": "1",
            "content": "Thiếu bản vẽ",
            "requestedAt": a_moment(4),
            "papers": [{"name": "Bản vẽ"}, {"name": "Bản vẽ", "link": "https://motcua.example.vn/1"}],
            "receivedAt": a_moment(5),
            "state": "1",
            "newDueAt": a_moment(16, "17:00"),
        }
    ]


def test_what_an_answer_brings_is_kept_though_its_request_is_not_known() -> None:
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration(papers=[{"name": "Đơn"}])),
        ("dossier.supplemented", ONE_STOP, an_answer("7", fees=[{"name": "Phí", "amount": 5}])),
    )

    assert "supplements" not in record
    assert [paper["name"] for paper in record["papers"]] == ["Đơn", "Bản vẽ"]
    assert record["fees"] == [{"name": "Phí", "amount": 5}]


def test_results_are_added_once_with_when_they_were_there_and_when_they_were_fetched() -> None:
    first = {"name": "Giấy phép", "link": "https://motcua.example.vn/1"}
    again = {"name": "Giấy phép", "id": "000000001"}
    other = {"name": "Phụ lục", "id": "000000001"}
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration(4)),
        ("dossier.result-issued", ONE_STOP, {"status": a_status(9, 6), "results": [first, again],
                                             "finishedAt": a_moment(6)}),
        ("dossier.result-issued", ONE_STOP, {"status": a_status(10, 9), "results": [again, other], "note": "Đã trả",
                                             "handedOverAt": a_moment(8)}),
    )  # fmt: skip

    assert record["results"] == [first, again, other]
    assert (record["finishedAt"], record["returnedAt"], record["returnNote"]) == (a_moment(6), a_moment(8), "Đã trả")
    assert record["status"] == a_status(10, 9)


def test_a_refusal_says_why_and_a_withdrawal_too() -> None:
    refused = record_of(
        ("dossier.registered", PORTAL, a_registration(1)),
        ("dossier.returned", ONE_STOP, {"status": a_status(3, 4), "returnedAt": a_moment(4), "reason": "Sai nơi nhận"}),
    )
    withdrawn = record_of(
        ("dossier.registered", ONE_STOP, a_registration(4)),
        ("dossier.withdrawn", ONE_STOP, {"status": a_status(7, 4), "withdrawnAt": a_moment(4), "reason": "Đổi ý"}),
    )

    assert (refused["refusedAt"], refused["returnedAt"], refused["returnNote"]) == (*[a_moment(4)] * 2, "Sai nơi nhận")
    assert (withdrawn["returnedAt"], withdrawn["returnNote"]) == (a_moment(4), "Đổi ý")
    assert "refusedAt" not in withdrawn


def test_charges_and_their_payment_are_in_it() -> None:
    charges = {"fees": [{"name": "Thuế trước bạ", "amount": 1_500_000}], "noticeNumber": "TB-1"}
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration(4, fees=[{"name": "Lệ phí", "amount": 15_000}])),
        ("dossier.progressed", ONE_STOP, {"at": a_moment(4), "status": a_status(6, 4), "charges": charges}),
        ("payment.notified", BANK, {"noticeId": "P", "amount": 1_515_000, "paidAt": a_moment(5), "outcome": "paid",
                                    "status": a_status(4, 5)}),
    )  # fmt: skip

    assert [fee["amount"] for fee in record["fees"]] == [15_000, 1_500_000]
    assert record["onlinePayment"] == "paid"
    assert record["status"] == a_status(4, 5)


@pytest.mark.parametrize("status", [None, 4])
def test_money_that_nothing_waited_for_or_that_moves_nothing_makes_no_dossier_a_paid_one(status: int | None) -> None:
    """One dong of a million moves nothing, so that no portal is told that it was paid."""
    waits = 6 if status is None else 4
    said = {} if status is None else {"status": a_status(status, 5)}
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration(4)),
        ("dossier.progressed", ONE_STOP, {"at": a_moment(4), "status": a_status(waits, 4)}),
        ("payment.notified", BANK, {"noticeId": "P", "amount": 1, "paidAt": a_moment(5), "outcome": "paid", **said}),
    )

    assert "onlinePayment" not in record
    assert record["status"]["code"] == waits


def test_what_a_part_of_it_waited_for_was_paid_for_the_whole() -> None:
    to = {"number": 1, "from": {"code": ONE_STOP}, "to": {"code": DISTRICT}, "forwardedAt": a_moment(3)}
    dossier = {"procedure": {"code": "1.004199"}, "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}}
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration(4)),
        ("dossier.forwarded", ONE_STOP, {"hop": to, "dossier": dossier}),
        ("dossier.progressed", DISTRICT, {"at": a_moment(4), "status": a_status(6, 4)}),
        ("payment.notified", BANK, {"noticeId": "P", "amount": 9, "paidAt": a_moment(5), "outcome": "paid",
                                    "status": a_status(4, 5)}),
    )  # fmt: skip

    assert (record["onlinePayment"], record["status"]["code"]) == ("paid", 4)


def test_waiting_without_a_new_date_moves_the_due_date_of_the_record() -> None:
    answer = an_answer()
    del answer["supplement"]["newDueAt"]
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration()),
        ("dossier.supplement-requested", ONE_STOP, a_request()),
        ("dossier.supplemented", ONE_STOP, answer),
    )

    assert shown(parse_moment(record["dueAt"])) == "2026-03-16T17:00"
    assert record["dueAt"].endswith("+07:00")


def test_the_one_stops_own_registration_takes_the_place_of_the_portals() -> None:
    record = record_of(
        ("dossier.registered", PORTAL, a_registration(1, papers=[{"name": "Đơn"}], submission={"channel": "online"})),
        ("dossier.registered", ONE_STOP, a_registration(2, 3, dueAt=a_moment(20), papers=[{"name": "Đơn, bản quét"}])),
    )

    assert record["papers"] == [{"name": "Đơn, bản quét"}]
    assert (record["dueAt"], record["submission"]) == (a_moment(20), {"channel": "online"})


def test_what_strangers_say_or_what_is_forced_is_not_in_it() -> None:
    sound = [
        ("dossier.registered", ONE_STOP, a_registration()),
        ("dossier.supplement-requested", ONE_STOP, a_request()),
    ]
    result = {"status": a_status(9, 6), "results": [{"name": "Giả"}]}
    forced = {"status": a_status(10, 7), "results": [], "note": "Đã trả"}

    assert record_of(*sound) == record_of(
        *sound,
        ("dossier.result-issued", STRANGER, result),
        ("dossier.registered", STRANGER, a_registration(4, 3, abstract="Giả")),
        ("dossier.result-issued", ONE_STOP, forced),
    )


def test_a_registration_that_is_sent_again_at_the_same_status_brings_its_newest_words() -> None:
    record = record_of(
        ("dossier.registered", ONE_STOP, a_registration(abstract="Cũ")),
        ("dossier.registered", ONE_STOP, a_registration(abstract="Mới")),
        ("dossier.registered", STRANGER, a_registration(abstract="Giả")),
        ("dossier.registered", STRANGER, a_registration(abstract="Giả")),
    )

    assert record["abstract"] == "Mới"


def test_without_its_registration_there_is_no_record() -> None:
    assert record_of(("dossier.progressed", ONE_STOP, {"at": a_moment(3), "status": a_status(4, 3)})) == {}


# ----------------------------------------------------------------------------------------------- of every history


def data_of(event: DossierEvent) -> dict[str, Any]:
    """Valid data that say what the event does."""
    when = shown(event.said_at)
    status = {"code": event.status or 4, "at": f"{when}:00+07:00"}
    things = [{"name": f"{event.kind} {event.agency} {when}"}]
    match event.kind:
        case "registered":
            return {"dossierCode": CODE, **a_registration(), "status": status, "fees": [{**things[0], "amount": 1}]}
        case "supplement-requested":
            asked = {"id": event.reference, "content": "…", "requestedAt": status["at"]}
            return {"dossierCode": CODE, "status": status, "supplement": asked}
        case "supplemented":
            answer = {"id": event.reference, "receivedAt": status["at"]}
            return {"dossierCode": CODE, "status": status, "supplement": answer, "papers": things}
        case "result-issued":
            return {"dossierCode": CODE, "status": status, "results": things if event.has_result else []}
        case "returned":
            return {"dossierCode": CODE, "status": status, "returnedAt": status["at"], "reason": "…"}
        case "withdrawn":
            return {"dossierCode": CODE, "status": status, "withdrawnAt": status["at"], "reason": "…"}
        case "payment-notified":
            return {"dossierCode": CODE, "status": status, "outcome": "paid"}
        case _:
            return {"dossierCode": CODE, "status": status}


@given(events=HISTORIES)
@settings(max_examples=150)
def test_whatever_was_said_the_record_is_valid_and_what_does_not_count_changes_nothing(events: list[Any]) -> None:
    lines = told(events)
    dossier = dossier_of(CODE, lines)
    data = {line.message: data_of(line.event) for line in lines}

    record = composed(dossier, data)
    sound = {step.told.message for step in dossier.steps if is_of_record(step)}

    assert REGISTRATION is not None
    assert record == {} or REGISTRATION.check(record) == ()
    assert record == composed(dossier, {message: said for message, said in data.items() if message in sound})
    assert record == {} or record["status"]["code"] == dossier.status
    assert record == {} or parse_moment(record["dueAt"]) == dossier.due or dossier.due is None
