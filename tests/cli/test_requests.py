"""A system that connects late gets what it missed, with a gateway running and an operator at the command line."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client.bus import Bus
from gateway.client.identity import find_files, read_signer
from gateway.core.moments import format_moment
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.province import HEALTH, a_pair, a_province, write

LATE = "H33.40/dms"
DOCUMENT = {
    "documentId": "H33.05,2026/11/23,1/TB-STC",
    "issuingOrganId": "H33.05",
    "subject": "Thông báo lịch họp",
    "confidentiality": "none",
}


class Late:
    """A province with a running gateway, in which H33.40 subscribed after documents were sent to everybody."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.file = folder.parent / "congvan.json"
        self.file.write_text(json.dumps(DOCUMENT), encoding="utf-8")

    def lgsp(self, *arguments: str | Path, status: int = 0) -> Any:
        ended = lgsp("-C", self.folder, *arguments, "--json")
        assert ended.status == status, ended.err
        return ended.json

    def send(self) -> str:
        return str(self.lgsp("send", self.file, "--as", "H33.05/dms")["id"])

    def join(self) -> None:
        a_pair(self.folder, "H33.40-dms")
        write(self.folder, "agencies/H33.40.toml", HEALTH.replace("H33.16", "H33.40").replace("Y tế", "Giao thông"))
        self.lgsp("apply")

    def ask(self) -> str:
        """H33.40 asks by HTTP for the documents of the last hour."""

        async def work() -> str:
            signer = read_signer(*find_files(self.folder / "keys", LATE))
            async with Bus.reach(self.url) as bus:
                await asyncio.sleep(2)  # within which a running gateway notices the registry
                token = await bus.token(signer, LATE)
                wish = {"contract": "document.issued", "since": format_moment(time.time() - 3600), "reason": "mới"}
                headers = {"Authorization": f"Bearer {token}"}
                url = f"{self.url}/v1/me/requests"
                async with bus.session.post(url, json=wish, headers=headers) as answer:
                    assert answer.status == 201, await answer.text()
                    return str((await answer.json())["id"])

        return asyncio.run(work())

    def taken(self) -> list[str]:
        shown = lgsp("-C", self.folder, "inbox", "--as", LATE, "--take", "--max", "500", "--json")
        assert shown.status == 0, shown.err
        return [json.loads(line)["event"]["id"] for line in shown.out.splitlines()]


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Late]:
    folder = a_province(tmp_path / "tinh")
    url = at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    with living(folder, url):
        yield Late(folder, url)


def test_what_was_missed_arrives_after_an_operator_has_seen_and_approved_it(late: Late) -> None:
    sent = [late.send() for _ in range(3)]
    late.join()
    name = late.ask()

    (listed,) = late.lgsp("requests", "list")["requests"]
    assert (listed["id"], listed["state"], listed["messages"]) == (name, "asked", 3)
    assert late.lgsp("requests", "show", name)["preview"] == {"judged": 3, "due": 3, "not_due": []}
    words = lgsp("-C", late.folder, "requests", "show", name)
    assert "Nếu chuyển lúc này: 3 lượt, trong 3 thông điệp đã xét." in words.out
    assert late.taken() == []

    approved = late.lgsp("requests", "approve", name, "--reason", "đúng thẩm quyền")
    assert (approved["state"], approved["decision"]) == ("approved", "đúng thẩm quyền")
    assert approved["decided_by"].startswith("cli:")

    taken: list[str] = []
    end = time.monotonic() + 15
    while len(taken) < 3 and time.monotonic() < end:
        taken += late.taken()
        time.sleep(0.1)
    assert taken == sent
    while (done := late.lgsp("requests", "show", name))["state"] != "done" and time.monotonic() < end:
        time.sleep(0.1)
    assert (done["state"], done["deliveries"], done["not_due"]) == ("done", 3, [])
    assert late.lgsp("requests", "list") == {"requests": []}
    assert len(late.lgsp("requests", "list", "--all")["requests"]) == 1


def test_a_refused_request_stays_refused_and_a_reason_is_needed(late: Late) -> None:
    late.join()
    name = late.ask()

    assert lgsp("-C", late.folder, "requests", "refuse", name).status == 2
    assert late.lgsp("requests", "refuse", name, "--reason", "chưa đủ căn cứ")["state"] == "refused"
    assert late.lgsp("requests", "approve", name, "--reason", "nhầm", status=1)["problem"] == "illegal-state"
    assert late.lgsp("requests", "cancel", "5d0a3c52", "--reason", "x", status=1)["problem"] == "not-found"
