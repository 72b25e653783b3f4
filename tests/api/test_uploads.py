"""/v1/uploads: files that come in pieces over any line (tus 1.0), and messages that may name them afterwards."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.api.hall import FILE_LIMIT, OPERATOR, Answer, Hall
from tests.town import document

ME = "H33.05/dms"
OTHER = "H33.16/dms"
CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PIECE = "application/offset+octet-stream"


def metadata(**told: str) -> str:
    """Upload-Metadata as clients write it."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())


def checksum(algorithm: str, content: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


async def tus(hall: Hall, method: str, path: str, *, who: str = ME, data: bytes = b"", **headers: Any) -> Answer:
    """One request of the protocol; ``Upload_Offset=5`` becomes the header Upload-Offset, None leaves one out."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items() if value is not None}
    if "Tus_Resumable" not in headers:
        named["Tus-Resumable"] = "1.0.0"
    return await hall.ask(method, path, token=await hall.token(who), data=data or None, headers=named)


async def begin(hall: Hall, size: int = len(CONTENT), *, who: str = ME, words: str | None = None) -> str:
    """A new upload; answers its path."""
    answer = await tus(hall, "POST", "/v1/uploads", who=who, Upload_Length=size, Upload_Metadata=words)
    assert answer.status == 201, answer.body
    return where(hall, answer)


def where(hall: Hall, answer: Answer) -> str:
    """The path of the upload that was begun."""
    assert answer.headers["Location"].startswith(f"{hall.url}/v1/uploads/")
    return answer.headers["Location"].removeprefix(hall.url)


async def piece(hall: Hall, path: str, offset: int, data: bytes, **headers: Any) -> Answer:
    """PATCH."""
    return await tus(hall, "PATCH", path, data=data, **{"Upload_Offset": offset, "Content_Type": PIECE, **headers})


async def uploaded(hall: Hall, content: bytes = CONTENT, *, who: str = ME) -> None:
    """A file, uploaded in one piece."""
    answer = await piece(hall, await begin(hall, len(content), who=who), 0, content, who=who)
    assert answer.status == 204


async def stands(hall: Hall, path: str) -> int:
    answer = await tus(hall, "HEAD", path)
    assert answer.status == 200
    return int(answer.headers["Upload-Offset"])


def naming(sha256: str, size: int) -> dict[str, Any]:
    """The data of a document with one attachment: that file."""
    named = {"name": "công văn.pdf", "mediaType": "application/pdf", "size": size, "sha256": sha256}
    return document(files=[named])


# --------------------------------------------------------------------------------------------- the way of a file


async def test_a_file_comes_in_pieces_and_a_message_may_name_it(hall: Hall) -> None:
    path = await begin(hall, words=metadata(sha256=SHA256, filename="công văn.pdf", mediatype="application/pdf"))
    assert (await piece(hall, path, 0, CONTENT[:100_000])).headers["Upload-Offset"] == "100000"
    assert await stands(hall, path) == 100_000
    last = await piece(hall, path, 100_000, CONTENT[100_000:])
    assert (last.status, last.headers["Upload-Offset"]) == (204, "300000")

    answer = await hall.publish(hall.town.envelope(data=naming(SHA256, len(CONTENT))))

    assert answer.status == 202, answer.body
    fetched = await hall.get(f"/v1/files/{SHA256}", token=await hall.token(OTHER), headers={"Range": "bytes=5-9"})
    assert (fetched.status, fetched.body) == (206, CONTENT[5:10])


async def test_until_it_is_whole_no_message_may_name_it(hall: Hall) -> None:
    path = await begin(hall)
    await piece(hall, path, 0, CONTENT[:-1])

    (await hall.publish(hall.town.envelope(data=naming(SHA256, len(CONTENT))))).problem("missing-file", 422)


async def test_nobody_else_may_name_it(hall: Hall) -> None:
    await uploaded(hall, who=OTHER)

    (await hall.publish(hall.town.envelope(data=naming(SHA256, len(CONTENT))))).problem("missing-file", 422)


async def test_the_same_bytes_come_twice_as_if_they_never_had_and_are_kept_once(hall: Hall) -> None:
    path = await begin(hall, words=metadata(sha256=SHA256))
    first = await piece(hall, path, 0, CONTENT)
    path = await begin(hall, who=OTHER, words=metadata(sha256=SHA256))
    assert int((await tus(hall, "HEAD", path, who=OTHER)).headers["Upload-Offset"]) == 0
    second = await piece(hall, path, 0, CONTENT, who=OTHER)

    assert first.status == second.status == 204
    assert first.headers.keys() == second.headers.keys()
    for who in (ME, OTHER):
        assert (await hall.get(f"/v1/files/{SHA256}", token=await hall.token(who))).body == CONTENT


async def test_an_empty_file_is_whole_at_once(hall: Hall) -> None:
    path = await begin(hall, 0)

    assert await stands(hall, path) == 0
    nothing = hashlib.sha256().hexdigest()
    assert (await hall.get(f"/v1/files/{nothing}", token=await hall.token(ME))).body == b""


async def test_a_file_that_is_not_the_one_announced_is_refused_when_it_is_whole(hall: Hall) -> None:
    path = await begin(hall, words=metadata(sha256="0" * 64))
    assert (await piece(hall, path, 0, CONTENT[:10])).status == 204

    found = (await piece(hall, path, 10, CONTENT[10:])).problem("digest-mismatch", 422)

    assert SHA256 in found["detail"]
    assert (await tus(hall, "HEAD", path)).status == 404
    (await hall.get(f"/v1/files/{SHA256}", token=await hall.token(ME))).problem("not-found", 404)


async def test_who_lost_the_last_answer_learns_that_the_file_came_whole(hall: Hall) -> None:
    path = await begin(hall)
    await piece(hall, path, 0, CONTENT)

    answer = await tus(hall, "HEAD", path)

    assert (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == ("300000", "300000")
    assert "Upload-Expires" not in answer.headers
    assert (await piece(hall, path, 300_000, b"")).status == 204


# ----------------------------------------------------------------------------------------------- the protocol


async def test_the_door_tells_what_it_speaks_to_everybody(hall: Hall) -> None:
    for path in ("/v1/uploads", "/v1/uploads/0123"):
        answer = await hall.ask("OPTIONS", path)

        assert answer.status == 204
        assert answer.headers["Tus-Version"] == "1.0.0"
        assert answer.headers["Tus-Max-Size"] == str(FILE_LIMIT)
        assert set(answer.headers["Tus-Extension"].split(",")) == {
            "creation", "creation-with-upload", "checksum", "termination", "expiration"
        }  # fmt: skip
        assert set(answer.headers["Tus-Checksum-Algorithm"].split(",")) == {"sha1", "sha256"}


@pytest.mark.parametrize("version", [None, "", "0.2.2", "1.1.0"])
async def test_another_version_of_the_protocol_is_412_with_ours(hall: Hall, version: str | None) -> None:
    answer = await tus(hall, "POST", "/v1/uploads", Upload_Length=5, Tus_Resumable=version)

    assert (answer.status, answer.headers["Tus-Version"]) == (412, "1.0.0")
    assert answer.json["type"] == "urn:lgsp:problem:bad-request"


async def test_every_answer_names_the_version_of_the_protocol(hall: Hall) -> None:
    path = await begin(hall)
    asked = [
        tus(hall, "HEAD", path),
        tus(hall, "HEAD", "/v1/uploads/0123"),
        tus(hall, "POST", "/v1/uploads"),
        tus(hall, "GET", path),
        hall.ask("POST", "/v1/uploads", headers={"Tus-Resumable": "1.0.0"}),
    ]

    assert {answer.headers["Tus-Resumable"] for answer in await asyncio.gather(*asked)} == {"1.0.0"}


async def test_an_upload_may_bring_its_first_piece_along(hall: Hall) -> None:
    answer = await tus(
        hall, "POST", "/v1/uploads", data=CONTENT[:7], Upload_Length=len(CONTENT), Content_Type=PIECE,
        Upload_Checksum=checksum("sha256", CONTENT[:7]),
    )  # fmt: skip

    assert (answer.status, answer.headers["Upload-Offset"]) == (201, "7")
    assert await stands(hall, where(hall, answer)) == 7


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("lgsp.example.vn", "https://lgsp.example.vn"),
        ("LGSP.example.vn", "https://lgsp.example.vn"),
        ("gateway.inside:8600", "http://gateway.inside:8600"),
        ("[::1]:8600", "http://[::1]:8600"),
        ('evil"><', "https://lgsp.example.vn"),
        ("a/b@c", "https://lgsp.example.vn"),
    ],
)
async def test_an_upload_is_found_by_the_line_its_client_came_by(hall: Hall, host: str, base: str) -> None:
    answer = await tus(hall, "POST", "/v1/uploads", Upload_Length=5, Host=host)

    assert answer.headers["Location"].startswith(f"{base}/v1/uploads/")


async def test_what_was_said_about_a_file_is_given_back(hall: Hall) -> None:
    words = metadata(filename="Tờ trình số 1.pdf", sha256=SHA256) + ",is_draft"

    answer = await tus(hall, "HEAD", await begin(hall, words=words))

    assert answer.headers["Upload-Metadata"] == words
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "words",
    [
        "filename *",
        "filename YQ==,filename YQ==",
        "sha256 YWJj",
        "filename YQ==,",
        "tên YQ==",
        "filename " + "YWFh" * 100,
        "filename /w==",
    ],
)
async def test_words_that_cannot_be_read_are_refused(hall: Hall, words: str) -> None:
    answer = await tus(hall, "POST", "/v1/uploads", Upload_Length=5, Upload_Metadata=words)

    assert "Upload-Metadata" in answer.problem("bad-request", 400)["violations"][0]["message"]


@pytest.mark.parametrize("length", [None, "", "-1", "1.5", "abc", "٣", "9" * 30])
async def test_a_length_must_be_told_as_a_number(hall: Hall, length: str | None) -> None:
    answer = await tus(hall, "POST", "/v1/uploads", Upload_Length=None if length is None else length.encode().decode())

    answer.problem("bad-request", 400)


async def test_a_file_over_the_limit_is_refused_before_its_first_byte(hall: Hall) -> None:
    (await tus(hall, "POST", "/v1/uploads", Upload_Length=FILE_LIMIT + 1)).problem("too-large", 413)
    assert await begin(hall, FILE_LIMIT)


async def test_a_piece_must_begin_where_the_upload_stands(hall: Hall) -> None:
    path = await begin(hall)
    await piece(hall, path, 0, CONTENT[:10])

    for offset in (0, 9, 11):
        (await piece(hall, path, offset, CONTENT[offset:20])).problem("illegal-state", 409)
    assert await stands(hall, path) == 10


async def test_a_piece_that_goes_over_the_end_is_refused_whole(hall: Hall) -> None:
    path = await begin(hall, 10)

    async def unmeasured() -> Any:
        for start in range(0, 300_000, 1000):
            yield CONTENT[start : start + 1000]

    (await piece(hall, path, 0, CONTENT[:11])).problem("too-large", 413)
    (await piece(hall, path, 0, unmeasured())).problem("too-large", 413)
    assert await stands(hall, path) == 0


async def test_a_piece_has_a_media_type_of_its_own(hall: Hall) -> None:
    path = await begin(hall)

    (await piece(hall, path, 0, b"x", Content_Type="application/octet-stream")).problem("unsupported-media-type", 415)
    (await piece(hall, path, 0, b"x", Content_Encoding="gzip")).problem("unsupported-media-type", 415)
    (await piece(hall, path, 0, b"x", Upload_Offset="")).problem("bad-request", 400)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_piece_that_does_not_fit_its_checksum_is_not_kept(hall: Hall, algorithm: str) -> None:
    path = await begin(hall)
    good = checksum(algorithm, CONTENT[:50])
    assert (await piece(hall, path, 0, CONTENT[:50], Upload_Checksum=good)).status == 204

    (await piece(hall, path, 50, CONTENT[50:], Upload_Checksum=good)).problem("checksum-mismatch", 460)

    assert await stands(hall, path) == 50
    rest = checksum(algorithm, CONTENT[50:])
    assert (await piece(hall, path, 50, CONTENT[50:], Upload_Checksum=rest)).status == 204
    assert (await hall.get(f"/v1/files/{SHA256}", token=await hall.token(ME))).body == CONTENT


@pytest.mark.parametrize("written", ["", "md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha1", "sha1 AAAA", "sha1 ***", "sha256"])
async def test_a_checksum_that_cannot_be_judged_is_a_bad_request(hall: Hall, written: str) -> None:
    path = await begin(hall)

    answer = await piece(hall, path, 0, CONTENT, Upload_Checksum=written)

    assert "sha1, sha256" in answer.problem("bad-request", 400)["violations"][0]["message"]
    assert await stands(hall, path) == 0


async def test_an_upload_may_be_given_up(hall: Hall) -> None:
    path = await begin(hall)
    await piece(hall, path, 0, CONTENT[:10])

    assert (await tus(hall, "DELETE", path)).status == 204

    assert (await tus(hall, "HEAD", path)).status == 404
    (await piece(hall, path, 10, CONTENT[10:])).problem("not-found", 404)
    (await tus(hall, "DELETE", path)).problem("not-found", 404)


async def test_to_give_up_an_upload_that_came_whole_leaves_the_file(hall: Hall) -> None:
    path = await begin(hall)
    await piece(hall, path, 0, CONTENT)

    assert (await tus(hall, "DELETE", path)).status == 204

    assert (await tus(hall, "HEAD", path)).status == 404
    assert (await hall.get(f"/v1/files/{SHA256}", token=await hall.token(ME))).status == 200


async def test_an_upload_ends_a_day_after_its_last_byte(hall: Hall) -> None:
    path = await begin(hall)
    hall.town.clock.moment += 86_000
    answer = await piece(hall, path, 0, CONTENT[:10])
    ends = parsedate_to_datetime(answer.headers["Upload-Expires"]).timestamp()
    assert ends == pytest.approx(hall.town.clock.now() + 86_400, abs=1)

    hall.town.clock.moment += 86_399
    assert await stands(hall, path) == 10
    hall.town.clock.moment += 1
    (await piece(hall, path, 10, CONTENT[10:])).problem("not-found", 404)


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "HEAD"])
async def test_a_client_with_few_methods_says_what_it_means_in_a_header(hall: Hall, method: str) -> None:
    path = await begin(hall)

    answer = await tus(
        hall, "POST", path, data=CONTENT[:10], Upload_Offset=0, Content_Type=PIECE, X_HTTP_Method_Override=method
    )

    assert answer.status == (200 if method == "HEAD" else 204)
    after = await tus(hall, "HEAD", path)
    assert after.status == (404 if method == "DELETE" else 200)
    if method == "PATCH":
        assert after.headers["Upload-Offset"] == "10"


async def test_a_method_that_the_door_does_not_know_is_told_the_right_ones(hall: Hall) -> None:
    path = await begin(hall)

    for answer in (await tus(hall, "POST", path), await tus(hall, "PUT", path)):
        answer.problem("method-not-allowed", 405)
        assert {"HEAD", "PATCH", "DELETE"} <= set(answer.headers["Allow"].split(", "))


# -------------------------------------------------------------------------------------------------- whose it is


async def test_only_a_system_with_its_token_uploads(hall: Hall) -> None:
    named = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}

    (await hall.ask("POST", "/v1/uploads", headers=named)).problem("unauthenticated", 401)
    (await hall.ask("POST", "/v1/uploads", headers=named, token=OPERATOR)).problem("forbidden", 403)


async def test_an_upload_is_its_systems_alone(hall: Hall) -> None:
    path = await begin(hall)

    unknown = await piece(hall, "/v1/uploads/" + "0" * 32, 0, b"x")
    foreign = await piece(hall, path, 0, b"x", who=OTHER)

    assert unknown.problem("not-found", 404) == foreign.problem("not-found", 404)
    assert (await tus(hall, "HEAD", path, who=OTHER)).status == 404
    (await tus(hall, "DELETE", path, who=OTHER)).problem("not-found", 404)
    assert await stands(hall, path) == 0


@pytest.mark.parametrize("id", ["..", "%2e%2e%2f%2e%2e", "x.json", "a" * 5000, "done", "%00"])
async def test_a_name_that_is_none_is_not_found(hall: Hall, id: str) -> None:
    assert (await tus(hall, "HEAD", f"/v1/uploads/{id}")).status == 404
