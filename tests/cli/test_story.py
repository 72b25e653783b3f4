"""What an agency and an operator do at the command line, with a gateway running: send, take, look, hold, replay."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client.bus import Bus
from gateway.client.identity import find_files, read_signer
from gateway.core.jws import split
from tests.cli.desk import choose_port, lgsp, serving
from tests.province import a_pair, a_province, edit

DOCUMENT = {
    "documentId": "H33.05,2026/11/23,1/TB-STC",
    "issuingOrganId": "H33.05",
    "subject": "Thông báo lịch họp",
    "confidentiality": "none",
}


class Town:
    """A province with a running gateway and one document on the table."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.file = folder.parent / "congvan.json"
        self.file.write_text(json.dumps(DOCUMENT), encoding="utf-8")

    def sent(self, *more: str) -> str:
        shown = lgsp("-C", self.folder, "send", self.file, "--as", "H33.05/dms", "--to", "H33.16", "--json", *more)
        assert shown.status == 0, shown.err
        return str(shown.json["id"])

    def taken(self) -> list[dict[str, Any]]:
        shown = lgsp("-C", self.folder, "inbox", "--as", "H33.16/dms", "--take", "--max", "500", "--json")
        assert shown.status == 0, shown.err
        return [json.loads(line) for line in shown.out.splitlines()]

    def status(self, sent: str, *more: str) -> dict[str, Any]:
        shown = lgsp("-C", self.folder, "status", sent, "--json", *more)
        assert shown.status == 0, shown.err
        members: dict[str, Any] = shown.json
        return members

    def refuse_all(self, reason: str) -> None:
        async def work() -> None:
            signer = read_signer(*find_files(self.folder / "keys", "H33.16/dms"))
            async with Bus.reach(self.url) as bus:
                token = await bus.token(signer, "H33.16/dms")
                leased = await bus.lease(token, most=500, wait=0, visibility=30)
                await bus.settle(token, refused={each["delivery"]: reason for each in leased})

        asyncio.run(work())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = a_province(tmp_path_factory.mktemp("lgsp") / "tinh")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    town = Town(folder, choose_port(folder, port))
    assert lgsp("-C", folder, "apply").status == 0
    with serving(folder):
        yield town


@pytest.fixture
def town(running: Town) -> Town:
    running.taken()  # nothing is left from the test before
    return running


def test_a_document_is_sent_taken_and_looked_up(town: Town) -> None:
    sent = town.sent("--priority", "urgent")
    (taken,) = town.taken()
    assert taken["event"]["id"] == sent
    assert taken["event"]["data"] == DOCUMENT
    assert (taken["event"]["priority"], taken["event"]["subject"]) == ("urgent", DOCUMENT["documentId"])
    assert town.taken() == []
    told = town.status(sent)
    assert (told["source"], told["type"], told["version"]) == ("H33.05/dms", "document.issued", "1.0")
    (delivery,) = told["deliveries"]
    assert (delivery["recipient"], delivery["state"]) == ("H33.16/dms", "delivered")
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["taken"]


def test_the_ledger_and_the_door_tell_the_same_of_a_message(town: Town) -> None:
    sent = town.sent()
    waiting = town.status(sent)
    assert waiting == town.status(sent, "--as", "H33.05/dms")
    town.taken()
    assert town.status(sent) == town.status(sent, "--as", "H33.05/dms") == town.status(sent, "--as", "H33.16/dms")


def test_people_read_receipt_inbox_and_timeline_in_words(town: Town) -> None:
    shown = lgsp("-C", town.folder, "send", town.file, "--as", "H33.05/dms", "--to", "H33.16")
    assert "Trục đã nhận thông điệp" in shown.out
    assert "Nơi nhận: H33.16/dms" in shown.out
    receipt = shown.out.split("Biên nhận: ")[1].strip()
    accepted = json.loads(split(receipt.encode()).payload)
    assert (accepted["receipt"], accepted["gateway"]) == ("accepted", "H33.14/lgsp")
    inbox = lgsp("-C", town.folder, "inbox", "--as", "H33.16/dms", "--take").out
    assert "từ H33.05/dms" in inbox
    assert "Thông báo lịch họp" in inbox
    assert "Đã xác nhận nhận 1 thông điệp" in inbox
    assert "Không có thông điệp nào đang chờ" in lgsp("-C", town.folder, "inbox", "--as", "H33.16/dms").out
    timeline = lgsp("-C", town.folder, "status", accepted["id"]).out
    assert "trục đã nhận từ H33.05/dms" in timeline
    assert "→ H33.16/dms: đã nhận" in timeline
    assert "lần 1: nơi nhận đã nhận" in timeline
    assert "the recipient took it" in lgsp("--lang", "en", "-C", town.folder, "status", accepted["id"]).out


def test_the_same_id_twice_is_refused_as_another_message_and_told_in_words(town: Town) -> None:
    sent = town.sent()
    shown = lgsp("-C", town.folder, "send", town.file, "--as", "H33.05/dms", "--to", "H33.16", "--id", sent)
    assert (shown.status, shown.out) == (1, "")
    assert "409 conflict: Mã thông điệp đã được dùng." in shown.err
    assert "409 conflict: The message id is taken." in shown.err


def test_data_that_breaks_the_contract_is_told_rule_by_rule(town: Town) -> None:
    bad = town.folder.parent / "thieu.json"
    bad.write_text('{"documentId": "x", "confidentiality": "none"}')
    shown = lgsp("--lang", "vi", "-C", town.folder, "send", bad, "--as", "H33.05/dms", "--to", "H33.16")
    assert shown.status == 1
    assert "422 contract-violation" in shown.err
    assert "issuingOrganId" in shown.err
    assert lgsp("-C", town.folder, "send", bad, "--as", "H33.05/dms", "--json").json["violations"]


def test_an_unknown_recipient_is_named(town: Town) -> None:
    shown = lgsp("-C", town.folder, "send", town.file, "--as", "H33.05/dms", "--to", "H33.99")
    assert shown.status == 1
    assert "unknown-recipient" in shown.err
    assert shown.err.rstrip().endswith("H33.99")


def test_what_is_no_json_is_refused_before_anything_is_sent(town: Town) -> None:
    bad = town.folder.parent / "hong.json"
    bad.write_text('{"a": 1, "a": 2}')
    shown = lgsp("-C", town.folder, "send", bad, "--as", "H33.05/dms")
    assert shown.status == 1
    assert "hong.json" in shown.err


def test_a_key_may_be_named_and_one_that_is_missing_is_told(town: Town) -> None:
    key = town.folder / "keys/H33.05-dms.pem"
    sent = town.sent("--key", str(key), "--cert", str(key.with_suffix(".crt")), "--url", town.url)
    assert town.status(sent)["id"] == sent
    shown = lgsp("-C", town.folder, "send", town.file, "--as", "H33.77/dms")
    assert shown.status == 1
    assert "keys/H33.77-dms.pem" in shown.err
    assert "--key" in shown.err


def test_a_key_that_is_not_the_certificates_is_told(town: Town) -> None:
    keys = town.folder / "keys"
    shown = lgsp("-C", town.folder, "send", town.file, "--as", "H33.05/dms", "--key", keys / "H33.05-dms.pem",
                 "--cert", keys / "H33.16-dms.crt")  # fmt: skip
    assert shown.status == 1
    assert "H33.16-dms.crt" in shown.err


def test_an_unregistered_key_is_refused_by_the_bus_in_words(town: Town) -> None:
    a_pair(town.folder, "la")
    shown = lgsp("-C", town.folder, "inbox", "--as", "H33.16/dms", "--key", town.folder / "keys/la.pem")
    assert shown.status == 1
    assert "invalid_client" in shown.err
    sent = lgsp("-C", town.folder, "send", town.file, "--as", "H33.05/dms", "--key", town.folder / "keys/la.pem")
    assert "401 unknown-signer" in sent.err


def test_a_bus_that_does_not_answer_is_told_with_its_address(town: Town) -> None:
    shown = lgsp("-C", town.folder, "send", town.file, "--as", "H33.05/dms", "--url", "http://127.0.0.1:9")
    assert shown.status == 1
    assert "http://127.0.0.1:9" in shown.err
    assert "lgsp serve" in shown.err


def test_an_operator_holds_and_releases_a_destination(town: Town) -> None:
    sent = town.sent()
    held = lgsp("-C", town.folder, "hold", "H33.16/dms", "--reason", "bảo trì", "--json").json
    assert held == {"result": "held", "system": "H33.16/dms", "deliveries": 1}
    assert town.taken() == []
    assert "H33.16/dms: tạm giữ từ" in lgsp("-C", town.folder, "failed").out
    released = lgsp("-C", town.folder, "release", "H33.16/dms", "--reason", "xong", "--json").json
    assert released["deliveries"] == 1
    assert [each["event"]["id"] for each in town.taken()] == [sent]


def test_what_a_recipient_refused_is_found_and_tried_again(town: Town) -> None:
    sent = town.sent()
    town.refuse_all("thiếu trang cuối")
    failed = lgsp("-C", town.folder, "failed", "--recipient", "H33.16/dms", "--json").json
    (group,) = failed["groups"]
    assert (group["kind"], group["error"], group["text"], group["count"]) == ("dead", "refused", "thiếu trang cuối", 1)
    (dead,) = lgsp("-C", town.folder, "failed", group["group"], "--json").json["deliveries"]
    assert (dead["message"], dead["state"], dead["cause"]) == (sent, "dead", "refused")
    assert dead["delivery"] in lgsp("-C", town.folder, "failed", group["group"]).out
    assert "bị nơi nhận từ chối" in lgsp("-C", town.folder, "failed").out
    assert "thiếu trang cuối" in lgsp("-C", town.folder, "status", sent).out
    again = lgsp("-C", town.folder, "replay", dead["delivery"], "--reason", "đã bổ sung", "--json").json
    assert [each["state"] for each in again["deliveries"]] == ["queued"]
    assert [each["event"]["id"] for each in town.taken()] == [sent]
    assert lgsp("-C", town.folder, "failed").out == "Không có lượt chuyển nào hỏng.\n"


def test_a_group_is_looked_at_replayed_and_watched_to_its_end(town: Town) -> None:
    sent = [town.sent() for _ in range(3)]
    town.refuse_all("lỗi máy chủ 7")
    groups = {each["error"]: each for each in lgsp("-C", town.folder, "failed", "--json").json["groups"]}
    assert {error: each["count"] for error, each in groups.items()} == {"refused": 1, "behind-dead": 2}
    group = groups["refused"]
    assert group["next_step"]["vi"]

    seen = lgsp("-C", town.folder, "replay", group["group"], "--dry-run", "--json").json
    assert (seen["eligible"], seen["not_eligible"]) == (1, [])
    told = lgsp("-C", town.folder, "replay", group["group"], "--dry-run").out
    assert "Làm được: 1 lượt" in told
    assert lgsp("-C", town.folder, "replay", "list").out == "Chưa có đợt nào.\n"

    begun = lgsp("-C", town.folder, "replay", group["group"], "--reason", "đã sửa", "--json").json
    assert (begun["state"], begun["total"]) == ("running", 1)
    taken = until_taken(town, 3)
    assert taken == sent
    done = until_done(town, begun["id"])
    assert (done["state"], done["counts"]) == ("done", {"delivered": 1})
    assert begun["id"] in lgsp("-C", town.folder, "replay", "list").out
    assert "xong" in lgsp("-C", town.folder, "replay", "show", begun["id"]).out


def until_taken(town: Town, how_many: int) -> list[str]:
    """Take one after the other until so many are taken."""
    found: list[str] = []
    end = time.monotonic() + 20
    while len(found) < how_many and time.monotonic() < end:
        found += [each["event"]["id"] for each in town.taken()]
    return found


def until_done(town: Town, operation: str) -> dict[str, Any]:
    """An operation when it does not run any more."""
    end = time.monotonic() + 20
    while True:
        told: dict[str, Any] = lgsp("-C", town.folder, "replay", "show", operation, "--json").json
        if told["state"] != "running" or time.monotonic() > end:
            return told


def test_an_operation_waits_for_its_recipient_and_is_paused_resumed_and_cancelled(town: Town) -> None:
    sent = town.sent()
    town.refuse_all("tạm thời")
    begun = lgsp("-C", town.folder, "replay", "--cause", "refused", "--since", "1h", "--reason", "x", "--json").json
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert lgsp("-C", town.folder, "replay", verb, begun["id"], "--json").json["state"] == state
    shown = lgsp("-C", town.folder, "replay", "resume", begun["id"])
    assert shown.status == 1
    assert "cancelled" in shown.err
    assert lgsp("-C", town.folder, "discard", "show", begun["id"]).status == 1
    lgsp("-C", town.folder, "discard", sent, "--reason", "dọn")


def test_a_filter_is_discarded_as_an_operation(town: Town) -> None:
    sent = town.sent()
    town.refuse_all("gửi nhầm")
    shown = lgsp("-C", town.folder, "discard", "--recipient", "H33.16/dms", "--reason", "gửi nhầm", "--wait", "--json")
    assert (shown.status, shown.json["counts"]) == (0, {"discarded": 1})
    assert [each["state"] for each in town.status(sent)["deliveries"]] == ["discarded"]


def test_a_replay_says_what_it_needs(town: Town) -> None:
    assert "--reason" in lgsp("-C", town.folder, "replay", "3f0c2f4e9f0b").err
    assert lgsp("-C", town.folder, "replay", "--reason", "x").status == 2
    assert lgsp("-C", town.folder, "replay", "--since", "hôm qua", "--dry-run").status == 2
    assert lgsp("-C", town.folder, "replay", "--window", "22-05", "--cause", "timeout", "--dry-run").status == 2
    nothing = lgsp("-C", town.folder, "replay", "3f0c2f4e9f0b", "--reason", "x", "--json")
    assert (nothing.status, nothing.json["problem"]) == (1, "illegal-state")
    assert lgsp("-C", town.folder, "failed", "3f0c2f4e9f0b").status == 1


def test_a_large_operation_is_confirmed_by_its_number(town: Town) -> None:
    edit(town.folder, "lgsp.toml", "[gateway]", "[operators]\napproval_above = 1\n\n[gateway]")
    try:
        for name in "ab":
            town.file.write_text(json.dumps(DOCUMENT | {"documentId": name}), encoding="utf-8")
            town.sent()
        town.refuse_all("nhiều")
        asked = lgsp("-C", town.folder, "discard", "--cause", "refused", "--reason", "x")
        assert asked.status == 2
        assert "--confirm 2" in asked.err
        done = lgsp("-C", town.folder, "discard", "--cause", "refused", "--reason", "x", "--confirm", "2", "--wait")
        assert done.status == 0
    finally:
        edit(town.folder, "lgsp.toml", "[operators]\napproval_above = 1\n\n[gateway]", "[gateway]")
        town.file.write_text(json.dumps(DOCUMENT), encoding="utf-8")


def test_a_message_s_dead_deliveries_are_discarded_by_its_id(town: Town) -> None:
    sent = town.sent()
    town.refuse_all("nhầm nơi nhận")
    assert lgsp("-C", town.folder, "discard", sent, "--reason", "gửi nhầm").status == 0
    assert [each["state"] for each in town.status(sent)["deliveries"]] == ["discarded"]
    again = lgsp("-C", town.folder, "replay", sent, "--reason", "thử")
    assert again.status == 1
    assert "không có lượt chuyển nào đã hỏng" in again.err


def test_a_step_that_the_state_forbids_is_refused_in_words(town: Town) -> None:
    sent = town.sent()
    delivery = town.status(sent)["deliveries"][0]["delivery"]
    shown = lgsp("-C", town.folder, "replay", delivery, "--reason", "thử", "--json")
    assert shown.status == 1
    assert shown.json["problem"] == "illegal-state"


@pytest.mark.parametrize("command", ["replay", "discard"])
def test_an_unknown_id_is_told(town: Town, command: str) -> None:
    shown = lgsp("-C", town.folder, command, "khong-co", "--reason", "thử")
    assert shown.status == 1
    assert "lgsp failed" in shown.err


def test_an_unknown_destination_is_told(town: Town) -> None:
    shown = lgsp("-C", town.folder, "hold", "H99/x", "--reason", "thử")
    assert shown.status == 1
    assert "H99/x" in shown.err


def test_apply_beside_the_running_gateway_is_noticed_within_two_seconds(town: Town) -> None:
    edit(town.folder, "agreements/VB-2018.toml", '["document.*"]', '["document.status"]')
    assert lgsp("-C", town.folder, "apply").status == 0
    try:
        outcomes = [_refusal_after(town, seconds) for seconds in (2.0,)]
        assert outcomes == ["no-agreement"]
    finally:
        edit(town.folder, "agreements/VB-2018.toml", '["document.status"]', '["document.*"]')
        assert lgsp("-C", town.folder, "apply").status == 0
        asyncio.run(asyncio.sleep(1.5))


def _refusal_after(town: Town, seconds: float) -> str:
    asyncio.run(asyncio.sleep(seconds))
    shown = lgsp("-C", town.folder, "send", town.file, "--as", "H33.05/dms", "--to", "H33.16", "--json")
    return str(shown.json.get("type", "accepted")).rpartition(":")[2]


def test_an_operator_s_token_is_shown_once_opens_the_door_and_is_kept_as_a_hash(town: Town) -> None:
    added = lgsp("-C", town.folder, "operator", "add", "mau", "--role", "viewer", "--json").json
    assert (added["operator"], added["role"]) == ("mau", "viewer")
    sent = town.sent()
    asyncio.run(asyncio.sleep(2.0))

    async def ask() -> dict[str, Any]:
        async with Bus.reach(town.url) as bus:
            return await bus.message(added["token"], sent)

    assert asyncio.run(ask())["id"] == sent
    assert added["token"].encode() not in (town.folder / "var/lgsp.db").read_bytes()
    twice = lgsp("-C", town.folder, "operator", "add", "mau", "--role", "admin")
    assert twice.status == 1
    assert "Đã có tài khoản" in twice.err


def test_contracts_are_listed_and_checked(town: Town) -> None:
    listed = lgsp("-C", town.folder, "contracts", "list", "--json").json["contracts"]
    assert {"document.issued", "document.status"} <= {each["name"] for each in listed}
    assert "Văn bản điện tử đã ban hành" in lgsp("contracts", "list").out
    assert lgsp("-C", town.folder, "contracts", "check", "--json").json["result"] == "fit"
    broken = town.folder.parent / "hop-dong/bao.cao"
    broken.mkdir(parents=True)
    shown = lgsp("contracts", "check", broken, "--json")
    assert shown.status == 1
    assert shown.json["mistakes"][0]["where"].endswith("contract.toml")
    assert "✗" in shown.err
