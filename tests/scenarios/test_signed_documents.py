"""Signed documents through a real gateway: not a byte changes, what is bad is told, and kept from who wants it so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from adapters.edxml_folder.stand_in import DocumentSystem, a_document
from gateway.core.content import InMemory, whole
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage
from tests.cli.desk import Ended, lgsp
from tests.province import edit, write
from tests.scenarios.test_uploads import ME, RECIPIENT, Serving, a_client, naming
from tests.trust.authority import Authority, a_pdf, signed_pdf, with_another_page
from tests.trust.test_scanning import MALWARE, StandIn

CA: Final = Authority(now=datetime.now(UTC).replace(microsecond=0))
SIGNED: Final = signed_pdf(a_pdf(), CA.person())
CHANGED: Final = with_another_page(SIGNED)
INFECTED: Final = a_pdf() + MALWARE

OFFICE = """\
code = "{code}"
name = "Cơ quan {code}"
parent = "H33"
{policy}
[[systems]]
name = "dms"
adapter = "edxml_folder"
sealing = "gateway"
key = "keys/{code}-dms.pem"

[systems.settings]
outbox = "exchange/{code}/outbox"
inbox = "exchange/{code}/inbox"
confidentiality = "none"
settle_seconds = 0

[[systems.subscriptions]]
contract = "document.issued"
version = "1.0"
"""


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    made = Serving.founded(tmp_path / "tinh")
    CA.write(made.folder / "trust")
    edit(made.folder, "agencies/H33.16.toml", 'parent = "H33"', 'parent = "H33"\nsignatures = "block"')
    for code, policy in (("H33.20", ""), ("H33.21", 'signatures = "block"'), ("H33.22", 'signatures = "warn"')):
        write(made.folder, f"agencies/{code}.toml", OFFICE.format(code=code, policy=policy))
        DocumentSystem(made.folder / "exchange" / code)
    applied = lgsp("-C", made.folder, "apply")
    assert applied.status == 0, applied.err
    yield made
    if made.process is not None:
        made.end(signal.SIGKILL)


@contextlib.asynccontextmanager
async def a_scanner(folder: Path) -> AsyncIterator[StandIn]:
    """A clamd at a socket of the province, named in its settings."""
    stand_in = StandIn()
    path = Path("/tmp") / f"clamd-{id(stand_in)}.ctl"  # noqa: S108 - a socket's name is short

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await stand_in.talk(reader, writer)
        writer.close()

    edit(folder, "lgsp.toml", "[gateway]", f'[scan]\nclamd = "unix:{path}"\nrequired = true\n\n[gateway]')
    async with await asyncio.start_unix_server(talk, path):
        try:
            yield stand_in
        finally:
            path.unlink(missing_ok=True)


async def beside(*arguments: str | Path) -> Ended:
    """A command while the gateway of this test's loop has its helpers at work."""
    return await asyncio.to_thread(lgsp, *arguments)


async def get(serving: Serving, path: str, system: str = ME) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{serving.url}{path}", headers=await serving.bearer(system)) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await (answer.json() if answer.content_type == "application/json" else answer.read())


async def leased(serving: Serving) -> list[Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{serving.url}/v1/inbox/lease", json={"max": 10}, headers=await serving.bearer(RECIPIENT)
        ) as answer,
    ):
        return list((await answer.json())["deliveries"])


async def upload(serving: Serving, content: bytes) -> int:
    """Upload a file whole; answers the status of its last piece."""
    async with a_client(serving, serving.url, content) as client:
        return await client.piece(0)


async def test_what_is_uploaded_is_judged_scanned_and_handed_on_byte_for_byte(serving: Serving) -> None:
    async with a_scanner(serving.folder) as scanner:
        await serving.start()
        assert await upload(serving, SIGNED) == 204
        assert await upload(serving, CHANGED) == 204
        assert await upload(serving, INFECTED) == 422
        assert scanner.seen == [SIGNED, CHANGED, INFECTED]

        good = (await serving.send(naming(SIGNED)))["id"]
        (delivery,) = await leased(serving)
        assert delivery["attempt"] == 1
        sha256 = InMemory(SIGNED).sha256
        assert await get(serving, f"/v1/files/{sha256}", RECIPIENT) == SIGNED
        for system in (ME, RECIPIENT):
            told = await get(serving, f"/v1/messages/{good}", system)
            assert told["files"] == [{"sha256": sha256, "verdict": "valid", "scanned": "clean"}]
            found = await get(serving, f"/v1/files/{sha256}/findings", system)
            assert "Nguyễn Văn Mẫu" in found["signatures"][0]["signer"]


async def test_a_document_changed_after_signing_does_not_reach_who_blocks_until_the_policy_changes(
    serving: Serving,
) -> None:
    await serving.start()
    assert await upload(serving, CHANGED) == 204
    message = (await serving.send(naming(CHANGED)))["id"]
    assert await leased(serving) == []
    told = await get(serving, f"/v1/messages/{message}")
    (delivery,) = told["deliveries"]
    assert delivery["state"] == "dead"
    assert delivery["attempts"][0]["detail"].startswith("signature: invalid (changed), file ")
    groups = (await beside("-C", serving.folder, "failed", "--json")).json
    assert "signature" in json.dumps(groups)

    edit(serving.folder, "agencies/H33.16.toml", '"block"', '"warn"')
    assert (await beside("-C", serving.folder, "apply")).status == 0
    await asyncio.sleep(2.5)  # within two seconds a running gateway goes by it
    replayed = await beside("-C", serving.folder, "replay", delivery["delivery"], "--reason", "đơn vị đồng ý nhận")
    assert replayed.status == 0, replayed.err
    async with asyncio.timeout(20):
        while not (taken := await leased(serving)):  # noqa: ASYNC110 - another process rings no bell here
            await asyncio.sleep(0.2)
    assert taken[0]["delivery"] == delivery["delivery"]


async def collected(office: DocumentSystem) -> list[bytes]:
    """The attachments of the next document that arrives."""
    async with asyncio.timeout(20):
        while not (taken := office.collected()):  # noqa: ASYNC110 - a folder rings no bell
            await asyncio.sleep(0.1)
    message = read(taken[0].raw)
    assert isinstance(message, DocumentMessage)
    return [whole(each.content) for each in message.attachments]


async def test_documents_exchanged_as_files_are_judged_and_stay_as_they_are(serving: Serving) -> None:
    async with a_scanner(serving.folder):
        await serving.start()
        offices = {code: DocumentSystem(serving.folder / "exchange" / code) for code in ("H33.20", "H33.21", "H33.22")}
        both = ("H33.21", "H33.22")
        signed = a_document("1", sender="H33.20", recipients=both, files={"1.pdf": SIGNED})
        offices["H33.20"].send(signed, "1.edxml")
        assert await collected(offices["H33.21"]) == [SIGNED]
        assert await collected(offices["H33.22"]) == [SIGNED]

        changed = a_document("2", sender="H33.20", recipients=both, files={"2.pdf": CHANGED, "1.pdf": SIGNED})
        offices["H33.20"].send(changed, "2.edxml")
        assert await collected(offices["H33.22"]) == [CHANGED, SIGNED]

        bad = a_document("3", sender="H33.20", recipients=both, files={"3.pdf": INFECTED})
        offices["H33.20"].send(bad, "3.edxml")
        async with asyncio.timeout(20):
            while not (refused := offices["H33.20"].refused()):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        assert "mã độc" in refused["3.edxml"]
        assert offices["H33.21"].collected() == []
        dead = (await beside("-C", serving.folder, "failed", "--recipient", "H33.21/dms", "--json")).json
        assert "signature" in json.dumps(dead)
