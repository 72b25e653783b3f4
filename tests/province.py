"""Builders: a province folder that is right, one override a test; keys made on the spot."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.founding import found_province
from gateway.config.keys import new_key_pem, self_signed
from gateway.config.settings import Settings, read_settings

GATEWAY = "H33.14/lgsp"

FINANCE = """\
code = "H33.05"
aliases = ["000.00.05.H33"]
name = "Sở Tài chính"
level = "province"
parent = "H33"

[[systems]]
name = "dms"
adapter = "webhook"
certificates = ["keys/H33.05-dms.crt"]

[systems.settings]
url = "http://127.0.0.1:9001/inbox"

[[systems.subscriptions]]
contract = "receipt.delivered"
version = "1.0"
"""

HEALTH = """\
code = "H33.16"
name = "Sở Y tế"
parent = "H33"

[[systems]]
name = "dms"
adapter = "inbox"
certificates = ["keys/H33.16-dms.crt"]

[[systems.subscriptions]]
contract = "document.issued"
version = "1.0"
format = "jws"
filter = { source = ["H33.*"], subject = ["*"] }
retry = { first = "5s", factor = 2, cap = "1h", deadline = "14d" }
"""

AGREEMENT = """\
id = "VB-2018"
title = "Trao đổi văn bản điện tử"
basis = "QĐ 28/2018/QĐ-TTg"
purpose = "van-ban"
from = ["H33", "H33.*"]
to = ["*"]
contracts = ["document.*"]
valid_from = 2018-09-06
valid_until = 2030-12-31
"""


def a_province(folder: Path) -> Path:
    """A province of two agencies and one agreement, ready to be applied."""
    found_province(folder, GATEWAY)
    for name in ("H33.05-dms", "H33.16-dms"):
        a_pair(folder, name)
    write(folder, "agencies/H33.05.toml", FINANCE)
    write(folder, "agencies/H33.16.toml", HEALTH)
    write(folder, "agreements/VB-2018.toml", AGREEMENT)
    return folder


def a_pair(folder: Path, name: str) -> None:
    """A key and its self-signed certificate in ``keys/``."""
    key, pem = new_key_pem()
    (folder / "keys" / f"{name}.pem").write_bytes(pem)
    (folder / "keys" / f"{name}.crt").write_bytes(self_signed(key, name))


def write(folder: Path, name: str, text: str) -> None:
    """One file of the province folder."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def edit(folder: Path, name: str, before: str, after: str) -> None:
    """Replace ``before``, which must be there, in one file of the folder."""
    text = (folder / name).read_text("utf-8")
    assert before in text
    write(folder, name, text.replace(before, after, 1))


def settings_of(folder: Path, **environ: str) -> Settings:
    """The settings of the folder, with nothing of the real environment."""
    return read_settings(folder, environ)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below the folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
