"""Health, metrics, keys, documents, headers, the listener's guards, the log."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import structlog

from gateway import telemetry
from gateway.api.app import ROUTES
from gateway.api.docs import described
from gateway.api.problems import STATUS
from tests.api.hall import KNOWN, OPERATOR, PUBLIC_URL, Hall, conforms, open_hall

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = described("openapi")
OPERATIONS = [
    (path, method, operation)
    for path, item in OPENAPI["paths"].items()
    for method, operation in item.items()
    if method in ("get", "post")
]


# ------------------------------------------------------------------------------------------------ health, metrics


async def test_alive_is_alive_whatever_else_is_wrong(hall: Hall) -> None:
    hall.readiness["ledger"] = False

    answer = await hall.get("/health/live")

    assert (answer.status, answer.json) == (200, {"status": "live"})


async def test_ready_only_while_it_accepts_and_delivers(hall: Hall) -> None:
    ready = await hall.get("/health/ready")
    hall.readiness["ledger"] = False
    not_ready = await hall.get("/health/ready")

    conforms("Ready", ready.json)
    conforms("Ready", not_ready.json)
    assert (ready.status, ready.json["status"]) == (200, "ready")
    assert (not_ready.status, not_ready.json["checks"]) == (503, {"ledger": False, "dispatch": True})


async def test_metrics_are_open_on_loopback_and_count_what_happens(hall: Hall) -> None:
    await hall.publish(hall.town.envelope())

    answer = await hall.get("/metrics")

    assert answer.status == 200
    assert re.search(rb'lgsp_messages_total\{outcome="accepted"\} [1-9]', answer.body)
    assert re.search(rb'lgsp_requests_total\{door="/v1/messages",method="POST",status="202"\} [1-9]', answer.body)


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Anything"])
async def test_metrics_behind_a_proxy_need_an_operator(hall: Hall, header: str) -> None:
    headers = {header: "192.0.2.7"}

    (await hall.get("/metrics", headers=headers)).problem("unauthenticated", 401)
    assert (await hall.get("/metrics", headers=headers, token=OPERATOR)).status == 200


async def test_metrics_on_an_open_listener_need_an_operator(tmp_path: Path) -> None:
    async with open_hall(tmp_path, is_loopback=False) as hall:
        (await hall.get("/metrics")).problem("unauthenticated", 401)
        (await hall.get("/metrics", token=await hall.token("H33.05/dms"))).problem("forbidden", 403)
        assert (await hall.get("/metrics", token=OPERATOR)).status == 200


async def test_the_keys_are_open_to_everybody(hall: Hall) -> None:
    answer = await hall.get("/.well-known/jwks.json")

    assert answer.status == 200
    conforms("Jwks", answer.json)
    assert len({key["kid"] for key in answer.json["keys"]}) == 2


# ------------------------------------------------------------------------------------------------------- documents


def test_every_route_is_described_and_nothing_else_is() -> None:
    described_doors = {(method.upper(), path) for path, method, _ in OPERATIONS}

    assert described_doors == {(route.method, route.path) for route in ROUTES}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_problem_of_a_door_has_its_status_described(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["x-problems"], (path, method)
    assert {str(STATUS[name]) for name in operation["x-problems"]} <= operation["responses"].keys()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_door_speaks_both_languages(path: str, method: str, operation: dict[str, Any]) -> None:
    assert " / " in operation["summary"], (path, method)
    assert "\n\nEN: " in operation["description"]


def examples() -> list[tuple[str, dict[str, Any], Any]]:
    """Every example in the document with the schema it stands for."""
    found: list[tuple[str, dict[str, Any], Any]] = []

    def walk(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            return
        schema = value.get("schema")
        for name, each in value.items():
            if schema is not None and name == "example":
                found.append((where, schema, each))
            elif schema is not None and name == "examples":
                found.extend((f"{where}/{key}", schema, one["value"]) for key, one in each.items())
            else:
                walk(each, f"{where}/{name}")

    walk(OPENAPI["paths"], "paths")
    walk(OPENAPI["components"]["responses"], "responses")
    return found


@pytest.mark.parametrize(("where", "schema", "example"), examples())
def test_every_example_keeps_its_own_schema(where: str, schema: dict[str, Any], example: Any) -> None:
    local = json.loads(json.dumps(schema).replace("#/components/", "urn:doors#/components/"))

    jsonschema.Draft202012Validator(local, registry=KNOWN).validate(example)


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_every_reference_of_a_document_leads_somewhere(name: str) -> None:
    document = described(name)
    references = re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))
    assert references

    for reference in references:
        found: Any = document
        assert reference.startswith("#/")
        for step in reference[2:].split("/"):
            found = found[step]


@pytest.mark.parametrize(("name", "version"), [("openapi", "3.1.0"), ("asyncapi", "3.0.0")])
async def test_the_documents_are_served_with_this_gateways_address(hall: Hall, name: str, version: str) -> None:
    answer = await hall.get(f"/{name}.json")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json[name] == version
    assert answer.json["info"]["version"] != "0"
    if name == "openapi":
        assert answer.json["servers"] == [{"url": PUBLIC_URL}]


def test_the_messages_described_are_those_that_are_delivered() -> None:
    receipts = {each["name"] for each in described("asyncapi")["components"]["messages"].values()}

    assert {"receipt.delivered", "receipt.refused", "receipt.expired", "receipt.discarded"} < receipts


class Page(HTMLParser):
    """What a page refers to, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        self.links += [str(given[name]) for name in ("href", "src", "action") if name in given]
        self.ids += [str(given["id"])] if "id" in given else []
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_page_for_people_is_whole_and_needs_nothing_from_elsewhere(hall: Hall) -> None:
    answer = await hall.get("/docs")
    page = Page()
    page.feed(answer.body.decode())

    assert page.open == []
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "form", "object"})
    assert all(link.startswith(("#", "/")) and not link.startswith("//") for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {f"problem-{name}" for name in STATUS} <= set(page.ids)
    assert all(f"<code>{path}</code>" in answer.body.decode() for path, _, _ in OPERATIONS)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_the_style_of_the_page_is_the_one_its_policy_allows(hall: Hall) -> None:
    answer = await hall.get("/docs")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)

    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{allowed}'" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


# -------------------------------------------------------------------------------------------- headers and listener


@pytest.mark.parametrize("path", ["/health/live", "/nothing", "/docs", "/v1/contracts"])
async def test_every_answer_is_guarded_and_names_no_versions(hall: Hall, path: str) -> None:
    headers = (await hall.get(path)).headers

    assert headers["Server"] == "lgsp"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert "Cache-Control" in headers


async def spoken(hall: Hall, said: bytes) -> bytes:
    """What the listener answers to raw bytes, until it closes."""
    host, port = hall.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01 this is TLS\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_cannot_be_read_as_http_is_a_problem_and_the_end(hall: Hall, said: bytes) -> None:
    answer = await spoken(hall, said)

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"Content-Type: application/problem+json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "urn:lgsp:problem:bad-request"
    assert b"aiohttp" not in answer
    assert b"Server: lgsp" in answer


async def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async with open_hall(tmp_path, first_header=0.1) as hall:
        assert await spoken(hall, b"") == b""
        assert await spoken(hall, b"GET / HTTP/1.1\r\nHost:") == b""


async def test_a_connection_that_spoke_in_time_stays_open(tmp_path: Path) -> None:
    async with open_hall(tmp_path, first_header=0.1) as hall:
        host, port = hall.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(2):
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await asyncio.wait_for(reader.readuntil(b'"live"}'), 5)
            await asyncio.sleep(0.15)
        writer.close()


async def test_a_body_that_waits_to_be_asked_for_is_asked_for(hall: Hall) -> None:
    host, port = hall.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\n"
        b"Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    assert await asyncio.wait_for(reader.readline(), 5) == b"HTTP/1.1 100 Continue\r\n"
    writer.write(b"a.b")
    rest = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert b"HTTP/1.1 400 " in rest
    assert b"malformed-envelope" in rest


async def test_an_expectation_we_do_not_know_is_ignored(hall: Hall) -> None:
    assert (await hall.get("/health/live", headers={"Expect": "a-miracle"})).status == 200


async def test_broken_chunks_are_a_bad_request(hall: Hall) -> None:
    answer = await spoken(
        hall,
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
    )

    assert answer.split(b" ")[1] == b"400"
    assert b"problem+json" in answer


# ------------------------------------------------------------------------------------------------------------- log


async def test_a_request_writes_one_line_without_what_was_said(hall: Hall) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with structlog.testing.capture_logs() as lines:
        answer = await hall.publish(
            hall.town.envelope(subject="a very telling subject"),
            headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        )

    (line,) = [each for each in lines if each["event"] == "request.answered"]
    assert (line["door"], line["status"], line["message_id"]) == ("/v1/messages", 202, answer.json["id"])
    assert line["trace_id"] == trace
    assert "telling" not in json.dumps(lines)


async def test_a_refusal_is_logged_with_its_problem_and_the_caller(hall: Hall) -> None:
    token = await hall.token("H33.16/dms")
    with structlog.testing.capture_logs() as lines:
        await hall.ask("POST", "/v1/inbox/lease", token=token, json={})

    (line,) = [each for each in lines if each["event"] == "request.answered"]
    assert (line["problem"], line["caller"]) == ("forbidden", "H33.16/dms")
    assert token not in json.dumps(lines)


async def test_questions_of_health_are_not_logged(hall: Hall) -> None:
    with structlog.testing.capture_logs() as lines:
        await hall.get("/health/live")
        await hall.get("/metrics")

    assert lines == []


@pytest.fixture
def said() -> Any:
    """The stream to which a freshly set up log writes; set back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.set_up(stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_a_log_line_is_one_json_object(said: io.StringIO) -> None:
    telemetry.log.info("gateway.started", listen="127.0.0.1:8600", name="Sở Tài chính\nhai dòng")
    telemetry.log.debug("gateway.stopped")

    (line,) = said.getvalue().splitlines()
    assert json.loads(line)["event"] == "gateway.started"
    assert json.loads(line)["name"] == "Sở Tài chính\nhai dòng"
    assert json.loads(line)["level"] == "info"


def test_fields_that_could_hold_a_secret_are_removed(said: io.StringIO) -> None:
    telemetry.log.warning("adapter.failed", data={"name": "x9y"}, client_secret="x9y", token="x9y", agency="H33.05")

    assert "x9y" not in said.getvalue()
    assert json.loads(said.getvalue())["agency"] == "H33.05"


def test_an_exception_is_told_without_its_text(said: io.StringIO) -> None:
    try:
        raise ValueError("number 0123456789 of a citizen")
    except ValueError:
        telemetry.log.exception("step.failed", step="sweep")

    line = json.loads(said.getvalue())
    assert line["exception"] == "builtins.ValueError"
    assert "test_an_exception_is_told_without_its_text" in line["passed"][-1]
    assert "0123456789" not in said.getvalue()


def test_what_libraries_say_comes_in_the_same_form(said: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").warning("something %s", "odd")
    logging.getLogger("asyncio").info("not worth a line")
    try:
        raise ValueError("number 0123456789 of a citizen")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling request")

    warned, failed = map(json.loads, said.getvalue().splitlines())
    assert (warned["event"], warned["library"], warned["said"]) == ("library.said", "aiohttp.server", "something odd")
    assert failed["exception"] == "builtins.ValueError"
    assert "0123456789" not in said.getvalue()


def test_the_list_of_events_holds_what_is_logged_and_nothing_else() -> None:
    written = {
        name
        for path in (ROOT / "gateway").rglob("*.py")
        for name in re.findall(r"""\blog\.(?:debug|info|warning|error|exception)\(\s*"([^"]+)\"""", path.read_text())
    }

    # What libraries say is logged at whatever level they said it.
    assert written | {"library.said"} == telemetry.EVENTS.keys()
