"""The registry's rows in the forms in which the steps ask for them: directory, contracts, operators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.api.identity import operators_of
from gateway.config.catalog import builtin_folder, contract_from_documents, read_catalog
from gateway.config.picture import directory_of
from gateway.config.settings import Settings
from gateway.core.agency_list import AgencyList
from gateway.core.contract import Catalog
from gateway.core.directory import Directory
from gateway.ports import RegistryRow


def built_in_catalog() -> Catalog:
    """The contracts that come with the product."""
    return read_catalog([builtin_folder()])


@dataclass(frozen=True, slots=True)
class Picture:
    """What the registry says at one version."""

    directory: Directory
    catalog: Catalog
    operators: Mapping[str, Any]


def picture_of(
    settings: Settings,
    version: int,
    rows: list[RegistryRow],
    built_in: Catalog,
    lists: Iterable[AgencyList] = (),
) -> Picture:
    """The registry's rows and lists as directory, catalog and operators.

    Raises Misconfigured where a row cannot be used.
    """
    directory = directory_of(rows, gateway=settings.system, version=version, lists=lists)
    own = [
        contract_from_documents(row.key, {path: text.encode() for path, text in row.body["files"].items()})
        for row in rows
        if row.kind == "contract"
    ]
    return Picture(directory, built_in.merged(Catalog.of(own)), operators_of(rows))
