"""What one reading of the province folder knows and finds: mistakes, warnings, keys still to be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gateway.config.documents import Document, Step, each, nearest
from gateway.config.settings import Settings
from gateway.core.contract import Contract
from gateway.core.faults import Misconfigured, Text


class Warned(NamedTuple):
    """Something unusual that hinders nothing: where, and what it means."""

    where: str
    said: Text


class NewPair(NamedTuple):
    """A key that apply will make for a system that the gateway signs for; ``has_key``: only its certificate."""

    system: str
    key: Path
    certificate: Path
    has_key: bool


@dataclass(slots=True)
class Reading:
    """Filled while the folder is read; nothing on disk or in the registry changes meanwhile."""

    settings: Settings
    #: Name -> folder.
    adapters: Mapping[str, Path]
    contracts: Mapping[str, Contract]
    #: System -> hash of its client secret as the registry holds it.
    hashes: Mapping[str, str]
    mistakes: list[Misconfigured] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    pairs: list[NewPair] = field(default_factory=list)
    #: Key file -> the first system that named it.
    key_owners: dict[Path, str] = field(default_factory=dict)

    def mistake(self, document: Document, path: tuple[Step, ...], wrong: Text, right: Text) -> None:
        """Note a mistake at ``path``."""
        self.mistakes.append(document.mistake(path, wrong, right))

    def fault(self, document: Document, path: tuple[Step, ...], fault: Misconfigured) -> None:
        """Note what another part found, at the key that led to it; the file it speaks of stays named."""
        for one in each(fault):
            wrong = Text(f"{one.where}: {one.wrong.vi}", f"{one.where}: {one.wrong.en}")
            self.mistakes.append(document.mistake(path, wrong, one.right))

    def warn(self, document: Document, path: tuple[Step, ...], vi: str, en: str) -> None:
        """Note something unusual."""
        self.warnings.append(Warned(document.where(*path), Text(vi, en)))

    def check_version(self, document: Document, path: tuple[Step, ...], name: str, label: str) -> Contract | None:
        """The contract where it is known in this version; else a mistake is noted at ``path`` and below."""
        contract = self.contracts.get(name)
        if contract is None:
            meant = nearest(name, self.contracts)
            known = ", ".join(sorted(self.contracts)) or "∅"
            right = (
                Text(f"Có phải ý là {meant}?", f"Did you mean {meant}?")
                if meant
                else Text(f"Các hợp đồng hiện có: {known}.", f"There are: {known}.")
            )
            wrong = Text(f"Không có hợp đồng dữ liệu {name}", f"There is no contract {name}")
            self.mistake(document, (*path, "contract"), wrong, right)
            return None
        if contract.version(label) is None:
            labels = ", ".join(version.label for version in contract.versions)
            wrong = Text(f"Hợp đồng {name} không có phiên bản {label}", f"{name} has no version {label}")
            right = Text(f"Các phiên bản hiện có: {labels}.", f"Its versions: {labels}.")
            self.mistake(document, (*path, "version"), wrong, right)
            return None
        return contract
