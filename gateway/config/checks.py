"""What the province wants done with files: ``[scan]`` and ``[signatures]`` of lgsp.toml, judged in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from gateway.config.documents import Document
from gateway.config.sizes import parse_size
from gateway.core.faults import Misconfigured, Text
from gateway.core.findings import Policy

_CLAMD: Final = re.compile(r"tcp:(?:\[[0-9a-fA-F:.]+\]|[^:\[\]/\s]+):([0-9]{1,5})\Z|unix:.{1,107}\Z")
#: What a file may take to be looked into: less is of no use, more is no longer looking.
_SIZES: Final = (1, 2**30)
_MEMORY: Final = (256 * 2**20, 16 * 2**30)


@dataclass(frozen=True, slots=True)
class Checks:
    """How files are scanned and looked into; sizes in bytes, times in seconds.

    ``clamd`` is ``tcp:HOST:PORT``, ``unix:PATH``, or empty where nothing scans.
    """

    clamd: str = ""
    is_scan_required: bool = False
    scan_seconds: float = 60.0
    policy: Policy = "warn"
    blocking: frozenset[str] = frozenset({"invalid", "revoked"})
    size: int = 50 * 2**20
    seconds: float = 20.0
    memory: int = 2**30


def checks_of(value: Callable[[str, str], Any]) -> Checks:
    """What the settings say, judged before; ``value`` gives a key of a table, or its default."""
    return Checks(
        clamd=str(value("scan", "clamd")),
        is_scan_required=bool(value("scan", "required")),
        scan_seconds=float(value("scan", "seconds")),
        policy=value("signatures", "policy"),
        blocking=frozenset(value("signatures", "blocking")),
        size=parse_size(str(value("signatures", "limit"))),
        seconds=float(value("signatures", "seconds")),
        memory=parse_size(str(value("signatures", "memory"))),
    )


def judge_checks(document: Document, value: Callable[[str, str], Any]) -> list[Misconfigured]:
    """Every mistake in what is said about files."""
    mistakes: list[Misconfigured] = []
    clamd = str(value("scan", "clamd"))
    found = _CLAMD.match(clamd)
    if clamd and (found is None or not 0 < int(found[1] or 1) < 65536):
        wrong = Text("Địa chỉ clamd không dùng được", "The address of clamd cannot be used")
        right = Text(
            'Ghi "tcp:MÁY:CỔNG" hoặc "unix:ĐƯỜNG_DẪN", ví dụ "unix:/run/clamav/clamd.ctl".',
            'Write "tcp:HOST:PORT" or "unix:PATH", e.g. "unix:/run/clamav/clamd.ctl".',
        )
        mistakes.append(document.mistake(("scan", "clamd"), wrong, right))
    if not clamd and value("scan", "required"):
        wrong = Text("Bắt buộc quét mà không có clamd", "Scanning is required and there is no clamd")
        right = Text("Hãy ghi clamd, hoặc bỏ required.", "Write clamd, or leave required out.")
        mistakes.append(document.mistake(("scan", "required"), wrong, right))
    for key, (least, most), told in (("limit", _SIZES, "1 GiB"), ("memory", _MEMORY, "256 MiB – 16 GiB")):
        if not least <= parse_size(str(value("signatures", key))) <= most:
            wrong = Text("Giới hạn không dùng được", "This limit cannot be used")
            mistakes.append(document.mistake(("signatures", key), wrong, Text(f"Tối đa: {told}.", f"At most: {told}.")))
    return mistakes
