"""What became of a document stays true though the bus dies at every message that speaks of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.core.envelope import seal
from tests.kill.province import ASLEEP, PULLED, SENDER, Province, Template, lgsp

ISSUER, ONE, OTHER = (name.partition("/")[0] for name in (SENDER, PULLED, ASLEEP))
KEY: Final = f"{ISSUER},2026/10/12,1284/STC-NS"
REPLACEMENT: Final = f"{ISSUER},2026/10/20,1300/STC-NS"
#: Where a life ends: before anything of the message is on disk, with it, and before it is answered.
POINTS: Final = ("accept.judged", "store.accept-written", "store.accept-committed", "accept.kept", "accept.answered")
#: What is told, in the order in which it is sent: (sender, kind or code, id, seconds of its own clock).
STORY: Final = (
    (PULLED, "03", KEY, 30),  # before its document
    (SENDER, "new", KEY, 0),
    (PULLED, "06", KEY, 90),
    (ASLEEP, "01", KEY, 20),
    (PULLED, "03", KEY, 30),  # again
    (PULLED, "05", KEY, 60),
    (SENDER, "update", KEY, 0),
    (PULLED, "15", KEY, 3000),
    (ASLEEP, "16", KEY, 3000),
    (SENDER, "replace", REPLACEMENT, 0),
    (PULLED, "15", REPLACEMENT, 4000),
    (ASLEEP, "02", KEY, 4000),
)


def envelope(province: Province, number: int, began: datetime) -> bytes:
    """One message of the story, signed; the same bytes whenever it is asked for."""
    system, what, key, at = STORY[number]
    issued = what in {"new", "update", "replace"}
    event: dict[str, Any] = {
        "specversion": "1.0", "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number}")), "source": system,
        "type": "document.issued" if issued else "document.status", "subject": key, "time": began.isoformat(),
        "dataschema": f"urn:lgsp:contract:document.{'issued:2.0' if issued else 'status:1.0'}",
        "datacontenttype": "application/json", "to": f"{ONE} {OTHER}" if issued else ISSUER,
    }  # fmt: skip
    if issued:
        business = {"type": what} if what == "new" else {"type": what, "documentId": KEY}
        event["data"] = {
            "documentId": key, "subject": "V/v dự toán", "from": {"organId": ISSUER}, "confidentiality": "none",
            "business": business,
        }  # fmt: skip
    else:
        event["data"] = {
            "from": {"organId": system.partition("/")[0]}, "responseFor": {"organId": ISSUER, "documentId": key},
            "statusCode": what, "timestamp": (began + timedelta(seconds=at)).isoformat(timespec="seconds"),
        }  # fmt: skip
    return seal(event, province.signer(system))


async def posted(session: aiohttp.ClientSession, province: Province, body: bytes) -> bool:
    """Whether the bus took it; it may die before it says so, or not listen yet."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            async with session.post(
                f"{province.url}/v1/messages", data=body, headers={"Content-Type": "application/jose"}
            ) as answer:
                assert answer.status == 202, await answer.text()
                return True
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.05)  # it begins to live
            if await province.ended(0.01) is not None:
                return False
        except (aiohttp.ClientError, ConnectionError):
            return False
    raise TimeoutError(province.last_words())


def shown(province: Province, *arguments: str) -> Any:
    """What the command line answers, beside the gateway or without one."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "-C", str(province.folder), "documents", *arguments, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


async def test_the_view_is_true_though_the_bus_dies_at_every_message(tmp_path: Path) -> None:
    template = Template.made(tmp_path / "template")
    province = template.copied(tmp_path / "province")
    wish = '[[systems.subscriptions]]\ncontract = "document.status"\nversion = "1.0"\n'
    agency = province.folder / f"agencies/{ISSUER}.toml"
    agency.write_text(agency.read_text("utf-8") + wish, "utf-8")
    lgsp("-C", str(province.folder), "apply")
    began = datetime.now(UTC).replace(microsecond=0)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        await province.start(f"{POINTS[0]}:1")
        for number in range(len(STORY)):
            body = envelope(province, number, began)
            assert not await posted(session, province, body)
            assert await province.ended(10) == -9
            # The next life takes it, or knows it already, and dies at the message after it.
            await province.start(f"{POINTS[(number + 1) % len(POINTS)]}:2")
            assert await posted(session, province, body)
        province.kill()
        assert await province.ended(10) == -9

    (view,) = shown(province, "show", KEY)["documents"]
    one, other = (next(each for each in view["recipients"] if each["agency"] == agency) for agency in (ONE, OTHER))
    assert [each["kind"] for each in view["issues"]] == ["new", "update", "replace"]
    assert (one["progress"]["code"], other["progress"]["code"]) == ("06", "01")
    assert [(each["status"]["code"], each["repeat"]) for each in one["history"]] == [
        ("03", False), ("06", False), ("03", True), ("05", False), ("15", False), ("15", False),
    ]  # fmt: skip
    assert [flag["code"] for flag in other["flags"]] == ["02", "16"]
    assert [(each["kind"], each["answer"]) for each in one["changes"]] == [("update", "agreed"), ("replace", "agreed")]
    assert [(each["kind"], each["answer"]) for each in other["changes"]] == [("update", "refused"), ("replace", "open")]
    assert (one["standing"], other["standing"], view["standing"]) == ("replaced", "in-force", "mixed")
    assert (one["transport"], other["transport"]) == ("queued", "queued")
    assert shown(province, "parked") == {"statuses": []}
    assert len(shown(province, "list", ISSUER)["documents"]) == 3
