"""Sizes as people write them: ``200 MiB``."""

from __future__ import annotations

import re
from typing import Final

_SIZE: Final = re.compile(r"([0-9]{1,12}) ?(B|KB|MB|GB|KiB|MiB|GiB)\Z")
_BYTES: Final = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip


def parse_size(text: str) -> int:
    """``200 MiB`` -> 209715200 bytes; units B, KB, MB, GB, KiB, MiB, GiB. Raises ValueError where it is none."""
    found = _SIZE.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a size such as 200 MiB")
    return int(found[1]) * _BYTES[found[2]]
