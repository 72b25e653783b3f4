"""Interfaces, sections 5 and 7: edXML on the command line and by folders, and its files for those who may."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.outside.client import Answer, eventually
from tests.outside.province import Province, lgsp, wants

REPOSITORY = Path(__file__).resolve().parents[2]
OWN = REPOSITORY / "tests/vectors/edxml"
SAMPLES = REPOSITORY / "../shared/samples/edxml"
REFUSED = {"02", "06", "22"}
ODD = {"01", "16", "17", "19", "21", "23"}
NEW = OWN / "document_new.edxml"


def converted(*files: Path) -> list[dict[str, Any]]:
    done = lgsp("convert", "edxml", *files, "--json")
    assert done.returncode == 0, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_told(line: dict[str, Any]) -> bool:
    """Whether one line of the command has every member it should have."""
    assert isinstance(line["file"], str)
    assert isinstance(line["warnings"], list)
    if line["result"] == "relayed":
        assert line["contract"].split("/")[0] in {"document.issued", "document.status"}
        assert line["id"]
    else:
        assert line["result"] == "refused"
        assert line["reason"]
        assert line["detail"]
    return True


def test_every_sample_becomes_what_it_should() -> None:
    files = sorted(SAMPLES.glob("*.edxml")) or sorted(OWN.glob("*.edxml"))
    lines = converted(*files)

    assert [Path(line["file"]).name for line in lines] == [file.name for file in files]
    for line in lines:
        assert is_told(line)
        name = Path(line["file"]).name
        if files[0].parent == OWN:
            assert (line["result"] == "refused") == name.startswith("refused_")
            continue
        assert (line["result"] == "refused") == (name[:2] in REFUSED), line
        assert name[:2] not in ODD or line["warnings"], line
        if line["result"] == "relayed":
            assert line["contract"].startswith("document.status" if "_status_" in name else "document.issued")


def test_our_own_vectors_become_what_they_should() -> None:
    expected = json.loads((OWN / "expected.json").read_text())
    contracts = {"document": "document.issued", "status": "document.status"}
    for line in converted(*(OWN / name for name in expected)):
        wanted = expected[Path(line["file"]).name]
        assert is_told(line)
        assert line.get("contract", "").split("/")[0] == contracts.get(wanted["result"], "")
        assert line.get("reason") == wanted.get("name")
        assert bool(line["warnings"]) == bool(wanted.get("warnings"))


def test_what_is_no_document_at_all_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    junk = {"empty.edxml": b"", "binary.edxml": bytes(range(256)), "deep.edxml": b"<a>" * 100_000}
    for name, content in junk.items():
        (tmp_path / name).write_bytes(content)
    lines = converted(*(tmp_path / name for name in junk), NEW)

    assert [line["result"] for line in lines] == ["refused"] * 3 + ["relayed"]
    assert all(is_told(line) for line in lines)
    absent = lgsp("convert", "edxml", tmp_path / "absent.edxml")
    assert absent.returncode in {0, 1, 2}
    assert "Traceback" not in absent.stderr
    assert "absent.edxml" in absent.stdout + absent.stderr


# documents by folder, and their files


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """One that drops and collects files, one that does so too, one that pulls, and a stranger."""
    with Province(tmp_path_factory.mktemp("documents") / "tinh") as made:

        def folders(code: str, **members: Any) -> dict[str, Any]:
            for box in ("outbox", "inbox"):
                (made.folder / f"exchange/{code}/{box}").mkdir(parents=True)
            made.write(f"keys/{code}-dms.secret", f"mat-khau-mau-rat-dai-{code}")
            settings = {box: f"exchange/{code}/{box}" for box in ("outbox", "inbox")} | {"settle_seconds": 0}
            return {
                "name": "dms",
                "adapter": "edxml_folder",
                "sealing": "gateway",
                "key": f"keys/{code}-dms.pem",
                "secret_file": f"keys/{code}-dms.secret",
                "settings": settings | members,
                "subscriptions": [wants("document.issued/2.0"), wants("document.status/1.0")],
            }

        made.agency("H33.05", folders("H33.05", confidentiality="none"))
        made.agency("H33.07", folders("H33.07"))
        made.one("H33.08/dms", wants("document.issued/1.0"), aliases=["000.00.08.H33"])
        made.one("H33.09/dms", wants("document.issued/2.0"))
        made.agreement()
        made.apply()
        yield made.serve()


def drop(province: Province, code: str, content: bytes, name: str) -> Path:
    """A file dropped as a careful document system does: under another name first."""
    outbox = province.folder / f"exchange/{code}/outbox"
    (outbox / f".{name}.tmp").write_bytes(content)
    return (outbox / f".{name}.tmp").rename(outbox / name)


def collected(province: Province, code: str, count: int = 1) -> list[Path]:
    """The files that came to an agency, once there are so many."""
    inbox = province.folder / f"exchange/{code}/inbox"
    return eventually(
        lambda: sorted(path for path in inbox.iterdir() if path.suffix == ".edxml"),
        lambda found: len(found) >= count,
        within=15,
    )


def fetch(province: Province, sha256: str, token: str, **headers: str) -> Answer:
    return province.bus.get(f"/v1/files/{sha256}", token, **headers)


def test_a_dropped_document_arrives_byte_for_byte_and_as_a_record_with_files(province: Province) -> None:
    content = NEW.read_bytes()
    drop(province, "H33.05", content, "van-ban.edxml")

    (arrived,) = collected(province, "H33.07")
    assert hashlib.sha256(arrived.read_bytes()).digest() == hashlib.sha256(content).digest()
    puller = province.seats["H33.08/dms"]
    (got,) = puller.take(within=15)
    data = got["event"]["data"]
    assert (data["documentId"], data["confidentiality"]) == ("H33.05,2026/09/15,118/SNV-VP", "none")
    assert data["raw"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert [file["name"] for file in data["files"]] == ["118-SNV-VP.pdf", "Số liệu (mẫu).csv"]

    secret = (province.folder / "keys/H33.05-dms.secret").read_text().strip()
    asked = province.bus.form(grant_type="client_credentials", client_id="H33.05/dms", client_secret=secret)
    own = asked.json["access_token"]
    stranger = province.seats["H33.09/dms"].token
    for file in [data["raw"], *data["files"]]:
        for token in (puller.token, own):
            answer = fetch(province, file["sha256"], token)
            assert answer.status == 200
            assert len(answer.body) == file["size"]
            assert hashlib.sha256(answer.body).hexdigest() == file["sha256"]
        assert fetch(province, file["sha256"], stranger).is_problem("not-found", 404)
        assert province.bus.get(f"/v1/files/{file['sha256']}").is_problem("unauthenticated", 401)


def test_a_file_can_be_fetched_in_parts(province: Province) -> None:
    content = NEW.read_bytes()
    name, token = hashlib.sha256(content).hexdigest(), province.seats["H33.08/dms"].token
    size = len(content)

    for asked, part, told in (
        ("bytes=0-9", content[:10], f"bytes 0-9/{size}"),
        ("bytes=100-", content[100:], f"bytes 100-{size - 1}/{size}"),
        ("bytes=-7", content[-7:], f"bytes {size - 7}-{size - 1}/{size}"),
        (f"bytes=5-{size + 99}", content[5:], f"bytes 5-{size - 1}/{size}"),
    ):
        answer = fetch(province, name, token, Range=asked)
        assert (answer.status, answer.body, answer.headers["content-range"]) == (206, part, told)
    beyond = fetch(province, name, token, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert fetch(province, name, token, Range="lines=1-2").body == content


def test_what_one_received_and_took_one_may_pass_on_but_nobody_else(province: Province) -> None:
    name = hashlib.sha256(NEW.read_bytes()).hexdigest()
    file = {"name": "a.edxml", "mediaType": "application/xml", "size": len(NEW.read_bytes()), "sha256": name}
    data = {"documentId": "x", "issuingOrganId": "H33.08", "subject": "Chuyển tiếp", "confidentiality": "none"}
    taker, stranger = province.seats["H33.08/dms"], province.seats["H33.09/dms"]
    passed_on = stranger.event("H33.09", "document.issued/1.0", data=data | {"files": [file]})
    refused = province.bus.send(stranger.who.seal(passed_on))
    assert refused.is_problem("missing-file", 422)

    taker.send("H33.09", "document.issued/1.0", data=data | {"files": [file]})
    stranger.take()
    assert fetch(province, name, stranger.token).status == 200
    assert province.bus.send(stranger.who.seal(passed_on)).status == 202


def test_the_same_bytes_are_the_same_message_and_status_reports_go_back(province: Province) -> None:
    before = collected(province, "H33.07")
    dropped = drop(province, "H33.05", NEW.read_bytes(), "lan-hai.edxml")
    status = (OWN / "status_rejected.edxml").read_bytes()
    drop(province, "H33.07", status, "bao-cao.edxml")

    (report,) = collected(province, "H33.05")
    assert report.read_bytes() == status
    eventually(lambda: not dropped.exists(), within=15)
    assert collected(province, "H33.07") == before


def test_what_cannot_be_sent_is_given_back_with_its_reason(province: Province) -> None:
    drop(province, "H33.05", (OWN / "refused_generation_1_soap.edxml").read_bytes(), "cu.edxml")
    own = (OWN / "document_recall.edxml").read_bytes()
    drop(province, "H33.07", own, "khong-tuyen-bo.edxml")

    for code, name in (("H33.05", "cu.edxml"), ("H33.07", "khong-tuyen-bo.edxml")):
        refused = province.folder / f"exchange/{code}/outbox/.refused"
        eventually((refused / name).exists, within=15)
        reason = refused / f"{name}.reason.txt"
        eventually(reason.exists)
        assert reason.read_text().strip()


def test_an_unsigned_record_becomes_a_valid_document_again(province: Province) -> None:
    before = {path.name for path in collected(province, "H33.07")}
    content = NEW.read_bytes()
    name = hashlib.sha256(content).hexdigest()
    file = {"name": "kem-theo.xml", "mediaType": "application/xml", "size": len(content), "sha256": name}
    data = {"documentId": "H33.08,2026/10/12,3/TB", "issuingOrganId": "H33.08", "subject": "Thông báo nghỉ lễ"}
    data |= {"confidentiality": "none", "symbol": "3/TB-STC"}
    taker = province.seats["H33.08/dms"]
    taker.send("H33.07", "document.issued/1.0", data={**data, "files": [file]})
    found = collected(province, "H33.07", len(before) + 1)
    (written,) = (path for path in found if path.name not in before)

    (line,) = converted(written)
    assert (line["result"], line["contract"]) == ("relayed", "document.issued/2.0")
    assert line["id"] == "H33.08,2026/10/12,3/TB"
    encoded = written.read_text().partition("ContentTransferEncoded")[2].partition(">")[2].partition("<")[0]
    attached = base64.b64decode("".join(encoded.split()))
    if attached.startswith(b"PK"):  # both forms circulate: the bytes as they are, or in a ZIP of their own
        with zipfile.ZipFile(io.BytesIO(attached)) as archive:
            attached = archive.read(archive.namelist()[0])
    assert attached == content


def test_a_message_of_generation_1_arrives_as_generation_2_and_without_its_token(province: Province) -> None:
    before = {path.name for path in collected(province, "H33.07")}
    old = (OWN / "generation_1_mime.edxml").read_bytes()
    drop(province, "H33.05", re.sub(rb"000\.00\.(0[57])\.H33", rb"H33.\1", old), "the-he-1.edxml")
    found = collected(province, "H33.07", len(before) + 1)
    (arrived,) = (path for path in found if path.name not in before)

    (line,) = converted(arrived)
    assert (line["result"], line["contract"], line["warnings"]) == ("relayed", "document.issued/2.0", [])
    text = arrived.read_text()
    assert "http://www.mic.gov.vn/TBT/QCVN_102_2016" in text
    assert "V/v gửi, nhận văn bản điện tử" in text
    assert "e-doc.vn" not in text
    assert "KHONG-PHAI-MA-THAT" not in text
