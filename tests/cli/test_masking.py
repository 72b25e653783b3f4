"""Every command that shows what passed through the bus is walked: nobody's data appears unless it is asked for."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from gateway.client.bus import Bus
from gateway.client.identity import read_signer
from gateway.core.envelope import seal
from gateway.core.moments import format_moment
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.province import a_province, edit

PERSON, PLACE, NUMBER = "Nguyễn Văn Mẫu Che Tên", "Số 1 đường Mẫu Che Địa Chỉ", "099912345678"
CODE = "H33.05-261123-0001"
DOSSIER = {
    "dossierCode": CODE,
    "procedure": {"code": "2.002492", "name": "Cấp bản sao"},
    "agency": {"code": "H33.05", "name": "Sở Tài chính"},
    "applicant": {"name": PERSON, "kind": "citizen", "address": PLACE,
                  "identities": [{"kind": "12-digit", "number": NUMBER}]},
    "status": {"code": 2, "at": "2026-11-23T08:30:00+07:00"},
    "ext": {"onestop": {PERSON: PLACE}},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A province in which a dossier goes from one office to another; the agreement gives its purpose."""
    folder = a_province(tmp_path / "tinh")
    edit(folder, "agreements/VB-2018.toml", 'contracts = ["document.*"]', 'contracts = ["dossier.*"]')
    edit(folder, "agencies/H33.16.toml", 'contract = "document.issued"\nversion = "1.0"',
         'contract = "dossier.registered"\nversion = "2.0"')  # fmt: skip
    return folder


def test_no_command_shows_a_person_unless_it_is_asked_to(folder: Path) -> None:
    url = at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    id_ = str(uuid.uuid4())
    event: dict[str, Any] = {
        "specversion": "1.0", "id": id_, "source": "H33.05/dms", "type": "dossier.registered", "subject": CODE,
        "dataschema": "urn:lgsp:contract:dossier.registered:2.0", "time": format_moment(time.time()), "to": "H33.16",
        "datacontenttype": "application/json", "purpose": "van-ban", "data": DOSSIER,
    }  # fmt: skip
    signer = read_signer(folder / "keys/H33.05-dms.pem", folder / "keys/H33.05-dms.crt")

    async def send(event: dict[str, Any]) -> None:
        async with Bus.reach(url) as bus:
            await bus.send(seal(event, signer))

    (folder / "hong.json").write_text(json.dumps({**DOSSIER, "applicant": {"name": [PERSON]}}), "utf-8")
    reads = ["--as", "H33.16/dms", "--visibility", "1"]
    with living(folder, url) as gateway:
        asyncio.run(send(event))
        walked: list[list[str | Path]] = [
            ["status", id_], ["status", id_, "--json"], ["status", id_, "--as", "H33.05/dms"],
            ["inbox", *reads], ["failed"], ["failed", "--json"],
            ["documents", "list", "H33.05"], ["documents", "parked"], ["documents", "duties"],
            ["dossiers", "list"], ["dossiers", "list", "--json"], ["dossiers", "show", CODE],
            ["dossiers", "show", CODE, "--json"], ["queries", "list"], ["queries", "who", NUMBER], ["requests", "list"],
            ["send", folder / "hong.json", "--as", "H33.05/dms", "--to", "H33.16", "--contract",
             "dossier.registered/2.0", "--purpose", "van-ban", "--subject", CODE],
            ["replay", id_], ["hold", "H33.16/dms", "--reason", "thử"], ["release", "H33.16/dms", "--reason", "thử"],
        ]  # fmt: skip
        shown = [(each, lgsp("-C", folder, *each)) for each in walked]
        for command, ended in shown:
            for text in (PERSON, PLACE, NUMBER, json.dumps(PERSON)[1:-1]):
                assert text not in ended.out + ended.err, command
        # They did show something: who of them says nothing proves nothing.
        said = {str(command[0]) for command, ended in shown if ended.status == 0 and ended.out}
        assert {"status", "inbox", "documents", "dossiers", "queries", "hold", "release"} <= said
        (inbox,) = (ended for command, ended in shown if command[0] == "inbox")
        assert (inbox.out.count("•••") >= 3, CODE in inbox.out) == (True, True)
        (sent,) = (ended for command, ended in shown if command[0] == "send")
        assert "contract-violation" in sent.err
        time.sleep(1.1)
        assert PERSON in lgsp("-C", folder, "inbox", *reads, "--show").out
        log = "".join(gateway.log)
    assert not any(text in log for text in (PERSON, PLACE, NUMBER, json.dumps(PERSON)[1:-1]))
