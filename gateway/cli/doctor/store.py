"""Checks of what the gateway keeps: the database, what waits in it, the files beside it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.cli.doctor.lists import on_lists
from gateway.cli.doctor.province import RECENT, of_mistakes, signers_of
from gateway.config.settings import Settings
from gateway.core.diagnosis import (
    Finding,
    on_commit,
    on_last_rows,
    on_log_size,
    on_schema,
    on_soundness,
    on_waiting,
    size,
)
from gateway.core.faults import Busy, Misconfigured, Text
from gateway.core.server_diagnosis import on_move
from gateway.ports import RegistryRow

if TYPE_CHECKING:
    from gateway.ports import HeldFile

#: How long the database's own check may take unless it was asked to be thorough (seconds).
_PATIENCE: Final = 20.0
_THOROUGH: Final = 24 * 3600.0
#: So many files are read whole and their digests compared, within so many bytes.
SAMPLE: Final = 20
SAMPLE_BYTES: Final = 512 * 2**20


@dataclass(slots=True)
class Kept:
    """What one look at the store found, and what other checks need of it."""

    findings: list[Finding] = field(default_factory=list)
    version: int = 0
    rows: Sequence[RegistryRow] = ()
    signers: frozenset[str] = frozenset()
    #: Bytes in the database with its log, and in the spool.
    database_bytes: int = 0
    spool_bytes: int = 0


def on_store(settings: Settings, now: float, *, thorough: bool = False) -> Kept:
    """Everything about database and spool, without changing a row (but for the proof that one can be written)."""
    if not settings.is_embedded:
        from gateway.cli.doctor.cluster import on_cluster

        return on_cluster(settings, now)
    from gateway.compose import looking

    path, kept = settings.store_path, Kept()
    shown = settings.shown(path)
    if not path.exists():
        kept.findings.append(_no_database(shown))
        return kept
    try:
        with closing(looking.open_for_looking(path)) as connection:
            found = looking.shape(connection, path)
            kept.database_bytes = found.size + found.log_size
            kept.findings.append(on_schema(shown, found.schema, found.known))
            kept.findings += on_move(shown, looking.moving(connection))
            kept.findings += filter(None, [on_log_size(shown, found.log_size)])
            unsound = looking.unsoundness(connection, _THOROUGH if thorough else _PATIENCE)
            kept.findings.append(on_soundness(shown, unsound))
            if unsound or found.schema == 0:
                return kept
            kept.version, kept.rows = looking.registered(connection)
            kept.findings += on_lists(settings, *looking.agency_lists(connection), now)
            kept.signers = frozenset(signers_of(looking.recent_envelopes(connection, RECENT)))
            kept.findings.append(on_last_rows(shown, now, looking.newest(connection)))
            kept.findings += on_backlog(looking.waiting(connection), now)
            spooled, kept.spool_bytes = on_spool(settings, looking.held_files(connection))
            kept.findings += spooled
    except Misconfigured as fault:
        kept.findings += of_mistakes("database", fault)
        return kept
    if found.schema <= found.known:
        kept.findings.append(_on_writing(path, shown))
    return kept


def _on_writing(path: Path, shown: str) -> Finding:
    from gateway.compose import looking

    try:
        return on_commit(shown, looking.write_once(path))
    except Busy:
        return Finding(
            "database",
            "error",
            shown,
            Text("Chương trình khác đang khoá cơ sở dữ liệu", "Another program keeps the database locked"),
            Text(
                f"Tìm và đóng chương trình đó: fuser -v {path} (trục chỉ giữ khoá trong chốc lát).",
                f"Find and close it: fuser -v {path} (a gateway holds the lock for moments only).",
            ),
        )
    except Misconfigured as fault:
        return of_mistakes("database", fault)[0]


def _no_database(shown: str) -> Finding:
    return Finding(
        "database",
        "warning",
        shown,
        Text("Chưa có cơ sở dữ liệu", "There is no database yet"),
        Text(
            "Tỉnh mới: chạy lgsp apply. Nếu đã từng chạy: dừng lại và khôi phục bản sao lưu bằng lgsp restore.",
            "A new province: run lgsp apply. Where there was one: stop, and restore the backup with lgsp restore.",
        ),
    )


def on_backlog(waiting: Iterable[object], now: float) -> list[Finding]:
    """What waits, recipient by recipient; what nobody need look at is summed up."""
    findings: list[Finding] = []
    total = 0
    for one in waiting:
        recipient, state, count, oldest = (getattr(one, name) for name in ("recipient", "state", "count", "oldest"))
        total += count
        findings += filter(None, [on_waiting(recipient, state, count, oldest, now)])
    said = Text(f"{total} lượt chuyển chưa tới nơi", f"{total} deliveries are under way")
    return [Finding("backlog", "ok", "*", said), *findings]


def on_spool(settings: Settings, held: Iterable[tuple[HeldFile, bool]]) -> tuple[list[Finding], int]:
    """Files that should be there and are not, or are not what their name says; and how many bytes there are."""
    from gateway.store.files import Files

    # a folder that is not there is not made: then every file is missing, and that is the finding
    spool = Files(settings.files_folder) if settings.files_folder.is_dir() else None
    shown = settings.shown(settings.files_folder)
    missing: list[str] = []
    wrong: list[str] = []
    sample: list[HeldFile] = []
    count = amount = 0
    for file, is_named in held:
        count, amount = count + 1, amount + file.size
        try:
            there = -1 if spool is None else spool.path(file.sha256).stat().st_size
        except OSError:
            there = -1
        if there < 0:
            if is_named:
                missing.append(file.sha256)
            continue
        if there != file.size:
            wrong.append(file.sha256)
        elif len(sample) < SAMPLE:
            sample.append(file)
        elif (place := random.randrange(count)) < SAMPLE:  # noqa: S311 - every file has the same chance, no secret
            sample[place] = file
    if spool is not None:
        wrong += [file.sha256 for file in _within(sample) if _digest(spool.path(file.sha256)) != file.sha256]
    findings = [_gone(shown, missing)] if missing else []
    findings += [_changed(shown, wrong)] if wrong else []
    if not findings:
        said = Text(
            f"Đủ {count} tệp ({size(amount)}); đã so mã băm {len(sample)} tệp",
            f"All {count} files ({size(amount)}) are there; {len(sample)} were compared with their digest",
        )
        findings.append(Finding("spool", "ok", shown, said))
    return findings, amount


def _within(sample: Iterable[HeldFile]) -> Iterable[HeldFile]:
    left = SAMPLE_BYTES
    for file in sample:
        if file.size <= left:
            left -= file.size
            yield file


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _gone(shown: str, missing: Sequence[str]) -> Finding:
    return Finding(
        "spool",
        "error",
        shown,
        Text(
            f"Thiếu {len(missing)} tệp mà thông điệp có nêu, ví dụ {missing[0]}",
            f"{len(missing)} files that messages name are gone, for example {missing[0]}",
        ),
        _RECOVER,
    )


def _changed(shown: str, wrong: Sequence[str]) -> Finding:
    return Finding(
        "spool",
        "error",
        shown,
        Text(
            f"{len(wrong)} tệp không còn đúng nội dung, ví dụ {wrong[0]}",
            f"{len(wrong)} files are no longer what they were, for example {wrong[0]}",
        ),
        _RECOVER,
    )


_RECOVER: Final = Text(
    "Chép lại các tệp đó từ bản sao lưu (files/ trong gói), hoặc nhờ nơi gửi tải lên lại; kiểm tra ổ đĩa.",
    "Copy them back from a backup (files/ in the archive), or ask their sender to upload them again; check the disk.",
)
