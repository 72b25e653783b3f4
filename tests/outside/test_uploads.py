"""Interfaces, section 5: files brought in by tus 1.0, named in messages, fetched by those who may."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.outside.client import Answer, Seat, eventually
from tests.outside.province import Province, wants

SENDER, RECEIVER, STRANGER = "H33.05/dms", "H33.07/dms", "H33.08/dms"
CHUNK = "application/offset+octet-stream"


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """A sender, a receiver and a stranger; files of at most one mebibyte."""
    with Province(tmp_path_factory.mktemp("uploads") / "tinh") as made:
        made.contract("note.made")
        made.one(SENDER)
        made.one(RECEIVER, wants("note.made/1.0"))
        made.one(STRANGER, wants("note.made/1.0"))
        made.agreement()
        made.change('limit = "200 MiB"', 'limit = "1 MiB"')
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats[SENDER]


def tus(seat: Seat, method: str, path: str, body: bytes | None = None, /, **headers: Any) -> Answer:
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    plain = {"Tus-Resumable": "1.0.0"} | named
    return seat.bus.call(method, path.removeprefix(seat.bus.url), body, headers=plain, token=seat.token)


def metadata(content: bytes, name: str = "Công văn.pdf") -> str:
    digest = hashlib.sha256(content).hexdigest()
    pairs = {"sha256": digest, "filename": name}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def begin(seat: Seat, content: bytes, **headers: Any) -> str:
    """The place of a new upload."""
    about = {"Upload_Length": len(content), "Upload_Metadata": metadata(content)} | headers
    answer = tus(seat, "POST", "/v1/uploads", **about)
    assert answer.status == 201, answer
    return answer.headers["location"].removeprefix(seat.bus.url)


def upload(seat: Seat, content: bytes) -> dict[str, Any]:
    """A file brought in whole, as messages name it."""
    place = begin(seat, content)
    answer = tus(seat, "PATCH", place, content, Upload_Offset=0, Content_Type=CHUNK)
    assert (answer.status, answer.headers["upload-offset"]) == (204, str(len(content))), answer
    digest = hashlib.sha256(content).hexdigest()
    return {"name": "Công văn.pdf", "mediaType": "application/pdf", "size": len(content), "sha256": digest}


def naming(seat: Seat, file: dict[str, Any], to: str = RECEIVER) -> Answer:
    return seat.bus.send(seat.who.seal(seat.event(to, data={"text": "kèm tệp", "files": [file]})))


def test_the_door_says_what_it_can(sender: Seat) -> None:
    answer = sender.bus.call("OPTIONS", "/v1/uploads")

    assert answer.status in {200, 204}
    assert "1.0.0" in answer.headers["tus-version"].split(",")
    extensions = set(answer.headers["tus-extension"].replace(" ", "").split(","))
    assert {"creation", "checksum", "termination", "expiration"} <= extensions
    assert {"sha1", "sha256"} <= set(answer.headers["tus-checksum-algorithm"].replace(" ", "").split(","))
    assert int(answer.headers["tus-max-size"]) == 1024 * 1024


def test_a_file_comes_in_pieces_and_goes_on_where_the_line_broke(sender: Seat) -> None:
    content = os.urandom(5000)
    place = begin(sender, content)
    assert tus(sender, "HEAD", place).headers["upload-offset"] == "0"
    answer = tus(sender, "PATCH", place, content[:2000], Upload_Offset=0, Content_Type=CHUNK)
    assert (answer.status, answer.headers["upload-offset"], answer.headers["tus-resumable"]) == (204, "2000", "1.0.0")
    head = tus(sender, "HEAD", place)
    assert (head.status, head.headers["upload-offset"], head.headers["upload-length"]) == (200, "2000", "5000")
    assert "no-store" in head.headers["cache-control"]
    assert head.headers["upload-expires"]
    for offset in (0, 1999, 2001, 5000):
        assert tus(sender, "PATCH", place, content[offset:], Upload_Offset=offset, Content_Type=CHUNK).status == 409

    done = tus(sender, "PATCH", place, content[2000:], Upload_Offset=2000, Content_Type=CHUNK)
    assert done.status == 204


def test_a_file_is_for_the_recipients_of_a_message_that_names_it_and_its_sender(
    province: Province, sender: Seat
) -> None:
    content = os.urandom(3000)
    file = upload(sender, content)
    path, receiver = f"/v1/files/{file['sha256']}", province.seats[RECEIVER]
    assert receiver.get(path).is_problem("not-found", 404)
    assert naming(sender, file).status == 202

    for seat in (sender, receiver):
        answer = seat.get(path)
        assert (answer.status, answer.body) == (200, content)
    assert province.seats[STRANGER].get(path).is_problem("not-found", 404)


def test_a_message_may_name_only_what_its_source_uploaded_or_took(province: Province, sender: Seat) -> None:
    content = os.urandom(3000)
    file = upload(sender, content)
    receiver, stranger = province.seats[RECEIVER], province.seats[STRANGER]
    assert naming(stranger, file).is_problem("missing-file", 422)
    assert naming(sender, file).status == 202
    assert naming(receiver, file, STRANGER).is_problem("missing-file", 422)
    for one in receiver.lease(500):
        receiver.settle(taken=[one["delivery"]])

    assert naming(receiver, file, STRANGER).status == 202
    assert naming(sender, {**file, "sha256": "f" * 64}).is_problem("missing-file", 422)


def test_an_upload_never_tells_that_the_bytes_are_held_already(province: Province, sender: Seat) -> None:
    content = os.urandom(3000)
    assert naming(sender, upload(sender, content)).status == 202
    stranger = province.seats[STRANGER]
    place = begin(stranger, content)

    assert tus(stranger, "HEAD", place).headers["upload-offset"] == "0"
    file = {"name": "a", "mediaType": "a/b", "size": 3000, "sha256": hashlib.sha256(content).hexdigest()}
    assert naming(stranger, file).is_problem("missing-file", 422)
    assert tus(stranger, "PATCH", place, content, Upload_Offset=0, Content_Type=CHUNK).status == 204
    assert naming(stranger, file).status == 202


def test_a_wrong_digest_is_refused_when_the_upload_is_complete(sender: Seat) -> None:
    content = os.urandom(3000)
    place = begin(sender, content, Upload_Metadata=metadata(b"other"))
    answer = tus(sender, "PATCH", place, content, Upload_Offset=0, Content_Type=CHUNK)

    assert 400 <= answer.status < 500
    for claimed in (content, b"other"):
        digest = hashlib.sha256(claimed).hexdigest()
        file = {"name": "a", "mediaType": "a/b", "size": len(claimed), "sha256": digest}
        assert naming(sender, file).is_problem("missing-file", 422)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_pieces_checksum_is_checked_and_a_bad_piece_forgotten(sender: Seat, algorithm: str) -> None:
    content = os.urandom(3000)
    place = begin(sender, content)

    def checked(of: bytes) -> Answer:
        digest = base64.b64encode(hashlib.new(algorithm, of).digest()).decode()
        about: dict[str, Any] = {"Upload_Checksum": f"{algorithm} {digest}", "Upload_Offset": 0}
        return tus(sender, "PATCH", place, content, **about, Content_Type=CHUNK)

    assert checked(b"other").status == 460
    assert tus(sender, "HEAD", place).headers["upload-offset"] == "0"
    assert checked(content).status == 204


def test_an_unknown_checksum_algorithm_is_refused(sender: Seat) -> None:
    place = begin(sender, b"abc")
    answer = tus(sender, "PATCH", place, b"abc", Upload_Offset=0, Content_Type=CHUNK, Upload_Checksum="md5 AAAA")

    assert answer.status == 400


def test_an_upload_can_be_ended_by_its_owner_only(province: Province, sender: Seat) -> None:
    place = begin(sender, b"abc")
    stranger = province.seats[STRANGER]
    for method in ("HEAD", "DELETE"):
        assert tus(stranger, method, place).status == 404
    assert tus(stranger, "PATCH", place, b"abc", Upload_Offset=0, Content_Type=CHUNK).status == 404
    assert tus(sender, "DELETE", place).status == 204

    assert tus(sender, "HEAD", place).status in {404, 410}


def test_requests_that_are_not_as_the_protocol_says_are_refused(sender: Seat) -> None:
    good: dict[str, Any] = {"Upload_Length": 3, "Upload_Metadata": metadata(b"abc")}
    assert sender.bus.call("POST", "/v1/uploads", headers={"Tus-Resumable": "1.0.0"}).is_problem("unauthenticated", 401)
    wrong = tus(sender, "POST", "/v1/uploads", **good, Tus_Resumable="0.2.0")
    assert (wrong.status, wrong.headers["tus-version"]) == (412, "1.0.0")
    assert tus(sender, "POST", "/v1/uploads", **good | {"Upload_Length": 1024 * 1024 + 1}).status == 413
    for bad in ({"Upload_Length": "x"}, {"Upload_Length": -1}, {"Upload_Metadata": "sha256"}):
        assert tus(sender, "POST", "/v1/uploads", **{**good, **bad}).status == 400
    place = begin(sender, b"abc")
    assert tus(sender, "PATCH", place, b"abc", Upload_Offset=0, Content_Type="text/plain").status == 415
    assert tus(sender, "PATCH", place, b"abc", Content_Type=CHUNK).status == 400
    assert 400 <= tus(sender, "PATCH", place, b"abcd", Upload_Offset=0, Content_Type=CHUNK).status < 500
    assert tus(sender, "HEAD", "/v1/uploads/nonsense").status == 404


def test_an_upload_goes_on_after_a_power_cut(province: Province, sender: Seat) -> None:
    content = os.urandom(200_000)
    place = begin(sender, content)
    assert tus(sender, "PATCH", place, content[:100_000], Upload_Offset=0, Content_Type=CHUNK).status == 204
    province.kill()
    province.serve()
    offset = int(tus(sender, "HEAD", place).headers["upload-offset"])

    assert offset == 100_000
    assert tus(sender, "PATCH", place, content[offset:], Upload_Offset=offset, Content_Type=CHUNK).status == 204
    digest = hashlib.sha256(content).hexdigest()
    file = {"name": "a", "mediaType": "a/b", "size": len(content), "sha256": digest}
    assert naming(sender, file).status == 202
    eventually(lambda: sender.get(f"/v1/files/{digest}").body == content)
