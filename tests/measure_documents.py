"""Measures official documents from a folder over the bus to the national axis: ``python -m tests.measure_documents``.

A document system drops .edxml files with attachments of 200 KB (random, so nothing compresses), the gateway collects,
judges, keeps and hands each to the axis in small, which checks header, HMAC and hash of every one. Gateway and axis are
processes of their own. Prints documents a second, the gateway's CPU and memory, and how long a year of a province's
650,000 documents would take at that pace. Not part of the suite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from adapters.edxml_folder.stand_in import DocumentSystem, a_document
from adapters.vdxp.stand_in import Axis, Listed
from gateway.cli.bench.usage import cpu_seconds

#: Documents that a province of the field sent in a year, as it reported.
A_YEAR = 650_000
SYSTEM, SECRET = "00.33.W00", "made up for measuring"
_ATTACHED = 200 * 1000
_PATIENCE = 900.0

_OFFICE = """code = "H33.05"
name = "Sở mẫu"
level = "province"
parent = "H33"
[[systems]]
name = "dms"
adapter = "edxml_folder"
sealing = "gateway"
key = "keys/H33.05-dms.pem"
settings = { outbox = "out", inbox = "in", confidentiality = "none", settle_seconds = 0.2 }
"""
_LINE = """code = "H33.14"
name = "Trung tâm mẫu"
level = "province"
parent = "H33"
[[systems]]
name = "axis"
adapter = "vdxp"
sealing = "gateway"
key = "keys/H33.14-axis.pem"
settings = { url = "%s", system_id = "00.33.W00", secret_file = "keys/axis.secret", confidentiality = "none" }
[[systems.subscriptions]]
contract = "document.issued"
version = "2.0"
"""
_MINISTRY = 'code = "G15"\nname = "Bộ mẫu"\nlevel = "central"\nvia = "H33.14/axis"\n'
_AGREEMENT = """id = "VB"
title = "Trao đổi văn bản"
basis = "QĐ 28/2018/QĐ-TTg"
purpose = "van-ban"
from = ["H33.*"]
to = ["G15"]
contracts = ["document.*"]
valid_from = 2018-09-06
valid_until = 2030-12-31
"""


async def _serve_axis(folder: Path) -> None:
    """The axis in small, until killed; what it holds stands in ``folder/taken``."""
    axis = Axis()
    axis.join(SYSTEM, SECRET, [Listed("H33.05", "Sở mẫu", "000.00.05.H33", centre=SYSTEM)])
    axis.join("00.15.W00", "another", [Listed("G15", "Bộ mẫu", "000.00.00.G15")])
    await axis.start()
    (folder / "axis.url").write_text(axis.url)
    while True:
        (folder / "taken.new").write_text(str(len(axis.items_of("G15"))))
        (folder / "taken.new").rename(folder / "taken")
        await asyncio.sleep(0.1)


@contextlib.contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)


def _lgsp(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "gateway", "-C", str(folder), *words]


def _until(ready: Path, what: str) -> str:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if ready.exists():
            return ready.read_text()
        time.sleep(0.05)
    raise SystemExit(f"waited in vain for {what}")


def _resident(pid: int, field: str) -> float:
    """VmRSS or VmHWM of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(field))


def measured(folder: Path, count: int) -> dict[str, float]:
    """One run of ``count`` documents."""
    province = folder / "province"
    subprocess.run([sys.executable, "-m", "gateway", "init", str(province)], check=True, capture_output=True)
    with _process(sys.executable, "-m", "tests.measure_documents", "--axis", str(folder)):
        url = _until(folder / "axis.url", "the axis")
        files = {"H33.05": _OFFICE, "H33.14": _LINE % url, "G15": _MINISTRY}
        for code, text in files.items():
            (province / "agencies" / f"{code}.toml").write_text(text)
        (province / "agreements" / "VB.toml").write_text(_AGREEMENT)
        (province / "keys" / "axis.secret").write_text(SECRET)
        settings = province / "lgsp.toml"
        port = 20000 + os.getpid() % 20000
        settings.write_text(settings.read_text().replace("8600", str(port)))
        (province / "out").mkdir()
        (province / "in").mkdir()
        subprocess.run(_lgsp(province, "apply"), check=True, capture_output=True)
        office = DocumentSystem(folder / "elsewhere")
        made = [
            a_document(str(n), recipients=["G15"], files={f"{n}.pdf": b"%PDF-1.4\n" + os.urandom(_ATTACHED)})
            for n in range(count)
        ]
        for n, raw in enumerate(made):
            office.send(raw, f"{n:06d}.edxml")
        with _process(*_lgsp(province, "serve")) as gateway:
            _listening(port)
            time.sleep(1)
            idle, spent = _resident(gateway.pid, "VmRSS"), cpu_seconds(gateway.pid)
            began = time.monotonic()
            for path in sorted(office.outbox.iterdir()):
                path.rename(province / "out" / path.name)
            while (taken := int((folder / "taken").read_text())) < count:
                if time.monotonic() - began > _PATIENCE:
                    raise SystemExit(f"only {taken} of {count} arrived in {_PATIENCE:g} s")
                time.sleep(0.05)
            seconds = time.monotonic() - began
            spent = cpu_seconds(gateway.pid) - spent
            return {
                "documents": count,
                "edxml_kb": len(made[0]) / 1000,
                "seconds": seconds,
                "documents_per_s": count / seconds,
                "cpu_ms_per_document": spent / count * 1000,
                "idle_mb": idle,
                "peak_mb": _resident(gateway.pid, "VmHWM"),
                "year_hours": A_YEAR / (count / seconds) / 3600,
            }


def _listening(port: int) -> None:
    import socket

    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("the gateway does not listen")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=500, help="documents of the run")
    parser.add_argument("--axis", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.axis is not None:
        asyncio.run(_serve_axis(options.axis))
        return
    with tempfile.TemporaryDirectory(prefix="lgsp-documents-") as folder:
        told = measured(Path(folder), options.documents)
    sys.stdout.write(
        f"{told['documents']:.0f} documents of {told['edxml_kb']:.0f} KB in {told['seconds']:.1f} s:"
        f" {told['documents_per_s']:.1f} a second, {told['cpu_ms_per_document']:.1f} ms of the gateway's CPU each;"
        f" memory {told['idle_mb']:.0f} MB idle, {told['peak_mb']:.0f} MB at most\n"
        f"a year of {A_YEAR:,} documents at that pace: {told['year_hours']:.1f} hours\n"
    )


if __name__ == "__main__":
    main()
