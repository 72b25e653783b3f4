"""A real gateway of two processes: software calls its system's door at either, and links outlive processes and keys."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.compose import open_spool
from gateway.compose.handouts import handed_out
from gateway.config.keys import new_key_pem, self_signed
from gateway.config.settings import read_settings
from gateway.core.agency import System
from gateway.core.content import MemorySink
from gateway.trust.keyring import Keyring
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.cluster.fleet import workers_of
from tests.province import GATEWAY, a_province, edit, write
from tests.town import document

SECRET = "made up for this test"
SCAN = b"a scan " * 100_000

PORTAL = """\
code = "H33.20"
name = "Cổng mẫu"
level = "province"
parent = "H33"

[[systems]]
name = "portal"
adapter = "skeleton"
sealing = "gateway"
key = "keys/H33.20-portal.pem"

[systems.settings]
folder = "var/portal"
caller_header = "X-API-Key"
caller_secret_file = "keys/portal.caller"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A province of two processes, with a system whose software calls."""
    folder = a_province(tmp_path / "tinh")
    edit(folder, "lgsp.toml", "[gateway]", "[gateway]\nworkers = 2")
    write(folder, "agencies/H33.20.toml", PORTAL)
    write(folder, "keys/portal.caller", SECRET)
    for name in ("inbox", "outbox"):
        (folder / "var/portal" / name).mkdir(parents=True)
    return folder


def call(url: str, number: int, secret: str = SECRET) -> tuple[int, dict[str, object]]:
    """One call on a connection of its own, made again where the line breaks, as such software does."""
    told = {
        "type": "document.issued", "version": "1.0", "to": "H33.16", "subject": f"H33.05,2026/11/23,{number}/STC",
        "data": document(),
    }  # fmt: skip
    asked = urllib.request.Request(  # noqa: S310 - our own gateway
        f"{url}/in/H33.20/portal/events", data=json.dumps(told).encode(), headers={"X-API-Key": secret}
    )
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310 - as above
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 503 or time.monotonic() > end:
                    return error.code, json.loads(error.read())
        except OSError:
            assert time.monotonic() < end
        time.sleep(0.05)


def fetched(link: str) -> bytes | int:
    try:
        with urllib.request.urlopen(link, timeout=20) as answer:  # noqa: S310 - our own gateway
            read: bytes = answer.read()
            return read
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def a_link(folder: Path) -> str:
    """A link to a scan that the spool holds, as an adapter is given it."""
    settings = read_settings(folder)
    spool = open_spool(settings)

    async def pieces() -> AsyncIterator[bytes]:
        yield SCAN

    asyncio.run(spool.put(pieces(), limit=len(SCAN)))
    system = System("H33.20/portal", "H33.20", "skeleton")
    keyring = Keyring.read(settings)
    hands = handed_out(system, settings, keyring, now=time.time, open_file=spool.open, new_sink=MemorySink)
    return hands.link(hashlib.sha256(SCAN).hexdigest(), "quét.pdf")


def renew_the_key(folder: Path) -> None:
    """A new signing key, as its operator makes one."""
    key, pem = new_key_pem()
    (folder / "keys/gateway.pem").write_bytes(pem)
    (folder / "keys/gateway.crt").write_bytes(self_signed(key, GATEWAY))


def test_any_process_answers_a_call_and_what_it_brings_is_one_message_whoever_falls(folder: Path) -> None:
    url = at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    with living(folder, url) as gateway:
        assert call(url, 1, "guessed") == (401, {"error": "who are you?"})
        status, first = call(url, 1)
        assert (status, set(first)) == (200, {"taken"})
        assert [call(url, 1)[1] for _ in range(8)] == [first] * 8
        with contextlib.suppress(ProcessLookupError):
            os.kill(workers_of(gateway.pid)[0], signal.SIGKILL)
        answers = [call(url, number) for number in (1, 2, 2, 3, 3, 1)]
    assert {status for status, _ in answers} == {200}
    ids = [str(told["taken"]) for _, told in answers]
    assert ids[0] == ids[5] == first["taken"]
    assert (ids[1], ids[3]) == (ids[2], ids[4])
    assert len(set(ids)) == 3


def test_a_link_outlives_the_process_that_made_it_and_the_key_that_signed_it(folder: Path) -> None:
    url = at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    link = a_link(folder)
    assert link.startswith(f"{url}/files/")
    with living(folder, url):
        assert [fetched(link) for _ in range(3)] == [SCAN] * 3
        assert fetched(link.replace("/files/", "/files/x")) == 404
    renew_the_key(folder)
    with living(folder, url):
        assert fetched(link) == SCAN
    assert a_link(folder) != link
