"""Makes the folder's part of the registry equal to the folder: all of it in one transaction, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cli.descriptions import check_descriptions
from gateway.cli.rights import desks_of, rows_after
from gateway.config.difference import Difference, difference
from gateway.config.keys import new_key_pem, read_key, self_signed, write_new
from gateway.config.law import read_law
from gateway.config.province import Province, read_province
from gateway.config.reading import NewPair, Warned
from gateway.config.rows import Row
from gateway.config.settings import Settings
from gateway.core.faults import Busy, Misconfigured, Text
from gateway.ports import AuditRow, Ledger, RegistryRow

_TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class Applied:
    """What apply did, or would do: the difference, what is unusual, the keys it made; ``version`` of the registry."""

    difference: Difference
    warnings: tuple[Warned, ...]
    pairs: tuple[NewPair, ...]
    version: int
    is_written: bool


def plan(settings: Settings, version: int, rows: Sequence[RegistryRow]) -> tuple[Applied, Province]:
    """What apply would do to a registry with these rows; raises Misconfigured with every mistake. Changes nothing."""
    province = read_province(settings, rows)
    read_law(settings.law_folders, settings.folder)
    check_descriptions(settings, province.rows)
    found = difference(rows, province.rows)
    desks_of(settings, rows_after(rows, found))
    return Applied(found, province.warnings, province.pairs, version, is_written=False), province


async def apply_folder(ledger: Ledger, settings: Settings, *, actor: str, now: float, dry_run: bool = False) -> Applied:
    """Put the folder in force. Raises Misconfigured, having changed nothing; clashes are answered, nothing written."""
    for _ in range(_TRIES):
        version, rows = await ledger.registry()
        planned, province = plan(settings, version, rows)
        if dry_run or planned.difference.clashes or (planned.difference.is_empty and not province.pairs):
            return planned
        with _new_pairs(province.pairs) as made:
            if made:
                planned, province = plan(settings, version, rows)
            found = planned.difference
            put = [_registry_row(row) for row in (*found.added, *(change.after for change in found.changed))]
            delete = [(row.kind, row.key) for row in found.removed]
            audit = list(_audit(found, actor, now))
            if await ledger.change_registry(version, put=put, delete=delete, audit=audit):
                made.keep()
                return Applied(found, planned.warnings, tuple(made.pairs), version + 1, is_written=True)
    raise Busy(
        "overloaded",
        Text(
            "Danh mục đang được thay đổi liên tục ở nơi khác. Hãy chạy lại sau vài giây.",
            "The registry keeps changing elsewhere. Run again in a few seconds.",
        ),
    )


def _registry_row(row: Row) -> RegistryRow:
    return RegistryRow(row.kind, row.key, row.origin, row.body)


def _audit(found: Difference, actor: str, now: float) -> Iterator[AuditRow]:
    """A row for each row: who changed what. Values are not repeated; the registry holds them."""
    for row in found.added:
        yield AuditRow(now, actor, "registry.added", {"kind": row.kind, "key": row.key})
    for change in found.changed:
        fields = [field.path for field in change.fields]
        yield AuditRow(
            now, actor, "registry.replaced", {"kind": change.after.kind, "key": change.after.key, "fields": fields}
        )
    for row in found.removed:
        yield AuditRow(now, actor, "registry.removed", {"kind": row.kind, "key": row.key})


class _Made:
    """Files made for new pairs; taken away again unless kept."""

    def __init__(self, pairs: Sequence[NewPair]) -> None:
        self.pairs = list(pairs)
        self.files: list[Path] = []

    def __bool__(self) -> bool:
        return bool(self.files)

    def make(self) -> None:
        """Each pair's key (0600) and self-signed certificate."""
        for pair in self.pairs:
            if pair.has_key:
                key = read_key(pair.key, str(pair.key))
            else:
                key, pem = new_key_pem()
                write_new(pair.key, pem, mode=0o600)
                self.files.append(pair.key)
            write_new(pair.certificate, self_signed(key, pair.system), mode=0o644)
            self.files.append(pair.certificate)

    def keep(self) -> None:
        """They are registered: they stay."""
        self.files = []

    def undo(self) -> None:
        """Take away what is not registered."""
        for path in self.files:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _new_pairs(pairs: Sequence[NewPair]) -> Iterator[_Made]:
    made = _Made(pairs)
    try:
        try:
            made.make()
        except OSError as error:
            raise _not_made(error) from None
        yield made
    finally:
        made.undo()


def _not_made(error: OSError) -> Misconfigured:
    reason = error.strerror or type(error).__name__
    return Misconfigured(
        str(error.filename),
        Text(f"Không tạo được khoá hoặc chứng thư ({reason})", f"Key or certificate cannot be made ({reason})"),
        Text("Hãy cấp quyền ghi vào thư mục này cho người chạy lgsp.", "Let whoever runs lgsp write into this folder."),
    )
