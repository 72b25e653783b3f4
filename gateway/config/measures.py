"""Sizes and durations as people write them: ``200 MiB``, ``5s``, ``14d``."""

from __future__ import annotations

import re
from typing import Final

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(ms|s|m|h|d)\Z")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"([0-9]{1,12}) ?(B|KB|MB|GB|KiB|MiB|GiB)\Z")
_BYTES: Final = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip


def parse_duration(text: str) -> float:
    """``5s`` -> 5.0 seconds; units ms, s, m, h, d. Raises ValueError where it is none."""
    found = _DURATION.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration such as 5s, 10m, 1h, 14d")
    return float(found[1]) * _SECONDS[found[2]]


def parse_size(text: str) -> int:
    """``200 MiB`` -> 209715200 bytes; units B, KB, MB, GB, KiB, MiB, GiB. Raises ValueError where it is none."""
    found = _SIZE.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a size such as 200 MiB")
    return int(found[1]) * _BYTES[found[2]]
