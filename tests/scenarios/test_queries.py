"""Queries at a real gateway: what is refused and why, whose answer comes back, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.client.bus import Bus, Refused
from gateway.client.identity import read_signer
from gateway.core.envelope import digest_of, seal
from gateway.core.jws import split
from gateway.core.moments import format_moment
from gateway.core.strictjson import parse_strict
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.province import a_province, write

ASKER, PROVIDER = "H33.05/dms", "H33.16/dms"
PURPOSE = "giai-quyet-tthc"
#: What nobody may find afterwards: each is long and odd enough to be in no other file by chance.
NAME, NUMBER, OFFICER_NAME = "Nguyễn Văn Mẫu Truy Vấn", "099912345678", "Cán Bộ Mẫu Tra Cứu"
PLACE, HEAD = "Số 1 đường Mẫu, thôn Không Lưu Giữ", "Chủ Hộ Mẫu Không Ghi"
FOUND = {
    "name": NAME, "personalNumber": NUMBER, "birth": "1980", "gender": "1",
    "permanentAddress": {"detail": PLACE}, "householdHead": {"name": HEAD},
}  # fmt: skip

PROVIDES = """
[[systems.provides]]
contract = "citizen.lookup"
version = "1.0"
url = "{url}/truy-van"

[[systems.provides]]
contract = "enterprise.lookup"
version = "1.0"
url = "{url}/truy-van"
"""
AGREEMENT = """\
id = "{id}"
title = "Tra cứu"
basis = "NĐ 47/2020/NĐ-CP"
purpose = "giai-quyet-tthc"
from = ["H33.05"]
to = ["H33.16"]
contracts = ["{contract}"]
valid_from = 2020-01-01
valid_until = {until}

[fields]
"citizen.found" = ["/name", "/birth", "/permanentAddress", "/householdHead/name", "/personalNumber"]
"""


@dataclass
class Desk:
    """The provider: software of its own over HTTP; ``mode``: how it behaves now."""

    folder: Path
    mode: str = "bare"
    asked: list[bytes] = field(default_factory=list)
    gave: list[bytes] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def answer(self, envelope: bytes) -> tuple[int, str, bytes]:
        self.asked.append(envelope)
        self.arrived.set()
        if self.mode == "down":
            return 503, "text/plain", f"lỗi khi tra {NAME}".encode()
        if self.mode == "nobody":
            return 404, "text/plain", b""
        if self.mode == "slow":
            self.go_on.wait(20)
        if self.mode == "wrong":
            return 200, "application/json", json.dumps({"name": [NAME]}).encode()
        if self.mode == "signed":
            made = self.signed(envelope)
            self.gave.append(made)
            return 200, "application/jose", made
        return 200, "application/json", json.dumps(FOUND).encode()

    def signed(self, envelope: bytes) -> bytes:
        query = parse_strict(split(envelope).payload)
        event = {
            "specversion": "1.0", "id": str(uuid.uuid4()), "source": PROVIDER, "type": "citizen.found",
            "dataschema": "urn:lgsp:contract:citizen.found:1.0", "subject": query["subject"],
            "time": format_moment(time.time()), "datacontenttype": "application/json", "to": query["source"],
            "causationid": query["id"], "queryid": query["id"], "querydigest": digest_of(envelope),
            "data": {name: FOUND[name] for name in ("name", "birth", "permanentAddress", "personalNumber")},
        }  # fmt: skip
        return seal(event, signer_of(self.folder, PROVIDER))


@contextlib.contextmanager
def at_its_desk(folder: Path) -> Iterator[tuple[Desk, str]]:
    desk = Desk(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, kind, said = desk.answer(body)
            with contextlib.suppress(OSError):  # whoever asked may be gone
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield desk, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        desk.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Place:
    """A province with an asker and a provider."""

    folder: Path
    url: str
    desk: Desk

    def event(self, **override: Any) -> dict[str, Any]:
        data = {
            "officer": {"account": "mau.nv", "name": OFFICER_NAME}, "dossierCode": "H33.05-261123-0001",
            "personalNumber": NUMBER, "name": NAME, **override.pop("data", {}),
        }  # fmt: skip
        made = {
            "specversion": "1.0", "id": str(uuid.uuid4()), "source": ASKER, "type": "citizen.lookup",
            "dataschema": "urn:lgsp:contract:citizen.lookup:1.0", "subject": NUMBER, "to": "H33.16",
            "time": format_moment(time.time()), "datacontenttype": "application/json", "purpose": PURPOSE,
            "data": {name: value for name, value in data.items() if value is not None}, **override,
        }  # fmt: skip
        return {name: value for name, value in made.items() if value is not None}

    def ask(self, raw: bytes | None = None, *, by: str = ASKER, within: float = 5, **override: Any) -> bytes:
        """The answer's envelope. Raises Refused."""
        raw = seal(self.event(**override), signer_of(self.folder, by)) if raw is None else raw

        async def work() -> bytes:
            async with Bus.reach(self.url) as bus:
                token = await bus.token(signer_of(self.folder, by), by)
                return await bus.query(token, raw, within=within)

        return asyncio.run(work())

    def refused(self, raw: bytes | None = None, **asked: Any) -> tuple[int, str]:
        with pytest.raises(Refused) as refused:
            self.ask(raw, **asked)
        return refused.value.status, refused.value.name

    def audited(self, kind: str) -> list[dict[str, Any]]:
        """The audit's rows of one kind, as they are on disk."""
        with contextlib.closing(sqlite3.connect(self.folder / "var/lgsp.db")) as file:
            rows = [json.loads(body) for (body,) in file.execute("SELECT body FROM journal WHERE kind = 'audit'")]
        return [row for row in rows if row["audit"] == kind]


def signer_of(folder: Path, system: str) -> Any:
    stem = folder / "keys" / system.replace("/", "-")
    return read_signer(stem.with_suffix(stem.suffix + ".pem"), stem.with_suffix(stem.suffix + ".crt"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    folder = a_province(tmp_path / "tinh")
    with at_its_desk(folder) as (desk, url):
        path = folder / "agencies/H33.16.toml"
        before = path.read_text("utf-8")
        at = before.index("[[systems.subscriptions]]")
        path.write_text(before[:at] + PROVIDES.format(url=url).lstrip() + "\n" + before[at:], "utf-8")
        write(folder, "agreements/TC.toml", AGREEMENT.format(id="TC", contract="citizen.lookup", until="2030-12-31"))
        write(folder, "agreements/CU.toml", AGREEMENT.format(id="CU", contract="enterprise.lookup", until="2020-12-31"))
        address = at_a_free_port(folder)
        done = lgsp("-C", folder, "apply")
        assert done.status == 0, done.err
        yield Place(folder, address, desk)


def spoken(envelope: bytes) -> dict[str, Any]:
    said: dict[str, Any] = parse_strict(split(envelope).payload)
    return said


# ------------------------------------------------------------------------------------- what is refused, and why


def test_what_no_agreement_gives_is_refused_with_its_reason_and_each_refusal_is_in_the_audit(place: Place) -> None:
    asked_before = seal(place.event(), signer_of(place.folder, ASKER))
    enterprise: dict[str, Any] = {
        "type": "enterprise.lookup", "dataschema": "urn:lgsp:contract:enterprise.lookup:1.0",
        "subject": "4000000000", "data": {"enterpriseCode": "4000000000", "name": None, "personalNumber": None},
    }  # fmt: skip
    stale = place.event(time=format_moment(time.time() - 300))
    with living(place.folder, place.url):
        assert spoken(place.ask(asked_before))["data"]["name"] == NAME
        refusals = [
            ("more fields than the agreement gives", place.refused(data={"fields": ["/name", "/gender"]})),
            ("everything", place.refused(data={"fields": [""]})),
            ("without a dossier", place.refused(data={"dossierCode": None})),
            ("without an officer", place.refused(data={"officer": None})),
            ("after the agreement's end", place.refused(**enterprise)),
            ("for another purpose", place.refused(purpose="thong-ke")),
            ("for no purpose", place.refused(purpose=None)),
            ("replayed", place.refused(asked_before)),
            ("replayed in new words", place.refused(id=spoken(asked_before)["id"])),
            ("of another time", place.refused(seal(stale, signer_of(place.folder, ASKER)))),
            (
                "by the token of another",
                place.refused(seal(place.event(), signer_of(place.folder, ASKER)), by=PROVIDER),
            ),
            ("in another's name", place.refused(by=PROVIDER)),
            ("by one who has no agreement", place.refused(by=PROVIDER, source=PROVIDER, to="H33.05")),
        ]
    assert dict(refusals) == {
        "more fields than the agreement gives": (403, "no-agreement"),
        "everything": (403, "no-agreement"),
        "without a dossier": (422, "contract-violation"),
        "without an officer": (422, "contract-violation"),
        "after the agreement's end": (403, "no-agreement"),
        "for another purpose": (403, "no-agreement"),
        "for no purpose": (403, "no-agreement"),
        "replayed": (409, "conflict"),
        "replayed in new words": (409, "conflict"),
        "of another time": (422, "stale"),
        "by the token of another": (403, "forbidden"),
        "in another's name": (403, "untrusted-certificate"),
        "by one who has no agreement": (403, "no-agreement"),
    }
    assert len(place.desk.asked) == 1
    assert [row["details"]["problem"] for row in place.audited("query.refused")] == [each[1][1] for each in refusals]
    (answered,) = place.audited("query.answered")
    assert answered["actor"] == ASKER
    assert (answered["details"]["officer"], answered["details"]["dossier"]) == ("mau.nv", "H33.05-261123-0001")
    assert answered["details"]["agreements"] == ["TC"]


def test_a_provider_that_is_down_costs_the_asker_no_id(place: Place) -> None:
    raw = seal(place.event(), signer_of(place.folder, ASKER))
    with living(place.folder, place.url):
        place.desk.mode = "down"
        with pytest.raises(Refused) as refused:
            place.ask(raw)
        assert (refused.value.status, refused.value.name) == (502, "provider-unavailable")
        assert (refused.value.retry_after or 0) >= 1
        place.desk.mode = "slow"
        with pytest.raises(Refused) as late:
            place.ask(raw, within=0.3)
        assert (late.value.status, late.value.name) == (504, "provider-unavailable")
        assert (late.value.retry_after or 0) >= 1
        place.desk.mode = "wrong"
        assert place.refused(raw) == (502, "provider-unavailable")
        place.desk.mode = "bare"
        assert spoken(place.ask(raw))["data"]["birth"] == "1980"
        assert place.refused(raw) == (409, "conflict")
        place.desk.mode = "nobody"
        assert place.refused() == (404, "no-record")
    assert [len(place.audited(f"query.{kind}")) for kind in ("failed", "answered", "empty")] == [3, 1, 1]


def test_what_the_provider_signed_comes_back_byte_for_byte(place: Place) -> None:
    place.desk.mode = "signed"
    with living(place.folder, place.url):
        assert place.ask() == place.desk.gave[0]
        cut = spoken(place.ask(data={"fields": ["/birth"]}))
    assert cut["data"] == {"birth": "1980"}
    assert (cut["source"], cut["originsource"]) == ("H33.14/lgsp", PROVIDER)
    assert cut["origindigest"] == digest_of(place.desk.gave[1])


# ------------------------------------------------------------------------------------- nothing of it is kept


def disguises(text: str) -> Iterator[bytes]:
    """A text as it might stand in a file: in several encodings, in JSON, in base64 however it lies in what is coded."""
    plain = text.encode()
    yield plain
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    yield json.dumps(text)[1:-1].encode()
    yield plain.hex().encode()
    for sort in (plain, json.dumps(text)[1:-1].encode()):
        for shift in range(3):
            # What is certain of the code of a text that begins at this place within three bytes.
            whole = base64.b64encode(b"\0" * shift + sort)
            inner = whole[4 if shift else 0 : -4]
            yield inner
            yield inner.replace(b"+", b"-").replace(b"/", b"_")


def traces(folder: Path, log: str) -> list[tuple[str, str]]:
    """Where something personal is to be found, in any file below the folder (a database and its WAL too) or the log."""
    needles = {text: set(disguises(text)) for text in (NAME, NUMBER, OFFICER_NAME, PLACE, HEAD)}
    assert all(len(each) >= 8 for found in needles.values() for each in found)
    places = [(str(path.relative_to(folder)), path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    places += [(name, gzip.decompress(held)) for name, held in places if held[:2] == b"\x1f\x8b"]
    places.append(("the log", log.encode()))
    return [(name, text) for name, held in places for text, found in needles.items() if any(n in held for n in found)]


def test_nothing_of_a_question_or_an_answer_is_anywhere_even_after_a_power_cut(place: Place) -> None:
    log: list[str] = []
    raw = seal(place.event(), signer_of(place.folder, ASKER))
    with living(place.folder, place.url, environ={"LGSP_LOG": "debug"}) as gateway:
        for mode in ("bare", "signed", "down", "nobody", "wrong"):
            place.desk.mode = mode
            for _ in range(8):
                with contextlib.suppress(Refused):
                    place.ask()
        place.refused(data={"name": {"first": NAME}})
        place.refused(subject=NAME, to="H33.99")
        place.refused(data={"fields": ["/" + NAME]})
        place.desk.mode = "slow"
        place.desk.arrived.clear()
        asker = _asking(place, raw, within=3.0)
        assert place.desk.arrived.wait(10)
        # In the middle of one: asked, not answered.
        assert (place.folder / "var/lgsp.db-wal").stat().st_size > 0
        gateway.kill()
        asker.join()
        log += gateway.log
        assert traces(place.folder, "".join(log)) == []
    place.desk.go_on.set()
    place.desk.mode = "bare"
    with living(place.folder, place.url) as gateway:
        place.ask()
        log += gateway.log
    log += gateway.log
    assert traces(place.folder, "".join(log)) == []
    # The search finds what is there: the same text put where it must not be.
    (place.folder / "var/dump").write_bytes(b"x" + base64.b64encode(b"?" + json.dumps(FOUND).encode()))
    assert {text for _, text in traces(place.folder, "")} == {NAME, NUMBER, PLACE, HEAD}


def test_a_query_whose_gateway_fell_may_be_asked_again_after_its_time(place: Place) -> None:
    raw = seal(place.event(), signer_of(place.folder, ASKER))
    place.desk.mode = "slow"
    with living(place.folder, place.url) as gateway:
        asker = _asking(place, raw, within=0.5)
        assert place.desk.arrived.wait(10)
        gateway.kill()
        asker.join()
    place.desk.mode = "bare"
    place.desk.go_on.set()
    _as_if_later(place.folder, seconds=11)
    with living(place.folder, place.url):
        assert spoken(place.ask(raw))["data"]["name"] == NAME
        assert place.refused(raw) == (409, "conflict")


def _asking(place: Place, raw: bytes, *, within: float) -> threading.Thread:
    def work() -> None:
        with contextlib.suppress(Exception):  # its gateway falls
            place.ask(raw, within=within)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _as_if_later(folder: Path, *, seconds: float) -> None:
    """Let the times of what was begun be over, as if so long had passed; first they are seen to bar the id."""
    with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db")) as file, file:
        (until,) = file.execute("SELECT until FROM queries WHERE outcome = 'asked'").fetchone()
        assert 0 < until - time.time() <= seconds
        file.execute("UPDATE queries SET until = until - ? WHERE outcome = 'asked'", (seconds,))
