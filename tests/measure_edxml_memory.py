"""Measures what a very large attachment costs a gateway: ``python -m tests.measure_edxml_memory [--megabytes 150]``.

The real program serves a small province. A document is dropped into one agency's folder and goes to two others: one
gets the very bytes, one the older version of the contract, for which the file is written anew. What is told is how far
the peak of the process's memory rose over what a small document took before. Not part of the suite, which does the
same with less (``tests/adapters/test_large_documents.py``).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.core.content import Scales, poured
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage
from gateway.store.scratch import Scratch
from tests.outside.client import eventually
from tests.outside.province import Province, wants

_MEGABYTE: Final = 1_000_000
_LARGE: Final = Limits(size=400 << 20, unpacked=400 << 20)
_NEW: Final = Path(__file__).parent / "vectors/edxml/document_new.edxml"
_CONTENT: Final = re.compile(rb"(?<=>)JVBERi0[^<]*(?=</edXML:ContentTransferEncoded>)")
#: Divides into base64 and into lines of 76 letters without rest.
_STEP: Final = 57 * 4096


@dataclass(frozen=True, slots=True)
class Carried:
    """What one document took: bytes of its file, seconds to both agencies, rise of the peak of memory in bytes."""

    size: int
    seconds: float
    risen: int
    #: Whether the one agency has the sender's bytes, and the other the sender's attachment in a file of its own.
    is_identical: bool
    is_written: bool


def content(megabytes: float) -> Iterator[bytes]:
    """A PDF by its first bytes, and nothing that could be compressed."""
    chance = random.Random(1)
    left = round(megabytes * _MEGABYTE)
    first = b"%PDF-1.7\n"
    while left > 0:
        piece = (first + chance.randbytes(_STEP - len(first)))[:left]
        first = b""
        left -= len(piece)
        yield piece


def large_document(megabytes: float) -> Iterator[bytes]:
    """An .edxml file with an attachment of so many megabytes, in lines as most software writes base64."""
    raw = _NEW.read_bytes().replace(b"118", b"%d" % (1000 + round(megabytes)))
    place = _CONTENT.search(raw)
    assert place is not None
    yield raw[: place.start()]
    for piece in content(megabytes):
        yield base64.encodebytes(piece)
    yield raw[place.end() :]


def made_province(folder: Path) -> Province:
    """Three agencies with folders; the first sends, the others want the contract's two versions."""
    made = Province(folder)

    def folders(code: str, label: str) -> dict[str, Any]:
        for box in ("outbox", "inbox"):
            (made.folder / f"exchange/{code}/{box}").mkdir(parents=True)
        boxes = {box: f"exchange/{code}/{box}" for box in ("outbox", "inbox")}
        return {
            "name": "dms",
            "adapter": "edxml_folder",
            "sealing": "gateway",
            "key": f"keys/{code}-dms.pem",
            "settings": boxes | {"settle_seconds": 0, "confidentiality": "none", "max_mebibytes": 400},
            "subscriptions": [wants(f"document.issued/{label}")],
        }

    for code, label in (("H33.05", "2.0"), ("H33.07", "2.0"), ("H33.09", "1.0")):
        made.agency(code, folders(code, label), **({"aliases": ["000.00.08.H33"]} if code == "H33.09" else {}))
    made.agreement()
    made.apply()
    return made


def carry(province: Province, megabytes: float) -> Carried:
    """Drop one document, wait for it at both agencies, and see what it took."""
    exchange = province.folder / "exchange"
    before = _peak(province.pid)
    known = set(exchange.glob("*/inbox/*.edxml"))
    unfinished, digest, size = exchange / "H33.05/outbox/.large.tmp", hashlib.sha256(), 0
    with unfinished.open("wb") as file:
        for piece in large_document(megabytes):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
    started = time.monotonic()
    unfinished.rename(exchange / f"H33.05/outbox/{round(megabytes * 1000)}.edxml")

    def arrived() -> list[Path]:
        return [path for path in sorted(exchange.glob("*/inbox/*.edxml")) if path not in known]

    same, anew = eventually(arrived, lambda found: len(found) >= 2, within=60 + megabytes)
    seconds = time.monotonic() - started
    risen = _peak(province.pid) - before
    attached = hashlib.sha256()
    for piece in content(megabytes):
        attached.update(piece)
    with tempfile.TemporaryDirectory() as folder, anew.open("rb") as taken:
        scratch = Scratch(Path(folder))
        written = read(poured(taken, scratch.sink()), _LARGE, scratch.sink)
        assert isinstance(written, DocumentMessage)
        digests = [each.content.sha256 for each in written.attachments]
    with same.open("rb") as taken:
        is_identical = poured(taken, Scales()).sha256 == digest.hexdigest()
    return Carried(size, seconds, risen, is_identical, attached.hexdigest() in digests)


def _peak(pid: int) -> int:
    """The most memory that the process ever had (bytes)."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=150.0, help="size of the attachment (10^6 bytes)")
    megabytes = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory() as folder, made_province(Path(folder) / "tinh") as province:
        province.serve()
        for size in (0.2, megabytes):
            done = carry(province, size)
            sys.stdout.write(
                f"attachment {size:g} MB, file {done.size / _MEGABYTE:.1f} MB: {done.seconds:.1f} s,"
                f" peak of memory +{done.risen / 1024 / 1024:.1f} MiB,"
                f" identical: {done.is_identical}, written anew: {done.is_written}\n"
            )


if __name__ == "__main__":
    main()
