"""GET /v1/files/{sha256}/findings and the files of a message: what was found, for those whom it concerns."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.api.doors import Operator
from gateway.core.findings import Looked, Signature
from tests.api.hall import OPERATOR, Hall, conforms, open_hall
from tests.town import document
from tests.trust.looking import Lens, Nose, an_inspect

ME, READER, STRANGER = "H33.05/dms", "H33.16/dms", "H33.20/dms"
CONTENT = b"%PDF signed, then changed"
SIGNED = Signature("invalid", "changed", "Nguyễn Văn Mẫu", "x5t", 1795395600.0, False, False)
LOOKED = Looked("pdf", "invalid", "changed", (SIGNED,), "pyhanko 0", "0123456789ab")


async def sent(hall: Hall) -> tuple[str, str]:
    """A message that names a file; its id and the file's digest."""
    sha256 = await hall.put_file(CONTENT, ME)
    assert isinstance(hall.doors.inspect.examiner, Lens)
    hall.doors.inspect.examiner.verdicts[sha256] = LOOKED
    file = {"name": "a.pdf", "mediaType": "application/pdf", "size": len(CONTENT), "sha256": sha256}
    answer = await hall.publish(hall.town.envelope(data=document(files=[file])))
    assert answer.status == 202, answer.body
    return answer.json["id"], sha256


@pytest.mark.parametrize("who", [ME, READER, "operator"])
async def test_sender_recipient_and_operators_are_told_what_was_found(hall: Hall, who: str) -> None:
    message, sha256 = await sent(hall)
    token = OPERATOR if who == "operator" else await hall.token(who)

    lens = hall.doors.inspect.examiner
    assert isinstance(lens, Lens)
    told = await hall.get(f"/v1/messages/{message}", token=token)
    conforms("Message", told.json)
    assert told.json["files"] == [{"sha256": sha256, "verdict": "not-checked", "scanned": "not-scanned"}]
    assert lens.asked == [], "a timeline shows what is known and costs no look"
    await hall.get(f"/v1/files/{sha256}/findings", token=token)

    told = await hall.get(f"/v1/messages/{message}", token=token)
    conforms("Message", told.json)
    assert told.json["files"] == [{"sha256": sha256, "verdict": "invalid", "scanned": "not-scanned"}]

    found = await hall.get(f"/v1/files/{sha256.upper()}/findings", token=token)
    conforms("FileFindings", found.json)
    assert (found.status, found.json["kind"], found.json["reason"]) == (200, "pdf", "changed")
    assert set(found.json["meaning"]) == {"vi", "en"}
    (signature,) = found.json["signatures"]
    assert signature == {
        "verdict": "invalid",
        "reason": "changed",
        "signer": "Nguyễn Văn Mẫu",
        "certificate": "x5t",
        "signed_at": "2026-11-23T01:00:00.000Z",
        "time_stamped": False,
        "covers_all": False,
    }


async def test_for_anyone_else_there_is_no_such_file(hall: Hall) -> None:
    _, sha256 = await sent(hall)
    token = await hall.token(STRANGER)
    stranger = await hall.get(f"/v1/files/{sha256}/findings", token=token)
    nothing = await hall.get(f"/v1/files/{'0' * 64}/findings", token=token)
    nonsense = await hall.get("/v1/files/a.pdf/findings", token=token)

    assert stranger.problem("not-found", 404) == nothing.problem("not-found", 404)
    assert nonsense.problem("not-found", 404)
    (await hall.get(f"/v1/files/{sha256}/findings")).problem("unauthenticated", 401)
    (await hall.get(f"/v1/files/{'0' * 64}/findings", token=OPERATOR)).problem("not-found", 404)


@pytest.mark.parametrize(
    "door", ["/v1/files/{file}/findings", "/v1/messages/{message}", "/v1/messages/{message}/envelope"]
)
async def test_an_operator_whose_role_is_none_that_is_known_sees_nothing_and_that_is_on_record(
    hall: Hall, door: str
) -> None:
    message, sha256 = await sent(hall)
    visitor = {hashlib.sha256(OPERATOR.encode()).hexdigest(): Operator("Nguyễn Văn Mẫu", "visitor")}
    object.__setattr__(hall.doors, "operators", lambda: visitor)
    denied = await hall.get(door.format(file=sha256, message=message), token=OPERATOR)
    denied.problem("forbidden", 403)
    assert (await hall.town.journal("audit"))[-1]["audit"] == "operator.denied"


async def test_a_message_without_files_says_nothing_of_files(hall: Hall) -> None:
    message = (await hall.publish(hall.town.envelope())).json["id"]
    assert "files" not in (await hall.get(f"/v1/messages/{message}", token=await hall.token(ME))).json


async def upload(hall: Hall, content: bytes) -> Any:
    """Upload a file in one request."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(content))}
    headers["Content-Type"] = "application/offset+octet-stream"
    return await hall.ask("POST", "/v1/uploads", token=await hall.token(ME), headers=headers, data=content)


async def test_an_infected_upload_is_422_and_one_that_must_wait_for_the_scanner_503(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        nose = Nose()
        town, step = hall.town, hall.doors.uploads
        rules = replace(hall.doors.inspect.rules, is_scan_required=True)
        made = an_inspect(town.ledger, town.files, town.clock, town, nose=nose, rules=rules)
        object.__setattr__(step, "inspect", made)
        refused = (await upload(hall, b"X5O-MALWARE")).problem("infected-file", 422)
        assert "Test.Malware" in refused["detail"]

        nose.is_away = True
        away = await upload(hall, CONTENT)
        away.problem("overloaded", 503)
        assert away.headers["Retry-After"] == "60"
