"""Waiting in a life: until something is so, and what may be asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

_LOOK: Final = 0.15


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not is_so():  # noqa: ASYNC110 - software in small rings no bell
        await asyncio.sleep(_LOOK)


def not_yet() -> bool:
    """What is not taken yet."""
    return False


def by_now() -> bool:
    """What is taken."""
    return True


def is_positive(times: Callable[[], int]) -> bool:
    """Whether it was seen at all."""
    return times() > 0


def is_answered(rows: list[dict[str, Any]], named: str) -> bool:
    """Whether a request for a supplement was answered."""
    return any(each.get("HoSoBoSungId") == named and each.get("NgayTiepNhanBoSung") for each in rows)
