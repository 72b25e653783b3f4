"""GET /files/{token}/{name}: a file for whoever has a link to it, and nothing for anybody else."""

from __future__ import annotations

import hashlib

import pytest
import structlog

from gateway.core.file_link import file_link
from tests.api.hall import OPERATOR, Hall

CONTENT = bytes(range(256)) * 40
ME = "H33.05/dms"


async def a_link(hall: Hall, content: bytes = CONTENT, *, kept: bool = True, days: int = 30) -> str:
    """A link to a file, as an adapter is given it, below the address of this hall."""
    sha256 = await hall.put_file(content, ME) if kept else hashlib.sha256(content).hexdigest()
    now = hall.town.clock.now()
    return file_link("", hall.doors.signer, sha256, "Đơn đề nghị.pdf", now=now, days=days)


async def test_whoever_has_a_link_has_the_file_without_a_token(hall: Hall) -> None:
    answer = await hall.get(await a_link(hall))

    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Accept-Ranges"] == "bytes"


async def test_a_part_may_be_asked_for_and_the_head_alone(hall: Hall) -> None:
    link = await a_link(hall)

    part = await hall.get(link, headers={"Range": "bytes=10-19"})
    head = await hall.ask("HEAD", link)
    outside = await hall.get(link, headers={"Range": "bytes=99999-"})

    assert (part.status, part.body, part.headers["Content-Range"]) == (206, CONTENT[10:20], "bytes 10-19/10240")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "10240")
    assert (outside.status, outside.headers["Content-Range"]) == (416, "bytes */10240")


async def test_an_empty_file_has_a_link_too(hall: Hall) -> None:
    assert (await hall.get(await a_link(hall, b""))).body == b""


async def test_a_link_that_is_over_forged_or_to_nothing_is_a_404_that_does_not_say_which(hall: Hall) -> None:
    over = await a_link(hall, days=1)
    gone = await a_link(hall, b"never kept", kept=False)
    token, _, name = over.removeprefix("/files/").partition("/")
    hall.town.clock.moment += 3 * 86400

    answers = [await hall.get(each) for each in (over, gone, f"/files/{token[:-2]}AA/{name}", "/files/a.b.c/x.pdf")]

    told = [answer.problem("not-found", 404) for answer in answers]
    assert all(each == told[0] for each in told)


@pytest.mark.parametrize("path", ["/files", "/files/", "/files/token", "/files/token/"])
async def test_there_is_no_list_of_files(hall: Hall, path: str) -> None:
    (await hall.get(path)).problem("not-found", 404)


async def test_the_gateways_other_words_are_no_links_and_a_link_is_no_token(hall: Hall) -> None:
    link = await a_link(hall)
    access = await hall.token(ME)

    (await hall.get(f"/files/{access}/x.pdf")).problem("not-found", 404)
    (await hall.get(f"/files/{OPERATOR}/x.pdf")).problem("not-found", 404)
    (await hall.get("/v1/me", token=link.split("/")[2])).problem("unauthenticated", 401)
    (await hall.publish(link.split("/")[2].encode())).problem("malformed-envelope", 400)


async def test_no_log_line_holds_a_link(hall: Hall) -> None:
    link = await a_link(hall)
    with structlog.testing.capture_logs() as logs:
        await hall.get(link)

    (line,) = [each for each in logs if each["event"] == "request.answered"]
    assert line["door"] == "/files/{token}/{name}"
    assert link.split("/")[2] not in repr(logs)
