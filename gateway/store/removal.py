"""Removing bytes that nobody names: a few in one transaction, as whoever names a file meanwhile waits for its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

#: Files whose bytes one transaction removes at most, and how long (seconds) it goes on: where they lie in storage
#: elsewhere each takes its time.
MOST: Final = 32
PATIENCE: Final = 0.5


def removed(found: Sequence[str], remove: Callable[[str], None]) -> Sequence[str]:
    """Remove files one by one; answers which: all of them, or the first ones where it takes too long. Blocks."""
    end = time.monotonic() + PATIENCE
    for place, sha256 in enumerate(found, start=1):
        remove(sha256)
        if time.monotonic() >= end:
            return found[:place]
    return found
