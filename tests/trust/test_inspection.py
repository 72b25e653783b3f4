"""Signatures inside files, judged by the process apart: what each is worth, and what hostile files can bring about."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from lxml import etree
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from signxml import methods
from signxml.signer import XMLSigner
from signxml.xades.xades import XAdESSigner

from gateway.core.content import InMemory
from gateway.core.findings import Looked
from gateway.trust.inspection.process import Bounds, SideProcess
from tests.trust.authority import NOW, SIGNER, Authority, Person, a_pdf, signed_pdf, with_another_page

CA: Final = Authority()
STRANGE: Final = Authority("CA lạ")
PERSON: Final = CA.person()
STAMPS: Final = CA.person("Dấu thời gian", since=-2000, stamps=True)
EXPIRED: Final = CA.person(since=-900, until=-100)
REVOKED: Final = CA.person()
CA.revoke(REVOKED)
PLAIN: Final = a_pdf()
SIGNED: Final = signed_pdf(PLAIN, PERSON)
LARGE: Final = signed_pdf(a_pdf("x" * 2_000_000), PERSON)


@pytest.fixture
async def side(tmp_path: Path) -> AsyncIterator[SideProcess]:
    CA.write(tmp_path / "trust")
    made = SideProcess(tmp_path, ["trust/*.pem"], ["trust/*.crl"], Bounds(seconds=20.0))
    yield made
    await made.close()


async def look(side: SideProcess, data: bytes, beside: bytes | None = None) -> Looked:
    return await side.look(InMemory(data), None if beside is None else InMemory(beside), now=NOW.timestamp())


async def verdict(side: SideProcess, data: bytes, beside: bytes | None = None) -> tuple[str, str]:
    looked = await look(side, data, beside)
    return looked.verdict, looked.reason


# --------------------------------------------------------------------------------------------------------------- PDF


async def test_a_good_signature_is_told_with_who_signed_when_and_by_which_certificate(side: SideProcess) -> None:
    looked = await look(side, SIGNED)
    (found,) = looked.signatures
    assert (looked.kind, looked.verdict, looked.reason) == ("pdf", "valid", "")
    assert SIGNER in found.signer
    assert len(found.certificate) == 43
    assert found.signed_at is not None
    assert (found.is_stamped, found.covers_all) == (False, True)
    assert looked.by.startswith("pyhanko ")
    assert len(looked.lists) == 12


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unsigned", ("unsigned", "")),
        ("a byte of the text", ("invalid", "changed")),
        ("another page", ("invalid", "changed")),
        ("something behind the end", ("invalid", "changed")),
        ("blanks behind the end", ("valid", "")),
        ("a signature that is none", ("invalid", "broken")),
        ("an unknown authority", ("unknown-signer", "no-trusted-root")),
        ("expired", ("expired", "certificate-expired")),
        ("revoked", ("revoked", "certificate-revoked")),
        ("cut short", ("not-checked", "unreadable")),
        ("a broken table of places", ("not-checked", "unreadable")),
        ("with a password", ("not-checked", "encrypted")),
        ("nothing but its name", ("not-checked", "unreadable")),
    ],
)
async def test_a_pdf_gets_the_verdict_it_deserves(side: SideProcess, name: str, expected: tuple[str, str]) -> None:
    start = SIGNED.index(b"/Contents <") + len(b"/Contents <")
    made = {
        "unsigned": PLAIN,
        "a byte of the text": SIGNED.replace(b"CONG VAN", b"CONG VAM"),
        "another page": with_another_page(SIGNED),
        "something behind the end": SIGNED + b"%% and so on",
        "blanks behind the end": SIGNED + b"\r\n \n",
        "a signature that is none": SIGNED[:start] + b"00" * 600 + SIGNED[start + 1200 :],
        "an unknown authority": signed_pdf(PLAIN, STRANGE.person()),
        "expired": signed_pdf(PLAIN, EXPIRED),
        "revoked": signed_pdf(PLAIN, REVOKED),
        "cut short": SIGNED[:-300],
        "a broken table of places": SIGNED.replace(b"startxref\n", b"startxref\n9"),
        "with a password": encrypted(PLAIN),
        "nothing but its name": b"%PDF-1.7\n",
    }
    assert await verdict(side, made[name]) == expected


def encrypted(pdf: bytes) -> bytes:
    writer = copy_into_new_writer(PdfFileReader(io.BytesIO(pdf)))
    writer.encrypt("the owner's", "the reader's")  # type: ignore[no-untyped-call]
    out = io.BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]
    return out.getvalue()


async def test_of_two_signatures_both_are_told_and_the_worse_counts(side: SideProcess) -> None:
    both = signed_pdf(SIGNED, CA.person("Trần Thị Mẫu"), name="Signature2")
    looked = await look(side, both)
    assert looked.verdict == "valid"
    assert [(each.verdict, each.covers_all) for each in looked.signatures] == [("valid", False), ("valid", True)]

    worse = await look(side, signed_pdf(SIGNED, REVOKED, name="Signature2"))
    assert (worse.verdict, worse.reason) == ("revoked", "certificate-revoked")
    assert [each.verdict for each in worse.signatures] == ["valid", "revoked"]


@pytest.mark.parametrize(
    ("person", "days", "expected"),
    [
        (EXPIRED, 200, "valid"),
        (REVOKED, 20, "valid"),
        (REVOKED, 5, "revoked"),
    ],
)
async def test_a_trusted_stamp_says_at_which_moment_a_certificate_is_judged(
    side: SideProcess, person: Person, days: int, expected: str
) -> None:
    at = NOW - timedelta(days=days)
    looked = await look(side, signed_pdf(PLAIN, person, stamped_by=STAMPS, at=at))
    (found,) = looked.signatures
    assert (found.verdict, found.is_stamped, found.signed_at) == (expected, True, at.timestamp())


async def test_a_stamp_that_nobody_vouches_for_says_nothing(side: SideProcess) -> None:
    stranger = STRANGE.person("Dấu lạ", since=-2000, stamps=True)
    looked = await look(side, signed_pdf(PLAIN, EXPIRED, stamped_by=stranger, at=NOW - timedelta(days=200)))
    assert (looked.verdict, looked.signatures[0].is_stamped) == ("expired", False)


# -------------------------------------------------------------------------------------------------------- trust lists


async def test_without_a_list_of_revoked_certificates_nothing_is_called_valid(tmp_path: Path) -> None:
    CA.write(tmp_path / "trust", crl=False)
    side = SideProcess(tmp_path, ["trust/*.pem"], ["trust/*.crl"])
    assert await verdict(side, SIGNED) == ("not-checked", "no-revocation-list")
    assert await verdict(side, signed_pdf(PLAIN, REVOKED)) == ("not-checked", "no-revocation-list")
    await side.close()


async def test_a_list_that_is_out_of_date_is_no_list(tmp_path: Path) -> None:
    CA.write(tmp_path / "trust", until=-1)
    side = SideProcess(tmp_path, ["trust/*.pem"], ["trust/*.crl"])
    assert await verdict(side, SIGNED) == ("not-checked", "no-revocation-list")
    await side.close()


async def test_lists_that_change_are_read_again_by_the_process_that_runs(side: SideProcess, tmp_path: Path) -> None:
    before = await look(side, signed_pdf(PLAIN, STRANGE.person()))
    pid = side.pid
    STRANGE.write(tmp_path / "trust")
    after = await look(side, signed_pdf(PLAIN, STRANGE.person()))
    assert (before.verdict, after.verdict) == ("unknown-signer", "valid")
    assert before.lists != after.lists
    assert side.pid == pid


async def test_a_file_among_the_lists_that_is_none_harms_nobody(side: SideProcess, tmp_path: Path) -> None:
    (tmp_path / "trust/a.pem").write_text("-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n")
    (tmp_path / "trust/b.pem").write_bytes(os.urandom(100))
    (tmp_path / "trust/c.crl").write_bytes(b"")
    assert await verdict(side, SIGNED) == ("valid", "")


# --------------------------------------------------------------------------------------------------------- CMS and XML


def openssl(*asked: str) -> bytes:
    """What the program writes."""
    return subprocess.run(["openssl", *asked], check=True, capture_output=True).stdout


def cms(folder: Path, data: bytes, person: Person, *options: str) -> bytes:
    """What ``openssl cms -sign`` makes of it."""
    (folder / "data").write_bytes(data)
    given = options or ("-outform", "DER")
    return openssl(
        "cms", "-sign", "-binary", "-md", "sha256", "-in", str(folder / "data"), *key(folder, person), *given
    )


def key(folder: Path, person: Person) -> list[str]:
    """A person's key and certificate, as files."""
    (folder / "key").write_bytes(person.key_pem())
    (folder / "certificate").write_bytes(person.pem())
    return ["-signer", str(folder / "certificate"), "-inkey", str(folder / "key")]


async def test_a_detached_signature_is_held_to_the_file_beside_it(side: SideProcess, tmp_path: Path) -> None:
    for form in ("DER", "PEM"):
        signature = cms(tmp_path, b"the document", PERSON, "-outform", form)
        assert await verdict(side, signature) == ("not-checked", "detached")
        assert await verdict(side, signature, b"the document") == ("valid", "")
        assert await verdict(side, signature, b"another one") == ("invalid", "changed")


async def test_a_signature_with_its_content_needs_no_file_beside(side: SideProcess, tmp_path: Path) -> None:
    whole = cms(tmp_path, b"the document", PERSON, "-outform", "DER", "-nodetach")
    assert await verdict(side, whole) == ("valid", "")
    assert await verdict(side, whole.replace(b"the document", b"the dokument")) == ("invalid", "changed")


async def test_each_of_several_signers_counts(side: SideProcess, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.write_bytes(cms(tmp_path, b"the document", PERSON))
    again = ["-inform", "DER", "-in", str(first), "-md", "sha256", "-outform", "DER"]
    both = openssl("cms", "-resign", *again, *key(tmp_path, REVOKED))
    looked = await look(side, both, b"the document")
    assert looked.verdict == "revoked"
    assert sorted(each.verdict for each in looked.signatures) == ["revoked", "valid"]


async def test_certificates_alone_are_no_signature(side: SideProcess, tmp_path: Path) -> None:
    key(tmp_path, PERSON)
    made = openssl("crl2pkcs7", "-nocrl", "-certfile", str(tmp_path / "certificate"), "-outform", "DER")
    assert await verdict(side, made) == ("unsigned", "certificates-only")


def xml(person: Person, text: str = "<vb><so>01</so></vb>", signer: XMLSigner | None = None) -> bytes:
    made = (signer or XMLSigner(signature_algorithm="ecdsa-sha256")).sign(
        etree.fromstring(text), key=person.key, cert=[person.certificate]
    )
    return etree.tostring(made)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unsigned", ("unsigned", "")),
        ("good", ("valid", "")),
        ("changed", ("invalid", "broken")),
        ("revoked", ("revoked", "certificate-revoked")),
        ("expired", ("expired", "certificate-expired")),
        ("an unknown authority", ("unknown-signer", "no-trusted-root")),
        ("data elsewhere", ("not-checked", "external")),
        ("a document type", ("not-checked", "unsupported")),
        ("an edXML's own block", ("not-checked", "edxml-block")),
        ("not XML after all", ("not-checked", "unreadable")),
    ],
)
async def test_an_xml_gets_the_verdict_it_deserves(side: SideProcess, name: str, expected: tuple[str, str]) -> None:
    elsewhere = xml(PERSON).replace(b'URI=""', b'URI="http://192.0.2.1/x"')
    made = {
        "unsigned": b"<vb><so>01</so></vb>",
        "good": xml(PERSON),
        "changed": xml(PERSON).replace(b">01<", b">02<"),
        "revoked": xml(REVOKED),
        "expired": xml(EXPIRED),
        "an unknown authority": xml(STRANGE.person()),
        "data elsewhere": elsewhere,
        "a document type": b'<!DOCTYPE vb [<!ENTITY a "aaaa">]>' + xml(PERSON),
        "an edXML's own block": xml(PERSON, '<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016"/>'),
        "not XML after all": b"<vb><so>",
    }
    assert await verdict(side, made[name]) == expected


async def test_xades_tells_when_its_signer_says_it_was_signed(side: SideProcess) -> None:
    looked = await look(side, xml(PERSON, signer=XAdESSigner(signature_algorithm="ecdsa-sha256")))
    assert looked.verdict == "valid"
    assert looked.signatures[0].signed_at is not None


async def test_a_signature_over_a_part_does_not_vouch_for_the_whole(side: SideProcess) -> None:
    root = etree.fromstring('<vb><so Id="so">01</so><khac>x</khac></vb>')
    signer = XMLSigner(method=methods.detached, signature_algorithm="ecdsa-sha256")
    signature = signer.sign(root, key=PERSON.key, cert=[PERSON.certificate], reference_uri="#so")
    root.append(signature)
    looked = await look(side, etree.tostring(root))
    assert [(each.verdict, each.covers_all) for each in looked.signatures] == [("valid", False)]


async def test_of_several_signatures_in_one_xml_each_is_judged(side: SideProcess) -> None:
    root = etree.fromstring('<vb><a Id="a">1</a><b Id="b">2</b></vb>')
    for person, name in ((PERSON, "a"), (REVOKED, "b")):
        signer = XMLSigner(method=methods.detached, signature_algorithm="ecdsa-sha256")
        root.append(signer.sign(root, key=person.key, cert=[person.certificate], reference_uri=f"#{name}"))
    looked = await look(side, etree.tostring(root))
    assert [each.verdict for each in looked.signatures] == ["valid", "revoked"]


# ------------------------------------------------------------------------------------------------------- hostile files


async def test_what_is_none_of_these_is_not_even_handed_to_the_process(side: SideProcess) -> None:
    assert await verdict(side, b"PK\x03\x04 something else") == ("not-checked", "unknown-kind")
    assert await verdict(side, b"") == ("not-checked", "unknown-kind")
    assert side.pid is None


async def test_a_file_over_the_limit_is_not_looked_into(side: SideProcess) -> None:
    side.bounds = Bounds(size=len(SIGNED) - 1)
    assert await verdict(side, SIGNED) == ("not-checked", "too-large")
    assert side.pid is None


def a_bomb(size: int) -> bytes:
    """A PDF whose table of places unpacks to so many bytes."""
    packing = zlib.compressobj(9)
    packed = b"".join([packing.compress(bytes(2**20)) for _ in range(size // 2**20)]) + packing.flush()
    head = b"%PDF-1.7\n"
    stream = (
        b"1 0 obj\n<< /Type /XRef /Size 9999999 /W [1 4 2] /Root 1 0 R /Filter /FlateDecode /Length "
        + str(len(packed)).encode()
        + b" >>\nstream\n"
        + packed
        + b"\nendstream\nendobj\n"
    )
    return head + stream + b"startxref\n" + str(len(head)).encode() + b"\n%%EOF\n"


async def test_a_bomb_costs_the_process_apart_at_most_and_the_next_file_is_looked_into(tmp_path: Path) -> None:
    CA.write(tmp_path / "trust")
    side = SideProcess(tmp_path, ["trust/*.pem"], ["trust/*.crl"], Bounds(seconds=3.0, memory=300 * 2**20))
    assert await verdict(side, PLAIN) == ("unsigned", "")
    before = peak()
    kind, reason = await verdict(side, a_bomb(600 * 2**20))
    assert kind == "not-checked"
    assert reason in {"stopped", "too-long", "unreadable"}
    assert await verdict(side, SIGNED) == ("valid", "")
    assert peak() - before < 64 * 2**20, "nothing of it was unpacked here"
    await side.close()


def peak() -> int:
    """The most memory that this process ever had (bytes)."""
    told = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(told.partition("VmHWM:")[2].split()[0]) * 1024


async def test_whatever_is_broken_in_a_file_it_ends_as_a_verdict(side: SideProcess) -> None:
    good = [SIGNED, xml(PERSON)]
    for number in range(200):
        data = bytearray(good[number % 2])
        for step in range(1 + number // 8):
            at = (number * 7919 + step * 104729) % len(data)
            data[at] = (data[at] + 1 + step) % 256
        looked = await look(side, bytes(data))
        assert looked.reason not in {"stopped", "too-long", "away"}
        assert looked.verdict != "valid" or not any(each.covers_all and number % 2 for each in looked.signatures)


def a_program(folder: Path, body: str) -> str:
    """A process that stands in for the one that looks, found by its module's name."""
    (folder / "odd_inspection.py").write_text(
        "import sys, json, time, os\n"
        "out = sys.stdout.buffer\n"
        "def say(told):\n    out.write(json.dumps(told).encode() + b'\\n'); out.flush()\n"
        "say({'by': 'odd'})\n" + textwrap.dedent(body),
        "utf-8",
    )
    return "odd_inspection"


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SideProcess:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return SideProcess(tmp_path, [], [], Bounds(seconds=0.5), program="odd_inspection")


async def test_a_process_that_hangs_is_killed_and_its_file_told_too_long(odd: SideProcess, tmp_path: Path) -> None:
    a_program(tmp_path, "time.sleep(3600)\n")
    began = time.monotonic()
    assert await verdict(odd, SIGNED) == ("not-checked", "too-long")
    assert time.monotonic() - began < 10
    assert odd.pid is None


async def test_a_file_that_brings_the_process_down_twice_is_told_stopped(odd: SideProcess, tmp_path: Path) -> None:
    a_program(tmp_path, "os.abort()\n")
    assert await verdict(odd, SIGNED) == ("not-checked", "stopped")


async def test_an_answer_that_is_none_counts_as_no_answer(odd: SideProcess, tmp_path: Path) -> None:
    a_program(tmp_path, "sys.stdin.buffer.readline(); out.write(b'[1, 2\\n'); out.flush(); time.sleep(60)\n")
    assert await verdict(odd, SIGNED) == ("not-checked", "stopped")
    a_program(tmp_path, "sys.stdin.buffer.readline(); say({'kind': 'pdf', 'verdict': 'wonderful'}); time.sleep(60)\n")
    assert await verdict(odd, SIGNED) == ("not-checked", "stopped")
    await odd.close()


async def test_a_process_that_does_not_come_up_is_told_as_such_and_tried_again(odd: SideProcess) -> None:
    assert await verdict(odd, SIGNED) == ("not-checked", "away"), "there is no such program"


async def test_a_process_that_died_between_two_files_is_replaced_unseen(side: SideProcess) -> None:
    await look(side, SIGNED)
    first = side.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert await verdict(side, SIGNED) == ("valid", "")
    assert side.pid != first


async def test_more_files_than_may_wait_are_told_busy_and_none_waits_for_ever(side: SideProcess) -> None:
    side.most_waiting = 5
    told = await asyncio.gather(*(verdict(side, SIGNED) for _ in range(20)))
    assert told.count(("valid", "")) == 6, "one at work and five that wait"
    assert told.count(("not-checked", "busy")) == 14


async def test_nobody_waits_long_behind_a_slow_file(odd: SideProcess, tmp_path: Path) -> None:
    a_program(tmp_path, "time.sleep(3600)\n")
    began = time.monotonic()
    told = await asyncio.gather(*(verdict(odd, SIGNED) for _ in range(3)))
    assert sorted(reason for _, reason in told) == ["busy", "busy", "too-long"]
    assert time.monotonic() - began < 10


async def test_a_look_that_is_called_off_leaves_no_answer_for_the_next_one(side: SideProcess) -> None:
    await look(side, SIGNED)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(look(side, LARGE), 0.005)
        assert await verdict(side, PLAIN) == ("unsigned", "")


async def test_at_the_end_no_process_is_left_and_what_was_under_way_is_not_held_against_its_file(
    odd: SideProcess, tmp_path: Path
) -> None:
    a_program(tmp_path, "sys.stdin.buffer.readline(); open(os.environ['PYTHONPATH'] + '/asked', 'w'); time.sleep(60)\n")
    odd.bounds = Bounds(seconds=60)
    looking = asyncio.create_task(verdict(odd, SIGNED))
    while not (tmp_path / "asked").exists():  # noqa: ASYNC110 - it is another process that makes it
        await asyncio.sleep(0.01)
    await odd.close()
    assert await looking == ("not-checked", "away")
    assert await verdict(odd, SIGNED) == ("not-checked", "away")
    assert odd.pid is None


async def test_the_gateways_own_process_never_loads_what_reads_documents() -> None:
    asked = (
        "import sys, gateway.compose.gateway, gateway.api.app, gateway.trust.inspection.process;"
        "print([name for name in ('pyhanko', 'signxml', 'asn1crypto', 'pyhanko_certvalidator') if name in sys.modules])"
    )
    told = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", asked], check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == "[]"


async def test_where_nothing_is_installed_that_looks_files_are_not_checked(
    side: SideProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.trust.inspection.process.is_installed", lambda: False)
    assert await verdict(side, SIGNED) == ("not-checked", "not-installed")
    assert side.pid is None
