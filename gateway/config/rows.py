"""The registry's rows as this room sees them: what each is, its key, where it came from, its document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

RowKind = Literal["agency", "agreement", "contract", "operator", "item"]
Origin = Literal["folder", "directory", "enrolment", "console"]


class Row(Protocol):
    """A row of the registry. ``gateway.ports.RegistryRow`` is one; rooms of one floor do not know each other."""

    @property
    def kind(self) -> RowKind:
        """What it is."""

    @property
    def key(self) -> str:
        """Its key: an agency's code, an agreement's id, a contract's name, an operator's name, a register's item."""

    @property
    def origin(self) -> Origin:
        """Where it came from; apply touches only what came from the folder."""

    @property
    def body(self) -> Mapping[str, Any]:
        """Its document as JSON."""


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A row that the province folder asks for."""

    kind: RowKind
    key: str
    body: Mapping[str, Any]
    origin: Origin = "folder"
