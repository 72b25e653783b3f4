"""Files that a message names: ``{"name", "mediaType", "size", "sha256"}`` anywhere in its data."""

from __future__ import annotations

import re
from typing import Any, Final

_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
_MEMBERS: Final = ("name", "mediaType", "size", "sha256")


def is_file(value: object) -> bool:
    """Whether a JSON value names a file."""
    return (
        isinstance(value, dict)
        and all(member in value for member in _MEMBERS)
        and isinstance(value["sha256"], str)
        and _SHA256.match(value["sha256"]) is not None
    )


def files_named(data: Any, written: bytes | None = None) -> tuple[str, ...]:
    """The SHA-256 (lower-case hex) of every file that ``data`` names, each once, in order of appearance.

    ``written`` are the JSON bytes that ``data`` was read from, where they are at hand: most name no file at all.
    """
    if written is not None and b"sha256" not in written and b"\\" not in written:
        return ()
    return tuple(dict.fromkeys([each["sha256"] for each in files_told(data)]))


def files_told(data: Any) -> list[dict[str, Any]]:
    """Every place of ``data`` that names a file, as it is written there, in order of appearance."""
    found: list[dict[str, Any]] = []
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "sha256" in value and is_file(value):
                found.append(value)
            value = list(value.values())
        if isinstance(value, list):
            waiting.extend([each for each in reversed(value) if isinstance(each, dict | list)])
    return found
