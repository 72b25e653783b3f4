"""A new province folder: lgsp.toml with working defaults, folders, keys; whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.config.keys import new_key_pem, self_signed, write_new
from gateway.config.settings import FILE
from gateway.core.faults import Misconfigured, Text

_FOLDERS: Final = {"agencies": 0o755, "agreements": 0o755, "contracts": 0o755, "adapters": 0o755, "law": 0o755,
                   "trust": 0o755, "keys": 0o700, "var": 0o700}  # fmt: skip

_LGSP_TOML: Final = """\
# Cấu hình của trục liên thông. Đường dẫn tính từ thư mục này.
# Settings of the gateway. Paths are relative to this folder.

[gateway]
# Hệ thống của trục: MÃ_CƠ_QUAN/tên - the gateway's own system
system = "{system}"
# Chỉ máy này gọi được; mở ra mạng thì đổi địa chỉ - loopback only until changed
listen = "127.0.0.1:8600"
# Địa chỉ mà các cơ quan dùng - what agencies call
public_url = "http://127.0.0.1:8600"
# Mọi thứ trục lưu giữ; hãy sao lưu - all that it keeps: back it up
data = "var"

[keys]
# Ký biên nhận: PKCS#8 PEM, Ed25519 hoặc P-256 - signs receipts
signing = "keys/gateway.pem"
certificate = "keys/gateway.crt"
# Ký webhook: Ed25519 - signs webhooks
webhook = "keys/webhook.pem"

[store]
url = "sqlite:var/lgsp.db"

[broker]
url = "local"

[files]
folder = "var/files"
# Tệp đính kèm lớn nhất - the largest attachment
limit = "200 MiB"

[trust]
# Chứng thư gốc được tin cậy và danh sách thu hồi - trusted roots, revocation lists
roots = ["trust/*.pem"]
crls = ["trust/*.crl"]

[contracts]
# Hợp đồng dữ liệu riêng của tỉnh - the province's own contracts
folders = ["contracts"]

[adapters]
# Bộ chuyển đổi riêng của tỉnh, chạy như mã lệnh tin cậy - run as trusted code
folders = ["adapters"]

[law]
# Ngày nghỉ, giờ làm việc, thời hạn riêng của tỉnh - the province's own holidays, office hours, deadlines
folders = ["law"]
"""

_README: Final = """\
# Thư mục tỉnh / Province folder

Sửa tệp rồi chạy `lgsp apply --dry-run` để xem thay đổi, `lgsp apply` để áp dụng, `lgsp serve` để chạy trục.
Edit, look with `lgsp apply --dry-run`, put in force with `lgsp apply`, run with `lgsp serve`.

Một cơ quan / one agency, `agencies/H33.05.toml`:

```toml
code = "H33.05"
name = "Sở Tài chính"
level = "province"
parent = "H33"

[[systems]]
name = "dms"
adapter = "inbox"
certificates = ["keys/H33.05-dms.crt"]

[[systems.subscriptions]]
contract = "document.issued"
version = "1.0"
```

Một thoả thuận / one agreement, `agreements/VB-2018.toml`:

```toml
id = "VB-2018"
title = "Trao đổi văn bản điện tử"
basis = "QĐ 28/2018/QĐ-TTg"
purpose = "van-ban"
from = ["H33", "H33.*"]
to = ["*"]
contracts = ["document.*"]
valid_from = 2018-09-06
valid_until = 2030-12-31
```

Ngày nghỉ của một năm / the holidays of a year, `law/2028.toml` (mẫu / a sample: `lgsp calendar show 2026 --toml`):

```toml
[[years]]
year = 2028
basis = "Thông báo nghỉ lễ, Tết năm 2028"
days_off = [
    { from = 2028-01-25, to = 2028-01-31, name = "Tết Nguyên đán" },
]
```

Khoá và chứng thư của một hệ thống / key and certificate of a system:

```sh
openssl genpkey -algorithm ed25519 -out keys/H33.05-dms.pem
openssl req -x509 -new -key keys/H33.05-dms.pem -subj "/CN=H33.05-dms" -days 3650 -out keys/H33.05-dms.crt
```
"""

_GITIGNORE: Final = "# khoá và dữ liệu không bao giờ vào kho mã / keys and data never enter a repository\nkeys/\nvar/\n"


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    content: bytes
    mode: int


def found_province(folder: Path, system: str) -> list[str]:
    """Make a province folder; answers the files made. All or nothing.

    Raises Misconfigured where there is a province already, or where a file that would be made is there.
    """
    files = _files(system)
    try:
        is_new = not folder.exists()
    except OSError as error:
        raise _unwritable(folder, error) from None
    if is_new:
        _make_whole(folder, files)
    else:
        _add_to(folder, files)
    return [each.name for each in files]


def _files(system: str) -> list[_File]:
    """Every file of a new province; lgsp.toml last, as only with it the folder is a province."""
    key, key_pem = new_key_pem()
    _, webhook_pem = new_key_pem()
    return [
        _File(".gitignore", _GITIGNORE.encode(), 0o644),
        _File("README.md", _README.encode(), 0o644),
        _File("keys/gateway.pem", key_pem, 0o600),
        _File("keys/gateway.crt", self_signed(key, system), 0o644),
        _File("keys/webhook.pem", webhook_pem, 0o600),
        _File(FILE, _LGSP_TOML.format(system=system).encode(), 0o644),
    ]


def _make_whole(folder: Path, files: list[_File]) -> None:
    """A folder that is not there yet appears complete, by one rename."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        being_made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        being_made.chmod(0o755)
        _fill(being_made, files)
        being_made.rename(folder)
    except OSError as error:
        shutil.rmtree(being_made, ignore_errors=True)
        raise _unwritable(folder, error) from None


def _add_to(folder: Path, files: list[_File]) -> None:
    """A folder that is there gets what is missing; where that fails, what was made is taken away again."""
    if not folder.is_dir():
        raise _unwritable(folder, NotADirectoryError(20, "Not a directory"))
    taken = [each.name for each in files if (folder / each.name).exists()]
    if taken:
        is_province = FILE in taken
        raise Misconfigured(
            str(folder / (FILE if is_province else taken[0])),
            Text("Thư mục này đã là một thư mục tỉnh", "This folder is a province already")
            if is_province
            else Text("Tệp này đã có sẵn", "This file is there already"),
            Text("Hãy chọn một thư mục mới; không có gì bị thay đổi.", "Choose a new folder; nothing was changed."),
        )
    made: list[Path] = []
    try:
        _fill(folder, files, made)
    except OSError as error:
        for path in reversed(made):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        raise _unwritable(folder, error) from None


def _fill(folder: Path, files: list[_File], made: list[Path] | None = None) -> None:
    made = [] if made is None else made
    for name, mode in _FOLDERS.items():
        path = folder / name
        if not path.is_dir():
            path.mkdir()
            made.append(path)
        path.chmod(mode)
    for each in files:
        write_new(folder / each.name, each.content, mode=each.mode)
        made.append(folder / each.name)


def _unwritable(folder: Path, error: OSError) -> Misconfigured:
    reason = error.strerror or os.strerror(error.errno or 0)
    return Misconfigured(
        str(folder),
        Text(f"Không tạo được thư mục tỉnh ({reason})", f"The province folder cannot be made ({reason})"),
        Text(
            "Hãy chọn nơi mà người chạy lgsp được quyền ghi.",
            "Choose a place where whoever runs lgsp may write.",
        ),
    )
