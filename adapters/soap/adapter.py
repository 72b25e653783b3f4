"""A SOAP service, described by one file beside its WSDL and XSD in the province folder: no code a system.

All of it is data; what a description may say is told in docs/adapters-as-data.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from adapters.soap.way import SCHEMA, Enveloped
from adapters.soap.wsdl import Version, Wsdl
from gateway.calls.described.description import read_description
from gateway.calls.described.parts import Parts
from gateway.calls.described.service import FarSide
from gateway.calls.described.trial import MASK, Trial
from gateway.core.faults import Misconfigured, Text
from gateway.ports import AdapterContext, Trying

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True
ANSWERS: Final = True
ASKED: Final = True
_TONGUE: Final = Path(__file__).parent.name


def open_adapter(context: AdapterContext) -> FarSide:
    """The adapter of one system; raises Misconfigured where its settings or its description cannot work."""
    way, parts = _read(context.settings, context.folder, context.read_secret)
    return FarSide(context, _TONGUE, parts, way)


def check(settings: Mapping[str, Any], folder: Path) -> None:
    """Whether description, WSDL and XSD can work; raises Misconfigured with every mistake, naming file and key."""
    _read(settings, folder, lambda _: b"")


def dry(context: AdapterContext) -> Trying:
    """The adapter tried on samples: nothing is sent, no secret read. Raises Misconfigured as opening does."""
    masked = replace(context, read_secret=lambda _: MASK.encode())
    way, parts = _read(context.settings, context.folder, masked.read_secret)
    return Trial(FarSide(masked, _TONGUE, parts, way), way, masked)


def _read(settings: Mapping[str, Any], folder: Path, read_secret: Callable[[str], bytes]) -> tuple[Enveloped, Parts]:
    description = read_description(folder, str(settings["description"]), SCHEMA)
    raw = description.raw
    if "wsdl" not in raw:
        raise Misconfigured(
            description.where("wsdl"),
            Text("Thiếu wsdl", "wsdl missing"),
            Text('Ghi tên tệp WSDL nằm cạnh mô tả: wsdl = "dich-vu.wsdl".', 'Name the WSDL: wsdl = "service.wsdl".'),
        )
    version: Version = raw.get("soap", "1.1")
    wsdl = Wsdl.read(description.folder, raw["wsdl"], version, f"{description.shown}: wsdl")
    way = Enveloped(wsdl, settings.get("security"), read_secret, is_checked=bool(raw.get("is_answer_checked", True)))
    parts = Parts.of(description, way.operation, settings)
    way.check(parts.answers, description.shown)
    return way, parts
