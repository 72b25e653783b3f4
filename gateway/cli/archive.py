"""A backup as one tar: said first what it is, then every file, last the list of all with size and SHA-256.

Written and read in one stream, with memory that does not grow with what is in it. The list comes last because it
holds digests of what was written before it; an archive without its list is one that was cut off.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, cast

from gateway.core.faults import Misconfigured, Text

FORMAT: Final = "lgsp-backup/1"
HEAD: Final = "backup.json"
LIST: Final = "manifest.jsonl"
#: The rooms of an archive: the province folder, the database, the files that messages name.
ROOMS: Final = ("province", "store", "files")
_CHUNK: Final = 256 * 1024
_MAX_HEAD: Final = 2**20
_MAX_LINE: Final = 8 * 1024


@dataclass(slots=True)
class _Measured:
    """A file on its way through: counts and digests what is read of it."""

    source: IO[bytes]
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        chunk = self.source.read(size)
        self.digest.update(chunk)
        self.size += len(chunk)
        return chunk


class Writing:
    """Puts files into an archive that appears under its name only when it is whole and on disk."""

    def __init__(self, target: Path, head: Mapping[str, Any]) -> None:
        """Raises OSError where ``target``'s folder cannot be written."""
        self.target = target
        handle, part = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)  # readable by its owner alone
        self._part = Path(part)
        self._file = os.fdopen(handle, "w+b")
        self._tar = tarfile.open(mode="w|", fileobj=self._file, format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed below
        self._list = tempfile.TemporaryFile(dir=target.parent)  # noqa: SIM115 - closed below
        self.count = 0
        self.size = 0
        self._add_bytes(HEAD, json.dumps({"format": FORMAT, **head}, ensure_ascii=False, indent=1).encode())

    def add(self, name: str, path: Path) -> str:
        """Put one file in as it is now; answers its SHA-256. Raises OSError where it cannot be read to its end."""
        with path.open("rb") as source:
            status = os.fstat(source.fileno())
            return self._add(name, source, status.st_size, status.st_mode & 0o777, status.st_mtime)

    def pour(self, name: str, source: IO[bytes], size: int) -> str:
        """Put in the ``size`` bytes that ``source`` gives, for its owner alone; answers their SHA-256.

        Raises OSError where it ends before.
        """
        return self._add(name, source, size, 0o600, time.time())

    def finish(self) -> str:
        """Write the list, make all of it durable, give it its name; answers the archive's own SHA-256."""
        size = self._list.tell()
        self._list.seek(0)
        self._tar.addfile(_info(LIST, size, 0o600, time.time()), self._list)
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256").hexdigest()
        self._part.replace(self.target)
        _sync_folder(self.target.parent)
        return digest

    def close(self) -> None:
        """Let go; what was not finished leaves nothing behind."""
        self._list.close()
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _add_bytes(self, name: str, content: bytes) -> None:
        self._add(name, io.BytesIO(content), len(content), 0o600, time.time())

    def _add(self, name: str, source: IO[bytes], size: int, mode: int, changed: float) -> str:
        measured = _Measured(source)
        self._tar.addfile(_info(name, size, mode, changed), cast("IO[bytes]", measured))
        _forget_members(self._tar)
        sha256 = str(measured.digest.hexdigest())
        self._list.write(_line(name, size, sha256))
        self.count += 1
        self.size += size
        return sha256


def read_archive(
    path: Path,
    place: Callable[[Mapping[str, Any], str], Path | None] | None = None,
    *,
    scratch: Path | None = None,
) -> dict[str, Any]:
    """Read an archive to its end and hold every file to the list; answers the head with ``files`` and ``bytes``.

    ``place(head, name)`` says where a file goes (None: nowhere); the file is made there, durable, with the mode it
    had. Raises Misconfigured where the archive is damaged, cut off or no backup; then what was placed is not to be
    used. Bounded memory. Scratch space, some bytes a file, is taken in the folder ``scratch``.
    """
    head: dict[str, Any] | None = None
    count = amount = 0
    is_listed = False
    try:
        with tarfile.open(path, "r|") as tar, tempfile.TemporaryFile(dir=scratch) as seen:
            while (member := tar.next()) is not None:
                _forget_members(tar)
                source = tar.extractfile(member) if member.isfile() else None
                if source is None or is_listed or not _is_well_named(member.name):
                    raise _damaged(
                        path, Text(f"có phần lạ {member.name!r}", f"it holds something odd, {member.name!r}")
                    )
                if member.name == LIST:
                    _compare(path, seen, source)
                    is_listed = True
                    continue
                if head is None:
                    head, sha256 = _read_head(path, member, source)
                else:
                    sha256 = _pass_on(source, None if place is None else place(head, member.name), member)
                seen.write(_line(member.name, member.size, sha256))
                count, amount = count + 1, amount + member.size
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _damaged(path, Text(str(error), str(error))) from error
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno is None:
            raise _damaged(path, Text(reason, reason)) from error
        raise Misconfigured(
            str(error.filename or path),
            Text(f"Không đọc hoặc ghi được ({reason})", f"It cannot be read or written ({reason})"),
            Text("Kiểm tra đường dẫn, quyền và dung lượng đĩa.", "Check the path, rights and free space."),
        ) from error
    if head is None or not is_listed:
        raise _damaged(path, Text("gói bị cắt cụt", "it is cut off"))
    return {**head, "files": count, "bytes": amount}


def _read_head(path: Path, member: tarfile.TarInfo, source: IO[bytes]) -> tuple[dict[str, Any], str]:
    content = source.read(_MAX_HEAD + 1)
    try:
        head = json.loads(content)
    except ValueError:
        head = None
    if member.name != HEAD or not isinstance(head, dict) or head.get("format") != FORMAT or len(content) > _MAX_HEAD:
        raise Misconfigured(
            str(path),
            Text("Đây không phải gói sao lưu của lgsp", "This is no backup of lgsp"),
            Text("Chỉ đúng tệp do lgsp backup tạo ra.", "Name a file that lgsp backup made."),
        )
    return head, hashlib.sha256(content).hexdigest()


def _pass_on(source: IO[bytes], target: Path | None, member: tarfile.TarInfo) -> str:
    measured = _Measured(source)
    if target is None:
        while measured.read(_CHUNK):
            pass
    else:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            while chunk := measured.read(_CHUNK):
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), member.mode & 0o777)
            os.fsync(file.fileno())
    if measured.size != member.size:
        raise EOFError(f"{member.name} is cut off")
    return str(measured.digest.hexdigest())


def _compare(path: Path, seen: IO[bytes], listed: IO[bytes]) -> None:
    seen.seek(0)
    while True:
        found, wanted = seen.readline(_MAX_LINE), listed.readline(_MAX_LINE)
        if found != wanted:
            name = json.loads(wanted or found)["path"]
            raise _damaged(path, Text(f"{name} không khớp danh sách", f"{name} is not as listed"))
        if not found:
            return


def _line(name: str, size: int, sha256: str) -> bytes:
    return json.dumps({"path": name, "size": size, "sha256": sha256}, ensure_ascii=False).encode() + b"\n"


def _info(name: str, size: int, mode: int, changed: float) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, mode, int(changed)
    return info


def _is_well_named(name: str) -> bool:
    if name in {HEAD, LIST}:
        return True
    parts = PurePosixPath(name).parts
    return len(parts) > 1 and parts[0] in ROOMS and ".." not in parts and str(PurePosixPath(name)) == name


def _forget_members(tar: tarfile.TarFile) -> None:
    tar.members = []  # type: ignore[attr-defined]  # the library keeps every header for a second pass; there is none


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path, how: Text) -> Misconfigured:
    return Misconfigured(
        str(path),
        Text(f"Gói sao lưu bị hỏng: {how.vi}", f"The backup is damaged: {how.en}"),
        Text(
            "Dùng bản sao khác; không có gì bị thay đổi. Kiểm tra ổ đĩa đã giữ gói này.",
            "Use another copy; nothing was changed. Check the disk that kept this one.",
        ),
    )
