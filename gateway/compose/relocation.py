"""The two ends of a move from store to store: which store an address means, to be left or to be moved into."""

# ruff: noqa: PLC0415 - what was not chosen is not imported

from __future__ import annotations

from pathlib import Path

from gateway.config.whereabouts import EMBEDDED, scheme_of
from gateway.ports.relocation import Export, Import


def export_of(url: str, folder: Path) -> Export:
    """The ledger at ``url``, to be left; a path in it is below ``folder``."""
    if scheme_of(url) == EMBEDDED:
        from gateway.store.sqlite.relocation import SqliteExport

        return SqliteExport(_path(url, folder))
    from gateway.store.postgres.relocation import PostgresExport

    return PostgresExport(url)


def import_of(url: str, folder: Path) -> Import:
    """The place at ``url``, to be moved into; likewise."""
    if scheme_of(url) == EMBEDDED:
        from gateway.store.sqlite.relocation import SqliteImport

        return SqliteImport(_path(url, folder))
    from gateway.store.postgres.relocation import PostgresImport

    return PostgresImport(url)


def _path(url: str, folder: Path) -> Path:
    return folder / url.partition(":")[2]
