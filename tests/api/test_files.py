"""GET /v1/files/{sha256}: bytes, whole or in part, for those a message gives them to."""

from __future__ import annotations

import aiohttp
import pytest

from tests.api.hall import OPERATOR, Answer, FolderSpool, Hall

CONTENT = bytes(range(256)) * 40
ME = "H33.05/dms"


async def fetch(hall: Hall, sha256: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await hall.get(f"/v1/files/{sha256}", token=await hall.token(ME), headers=named)


async def test_whoever_uploaded_a_file_reads_it(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, ME)

    answer = await fetch(hall, sha256)

    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["ETag"] == f'"{sha256}"'
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=10000-", 10000, 10239),
        ("bytes=10000-999999", 10000, 10239),
        ("bytes=-40", 10200, 10239),
        ("bytes=-999999", 0, 10239),
    ],
)
async def test_a_part_of_a_file_may_be_asked_for(hall: Hall, wanted: str, first: int, last: int) -> None:
    sha256 = await hall.put_file(CONTENT, ME)

    answer = await fetch(hall, sha256, Range=wanted)

    assert (answer.status, answer.body) == (206, CONTENT[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/10240"


@pytest.mark.parametrize("wanted", ["bytes=10240-", "bytes=20000-20001", "bytes=-0"])
async def test_a_part_that_lies_outside_is_416_with_the_size(hall: Hall, wanted: str) -> None:
    sha256 = await hall.put_file(CONTENT, ME)

    answer = await fetch(hall, sha256, Range=wanted)

    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */10240")
    assert answer.json["type"] == "urn:lgsp:problem:bad-request"


@pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=x-1", "nonsense"])
async def test_a_range_that_cannot_be_read_is_ignored(hall: Hall, wanted: str) -> None:
    sha256 = await hall.put_file(CONTENT, ME)

    assert (await fetch(hall, sha256, Range=wanted)).status == 200


async def test_a_range_of_another_file_gives_the_whole(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, ME)

    assert (await fetch(hall, sha256, Range="bytes=0-1", If_Range='"other"')).status == 200
    assert (await fetch(hall, sha256, Range="bytes=0-1", If_Range=f'"{sha256}"')).status == 206


async def test_who_has_it_already_is_not_sent_it_again(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, ME)

    answer = await fetch(hall, sha256, If_None_Match=f'"x", W/"{sha256}"')

    assert (answer.status, answer.body) == (304, b"")


async def test_head_tells_the_size_and_sends_nothing(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, ME)

    answer = await hall.ask("HEAD", f"/v1/files/{sha256}", token=await hall.token(ME))

    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "10240", b"")


async def test_an_empty_file_is_a_file(hall: Hall) -> None:
    sha256 = await hall.put_file(b"", ME)

    answer = await fetch(hall, sha256)

    assert (answer.status, answer.body) == (200, b"")


async def test_anyone_else_finds_nothing_held_or_not(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, "H33.16/dms")

    foreign, unknown, nonsense = [await fetch(hall, name) for name in (sha256, "0" * 64, "../../etc/passwd")]

    assert foreign.problem("not-found", 404) == unknown.problem("not-found", 404)
    assert nonsense.problem("not-found", 404)


async def test_operators_do_not_read_files(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, ME)

    (await hall.get(f"/v1/files/{sha256}", token=OPERATOR)).problem("forbidden", 403)


async def test_a_file_whose_bytes_are_gone_is_not_found(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, ME)
    hall.town.files.remove(sha256)

    (await fetch(hall, sha256)).problem("not-found", 404)


async def test_a_file_that_lost_bytes_is_never_taken_for_whole(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, ME)
    assert isinstance(hall.town.files, FolderSpool)
    hall.town.files.path(sha256).write_bytes(CONTENT[:100])

    with pytest.raises(aiohttp.ClientError):
        await fetch(hall, sha256)


async def test_what_another_uploader_called_the_bytes_is_never_told(hall: Hall) -> None:
    sha256 = await hall.put_file(CONTENT, "H33.16/dms", "text/html")
    await hall.put_file(CONTENT, ME, "application/pdf")

    assert (await fetch(hall, sha256)).headers["Content-Type"] == "application/octet-stream"
