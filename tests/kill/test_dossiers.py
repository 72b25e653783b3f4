"""A dossier's message is kept with what it says of the dossier or not at all, though the bus dies in between."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.core.envelope import seal
from tests.kill.province import PULLED, SENDER, Province, Template, lgsp
from tests.kill.test_documents import posted

LEAD, OTHER = (name.partition("/")[0] for name in (SENDER, PULLED))
CODE: Final = f"{LEAD}-261012-0007"
#: Where a life ends: with nothing on disk, with the transaction not committed yet, with all of it.
POINTS: Final = ("accept.judged", "store.accept-written", "store.accept-committed")
STORY: Final = ("dossier.registered", "dossier.forwarded", "dossier.progressed")
_AGREEMENT: Final = """\
id = "HS"
title = "Hồ sơ một cửa"
basis = "NĐ 61/2018/NĐ-CP"
purpose = "giai-quyet-tthc"
from = ["*"]
to = ["*"]
contracts = ["dossier.*"]
valid_from = 2018-09-06
valid_until = 2090-12-31
"""


def envelope(province: Province, number: int, began: datetime) -> bytes:
    """One message of the story, signed; the same bytes whenever it is asked for."""
    kind, at = STORY[number], (began + timedelta(seconds=number)).isoformat()
    applicant = {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}
    said: dict[str, dict[str, Any]] = {
        "dossier.registered": {
            "procedure": {"code": "1.001234"}, "agency": {"code": LEAD}, "applicant": applicant,
            "status": {"code": 2, "at": at},
        },
        "dossier.forwarded": {
            "hop": {"number": 1, "from": {"code": LEAD}, "to": {"code": OTHER}, "forwardedAt": at},
            "dossier": {"procedure": {"code": "1.001234"}, "applicant": applicant},
        },
        "dossier.progressed": {"at": at, "status": {"code": 4, "at": at}},
    }  # fmt: skip
    event = {
        "specversion": "1.0", "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"dossier {number}")), "source": SENDER,
        "type": kind, "subject": CODE, "time": began.isoformat(), "dataschema": f"urn:lgsp:contract:{kind}:1.0",
        "datacontenttype": "application/json", "to": OTHER, "purpose": "giai-quyet-tthc",
        "data": {"dossierCode": CODE, **said[kind]},
    }  # fmt: skip
    return seal(event, province.signer(SENDER))


def kept(province: Province) -> tuple[int, int]:
    """So many messages of dossiers are kept, and so many lines."""
    with closing(sqlite3.connect(province.folder / "var/lgsp.db")) as connection:
        asked = (
            "SELECT (SELECT count(*) FROM messages WHERE type LIKE 'dossier.%'), (SELECT count(*) FROM dossier_lines)"
        )
        messages, lines = connection.execute(asked).fetchone()
        return messages, lines


def shown(province: Province) -> Any:
    """What the command line tells of the dossier."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "-C", str(province.folder), "dossiers", "show", CODE, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


async def test_a_message_and_its_line_are_there_together_or_not_at_all(tmp_path: Path) -> None:
    province = Template.made(tmp_path / "template").copied(tmp_path / "province")
    wishes = [f'[[systems.subscriptions]]\ncontract = "{kind}"\nversion = "1.0"\n' for kind in STORY]
    agency = province.folder / f"agencies/{OTHER}.toml"
    agency.write_text(agency.read_text("utf-8") + "".join(wishes), "utf-8")
    (province.folder / "agreements/HS.toml").write_text(_AGREEMENT, "utf-8")
    lgsp("-C", str(province.folder), "apply")
    began = datetime.now(UTC).replace(microsecond=0)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        await province.start(f"{POINTS[0]}:1")
        for number, point in enumerate(POINTS):
            body = envelope(province, number, began)
            assert not await posted(session, province, body)
            assert await province.ended(10) == -9
            is_there = number + (point == "store.accept-committed")
            assert kept(province) == (is_there, is_there)
            # The next life takes it, or knows it already, and dies at the message after it.
            await province.start(f"{POINTS[(number + 1) % len(POINTS)]}:2")
            assert await posted(session, province, body)
            assert kept(province) == (number + 1, number + 1)
        province.kill()
        assert await province.ended(10) == -9

    told = shown(province)
    assert [step["kind"] for step in told["steps"]] == ["registered", "forwarded", "progressed"]
    assert (told["status"]["code"], [part["to"] for part in told["parts"]]) == (4, [OTHER])
