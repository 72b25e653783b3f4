"""A story told while it happens: its sentences, the promises it checks, and whether all of them held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

PATIENCE: Final = 30.0


@dataclass(slots=True)
class Telling:
    """Where it happens, in which language it is told, and what did not come true."""

    folder: Path
    language: str | None = None
    silent: bool = False
    lost: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether nothing was lost and every check held."""
        return self.lost == 0 and not self.failures

    def counts(self) -> dict[str, Any]:
        """The figures at the end."""
        return {"lost": self.lost, "failures": self.failures}

    def chapter(self, vi: str, en: str) -> None:
        """A heading."""
        self.say("", "")
        self.say(f"▌ {vi}", f"▌ {en}")

    def say(self, vi: str, en: str) -> None:
        """One sentence, in Vietnamese, English, or both."""
        if self.silent:
            return
        if self.language != "en" or not en:
            click.echo(vi)
        if self.language != "vi" and en and en != vi:
            click.echo(click.style(en, dim=self.language is None))

    def check(self, holds: bool, vi: str, en: str) -> None:
        """A promise and whether it held."""
        mark = "✓" if holds else "✗"
        self.say(f"  {mark} {vi}", f"  {mark} {en}")
        if not holds:
            self.failures.append(en)

    async def until(self, ready: Callable[[], Any], what: str) -> bool:
        """Wait until ``ready`` says so, at most PATIENCE seconds; a wait in vain is a failure of the story."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if ready():
                return True
            await asyncio.sleep(0.05)
        self.failures.append(f"waited in vain for {what}")
        return False
