"""The process that looks: jobs come on its standard input, answers go to its standard output, and it does nothing else.

A job is a line of JSON (``size``, ``beside``, ``kind``, ``now``, ``seconds``) and that many bytes; an answer is a line
of JSON. It reads no file but the trust lists, opens no connection, and is killed by the kernel where it wants more
memory or time than it was given. It ends when nobody asks any more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import select
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO, Final

from gateway.core.findings import Kind, Looked, Signature
from gateway.trust.inspection import cms, pdf, xml
from gateway.trust.inspection.lists import TrustLists
from gateway.trust.inspection.signer import Court

#: It ends by itself after so long without a job (seconds): nobody's memory is held for nothing.
IDLE: Final = 600.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Look into files until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m gateway.trust.inspection")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--root", action="append", default=[])
    parser.add_argument("--crl", action="append", default=[])
    parser.add_argument("--memory", type=int, required=True)
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)  # what the libraries say of a file is its sender's affair
    _confine(given.memory)
    lists = TrustLists(given.folder, given.root, given.crl)
    by = ", ".join(f"{name} {metadata.version(name)}" for name in ("pyhanko", "signxml"))
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    _answer(answers, {"by": by})
    while select.select([asked], [], [], IDLE)[0] and (line := asked.readline()):
        job = json.loads(line)
        data, beside = _taken(asked, job["size"]), _taken(asked, job["beside"])
        _give_time(job["seconds"])
        lists.refresh()
        looked = _look(job["kind"], data, beside if job["is_pair"] else None, Court(lists, job["now"]), by)
        _answer(answers, asdict(looked))
        if looked.reason == "stopped":
            return  # another one begins with all of its memory


def _look(kind: Kind, data: bytes, beside: bytes | None, court: Court, by: str) -> Looked:
    try:
        found = asyncio.run(_signatures(kind, data, beside, court))
    except pdf.Unreadable as why:
        verdict: Any = "unsigned" if why.reason == "certificates-only" else "not-checked"
        return Looked(kind, verdict, why.reason, by=by, lists=court.lists.digest)
    except MemoryError:
        return Looked(kind, "not-checked", "stopped", by=by, lists=court.lists.digest)
    except Exception:  # noqa: BLE001 - whatever a stranger's file brings about, it is the file that cannot be read
        return Looked(kind, "not-checked", "unreadable", by=by, lists=court.lists.digest)
    return Looked.of(kind, found, by=by, lists=court.lists.digest)


async def _signatures(kind: Kind, data: bytes, beside: bytes | None, court: Court) -> list[Signature]:
    if kind == "pdf":
        return await pdf.signatures_in(data, court)
    return await (xml.signatures_in(data, court) if kind == "xml" else cms.signatures_in(data, court, beside))


def _taken(asked: BinaryIO, size: int) -> bytes:
    data = asked.read(size)
    if len(data) != size:
        sys.exit(0)
    return data


def _answer(answers: BinaryIO, told: Any) -> None:
    answers.write(json.dumps(told).encode() + b"\n")
    answers.flush()


def _confine(memory: int) -> None:
    """So much memory (bytes), no file written, no child, no core."""
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (most, most))


def _give_time(seconds: float) -> None:
    """So much of the processor for the next file; beyond it the kernel ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))


if __name__ == "__main__":
    main()
