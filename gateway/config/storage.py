"""Where files are kept when not in a folder: the bucket that lgsp.toml names, judged in words, and who asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.config.documents import Document
from gateway.core.faults import Misconfigured, Text

_BUCKET: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._/-]{0,200}))?\Z")
#: An access key and its secret are short.
_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True)
class Storage:
    """S3-compatible storage: bucket and prefix, address, region, and the file with access key and secret."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    key_file: Path
    #: The file as people know it.
    shown: str = field(compare=False)

    def keys(self) -> tuple[str, str]:
        """Access key and secret, read at the moment of use; raises Misconfigured, which shows neither."""
        try:
            lines = self.key_file.read_bytes()[: _LONGEST + 1].decode("utf-8").split()
        except OSError as error:
            raise _unusable(self.shown, error.strerror or type(error).__name__) from None
        except UnicodeDecodeError:
            raise _unusable(self.shown, "UTF-8") from None
        if len(lines) != 2:
            raise _unusable(self.shown, f"{len(lines)} ≠ 2")
        return lines[0], lines[1]


def storage_of(value: Callable[[str, str], Any], folder: Path) -> Storage | None:
    """The storage that ``[files]`` names, which was judged before; None where files lie in a folder."""
    found = _BUCKET.match(str(value("files", "url")))
    if found is None:
        return None
    key_file = str(value("files", "key_file"))
    return Storage(
        bucket=found[1],
        prefix=(found[2] or "").strip("/"),
        endpoint=str(value("files", "endpoint")).rstrip("/"),
        region=str(value("files", "region")),
        key_file=folder / key_file,
        shown=key_file,
    )


def judge_storage(document: Document, value: Callable[[str, str], Any]) -> list[Misconfigured]:
    """Every mistake in what ``[files]`` says about a bucket; ``value`` gives a key of a table, or its default."""
    url, endpoint, key_file = (str(value("files", key)) for key in ("url", "endpoint", "key_file"))
    if not url:
        return [
            document.mistake(
                ("files", key),
                Text(f"{key} chỉ có nghĩa khi có [files] url", f"{key} means something beside [files] url only"),
                Text("Hãy ghi url, hoặc bỏ dòng này.", "Write url, or leave this line out."),
            )
            for key in ("endpoint", "region", "key_file")
            if key in document.values.get("files", {})
        ]
    mistakes: list[Misconfigured] = []
    if not _BUCKET.match(url):
        wrong = Text("Tên kho tệp không dùng được", "The bucket cannot be used")
        right = Text('Ví dụ đúng: "s3://lgsp-tep/tinh".', 'For example: "s3://lgsp-files/province".')
        mistakes.append(document.mistake(("files", "url"), wrong, right))
    if not _is_address(endpoint):
        wrong = Text("Thiếu hoặc sai địa chỉ kho tệp", "The address of the storage is missing or wrong")
        right = Text('Ví dụ đúng: "https://s3.example.vn".', 'For example: "https://s3.example.vn".')
        mistakes.append(document.mistake(("files", "endpoint"), wrong, right))
    if not key_file:
        wrong = Text("Chưa nói khoá truy cập nằm ở tệp nào", "No file with the access key is named")
        right = Text(
            'Ghi key_file = "keys/files.key": dòng đầu là mã khoá, dòng sau là khoá bí mật.',
            'Write key_file = "keys/files.key": the access key in its first line, the secret in its second.',
        )
        mistakes.append(document.mistake(("files", "key_file"), wrong, right))
    return mistakes


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and not parts.username and not parts.query and not parts.path.strip("/")
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and usable


def _unusable(shown: str, reason: str) -> Misconfigured:
    return Misconfigured(
        shown,
        Text(f"Không dùng được tệp khoá của kho tệp ({reason})", f"The storage's key file cannot be used ({reason})"),
        Text(
            "Quản trị viên ghi vào tệp này mã khoá ở dòng đầu, khoá bí mật ở dòng sau; chỉ tài khoản chạy dịch vụ đọc.",
            "The administrator writes the access key in its first line and the secret in its second, readable for the"
            " service's account alone.",
        ),
    )
