"""Software with JSON, forms or XML over HTTP, described by one file in the province folder: no code a system.

All of it is data; what a description may say is told in docs/adapters-as-data.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from adapters.rest.way import SCHEMA, Plain
from gateway.calls.described.description import read_description
from gateway.calls.described.parts import Parts
from gateway.calls.described.service import FarSide
from gateway.calls.described.trial import MASK, Trial
from gateway.ports import AdapterContext, Trying

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True
ANSWERS: Final = True
ASKED: Final = True
_TONGUE: Final = Path(__file__).parent.name


def open_adapter(context: AdapterContext) -> FarSide:
    """The adapter of one system; raises Misconfigured where its settings or its description cannot work."""
    way, parts = _read(context.settings, context.folder)
    return FarSide(context, _TONGUE, parts, way)


def check(settings: Mapping[str, Any], folder: Path) -> None:
    """Whether the description can work; raises Misconfigured with every mistake, naming file and key."""
    _read(settings, folder)


def dry(context: AdapterContext) -> Trying:
    """The adapter tried on samples: nothing is sent, no secret read. Raises Misconfigured as opening does."""
    masked = replace(context, read_secret=lambda _: MASK.encode())
    way, parts = _read(context.settings, context.folder)
    return Trial(FarSide(masked, _TONGUE, parts, way), way, masked)


def _read(settings: Mapping[str, Any], folder: Path) -> tuple[Plain, Parts]:
    way = Plain()
    description = read_description(folder, str(settings["description"]), SCHEMA)
    return way, Parts.of(description, way.operation, settings)
