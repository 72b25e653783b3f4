"""The real time and real chance, for every step of a gateway that runs."""

from __future__ import annotations

import asyncio
import random
import time


class SystemClock:
    """The real time and real chance."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def chance(self) -> float:
        """A random number in [0, 1), for jitter alone."""
        return random.random()  # noqa: S311 - spreads retries, guards nothing

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
