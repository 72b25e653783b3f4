"""Descriptions of services, read from folders and held to their schema: a mistake is named with its file and key."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jsonschema

from gateway.core.faults import Misconfigured, Text
from gateway.core.rule_text import join_pointer

BUILT_IN: Final = Path(__file__).parent / "services"
_SCHEMA: Final = Path(__file__).parent / "service.schema.json"
_MOST: Final = 1 << 20


def descriptions(folders: Sequence[Path]) -> dict[str, Mapping[str, Any]]:
    """Name -> description, of the files ``NAME.toml`` and ``NAME.json``; a later folder's replaces an earlier one's.

    Raises Misconfigured naming the file and the key of the first mistake in each file that has one.
    """
    found: dict[str, Mapping[str, Any]] = {}
    mistakes: list[Misconfigured] = []
    for folder in folders:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix in {".toml", ".json"})
        except OSError as error:
            raise _wrong(
                folder.name, "Không đọc được thư mục mô tả dịch vụ", "The folder of descriptions cannot be read",
                error.strerror or type(error).__name__,
            ) from None  # fmt: skip
        for path in files:
            try:
                found[path.stem] = described(path)
            except Misconfigured as fault:
                mistakes.append(fault)
    if mistakes:
        first = mistakes[0]
        raise Misconfigured(first.where, first.wrong, first.right, tuple(mistakes[1:]))
    return found


def described(path: Path) -> Mapping[str, Any]:
    """One description, as its schema wants it; raises Misconfigured."""
    where = f"{path.parent.name}/{path.name}"
    try:
        raw = path.read_bytes()
        if len(raw) > _MOST:
            raise _wrong(where, "Tệp quá lớn", "The file is too large", f"≤ {_MOST} byte")
        value = tomllib.loads(raw.decode()) if path.suffix == ".toml" else json.loads(raw)
    except (OSError, ValueError) as error:
        raise _wrong(
            where, "Không đọc được tệp mô tả", "The description cannot be read", f"TOML, JSON, UTF-8 ({error})"
        ) from None
    fault = jsonschema.exceptions.best_match(_validator().iter_errors(value))
    if fault is not None:
        at = join_pointer(tuple(fault.absolute_path))
        raise _wrong(f"{where}#{at}", "Mô tả dịch vụ sai ở khoá này", "This key is wrong", fault.message[:300])
    names = [each["name"] for each in value["operations"]]
    if len(set(names)) < len(names):
        raise _wrong(f"{where}#/operations", "Hai lời gọi trùng tên", "Two operations share a name", "name")
    loose = any("loose-json" in each.get("reply", {}).get("unpack", ()) for each in value["operations"])
    if loose and not value.get("dirty", False):
        raise _wrong(
            f"{where}#/dirty", "loose-json chỉ dùng khi dịch vụ được đánh dấu dirty",
            "loose-json is only for a service that is marked dirty", "dirty = true",
        )  # fmt: skip
    return dict(value)


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text("utf-8")))


def _wrong(where: str, vi: str, en: str, right: str) -> Misconfigured:
    return Misconfigured(
        where,
        Text(vi, en),
        Text(
            f"Người viết mô tả sửa tệp này rồi chạy lại: {right}",
            f"Whoever wrote the description must mend the file: {right}",
        ),
    )
